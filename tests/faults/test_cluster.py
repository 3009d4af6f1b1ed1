# SPDX-License-Identifier: Apache-2.0
"""Faults that only several Redis servers have, under three nodes; the numbers are those of the fault list."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

import pytest

from holdspace_client.protocol.rooms.state import Role
from tests.cluster.servers import HOST, RunningRedis
from tests.cluster.topologies import Cluster
from tests.faults.scene import until
from tests.faults.seeds import TOPOLOGIES, Topology
from tests.faults.stages import PEOPLE, empty_stage, owner, slot_of, three_nodes
from tests.faults.workload import split, take_part

pytestmark = pytest.mark.slow

SEVERAL: Final = [topology for topology in TOPOLOGIES if topology != "single"]
MIGRATIONS: Final = 4
LAG_S: Final = 0.3
"""For so long the replica had heard nothing when its primary died."""


@pytest.mark.parametrize("topology", SEVERAL)
async def test_17_a_primary_fails_over(tmp_path: Path, seed: int, topology: Topology) -> None:
    """Its replica, which lagged, takes over: what was acknowledged is put back by the nodes that know it."""
    async with three_nodes(tmp_path, seed, topology) as (scene, redis, _, ground):
        replica, *_ = ground.others
        replica.pause()
        await asyncio.sleep(LAG_S)
        redis.kill()
        replica.resume()
        await asyncio.sleep(6)
        run = await scene.conclude(17, "a primary killed, its replica 0.3 s behind")
        assert len(run.lives) <= 2


@pytest.mark.parametrize("topology", SEVERAL)
@pytest.mark.parametrize("delay_ms", [0, 3, 30])
async def test_33_a_failover_in_the_middle_of_a_split(
    tmp_path: Path, seed: int, topology: Topology, delay_ms: int
) -> None:
    """The primary dies while breakouts open: all are in their rooms, or nobody is, and the moderator knows which."""
    async with empty_stage(tmp_path, seed, topology) as (scene, redis, *_):
        moderator = await scene.gather(PEOPLE)
        for client in scene.clients[1:]:
            scene.start(take_part(client, 0.5))
        opening = asyncio.create_task(split(moderator))
        await asyncio.sleep(delay_ms / 1000)
        redis.kill()
        opened = await opening
        await until(lambda: moderator.connected and bool(moderator.view.breakouts.rooms) is opened, 10)
        people = moderator.view.participants.values()
        placed = [person.placement for person in people if person.role is Role.PARTICIPANT]
        assert ("main" not in placed) if opened else set(placed) == {"main"}
        await scene.conclude(33, f"a primary killed {delay_ms} ms after the moderator opens breakouts")


@pytest.mark.skipif("cluster" not in TOPOLOGIES, reason="another topology is wanted")
async def test_19_slots_migrate(tmp_path: Path, seed: int) -> None:
    """The room's slot goes round the primaries while people are at work: nothing is lost on the way.

    Each primary has a history of writes of its own, so that the room begins a new life with each at most.
    """
    async with three_nodes(tmp_path, seed, "cluster") as (scene, _, _, ground):
        servers = ground.cluster
        assert servers is not None
        slot = slot_of(servers)
        at = owner(servers, slot)
        for _ in range(MIGRATIONS):
            to = (at + 1) % len(servers.primaries)
            await asyncio.to_thread(migrate, servers, slot, at, to)
            at = to
            await asyncio.sleep(1.5)
        run = await scene.conclude(19, "the room's slot migrates, four times")
        assert len(run.lives) <= 1 + MIGRATIONS


def migrate(servers: Cluster, slot: int, source: int, target: int) -> None:
    """As `redis-cli --cluster reshard` does it (Redis Cluster specification, live resharding)."""
    here, there = servers.primaries[source], servers.primaries[target]
    with here.admin() as old, there.admin() as new:
        new.execute_command("CLUSTER", "SETSLOT", slot, "IMPORTING", _name(here))
        old.execute_command("CLUSTER", "SETSLOT", slot, "MIGRATING", _name(there))
        while keys := old.execute_command("CLUSTER", "GETKEYSINSLOT", slot, 10):
            old.execute_command("MIGRATE", HOST, there.port, "", 0, 5_000, "KEYS", *keys)
    for server in (there, here, *servers.primaries):
        with server.admin() as admin:
            admin.execute_command("CLUSTER", "SETSLOT", slot, "NODE", _name(there))


def _name(server: RunningRedis) -> str:
    with server.admin() as admin:
        name = admin.execute_command("CLUSTER", "MYID")
    return name.decode() if isinstance(name, bytes) else str(name)
