# SPDX-License-Identifier: Apache-2.0
"""Three nodes on one Redis, on a primary that Sentinels watch, or on a Cluster, with a room full of people at work."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final, NamedTuple

from server.cluster.keys import SLOTS, Keys
from tests.cluster.servers import RunningRedis, redis_server
from tests.cluster.topologies import Cluster, cluster, replicated
from tests.faults.proxy import Proxy
from tests.faults.scene import ROOM, Scene
from tests.faults.seeds import Topology, kind_of
from tests.faults.truth import Truth

PEOPLE: Final = 18
NODES: Final = 3


class Ground(NamedTuple):
    """What the nodes stand on. `url`: where it is found; `primary`: the server that has the room to begin with.

    `others`: all that keep something besides, the replica of `primary` first.
    """

    url: str
    primary: RunningRedis
    others: tuple[RunningRedis, ...] = ()
    cluster: Cluster | None = None


class Stage(NamedTuple):
    """Three nodes. `redis`: the server that has the room to begin with.

    On a single one each node has a network of its own to it; elsewhere they go where they are sent (no networks).
    """

    scene: Scene
    redis: RunningRedis
    networks: tuple[Proxy, ...]
    ground: Ground

    @property
    def servers(self) -> tuple[RunningRedis, ...]:
        """All servers that keep something."""
        return (self.redis, *self.ground.others)


@asynccontextmanager
async def empty_stage(
    folder: Path,
    seed: int,
    topology: Topology = "single",
    *,
    appendonly: bool = True,
    environments: tuple[Mapping[str, str], ...] = (),
    sources: tuple[Path, ...] = (),
) -> AsyncIterator[Stage]:
    """Nobody is there yet."""
    async with AsyncExitStack() as stack:
        ground = await _ground(stack, folder, seed, topology, appendonly=appendonly)
        networks: tuple[Proxy, ...] = ()
        urls = [ground.url] * NODES
        if topology == "single":
            networks = tuple([await stack.enter_async_context(Proxy(ground.primary.port)) for _ in range(NODES)])
            urls = [f"redis://127.0.0.1:{network.port}" for network in networks]
        each = tuple(("--redis", url) for url in urls)
        truth = Truth(ground.url, ROOM)
        scene = await stack.enter_async_context(
            Scene(
                folder,
                each=each,
                truth=truth,
                seed=seed,
                environments=environments,
                sources=sources,
                topology=topology,
            )
        )
        yield Stage(scene, ground.primary, networks, ground)


async def _ground(stack: AsyncExitStack, folder: Path, seed: int, topology: Topology, *, appendonly: bool) -> Ground:
    kind = kind_of(seed, topology)
    match topology:
        case "single":
            redis = await stack.enter_async_context(redis_server(kind, directory=folder, appendonly=appendonly))
            return Ground(redis.url, redis)
        case "sentinel":
            pair = stack.enter_context(replicated(kind))
            return Ground(pair.url, pair.primary, (pair.replica,))
        case "cluster":
            servers = stack.enter_context(cluster(kind, replicas=True))
            number = owner(servers, slot_of(servers))
            primary, replica = servers.primaries[number], servers.replicas[number]
            rest = (server for server in (*servers.primaries, *servers.replicas) if server not in (primary, replica))
            return Ground(servers.url, primary, (replica, *rest), servers)


@asynccontextmanager
async def three_nodes(
    folder: Path,
    seed: int,
    topology: Topology = "single",
    *,
    appendonly: bool = True,
    sources: tuple[Path, ...] = (),
) -> AsyncIterator[Stage]:
    """A room full of people at work, spread over three nodes."""
    async with empty_stage(folder, seed, topology, appendonly=appendonly, sources=sources) as stage:
        await stage.scene.gather(PEOPLE)
        stage.scene.begin_work()
        await asyncio.sleep(1)
        yield stage


def slot_of(servers: Cluster) -> int:
    """The slot of the room."""
    with servers.primaries[0].admin() as admin:
        return int(admin.execute_command("CLUSTER", "KEYSLOT", Keys().key(ROOM, "room")))


def owner(servers: Cluster, slot: int) -> int:
    """The primary that a slot begins at."""
    bounds = [SLOTS * number // len(servers.primaries) for number in range(len(servers.primaries))]
    return max(number for number, first in enumerate(bounds) if first <= slot)
