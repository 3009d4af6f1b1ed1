# SPDX-License-Identifier: Apache-2.0
"""The log over Sentinel and over a Cluster keeps the contract, and survives a failover."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from functools import partial
from typing import Final

import pytest
from redis.asyncio import Redis
from redis.asyncio.sentinel import SentinelConnectionPool
from redis.crc import key_slot

from server.cluster.calls import FAULTS
from server.cluster.connect import client_of, disconnect
from server.cluster.keys import Keys
from server.cluster.nodes import NodeInfo, Registry, fresh_node
from server.cluster.primaries import PrimaryPipes
from server.cluster.redis_log import RedisLog
from server.ids import RoomId
from server.ports import Appended, Entry, Epoch, LogUnavailable, Seq
from tests.cluster.author import Author
from tests.cluster.contract import CONTRACT, ROOM, A, B, C, Promise, entry, name_of, opened
from tests.cluster.heard import Heard
from tests.cluster.nodes import Nodes, joined
from tests.cluster.servers import HOST, KINDS, Kind, RunningRedis
from tests.cluster.topologies import SERVICE, Cluster, Replicated, cluster, replicated, text, until
from tests.runner.toys import FIRST

pytestmark = pytest.mark.slow

OUTAGE_S: Final = 5.0
NOTICED_S: Final = 0.5
"""What a busy machine may take for one act; whoever waits for a server that is away takes a second."""


@pytest.fixture(scope="module", params=KINDS)
def three_primaries(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """A Cluster for tests that do it no harm."""
    with cluster(request.param) as found:
        yield found


@pytest.fixture(scope="module", params=KINDS)
def with_sentinels(request: pytest.FixtureRequest) -> Iterator[Replicated]:
    """A primary with a replica and Sentinels, for tests that do it no harm."""
    with replicated(request.param) as found:
        yield found


@pytest.mark.parametrize("promise", CONTRACT, ids=name_of)
async def test_cluster(promise: Promise, three_primaries: Cluster) -> None:
    """Each promise holds over three primaries."""
    async with joined(three_primaries.url) as nodes:
        await promise(nodes)


@pytest.mark.parametrize("promise", CONTRACT, ids=name_of)
async def test_sentinel(promise: Promise, with_sentinels: Replicated) -> None:
    """Each promise holds where Sentinel names the primary."""
    async with joined(with_sentinels.url) as nodes:
        await promise(nodes)


async def test_rooms_spread_over_the_primaries(three_primaries: Cluster) -> None:
    """Each has about a third; hints of all come, and one command's keys are in one slot."""
    async with joined(three_primaries.url) as nodes:
        log, listener = nodes(), nodes()
        rooms = [RoomId(f"room {i}") for i in range(60)]
        heard = {room: Heard() for room in rooms}
        epochs = {room: (await log.create(room, FIRST, wake_ms=1)).epoch for room in rooms}
        for room in rooms:
            listener.subscribe(room, heard[room])
        await nodes.settle()
        counts = []
        for server in three_primaries.primaries:
            with server.admin() as admin:
                counts.append(len(list(admin.scan_iter(f"{nodes.prefix}:*:room:*", count=1000))))
        assert sum(counts) == 60
        assert min(counts) >= 8
        for room in rooms:
            assert await log.append(room, epochs[room], Seq(0), (A,), wake_ms=1) == Appended()
        for room in rooms:
            await heard[room].until(lambda: bool(heard[room].hints))  # noqa: B023 - awaited at once
            assert heard[room].hints == [(epochs[room], Seq(1), (A,))]
        assert sorted(await log.due(5, 100)) == sorted(rooms)
        assert {p.seq for p in (await log.positions(rooms)).values()} == {1}


