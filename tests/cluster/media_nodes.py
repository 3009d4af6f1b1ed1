# SPDX-License-Identifier: Apache-2.0
"""Nodes that share rooms in one process, with real workers, and people with real packets."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Final, TypeVar

from server.cluster.connect import Client, client_of, disconnect
from server.cluster.keys import Keys
from server.cluster.media import SharedPlane
from server.cluster.nodes import NodeInfo, Nodes, Registry
from server.ids import MAIN, NodeId, ParticipantId, PeerId, Placement, RoomId
from server.media.plane import WorkerPlane
from server.media.supervisor import WorkerOptions
from server.ports import MediaReport, PeerAnswered, PeerClosed, PeerRefused
from server.rooms.routes import RouteGroup
from tests.cluster.servers import RunningRedis, redis_server
from tests.media.peer import RawPeer
from tests.media.waiting import until

Report = TypeVar("Report", bound=MediaReport)

LOOPBACK: Final = WorkerOptions(addresses=("127.0.0.1",))
ANN, BOB, CID = ParticipantId("ann"), ParticipantId("bob"), ParticipantId("cid")


def together(*people: ParticipantId, placement: Placement = MAIN) -> RouteGroup:
    """These people hear and see each other."""
    return RouteGroup(placement, people, people, people)


class Truth:
    """What the log says of each room, as every node that has loaded the room knows it."""

    def __init__(self) -> None:
        self.routes: dict[RoomId, tuple[RouteGroup, ...]] = {}
        self.nodes: list[Node] = []

    def set(self, room: RoomId, *groups: RouteGroup) -> None:
        """An entry is committed, and every node hears of it."""
        self.routes[room] = groups
        for node in self.nodes:
            node.follow(room)


class Node:
    """One node: worker, lease, shared plane, and what a desk does with a room."""

    def __init__(self, url: str, keys: Keys, truth: Truth) -> None:
        self.client: Client = client_of(url)
        self.local = WorkerPlane(LOOPBACK)
        self.nodes = Nodes(Registry(self.client, keys.prefix), self._facts)
        self.plane = SharedPlane(self.local, self.client, self.nodes, self.load, "secret", keys)
        self.reports: dict[RoomId, list[MediaReport]] = {}
        self.deaf = False
        """Whether this node hears nothing new of its rooms."""
        self._truth = truth
        truth.nodes.append(self)

    @property
    def id(self) -> NodeId:
        return self.nodes.node

    async def start(self) -> None:
        await self.local.start()
        await self.nodes.start()
        await self.plane.start()

    async def close(self) -> None:
        self._truth.nodes.remove(self)
        await self.plane.close()
        await self.nodes.close()
        await self.local.close()
        await disconnect(self.client)

    async def die(self) -> None:
        """End as by kill -9: no word to anybody."""
        self._truth.nodes.remove(self)
        pid = self.local.pids[0]
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        tasks = (*self.plane._post._tasks, *self.plane._tasks._tasks, self.nodes._task)  # noqa: SLF001
        living = [task for task in tasks if task is not None]
        for task in living:
            task.cancel()
        await asyncio.gather(*living, return_exceptions=True)
        await self.local.close()
        await disconnect(self.client)

    async def load(self, room: RoomId) -> None:
        """What the hall of a room does when the room is loaded."""
        if room not in self.reports:
            self.reports[room] = []
            self.plane.open_room(room, self.reports[room].append)
            self.follow(room)

    def follow(self, room: RoomId) -> None:
        if room in self.reports and not self.deaf:
            self.plane.set_routes(room, self._truth.routes[room])

    def of(self, room: RoomId, kind: type[Report]) -> list[Report]:
        return [report for report in self.reports[room] if isinstance(report, kind)]

    def carries(self, room: RoomId) -> bool:
        return self.plane.carries(room)

    def _facts(self) -> NodeInfo:
        return NodeInfo(self.nodes.node, media_free=self.local.free)


class Person:
    """A participant whose client is connected through one of the nodes."""

    def __init__(self, name: ParticipantId, room: RoomId, node: Node) -> None:
        self.name = name
        self.room = room
        self.node = node
        self.raw: RawPeer | None = None
        self.id = PeerId("")

    @property
    def peer(self) -> RawPeer:
        assert self.raw is not None
        return self.raw

    async def connect(self) -> None:
        """Make an offer until one is answered, as a client does, and let media flow."""
        await self.close()
        await self.node.load(self.room)
        self.raw = RawPeer(self.name, slots=2)
        while True:
            self.id = PeerId(secrets.token_hex(4))
            self.node.plane.open_peer(self.id, self.room, self.name, self.raw.offer)
            said = await until(lambda: next(self._said(), None))
            if isinstance(said, PeerAnswered):
                break
            await asyncio.sleep(0.1)
        await self.raw.connect(said.sdp)

    async def lost(self) -> str:
        """Wait until this node says that the peer is gone; the reason."""
        gone = await until(lambda: next((m for m in self.node.of(self.room, PeerClosed) if m.peer == self.id), None))
        return gone.reason

    async def hears(self, other: Person, *, seconds: float = 5.0) -> bool:
        """Whether what the other says now arrives."""
        words = secrets.token_bytes(12)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            other.peer.speak(words)
            await asyncio.sleep(0.02)
            if any(packet.payload == words for packet in self.peer.packets):
                return True
        return False

    async def close(self) -> None:
        if self.raw is not None:
            await self.raw.close()
            self.raw = None

    def _said(self) -> Iterator[PeerAnswered | PeerRefused]:
        return (
            m for m in self.node.reports[self.room] if isinstance(m, PeerAnswered | PeerRefused) and m.peer == self.id
        )


class World:
    """Two nodes and one Redis."""

    def __init__(self, redis: RunningRedis, nodes: tuple[Node, ...], truth: Truth) -> None:
        self.redis = redis
        self.nodes = nodes
        self.truth = truth
        self.room = RoomId(secrets.token_hex(4))
        self.people: list[Person] = []

    async def meet(self) -> tuple[Person, Person]:
        """Ann through the first node and Bob through the second one, in one room."""
        self.truth.set(self.room, together(ANN, BOB))
        ann, bob = Person(ANN, self.room, self.nodes[0]), Person(BOB, self.room, self.nodes[1])
        self.people += [ann, bob]
        await asyncio.gather(ann.connect(), bob.connect())
        assert await ann.hears(bob)
        assert await bob.hears(ann)
        return ann, bob

    async def close(self) -> None:
        """Everybody goes home."""
        for person in self.people:
            await person.close()

    def carrier(self) -> tuple[Node, Node]:
        """The node that carries the room, and the other one."""
        (here,) = [node for node in self.nodes if node.carries(self.room)]
        (other,) = [node for node in self.nodes if node is not here]
        return here, other

    def through(self, node: Node) -> Person:
        """Who is connected through this node."""
        (person,) = [person for person in self.people if person.node is node]
        return person


@asynccontextmanager
async def two_nodes() -> AsyncIterator[World]:
    """Two nodes that know of each other, and a Redis of their own."""
    async with redis_server("redis") as redis:
        truth, keys = Truth(), Keys()
        nodes = Node(redis.url, keys, truth), Node(redis.url, keys, truth)
        await asyncio.gather(*(node.start() for node in nodes))
        await until(lambda: all(len(node.nodes.live()) == 2 for node in nodes) or None)
        yield World(redis, nodes, truth)
        for node in tuple(truth.nodes):
            await node.close()
