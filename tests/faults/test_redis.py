# SPDX-License-Identifier: Apache-2.0
"""Faults of Redis and of the way to it, under three nodes; the numbers are those of the fault list."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.cluster.servers import RunningRedis, redis_server
from tests.faults.checker.limits import percentile
from tests.faults.client import now_ms
from tests.faults.proxy import Proxy
from tests.faults.report import delays, record, spread
from tests.faults.scene import ROOM, Scene, assert_survived
from tests.faults.truth import Truth

PEOPLE = 12


class Stage(NamedTuple):
    """Three nodes; each reaches Redis through a network of its own."""

    scene: Scene
    redis: RunningRedis
    networks: tuple[Proxy, ...]


@asynccontextmanager
async def three_nodes(folder: Path, *, appendonly: bool = True) -> AsyncIterator[Stage]:
    """A room full of people at work, spread over three nodes."""
    async with (
        redis_server("redis", directory=folder, appendonly=appendonly) as redis,
        Proxy(redis.port) as one,
        Proxy(redis.port) as two,
        Proxy(redis.port) as three,
    ):
        networks = (one, two, three)
        each = tuple(("--redis", f"redis://127.0.0.1:{network.port}") for network in networks)
        async with Scene(folder, each=each, truth=Truth(redis.url, ROOM)) as scene:
            await scene.gather(PEOPLE)
            scene.begin_work()
            await asyncio.sleep(1)
            yield Stage(scene, redis, networks)


@pytest.mark.slow
async def test_12_pubsub_connections_killed(tmp_path: Path) -> None:
    """Hints that are lost with their connection are made up for: nothing is lost, nothing comes twice."""
    async with three_nodes(tmp_path) as (scene, redis, _):
        for _ in range(5):
            with redis.admin() as admin:
                admin.client_kill_filter(_type="pubsub")
            await asyncio.sleep(1)
        run = await scene.finish()
        record(12, "pub/sub connections killed every second", run, converged_ms=scene.converged_ms)
        assert_survived(run)


@pytest.mark.slow
async def test_13_redis_killed_and_back(tmp_path: Path) -> None:
    """Redis is killed and comes back with its file: what was acknowledged is there, people never left the room."""
    async with three_nodes(tmp_path) as (scene, redis, _):
        await asyncio.sleep(1.2)  # appendfsync everysec
        redis.kill()
        await asyncio.sleep(3)
        await redis.restart()
        await asyncio.sleep(3)
        run = await scene.finish()
        record(13, "Redis killed, back after 3 s", run, converged_ms=scene.converged_ms)
        assert_survived(run)


async def test_14_redis_back_empty(tmp_path: Path) -> None:
    """Redis comes back with nothing: the room is there again under one new epoch, with all that was acknowledged."""
    async with three_nodes(tmp_path, appendonly=False) as (scene, redis, _):
        redis.kill()
        await asyncio.sleep(1)
        await redis.restart()
        await asyncio.sleep(3)
        run = await scene.finish()
        record(14, "Redis back empty", run, converged_ms=scene.converged_ms)
        assert_survived(run)
        assert len(run.lives) == 2


@pytest.mark.slow
async def test_15_redis_does_not_answer(tmp_path: Path) -> None:
    """Packets to Redis are dropped for a while: nothing is acknowledged meanwhile that is not kept."""
    async with three_nodes(tmp_path) as (scene, redis, _):
        redis.pause()
        await asyncio.sleep(5)
        redis.resume()
        await asyncio.sleep(3)
        run = await scene.finish()
        record(15, "Redis does not answer for 5 s", run, converged_ms=scene.converged_ms)
        assert_survived(run)


@pytest.mark.slow
async def test_22_flushall(tmp_path: Path) -> None:
    """Somebody empties Redis by hand: the nodes put the room back."""
    async with three_nodes(tmp_path) as (scene, redis, _):
        with redis.admin() as admin:
            admin.flushall()
        await asyncio.sleep(3)
        run = await scene.finish()
        record(22, "FLUSHALL", run, converged_ms=scene.converged_ms)
        assert_survived(run)


@pytest.mark.slow
async def test_24_scripts_flushed(tmp_path: Path) -> None:
    """Redis forgets its scripts, as after a failover: nobody notices."""
    async with three_nodes(tmp_path) as (scene, redis, _):
        for _ in range(5):
            with redis.admin() as admin:
                admin.script_flush()
            await asyncio.sleep(0.5)
        run = await scene.finish()
        record(24, "scripts flushed", run, converged_ms=scene.converged_ms)
        assert_survived(run)


@pytest.mark.slow
async def test_07_one_node_cut_off_from_redis(tmp_path: Path) -> None:
    """The people of a node that alone does not reach Redis are never in another truth, and catch up when it does."""
    async with three_nodes(tmp_path) as (scene, _, networks):
        networks[0].deafen()
        await asyncio.sleep(6)
        networks[0].heal()
        await asyncio.sleep(3)
        run = await scene.finish()
        record(7, "one node cut off from Redis for 6 s", run, converged_ms=scene.converged_ms)
        assert_survived(run)


@pytest.mark.slow
async def test_16_replies_lost_after_append(tmp_path: Path) -> None:
    """Every eighth reply of a script is lost after it was executed: each command has one effect."""
    async with three_nodes(tmp_path) as (scene, _, networks):
        for network in networks:
            network.lose_every = 8
        await asyncio.sleep(8)
        for network in networks:
            network.lose_every = 0
        run = await scene.finish()
        lost = sum(network.lost for network in networks)
        record(16, "replies lost after the append", run, converged_ms=scene.converged_ms, replies_lost=lost)
        assert_survived(run)
        assert lost > 5


@pytest.mark.slow
async def test_20_a_subscription_goes_deaf(tmp_path: Path) -> None:
    """A pub/sub connection that is open and delivers nothing is found by its canary, and hints come again."""
    async with three_nodes(tmp_path) as (scene, _, networks):
        for network in networks:
            network.half_open_subscriptions()
        await asyncio.sleep(4)
        healed_ms = now_ms()
        await asyncio.sleep(4)
        run = await scene.finish()
        behind = delays(run, since_ms=healed_ms)
        record(20, "deaf subscriptions (half-open TCP)", run, converged_ms=scene.converged_ms, delay_ms=spread(behind))
        assert_survived(run)
        assert percentile(behind, 0.9) < 500