async def test_hard_batches_wait_for_a_replica(with_sentinels: Replicated) -> None:
    """With a replica that answers a batch is safe; with one that does not, the author is told."""
    async with joined(with_sentinels.url) as nodes:
        log = nodes()
        epoch = await opened(log)
        assert await log.append(ROOM, epoch, Seq(0), (A,), hard=True) == Appended()
        with_sentinels.replica.pause()
        try:
            assert await log.append(ROOM, epoch, Seq(1), (B,), hard=True) == Appended(safe=False)
            assert await log.append(ROOM, epoch, Seq(2), (C,)) == Appended()
        finally:
            with_sentinels.replica.resume()


async def test_searches_at_once_forget_no_sentinel(with_sentinels: Replicated) -> None:
    """While the first Sentinel is silent many look for the primary: they find it, and know all Sentinels after."""
    client = client_of(with_sentinels.url)
    assert isinstance(client, Redis)
    pool = client.connection_pool
    assert isinstance(pool, SentinelConnectionPool)
    manager = pool.sentinel_manager
    before = set(manager.sentinels)
    with_sentinels.sentinels[0].pause()
    try:
        found = await asyncio.gather(*(manager.discover_master(SERVICE) for _ in range(3)))
    finally:
        with_sentinels.sentinels[0].resume()
        await disconnect(client)
    assert {port for _, port in found} == {with_sentinels.primary.port}
    assert set(manager.sentinels) == before


@pytest.mark.parametrize("kind", KINDS)
async def test_sentinel_failover(kind: Kind) -> None:
    """The primary is killed: the replica goes on with what was safe, in a new epoch, hints included."""
    with replicated(kind) as servers:
        async with joined(servers.url) as nodes:
            log, listener = nodes(), nodes()
            epoch = await opened(log)
            heard = Heard()
            listener.subscribe(ROOM, heard)
            await nodes.settle()
            assert await log.append(ROOM, epoch, Seq(0), (A,), hard=True) == Appended()
            servers.primary.kill()
            author = Author(log, ROOM, epoch, A)
            await author.append(B)
            assert author.epoch > epoch
            assert await log.read(ROOM, author.epoch, Seq(0)) == (B,)
            await asyncio.wait_for(nodes.settle(), 30)
            await author.append(C)
            await heard.until(lambda: (author.epoch, 2, (C,)) in heard.hints)


@pytest.mark.parametrize("kind", KINDS)
async def test_cluster_failover(kind: Kind) -> None:
    """One of three primaries is killed: its replica takes over, rooms of the others never stop."""
    with cluster(kind, replicas=True) as servers:
        async with joined(servers.url) as nodes:
            log, listener = nodes(), nodes()
            rooms = [RoomId(f"room {i}") for i in range(12)]
            epochs = {room: (await log.create(room, FIRST)).epoch for room in rooms}
            heard = {room: Heard() for room in rooms}
            for room in rooms:
                listener.subscribe(room, heard[room])
            await nodes.settle()
            for room in rooms:
                assert await log.append(room, epochs[room], Seq(0), (A,), hard=True) == Appended()
            servers.primaries[0].kill()
            authors = {room: Author(log, room, epochs[room], A) for room in rooms}
            for author in authors.values():
                await author.append(B)
            deadline = time.monotonic() + 30
            for seq in range(2, 10_000):
                last = entry(f"c:{seq}")
                for author in authors.values():
                    await author.append(last)
                if all(heard[room].hints[-1][2] == (last,) for room in rooms if heard[room].hints):
                    break
                assert time.monotonic() < deadline
                await asyncio.sleep(0.3)
            anew = {room for room in rooms if authors[room].epoch != epochs[room]}
            assert 0 < len(anew) < len(rooms)
            assert {room: await log.read(room, authors[room].epoch, Seq(0)) for room in rooms} == {
                room: tuple(author.life) for room, author in authors.items()
            }
            begun = (B, *(entry(f"c:{i}") for i in range(2, seq + 1)))
            assert {tuple(authors[room].life) for room in anew} == {begun}


