# SPDX-License-Identifier: Apache-2.0
"""A Redis that is away, slow, full or unsuitable: each call ends in time, once, and says what is known."""

from __future__ import annotations

import asyncio
import time
from typing import Final

import pytest
from structlog.testing import capture_logs

from server.cluster.connect import UnsuitableRedis, connect, disconnect
from server.cluster.keys import Keys
from server.ports import Appended, Conflict, LogUnavailable, Seq
from tests.cluster.contract import ROOM, A, B, entry, opened
from tests.cluster.nodes import Nodes, joined
from tests.cluster.proxy import Weather, proxied
from tests.cluster.servers import KINDS, Kind, RunningRedis, free_port, redis_server
from tests.runner.toys import FIRST

PROMISED_S: Final = 2.0
BUSY_S: Final = 2.0
"""What a busy machine may add."""


@pytest.mark.parametrize("weather", [Weather.NO_REPLIES, Weather.CUT_REPLIES])
async def test_a_lost_reply_is_executed_once_and_unknown(shared_server: RunningRedis, weather: Weather) -> None:
    """The client library repeats nothing: the outcome is open, and a look shows one entry."""
    async with proxied(shared_server.port) as proxy, joined(proxy.url) as nodes:
        log = nodes()
        epoch = await opened(log, A)
        for seq in range(1, 4):
            before = proxy.requests
            proxy.weather = weather
            start = time.monotonic()
            with pytest.raises(LogUnavailable):
                await log.append(ROOM, epoch, Seq(seq), (entry(f"b:{seq}"),))
            assert time.monotonic() - start < 1 + BUSY_S
            assert proxy.requests == before + 1
            proxy.weather = Weather.FINE
            assert await log.read(ROOM, epoch, Seq(seq)) == (entry(f"b:{seq}"),)
            assert await log.append(ROOM, epoch, Seq(seq), (entry(f"b:{seq}"),)) == Conflict((entry(f"b:{seq}"),))


class Changes:
    """Of `away`, in order."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[bool] = asyncio.Queue()

    def __call__(self, away: bool) -> None:
        """It has changed."""
        self._queue.put_nowait(away)

    async def come(self, away: bool) -> None:
        """Wait for the next one; it must be this, and in time."""
        async with asyncio.timeout(PROMISED_S + BUSY_S):
            assert await self._queue.get() is away

    def none_left(self) -> bool:
        """Whether there were no more."""
        return self._queue.empty()


async def watched(nodes: Nodes) -> Changes:
    """The changes of a node with a room."""
    changes = Changes()
    log = nodes()
    log.on_away(changes)
    await log.create(ROOM, FIRST)
    await nodes.settle()
    return changes


@pytest.mark.parametrize("kind", KINDS)
async def test_an_absence_is_told_both_ways(kind: Kind) -> None:
    """A paused server, then a killed one; each call meanwhile ends in time, and an idle node notices too."""
    async with redis_server(kind, appendonly=True) as server, joined(server.url) as nodes:
        changes = await watched(nodes)
        log = nodes.logs[0]
        for leave in (server.pause, server.kill):
            leave()
            await changes.come(away=True)
            start = time.monotonic()
            with pytest.raises(LogUnavailable):
                await log.load(ROOM)
            assert time.monotonic() - start < 1 + BUSY_S
            if leave == server.kill:
                await server.restart()
            else:
                server.resume()
            await changes.come(away=False)
            assert await log.load(ROOM) is not None
        await changes.come(away=False)  # told again: who was started anew goes on with another history of writes
        assert changes.none_left()


async def test_a_silent_network_is_an_absence(shared_server: RunningRedis) -> None:
    """Packets are dropped, nothing is refused."""
    async with proxied(shared_server.port) as proxy, joined(proxy.url) as nodes:
        changes = await watched(nodes)
        proxy.weather = Weather.SILENT
        await changes.come(away=True)
        proxy.weather = Weather.FINE
        await changes.come(away=False)


async def test_a_full_redis_is_an_absence() -> None:
    """It answers, but takes nothing: nothing is thrown away, and nodes know it."""
    async with redis_server("redis", args=["--maxmemory", "100mb"]) as server, joined(server.url) as nodes:
        changes = await watched(nodes)
        epoch = await opened(nodes.logs[0], A)
        with server.admin() as admin:
            admin.config_set("maxmemory", "1")
            await changes.come(away=True)
            with pytest.raises(LogUnavailable):
                await nodes.logs[0].append(ROOM, epoch, Seq(1), (B,))
            admin.config_set("maxmemory", "0")
            await changes.come(away=False)
        assert await nodes.logs[0].append(ROOM, epoch, Seq(1), (B,)) == Appended()


async def test_operators_read_why() -> None:
    """What Redis said when it is away, and when it takes the probe but not a room's entry; not once for each."""
    async with redis_server("redis") as server, joined(server.url) as nodes:
        changes = await watched(nodes)
        epoch = await opened(nodes.logs[0], A)
        with server.admin() as admin, capture_logs() as said:
            admin.execute_command("ACL", "SETUSER", "default", "-xadd")
            for _ in range(3):
                with pytest.raises(LogUnavailable):
                    await nodes.logs[0].append(ROOM, epoch, Seq(1), (B,))
            admin.config_set("maxmemory", "1")
            await changes.come(away=True)
        refused, away = said
        assert (refused["event"], away["event"]) == ("redis_refuses", "redis_away")
        assert "can't run this command" in refused["problem"]
        assert "maxmemory" in away["problem"]


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-ttl"])
async def test_an_evicting_redis_is_refused(policy: str) -> None:
    """With the setting to change."""
    async with redis_server("redis", args=["--maxmemory-policy", policy]) as server:
        with pytest.raises(UnsuitableRedis, match="maxmemory-policy noeviction"):
            await connect(server.url)


