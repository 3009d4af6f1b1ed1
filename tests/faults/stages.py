# SPDX-License-Identifier: Apache-2.0
"""Three nodes on one Redis, or on a Cluster, with a room full of people at work."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, NamedTuple

from tests.cluster.servers import RunningRedis, redis_server
from tests.cluster.topologies import Cluster, cluster
from tests.faults.proxy import Proxy
from tests.faults.scene import ROOM, Scene
from tests.faults.seeds import kind_of
from tests.faults.truth import Truth

PEOPLE: Final = 18
NODES: Final = 3


class Stage(NamedTuple):
    """Three nodes; each reaches Redis through a network of its own."""

    scene: Scene
    redis: RunningRedis
    networks: tuple[Proxy, ...]


@asynccontextmanager
async def empty_stage(
    folder: Path,
    seed: int,
    *,
    appendonly: bool = True,
    environments: tuple[Mapping[str, str], ...] = (),
    sources: tuple[Path, ...] = (),
) -> AsyncIterator[Stage]:
    """Nobody is there yet."""
    async with (
        redis_server(kind_of(seed), directory=folder, appendonly=appendonly) as redis,
        Proxy(redis.port) as one,
        Proxy(redis.port) as two,
        Proxy(redis.port) as three,
    ):
        networks = (one, two, three)
        each = tuple(("--redis", f"redis://127.0.0.1:{network.port}") for network in networks)
        truth = Truth(redis.url, ROOM)
        async with Scene(
            folder, each=each, truth=truth, seed=seed, environments=environments, sources=sources
        ) as scene:
            yield Stage(scene, redis, networks)


@asynccontextmanager
async def three_nodes(
    folder: Path,
    seed: int,
    *,
    appendonly: bool = True,
    environments: tuple[Mapping[str, str], ...] = (),
    sources: tuple[Path, ...] = (),
) -> AsyncIterator[Stage]:
    """A room full of people at work, spread over three nodes."""
    async with empty_stage(folder, seed, appendonly=appendonly, environments=environments, sources=sources) as stage:
        await stage.scene.gather(PEOPLE)
        stage.scene.begin_work()
        await asyncio.sleep(1)
        yield stage


class ClusterStage(NamedTuple):
    """Three nodes on three primaries, each of which has a replica."""

    scene: Scene
    cluster: Cluster


@asynccontextmanager
async def three_nodes_on_a_cluster(folder: Path, seed: int) -> AsyncIterator[ClusterStage]:
    """A room full of people at work, spread over three nodes."""
    with cluster(kind_of(seed), replicas=True) as servers:
        each = (("--redis", servers.url),) * NODES
        async with Scene(folder, each=each, truth=Truth(servers.url, ROOM), seed=seed) as scene:
            await scene.gather(PEOPLE)
            scene.begin_work()
            await asyncio.sleep(1)
            yield ClusterStage(scene, servers)