@pytest.mark.parametrize("kind", KINDS)
async def test_a_slot_that_moves_takes_its_rooms_along(kind: Kind) -> None:
    """While people act in a room its slot goes to another primary, key by key: all is there once, and heard of.

    That primary has another history, so that the room begins anew there, once.
    """
    with cluster(kind) as servers:
        async with joined(servers.url) as nodes:
            log, listener = nodes(), nodes()
            epoch, heard = await opened(log), Heard()
            listener.subscribe(ROOM, heard)
            await nodes.settle()
            slot = key_slot(Keys(nodes.prefix).tag(ROOM)[1:-1].encode())
            moving = asyncio.create_task(asyncio.to_thread(move_slot, servers, slot))
            author, before, number = Author(log, ROOM, epoch), tuple[Entry, ...](), 0
            while not moving.done() or number < 100:
                before = before if author.epoch > epoch else tuple(author.life)
                await author.append(entry(f"c:{number}"))
                number += 1
            moving.result()
            for more in range(number, number + 20):
                await author.append(entry(f"c:{more}"))
            assert author.epoch > epoch
            assert (*before, *author.life) == tuple(entry(f"c:{i}") for i in range(number + 20))
            assert await log.read(ROOM, author.epoch, Seq(0)) == tuple(author.life)
            last, end = (author.life[-1],), (author.epoch, author.seq)
            await heard.until(lambda: (*end, last) in heard.hints or end in heard.positions)


@pytest.mark.parametrize("kind", KINDS)
async def test_one_primary_that_is_away_takes_its_rooms_only(kind: Kind) -> None:
    """They are read-only within two seconds; the others go on without a pause, and all when it is back."""
    with cluster(kind) as servers:
        async with joined(servers.url) as nodes:
            log, listener = nodes(), nodes()
            rooms = [RoomId(f"room {i}") for i in range(12)]
            epochs = {room: (await log.create(room, FIRST)).epoch for room in rooms}
            heard = {room: Heard() for room in rooms}
            for room in rooms:
                listener.subscribe(room, heard[room])
            await nodes.settle()
            out = _kept_by(servers.primaries[0], nodes, rooms)
            here = {room: heard[room] for room in rooms if room not in out}
            assert 0 < len(here) < len(rooms)
            servers.primaries[0].pause()
            try:
                lost = [asyncio.ensure_future(log.append(room, epochs[room], Seq(0), (A,))) for room in out]
                life = _Life(log, Registry(nodes.clients[0], nodes.prefix))
                slowest = await life.go_on({room: epochs[room] for room in here}, here)
                assert slowest < NOTICED_S
                assert {room for room in rooms if log.away_for(room)} == out
                assert not log.away
                for outcome in await asyncio.gather(*lost, return_exceptions=True):
                    assert isinstance(outcome, LogUnavailable)
            finally:
                servers.primaries[0].resume()
            async with asyncio.timeout(20):
                while any(map(log.away_for, rooms)):  # noqa: ASYNC110 - of another process
                    await asyncio.sleep(0.05)
            for room in out:
                author = Author(log, room, epochs[room])
                await author.append(A)
                assert author.epoch == epochs[room]


@pytest.mark.parametrize("kind", KINDS)
async def test_nodes_talk_past_a_primary_that_is_away(kind: Kind) -> None:
    """Whichever it is: who subscribes anew and who publishes goes to one that answers, and all hear each other."""
    with cluster(kind) as servers:
        async with joined(servers.url) as nodes:
            nodes()
            client = nodes.clients[0]
            assert isinstance(client, PrimaryPipes)
            await client.initialize()
            for server in servers.primaries:
                channel = _key_of(client, server, f"{nodes.prefix}:channel")
                await client.publish(channel, "before")
                server.pause()
                try:
                    with suppress(*FAULTS):
                        await client.set(_key_of(client, server, nodes.prefix), 1)  # finds out that it is away
                    subscription = client.pubsub()
                    await subscription.subscribe(channel)
                    assert await subscription.get_message(timeout=2) is not None
                    begun = time.monotonic()
                    await client.publish(channel, "meanwhile")
                    message = await subscription.get_message(ignore_subscribe_messages=True, timeout=2)
                    assert message is not None
                    assert message["data"] == b"meanwhile"
                    assert time.monotonic() - begun < NOTICED_S
                    await subscription.aclose()
                finally:
                    server.resume()
                until(lambda: _answers(servers), "the Cluster does not come back")


