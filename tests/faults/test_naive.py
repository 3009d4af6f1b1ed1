# SPDX-License-Identifier: Apache-2.0
"""The naive server under the same faults: what it loses is measured for the table, never judged.

What it does not have cannot be struck: timers, media, scripts, an answer to wrong positions, a Cluster.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from tests.cluster.servers import RunningRedis, redis_server
from tests.faults.naive_scene import NaiveScene
from tests.faults.proxy import Proxy
from tests.faults.report import keep
from tests.faults.seeds import SEEDS, kind_of
from tests.faults.test_time import WallClock

pytestmark = pytest.mark.slow


class Struck(NamedTuple):
    """What there is to strike."""

    scene: NaiveScene
    redis: RunningRedis
    networks: tuple[Proxy, ...]
    wall: WallClock


async def _kill_a_node(struck: Struck) -> None:
    await struck.scene.nodes[0].kill()


async def _pause_a_node(struck: Struck) -> None:
    struck.scene.nodes[0].pause()
    await asyncio.sleep(10)
    struck.scene.nodes[0].resume()


async def _kill_all_nodes(struck: Struck) -> None:
    await asyncio.gather(*(node.kill() for node in struck.scene.nodes))
    await asyncio.gather(*(node.start() for node in struck.scene.nodes))


async def _replace_nodes(struck: Struck) -> None:
    for node in struck.scene.nodes:
        await node.kill()
        await node.start()


async def _cut_off_a_node(struck: Struck) -> None:
    struck.networks[0].deafen()
    await asyncio.sleep(6)
    struck.networks[0].heal()


async def _set_the_wall_clock(struck: Struck) -> None:
    for offset_s in (3_600, -3_600, 30, -30, 0):
        struck.wall.set(offset_s)
        await asyncio.sleep(1.5)


async def _kill_pubsub(struck: Struck) -> None:
    for _ in range(5):
        with struck.redis.admin() as admin:
            admin.client_kill_filter(_type="pubsub")
        await asyncio.sleep(1)


async def _kill_redis(struck: Struck) -> None:
    struck.redis.kill()
    await asyncio.sleep(3)
    await struck.redis.restart()


async def _pause_redis(struck: Struck) -> None:
    struck.redis.pause()
    await asyncio.sleep(5)
    struck.redis.resume()


async def _lose_replies(struck: Struck) -> None:
    for network in struck.networks:
        network.lose_every = 8
    await asyncio.sleep(8)
    for network in struck.networks:
        network.lose_every = 0


async def _deafen_subscriptions(struck: Struck) -> None:
    for network in struck.networks:
        network.half_open_subscriptions()
    await asyncio.sleep(8)


async def _empty_redis(struck: Struck) -> None:
    with struck.redis.admin() as admin:
        admin.flushall()


async def _break_one_connection(struck: Struck) -> None:
    for _ in range(3):
        await struck.scene.stayers[0].cut()
        await asyncio.sleep(1)


async def _break_connections(struck: Struck) -> None:
    for _ in range(4):
        await asyncio.gather(*(person.cut() for person in struck.scene.people))
        await asyncio.sleep(0.7)


async def _let_some_rest(struck: Struck) -> None:
    await asyncio.gather(*(person.rest(3) for person in struck.scene.stayers[:2]))
    await asyncio.sleep(4)


async def _cut_the_moderator(struck: Struck) -> None:
    for _ in range(7):
        await asyncio.sleep(0.37)
        await struck.scene.moderator.cut()


async def _lead_twice(struck: Struck) -> None:
    struck.scene.begin_to_lead(struck.scene.stayers[-1])
    await asyncio.sleep(5)


FAULTS: Final[Mapping[int, Callable[[Struck], Awaitable[None]]]] = {
    1: _kill_a_node,
    2: _pause_a_node,
    3: _kill_all_nodes,
    4: _replace_nodes,
    5: _cut_off_a_node,
    7: _cut_off_a_node,
    10: _set_the_wall_clock,
    12: _kill_pubsub,
    13: _kill_redis,
    14: _kill_redis,
    15: _pause_redis,
    16: _lose_replies,
    20: _deafen_subscriptions,
    22: _empty_redis,
    25: _break_one_connection,
    27: _break_connections,
    28: _let_some_rest,
    33: _cut_the_moderator,
    34: _lead_twice,
}
VOLATILE: Final = (14,)
"""Redis comes back empty."""


@pytest.mark.parametrize("fault", FAULTS)
async def test_naive(tmp_path: Path, fault: int) -> None:
    """The fault passes, everybody is back, and what was lost is counted."""
    seed, wall = SEEDS[0], WallClock(tmp_path)
    async with AsyncExitStack() as stack:
        redis = await stack.enter_async_context(
            redis_server(kind_of(seed), directory=tmp_path, appendonly=fault not in VOLATILE)
        )
        networks = tuple([await stack.enter_async_context(Proxy(redis.port)) for _ in range(3)])
        ways = [f"redis://127.0.0.1:{network.port}" for network in networks]
        environments = (wall.environment,) if fault == 10 else ()
        scene = await stack.enter_async_context(NaiveScene(tmp_path, ways, seed=seed, environments=environments))
        scene.begin_work()
        await asyncio.sleep(2)
        await FAULTS[fault](Struck(scene, redis, networks, wall))
        await asyncio.sleep(5)
        row = await scene.finish()
        keep("naive", {"fault": fault, "name": "naive", "seed": seed, **row})
        assert row["messages"] > 0
