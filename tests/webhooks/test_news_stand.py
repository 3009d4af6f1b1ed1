# SPDX-License-Identifier: Apache-2.0
"""News is stored with the entries it is of, or not at all; in memory and on real servers alike."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from server.cluster.clock import MonotonicClock
from server.cluster.keys import PARTITIONS, Keys
from server.cluster.memory import MAX_NEWS, MemoryLog
from server.cluster.news_stand import KEPT_NEWS
from server.cluster.redis_log import KEPT_MS, RedisLog
from server.ids import RoomId
from server.ports import Appended, Conflict, Duplicates, Seq
from server.webhooks.ports import Waiting
from tests.cluster.contract import ROOM, A, B, C, entry, opened
from tests.cluster.nodes import joined
from tests.cluster.servers import KINDS, RunningRedis, started
from tests.cluster.topologies import Cluster, cluster
from tests.runner.toys import FIRST

Log = MemoryLog | RedisLog
ALL = range(PARTITIONS)


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[str, RunningRedis]]:
    """One of each kind."""
    with started("redis") as redis, started("valkey") as valkey:
        yield {"redis": redis, "valkey": valkey}


@pytest.fixture(scope="module")
def three_primaries() -> Iterator[Cluster]:
    """A Cluster."""
    with cluster("redis") as found:
        yield found


@pytest.fixture(params=["memory", *KINDS, pytest.param("cluster", marks=pytest.mark.slow)])
async def logs(request: pytest.FixtureRequest) -> AsyncIterator[tuple[Log, Log]]:
    """The same log, as two nodes have it."""
    if request.param == "memory":
        log = MemoryLog(MonotonicClock())
        yield log, log
        return
    spread = request.param == "cluster"
    server = request.getfixturevalue("three_primaries" if spread else "servers")
    async with joined((server if spread else server[request.param]).url) as nodes:
        yield nodes(), nodes()


async def waiting(log: Log) -> list[bytes]:
    """All that is to be told."""
    return [each.body for each in (await log.news_stand.news(100, {}, ALL)).some]


async def test_news_is_kept_until_it_was_told(logs: tuple[Log, Log]) -> None:
    """In its order, for whichever node asks; behind what is known already only what is newer."""
    log, other = logs
    epoch = await opened(log)
    assert await log.append(ROOM, epoch, Seq(0), (A, B), news=(b"one", b"two")) == Appended()
    assert await log.append(ROOM, epoch, Seq(2), (C,), news=(b"three",)) == Appended()
    found = await other.news_stand.news(100, {}, ALL)
    assert (found.count, [each.body for each in found.some]) == (3, [b"one", b"two", b"three"])
    first = found.some[0]
    rest = await log.news_stand.news(1, {first.partition: first.id}, ALL)
    assert (rest.count, [each.body for each in rest.some]) == (3, [b"two"])
    await other.news_stand.told(found.some[:2])
    await log.news_stand.told(found.some[:1])
    assert await waiting(log) == [b"three"]


async def test_what_is_not_stored_is_no_news(logs: tuple[Log, Log]) -> None:
    """Neither of a stale writer, nor of a command that is there already, nor in another life of the room."""
    log, _ = logs
    epoch = await opened(log, A)
    assert isinstance(await log.append(ROOM, epoch, Seq(0), (B,), news=(b"no",)), Conflict)
    assert isinstance(await log.append(ROOM, epoch, Seq(1), (A,), news=(b"no",)), Duplicates)
    await log.append(ROOM, type(epoch)(epoch + 1), Seq(1), (B,), news=(b"no",))
    assert await waiting(log) == []


async def test_news_outlives_its_room(logs: tuple[Log, Log]) -> None:
    """That it is over is what the platform wants to know most."""
    log, _ = logs
    epoch = await opened(log)
    await log.append(ROOM, epoch, Seq(0), (A,), news=(b"over",))
    await log.forget(ROOM, epoch)
    assert await waiting(log) == [b"over"]


async def test_who_puts_news_there_hears_of_it(logs: tuple[Log, Log]) -> None:
    """At once, with the partition; an append without news is none."""
    log, _ = logs
    heard: list[int] = []
    log.news_stand.on_news(heard.append)
    epoch = await opened(log)
    await log.append(ROOM, epoch, Seq(0), (A,), news=(b"one",))
    await log.append(ROOM, epoch, Seq(1), (B,))
    assert heard == [each.partition for each in (await log.news_stand.news(1, {}, ALL)).some]


async def test_each_partition_is_in_one_share(servers: dict[str, RunningRedis]) -> None:
    """News of many rooms, asked for by three nodes: each piece is told by one."""
    async with joined(servers["redis"].url) as nodes:
        log = nodes()
        rooms = [RoomId(f"room-{number}") for number in range(12)]
        for room in rooms:
            epoch = (await log.create(room, FIRST)).epoch
            await log.append(room, epoch, Seq(0), (A,), news=(room.encode(),))
        shares = await asyncio.gather(*(log.news_stand.news(100, {}, range(part, PARTITIONS, 3)) for part in range(3)))
        found: list[Waiting] = [each for share in shares for each in share.some]
        assert sorted(each.body.decode() for each in found) == sorted(rooms)
        assert sum(share.count for share in shares) == len(rooms)
        assert all(each.partition % 3 == part for part, share in enumerate(shares) for each in share.some)
        assert all(0 <= each.partition < PARTITIONS for each in found)


async def test_news_is_bounded(logs: tuple[Log, Log]) -> None:
    """The oldest gives way, and that is counted."""
    log, _ = logs
    most = MAX_NEWS if isinstance(log, MemoryLog) else KEPT_NEWS
    epoch = await opened(log)
    for number in range(most // 1000 + 1):
        news = tuple(b"%d" % (number * 1000 + i) for i in range(1000))
        assert await log.append(ROOM, epoch, Seq(number), (entry(f"a:{number}"),), news=news) == Appended()
    found = await log.news_stand.news(1, {}, ALL)
    lost = (most // 1000 + 1) * 1000 - most
    assert (found.count, log.news_stand.lost, found.some[0].body) == (most, lost, b"%d" % lost)


async def test_a_room_in_use_stays_listed(servers: dict[str, RunningRedis]) -> None:
    """What outlived its room is forgotten; what goes on for days is not."""
    async with joined(servers["redis"].url) as nodes:
        log = nodes()
        old, used = RoomId("old"), RoomId("used")
        await log.create(old, FIRST)
        epoch = (await log.create(used, FIRST)).epoch
        with servers["redis"].admin() as admin:
            for room in (old, used):
                keys = Keys(nodes.prefix).of(room)
                long_ago = epoch - KEPT_MS - 1_000
                admin.zadd(keys.rooms, {room: long_ago})
                admin.hset(keys.room, "listed", long_ago)
        now_ms = int(epoch)
        assert await log.append(used, epoch, Seq(0), (entry("a:1", now_ms),)) == Appended()
        assert await log.rooms(10) == [used]


async def test_all_rooms_can_be_listed(logs: tuple[Log, Log]) -> None:
    """Page by page, each of them once, by any node; not those that were forgotten."""
    log, other = logs
    assert await other.rooms(10) == []
    names = [RoomId(f"room-{number}") for number in range(7)]
    epochs = [(await log.create(name, FIRST)).epoch for name in names]
    await log.forget(names.pop(), epochs.pop())
    listed: list[RoomId] = []
    while page := await other.rooms(2, listed[-1] if listed else None):
        assert len(page) <= 2
        listed += page
    assert sorted(listed) == names
    assert await other.rooms(10) == listed
