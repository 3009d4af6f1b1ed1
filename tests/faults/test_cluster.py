# SPDX-License-Identifier: Apache-2.0
"""Faults of a Redis Cluster under three nodes; the numbers are those of the fault list."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

import pytest

from server.cluster.keys import SLOTS, Keys
from tests.cluster.servers import HOST, RunningRedis
from tests.cluster.topologies import Cluster
from tests.faults.scene import ROOM
from tests.faults.stages import three_nodes_on_a_cluster

pytestmark = pytest.mark.slow

MIGRATIONS: Final = 4
LAG_S: Final = 0.3
"""For so long the replica had heard nothing when its primary died."""


async def test_17_a_primary_fails_over(tmp_path: Path, seed: int) -> None:
    """Its replica, which lagged, takes over: what was acknowledged is put back by the nodes that know it."""
    async with three_nodes_on_a_cluster(tmp_path, seed) as (scene, servers):
        number = owner(servers, slot_of(servers))
        servers.replicas[number].pause()
        await asyncio.sleep(LAG_S)
        servers.primaries[number].kill()
        servers.replicas[number].resume()
        await asyncio.sleep(6)
        run = await scene.conclude(17, "a Cluster primary killed, its replica 0.3 s behind")
        assert len(run.lives) <= 2


async def test_19_slots_migrate(tmp_path: Path, seed: int) -> None:
    """The room's slot goes round the primaries while people are at work: nothing is lost on the way.

    Each primary has a history of writes of its own, so that the room begins a new life with each at most.
    """
    async with three_nodes_on_a_cluster(tmp_path, seed) as (scene, servers):
        slot = slot_of(servers)
        at = owner(servers, slot)
        for _ in range(MIGRATIONS):
            to = (at + 1) % len(servers.primaries)
            await asyncio.to_thread(migrate, servers, slot, at, to)
            at = to
            await asyncio.sleep(1.5)
        run = await scene.conclude(19, "the room's slot migrates, four times")
        assert len(run.lives) <= 1 + MIGRATIONS


def slot_of(servers: Cluster) -> int:
    """The slot of the room."""
    with servers.primaries[0].admin() as admin:
        return int(admin.execute_command("CLUSTER", "KEYSLOT", Keys().key(ROOM, "room")))


def owner(servers: Cluster, slot: int) -> int:
    """The primary that a slot begins at."""
    bounds = [SLOTS * number // len(servers.primaries) for number in range(len(servers.primaries))]
    return max(number for number, first in enumerate(bounds) if first <= slot)


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
