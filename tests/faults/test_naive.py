# SPDX-License-Identifier: Apache-2.0
"""The naive server under the same faults: what it loses is measured for the table, never judged."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.cluster.servers import RunningRedis, redis_server
from tests.faults.naive_scene import NaiveScene
from tests.faults.report import keep

pytestmark = pytest.mark.slow

Fault = Callable[[NaiveScene, RunningRedis], Awaitable[None]]


async def _kill_a_node(scene: NaiveScene, _redis: RunningRedis) -> None:
    await scene.nodes[0].kill()


async def _pause_a_node(scene: NaiveScene, _redis: RunningRedis) -> None:
    scene.nodes[0].pause()
    await asyncio.sleep(10)
    scene.nodes[0].resume()


async def _kill_all_nodes(scene: NaiveScene, _redis: RunningRedis) -> None:
    await asyncio.gather(*(node.kill() for node in scene.nodes))
    await asyncio.gather(*(node.start() for node in scene.nodes))


async def _kill_pubsub(_scene: NaiveScene, redis: RunningRedis) -> None:
    for _ in range(5):
        with redis.admin() as admin:
            admin.client_kill_filter(_type="pubsub")
        await asyncio.sleep(1)


async def _kill_redis(_scene: NaiveScene, redis: RunningRedis) -> None:
    redis.kill()
    await asyncio.sleep(3)
    await redis.restart()


async def _break_connections(scene: NaiveScene, _redis: RunningRedis) -> None:
    for _ in range(4):
        await asyncio.gather(*(person.cut() for person in scene.people))
        await asyncio.sleep(0.7)


FAULTS: dict[int, tuple[Fault, bool]] = {
    1: (_kill_a_node, True),
    2: (_pause_a_node, True),
    3: (_kill_all_nodes, True),
    12: (_kill_pubsub, True),
    13: (_kill_redis, True),
    14: (_kill_redis, False),
    27: (_break_connections, True),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_naive(tmp_path: Path, fault: int) -> None:
    """The fault passes, everybody is back, and what was lost is counted."""
    strike, appendonly = FAULTS[fault]
    async with (
        redis_server("redis", directory=tmp_path, appendonly=appendonly) as redis,
        NaiveScene(tmp_path, redis.url) as scene,
    ):
        scene.begin_work()
        await asyncio.sleep(2)
        await strike(scene, redis)
        await asyncio.sleep(6)
        row = await scene.finish()
        keep(fault, "naive", row)
        assert row["deliveries"] > 0
