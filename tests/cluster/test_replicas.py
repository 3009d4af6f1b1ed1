# SPDX-License-Identifier: Apache-2.0
"""What replicas have confirmed, asked of a real primary of a Cluster."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator

import pytest

from server.cluster.connect import client_of, disconnect
from server.cluster.keys import SLOTS
from server.cluster.primaries import PrimaryPipes
from server.cluster.replicas import Replicas
from tests.cluster.servers import HOST, RunningRedis, free_port, started
from tests.cluster.topologies import until

KEPT_MS = 60_000


@pytest.fixture
async def primary() -> AsyncIterator[RunningRedis]:
    """The only one of its Cluster."""
    with started("redis", args=["--cluster-enabled", "yes", "--cluster-port", str(free_port())]) as server:
        with server.admin() as admin:
            admin.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, SLOTS - 1)
            until(lambda: b"cluster_state:ok" in admin.execute_command("CLUSTER", "INFO"), "no Cluster")
        yield server


async def test_a_write_that_is_refused_confirms_nothing_later(primary: RunningRedis) -> None:
    """The answer to the WAIT behind it is not taken for that of the next question, whose replica is silent."""
    client = client_of(f"redis+cluster://{HOST}:{primary.port}")
    replicas = Replicas(client)
    with primary.admin() as admin, socket.create_connection((HOST, primary.port)) as silent:
        silent.sendall(b"PSYNC ? -1\r\n")
        until(lambda: admin.info("replication")["connected_slaves"] == 1, "no replica")
        await client.set("room", 1)
        try:
            for needed in (1, 0):
                admin.config_set("min-replicas-to-write", needed)
                assert not await replicas.have("room", KEPT_MS)
                assert await client.ping(target_nodes=PrimaryPipes.PRIMARIES)
        finally:
            await disconnect(client)
