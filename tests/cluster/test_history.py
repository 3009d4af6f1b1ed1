# SPDX-License-Identifier: Apache-2.0
"""A server that goes on from another history may have lost what was written last: no epoch goes on with it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

import pytest
from redis import Redis

from server.cluster.keys import Keys
from server.ports import Appended, EpochChanged, Loaded, LogUnavailable, Seq
from tests.cluster.contract import LATER, ROOM, A, B, C, entry, opened
from tests.cluster.heard import Heard
from tests.cluster.nodes import joined
from tests.cluster.servers import KINDS, Kind, RunningRedis, redis_server
from tests.runner.toys import FIRST

AT_ONCE = ("--repl-diskless-sync-delay", "0")


async def restarted(server: RunningRedis) -> None:
    """All that was written is on the disk, and is read again."""
    with server.admin() as admin:
        admin.execute_command("CONFIG", "SET", "appendfsync", "always")
        admin.set("written", "1")
    await server.restart()


async def until(done: Callable[[], bool]) -> None:
    """Ask again and again."""
    async with asyncio.timeout(10):
        while not done():  # noqa: ASYNC110 - another process changes it
            await asyncio.sleep(0.02)


async def probed_again(admin: Redis) -> None:
    """Whoever writes a second probe has read the answer to the first."""
    await until(lambda: any(admin.scan_iter("*:probe:*")))
    (probe,) = admin.scan_iter("*:probe:*")
    first_ms = admin.pexpiretime(probe)
    await until(lambda: bool(admin.pexpiretime(probe) > first_ms))


@pytest.mark.parametrize("kind", KINDS)
async def test_after_a_restart_the_next_entry_begins_a_new_epoch(kind: Kind) -> None:
    """Whoever wants to append is sent to load; who knows all there is begins anew, who knows less takes that over."""
    async with redis_server(kind, appendonly=True) as server, joined(server.url) as nodes:
        one, two = nodes(), nodes()
        epoch = await opened(one, A, B)
        heard = Heard()
        two.subscribe(ROOM, heard)
        await restarted(server)
        await asyncio.wait_for(nodes.settle(), 10)
        assert await one.read(ROOM, epoch, Seq(1)) == (B,)
        assert await one.append(ROOM, epoch, Seq(2), (C,)) == EpochChanged(epoch)
        assert await one.restore(ROOM, epoch, Seq(1), LATER) == Loaded(epoch, Seq(0), FIRST, (A, B))
        anew = await one.restore(ROOM, epoch, Seq(2), LATER)
        assert anew is not None
        assert anew == Loaded(anew.epoch, Seq(0), LATER, ())
        assert anew.epoch > epoch
        await heard.until(lambda: (0, 0) in heard.positions)
        assert await two.append(ROOM, anew.epoch, Seq(0), (C,)) == Appended()
        assert await two.restore(ROOM, anew.epoch, Seq(1), FIRST) == Loaded(anew.epoch, Seq(0), LATER, (C,))


@pytest.mark.parametrize("kind", KINDS)
async def test_nobody_begins_a_room_that_an_emptied_server_may_have_lost(kind: Kind) -> None:
    """However short it was gone: who has asked it before is told, and only then may begin the room anew."""
    async with redis_server(kind) as server, joined(server.url) as nodes:
        log, told = nodes(), list[bool]()
        assert await log.load(ROOM) is None
        log.on_away(told.append)
        await server.restart()
        await asyncio.wait_for(nodes.settle(), 10)
        told.clear()
        with pytest.raises(LogUnavailable):
            await log.create(ROOM, FIRST)
        assert told == [False]
        assert (await log.create(ROOM, FIRST)).entries == ()


async def test_nobody_begins_a_room_on_a_server_that_was_emptied_by_hand() -> None:
    """FLUSHALL leaves its history as it is; what the node has just written there is gone all the same."""
    async with redis_server("redis") as server, joined(server.url) as nodes:
        log, told = nodes(), list[bool]()
        await nodes.settle()
        with server.admin() as admin:
            await probed_again(admin)
            log.on_away(told.append)
            admin.flushall()
            with suppress(LogUnavailable):  # unless the next probe was faster
                await log.create(ROOM, FIRST)
            assert told == [False]
            assert (await log.create(ROOM, FIRST)).entries == ()
            await probed_again(admin)
            told.clear()
            admin.flushall()
            await until(lambda: told == [False])


@pytest.mark.parametrize("kind", KINDS)
async def test_after_a_failover_nobody_writes_beside_what_was_lost(kind: Kind) -> None:
    """One node knows an entry that the replica never got; another one appends first, in an epoch of its own."""
    async with redis_server(kind, args=AT_ONCE) as primary, redis_server(kind) as replica:
        async with joined(primary.url) as nodes:
            one, prefix = nodes(), nodes.prefix
            with replica.admin() as admin:
                admin.replicaof("127.0.0.1", primary.port)
                await until(lambda: admin.info("replication")["master_link_status"] == "up")
                epoch = await opened(one, A)
                await until(lambda: bool(admin.exists(Keys(prefix).key(ROOM, "entries"))))
                admin.replicaof("NO", "ONE")
            assert await one.append(ROOM, epoch, Seq(1), (B,)) == Appended()
        async with joined(replica.url) as nodes:
            nodes.prefix = prefix
            one, two = nodes(), nodes()
            assert await two.append(ROOM, epoch, Seq(1), (C,)) == EpochChanged(epoch)
            anew = await two.restore(ROOM, epoch, Seq(1), FIRST)
            assert anew is not None
            assert await two.append(ROOM, anew.epoch, Seq(0), (C,)) == Appended()
            assert await one.append(ROOM, epoch, Seq(2), (entry("d:1"),)) == EpochChanged(anew.epoch)
            assert await one.restore(ROOM, epoch, Seq(2), LATER) == Loaded(anew.epoch, Seq(0), FIRST, (C,))
