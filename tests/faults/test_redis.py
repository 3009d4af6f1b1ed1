# SPDX-License-Identifier: Apache-2.0
"""Faults of Redis and of the way to it, under three nodes; the numbers are those of the fault list."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.cluster.servers import RunningRedis, redis_server
from tests.faults.proxy import Proxy
from tests.faults.report import record
from tests.faults.scene import ROOM, Scene, assert_survived
from tests.faults.truth import Truth

PEOPLE = 12


@asynccontextmanager
async def three_nodes(folder: Path, *, appendonly: bool = True) -> AsyncIterator[tuple[Scene, RunningRedis]]:
    """Three nodes on one Redis, with a room full of people at work."""
    async with (
        redis_server("redis", directory=folder, appendonly=appendonly) as redis,
        Scene(folder, "--redis", redis.url, nodes=3, truth=Truth(redis.url, ROOM)) as scene,
    ):
        await scene.gather(PEOPLE)
        scene.begin_work()
        await asyncio.sleep(1)
        yield scene, redis


async def test_12_pubsub_connections_killed(tmp_path: Path) -> None:
    """Hints that are lost with their connection are made up for: nothing is lost, nothing comes twice."""
    async with three_nodes(tmp_path) as (scene, redis):
        for _ in range(5):
            with redis.admin() as admin:
                admin.client_kill_filter(_type="pubsub")
            await asyncio.sleep(1)
        run = await scene.finish()
        record(12, "pub/sub connections killed every second", run)
        assert_survived(run)


async def test_13_redis_killed_and_back(tmp_path: Path) -> None:
    """Redis is killed and comes back with its file: what was acknowledged is there, people never left the room."""
    async with three_nodes(tmp_path) as (scene, redis):
        await asyncio.sleep(1.2)  # appendfsync everysec
        redis.kill()
        await asyncio.sleep(3)
        await redis.restart()
        await asyncio.sleep(3)
        run = await scene.finish()
        record(13, "Redis killed, back after 3 s", run)
        assert_survived(run)


async def test_14_redis_back_empty(tmp_path: Path) -> None:
    """Redis comes back with nothing: the room is there again under one new epoch, with all that was acknowledged."""
    async with three_nodes(tmp_path, appendonly=False) as (scene, redis):
        redis.kill()
        await asyncio.sleep(1)
        await redis.restart()
        await asyncio.sleep(3)
        run = await scene.finish()
        record(14, "Redis back empty", run)
        assert_survived(run)
        assert len(run.lives) == 2


async def test_15_redis_does_not_answer(tmp_path: Path) -> None:
    """Packets to Redis are dropped for a while: nothing is acknowledged meanwhile that is not kept."""
    async with three_nodes(tmp_path) as (scene, redis):
        redis.pause()
        await asyncio.sleep(5)
        redis.resume()
        await asyncio.sleep(3)
        run = await scene.finish()
        record(15, "Redis does not answer for 5 s", run)
        assert_survived(run)


async def test_22_flushall(tmp_path: Path) -> None:
    """Somebody empties Redis by hand: the nodes put the room back."""
    async with three_nodes(tmp_path) as (scene, redis):
        with redis.admin() as admin:
            admin.flushall()
        await asyncio.sleep(3)
        run = await scene.finish()
        record(22, "FLUSHALL", run)
        assert_survived(run)


async def test_24_scripts_flushed(tmp_path: Path) -> None:
    """Redis forgets its scripts, as after a failover: nobody notices."""
    async with three_nodes(tmp_path) as (scene, redis):
        for _ in range(5):
            with redis.admin() as admin:
                admin.script_flush()
            await asyncio.sleep(0.5)
        run = await scene.finish()
        record(24, "scripts flushed", run)
        assert_survived(run)