def _key_of(client: PrimaryPipes, server: RunningRedis, prefix: str) -> str:
    """A key that this server has."""
    names = (f"{prefix}:{number}" for number in range(1_000))
    return next(name for name in names if client.owner(name) == f"{HOST}:{server.port}")


def _answers(servers: Cluster) -> bool:
    """Whether each primary takes all of them to be there."""
    for server in servers.primaries:
        with server.admin() as admin:
            if b"fail" in admin.execute_command("CLUSTER", "NODES"):
                return False
    return True


class _Life:
    """What a node does for its rooms all the time: hard appends that another node hears of, and beats."""

    def __init__(self, log: RedisLog, registry: Registry) -> None:
        self._log = log
        self._registry = registry
        self._info = NodeInfo(fresh_node())

    async def go_on(self, epochs: dict[RoomId, Epoch], heard: dict[RoomId, Heard]) -> float:
        """Act for `OUTAGE_S` in each room, one after the other; returns the longest that anything took, in seconds."""
        slowest, over, seq = 0.0, time.monotonic() + OUTAGE_S, 0
        while (begun := time.monotonic()) < over:
            for room, epoch in epochs.items():
                one = entry(f"c:{seq}")
                assert await self._log.append(room, epoch, Seq(seq), (one,), hard=True) == Appended()
                await heard[room].until(partial(_told, heard[room], (epoch, Seq(seq + 1), (one,))))
                slowest, begun = max(slowest, time.monotonic() - begun), time.monotonic()
            await self._registry.beat(self._info)
            slowest = max(slowest, time.monotonic() - begun)
            seq += 1
            await asyncio.sleep(0.01)
        return slowest


def _told(heard: Heard, hint: object) -> bool:
    return hint in heard.hints[-2:]


def _kept_by(server: RunningRedis, nodes: Nodes, rooms: list[RoomId]) -> set[RoomId]:
    """The rooms that this server has."""
    client, keys = nodes.clients[0], Keys(nodes.prefix)
    assert isinstance(client, PrimaryPipes)
    return {room for room in rooms if client.owner(keys.key(room, "room")) == f"{HOST}:{server.port}"}


def move_slot(servers: Cluster, slot: int) -> None:
    """What `redis-cli --cluster reshard` does with one slot."""
    with ExitStack() as stack:
        admins = [stack.enter_context(server.admin()) for server in servers.primaries]
        names = [text(admin.execute_command("CLUSTER", "MYID")) for admin in admins]
        giver = next(i for i, admin in enumerate(admins) if admin.execute_command("CLUSTER", "COUNTKEYSINSLOT", slot))
        taker = (giver + 1) % len(admins)
        admins[taker].execute_command("CLUSTER", "SETSLOT", slot, "IMPORTING", names[giver])
        admins[giver].execute_command("CLUSTER", "SETSLOT", slot, "MIGRATING", names[taker])
        where = (HOST, servers.primaries[taker].port)
        while keys := admins[giver].execute_command("CLUSTER", "GETKEYSINSLOT", slot, 1):
            admins[giver].execute_command("MIGRATE", *where, "", 0, 1000, "KEYS", *keys)
            time.sleep(0.1)  # people go on acting in between
        for i in (taker, giver, 3 - taker - giver):
            admins[i].execute_command("CLUSTER", "SETSLOT", slot, "NODE", names[taker])
