# SPDX-License-Identifier: Apache-2.0
"""Faults of Redis and of the way to it, under three nodes; the numbers are those of the fault list."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path

import pytest
from redis.exceptions import ReadOnlyError

from tests.faults.checker.limits import percentile
from tests.faults.client import now_ms
from tests.faults.report import delays, record, spread
from tests.faults.scene import assert_survived
from tests.faults.seeds import Topology
from tests.faults.stages import PEOPLE, empty_stage, three_nodes
from tests.faults.workload import take_part


@pytest.mark.slow
async def test_12_pubsub_connections_killed(tmp_path: Path, seed: int, topology: Topology) -> None:
    """Hints that are lost with their connection are made up for: nothing is lost, nothing comes twice."""
    async with three_nodes(tmp_path, seed, topology) as stage:
        for _ in range(5):
            for server in stage.servers:
                with server.admin() as admin:
                    admin.client_kill_filter(_type="pubsub")
            await asyncio.sleep(1)
        await stage.scene.conclude(12, "pub/sub connections killed every second")


@pytest.mark.slow
async def test_13_redis_killed_and_back(tmp_path: Path, seed: int, topology: Topology) -> None:
    """Redis is killed and comes back with its file: what was acknowledged is there, people never left the room."""
    async with three_nodes(tmp_path, seed, topology) as (scene, redis, *_):
        await asyncio.sleep(1.2)  # appendfsync everysec
        redis.kill()
        await asyncio.sleep(3)
        await redis.restart()
        await asyncio.sleep(3)
        await scene.conclude(13, "Redis killed, back after 3 s")


async def test_14_redis_back_empty(tmp_path: Path, seed: int, topology: Topology) -> None:
    """Redis comes back with nothing: the room is there again under one new epoch, with all that was acknowledged."""
    async with three_nodes(tmp_path, seed, topology, appendonly=False) as (scene, redis, *_):
        redis.kill()
        await asyncio.sleep(1)
        await redis.restart()
        await asyncio.sleep(3)
        run = await scene.conclude(14, "Redis back empty")
        assert len(run.lives) == 2 or (topology != "single" and len(run.lives) == 3)  # a replica took over besides


@pytest.mark.slow
async def test_15_redis_does_not_answer(tmp_path: Path, seed: int, topology: Topology) -> None:
    """Packets to Redis are dropped for a while: nothing is acknowledged meanwhile that is not kept."""
    async with three_nodes(tmp_path, seed, topology) as (scene, redis, *_):
        redis.pause()
        await asyncio.sleep(5)
        redis.resume()
        await asyncio.sleep(3)
        await scene.conclude(15, "Redis does not answer for 5 s")


@pytest.mark.slow
async def test_21_redis_is_full(tmp_path: Path, seed: int, topology: Topology) -> None:
    """It takes nothing more (maxmemory, noeviction): people stay, and nothing is acknowledged that is not kept."""
    async with three_nodes(tmp_path, seed, topology) as stage:
        for limit in (1, 0):
            for server in stage.servers:
                with server.admin() as admin:
                    admin.config_set("maxmemory", limit)
            await asyncio.sleep(4)
        await stage.scene.conclude(21, "Redis is full for 4 s")


@pytest.mark.slow
async def test_22_flushall(tmp_path: Path, seed: int, topology: Topology) -> None:
    """Somebody empties Redis by hand: the nodes put the room back."""
    async with three_nodes(tmp_path, seed, topology) as (scene, redis, *_):
        with redis.admin() as admin:
            admin.flushall()
        await asyncio.sleep(3)
        await scene.conclude(22, "FLUSHALL")


@pytest.mark.slow
async def test_24_scripts_flushed(tmp_path: Path, seed: int, topology: Topology) -> None:
    """Redis forgets its scripts, as after a failover: nobody notices."""
    async with three_nodes(tmp_path, seed, topology) as stage:
        for _ in range(5):
            for server in stage.servers:
                with server.admin() as admin, suppress(ReadOnlyError):  # a replica does as its primary does
                    admin.script_flush()
            await asyncio.sleep(0.5)
        await stage.scene.conclude(24, "scripts flushed")


@pytest.mark.slow
async def test_07_one_node_cut_off_from_redis(tmp_path: Path, seed: int) -> None:
    """The people of a node that alone does not reach Redis are never in another truth, and catch up when it does."""
    async with three_nodes(tmp_path, seed) as (scene, _, networks, _):
        networks[0].deafen()
        await asyncio.sleep(6)
        networks[0].heal()
        await asyncio.sleep(3)
        await scene.conclude(7, "one node cut off from Redis for 6 s")


@pytest.mark.slow
async def test_16_replies_lost_after_append(tmp_path: Path, seed: int) -> None:
    """Every eighth reply of a script is lost after it was executed: each command has one effect."""
    async with three_nodes(tmp_path, seed) as (scene, _, networks, _):
        for network in networks:
            network.lose_every = 8
        await asyncio.sleep(8)
        for network in networks:
            network.lose_every = 0
        lost = sum(network.lost for network in networks)
        await scene.conclude(16, "replies lost after the append", more={"replies_lost": lost})
        assert lost > 5


@pytest.mark.slow
async def test_20_a_subscription_goes_deaf(tmp_path: Path, seed: int) -> None:
    """A pub/sub connection that is open and delivers nothing is found by its canary, and hints come again.

    People of one node talk, those of the others only listen: a node that appends learns what it missed by that.
    """
    async with empty_stage(tmp_path, seed) as (scene, _, networks, _):
        await scene.gather(PEOPLE)
        for talker in [client for client in scene.clients[1:] if client.node == scene.nodes[0].url]:
            scene.start(take_part(talker, 0.3))
        await asyncio.sleep(1)
        for network in networks:
            network.half_open_subscriptions()
        await asyncio.sleep(4)
        healed_ms = now_ms()
        await asyncio.sleep(4)
        run = await scene.finish()
        behind = delays(run, since_ms=healed_ms)
        record(20, "deaf subscriptions (half-open TCP)", run, seed=seed, delay_ms=spread(behind))
        assert_survived(run)
        assert percentile(behind, 0.9) < 500