async def test_a_suitable_redis_is_taken(shared_server: RunningRedis) -> None:
    """And what does not answer, or is no address of a Redis, is not."""
    await disconnect(await connect(shared_server.url))
    with pytest.raises(UnsuitableRedis, match="does not answer"):
        await connect(f"redis://127.0.0.1:{free_port()}")
    with pytest.raises(ValueError, match="redis://"):
        await connect("http://localhost")
    with pytest.raises(ValueError, match="names no service"):
        await connect("redis+sentinel://localhost:1")
    with pytest.raises(ValueError, match="'six' is no port"):
        await connect("redis+cluster://localhost:six")


async def test_scripts_are_sent_again_after_a_flush(shared_server: RunningRedis) -> None:
    """NOSCRIPT is no failure."""
    async with joined(shared_server.url) as nodes:
        log = nodes()
        epoch = await opened(log, A)
        with shared_server.admin() as admin:
            admin.script_flush()
        assert await log.append(ROOM, epoch, Seq(1), (B,)) == Appended()


async def test_everything_ends_by_itself(shared_server: RunningRedis) -> None:
    """Each key has a TTL; after `forget` only the tombstone is left, which tells nothing but an epoch."""
    async with joined(shared_server.url) as nodes:
        log = nodes()
        loaded = await log.create(ROOM, FIRST, wake_ms=5)
        assert await log.append(ROOM, loaded.epoch, Seq(0), (A, B), FIRST, wake_ms=9) == Appended()
        await nodes.settle()
        with shared_server.admin() as admin:
            keys = {key: admin.ttl(key) for key in admin.scan_iter(f"{nodes.prefix}:*", count=1000)}
            assert len(keys) >= 4
            assert all(isinstance(ttl, int) and 0 < ttl <= 24 * 3600 for ttl in keys.values())
            assert not any(str(ROOM).encode() in key for key in keys)
            await log.forget(ROOM, loaded.epoch)
            left = [key for key in admin.scan_iter(f"{nodes.prefix}:*", count=1000) if b":probe:" not in key]
            assert left == [Keys(nodes.prefix).key(ROOM, "tombstone").encode()]
