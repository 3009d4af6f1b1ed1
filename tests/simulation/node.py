# SPDX-License-Identifier: Apache-2.0
"""A node: the server as `server.app` puts it together, without media, HTTP and sockets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import count
from typing import Any, Final

from msgspec.structs import replace

from server.app import CALL_MS
from server.cluster.caretaker import Caretaker
from server.cluster.connect import UnsuitableRedis
from server.cluster.nodes import NodeInfo
from server.cluster.system import System
from server.errors import DisconnectCode
from server.ids import NodeId, ParticipantId, PeerId, RoomId, connection_at
from server.ports import MediaReport, Watch
from server.rooms.routes import RouteGroup
from server.rooms.state import RoomSettings
from server.rooms.templates import default_agenda
from server.runner.core import ROOM_RULES
from server.runner.registry import Rooms
from server.runner.settings import RESEED_MS, Environment, RunnerSettings
from server.signaling import gateway as gateways
from server.signaling.gateway import Gateway
from server.signaling.joining import Joining, Opening
from server.signaling.tokens import TokenKey
from server.webhooks.news import news_of
from tests.simulation.ambient import SimSecrets, SimTime
from tests.simulation.door import Door, Street
from tests.simulation.loop import Life, Process, SimLoop
from tests.simulation.network import Net, Place

KEY: Final = TokenKey("simulation", "a secret of sufficient length for this")
OPENING: Final = Opening(RoomSettings("Circle", capacity=60, auto_admit=False), default_agenda(), lambda: False)
AGAIN_S: Final = 1.0
"""After this a server that found no Redis is started again by whatever watches it."""


class NoMedia:
    """A media plane that nobody's media goes through."""

    def open_room(self, room: RoomId, sink: Callable[[MediaReport], None]) -> None:
        """Nothing comes of it."""

    def open_peer(self, peer: PeerId, room: RoomId, participant: ParticipantId, sdp: str) -> None:
        """Nothing comes of it."""

    def close_peer(self, peer: PeerId) -> None:
        """Nothing comes of it."""

    def adopt(self, room: RoomId, participant: ParticipantId) -> None:
        """Nothing comes of it."""

    def dismiss(self, room: RoomId, participant: ParticipantId) -> None:
        """Nothing comes of it."""

    def watch(self, peer: PeerId, watch: Watch) -> None:
        """Nothing comes of it."""

    def set_routes(self, room: RoomId, groups: tuple[RouteGroup, ...]) -> None:
        """Nothing comes of it."""

    def close_room(self, room: RoomId) -> None:
        """Nothing comes of it."""

    def check_offer(self, sdp: str) -> None:
        """Every offer will do."""


class Server:
    """One run of a server. Made and run in its process."""

    def __init__(self, time: SimTime, secrets: SimSecrets) -> None:
        self.system = System("redis://simulated", lambda: NodeInfo(NodeId("")))
        clock = self.system.clock
        environment = Environment(
            self.system.log,
            replace(ROOM_RULES, news=news_of),
            clock,
            lambda: secrets.randbits(63),
            RunnerSettings(call_ms=CALL_MS, reseed_ms=RESEED_MS),
            note=self.system.nodes.note,
            defer_ms=self.system.defer_ms,
        )
        self.rooms = Rooms(environment)
        joining = Joining(self.rooms, clock, KEY, OPENING, 3600, time.time)
        self.gateway = Gateway(joining, clock, NoMedia(), now_ms=gateways.monotonic_ms)
        names = count()
        self.door = Door(self.gateway, lambda: connection_at(self.system.nodes.node, f"c{next(names)}"))
        self._caretaker = Caretaker(self.rooms, self.system.log, self.system.nodes, clock, self.gateway.attends)
        self.system.log.on_away(self._away)
        self.system.nodes.on_buried(lambda: self.door.end_all(DisconnectCode.CONNECTION_LOST))

    async def start(self) -> None:
        """Raises UnsuitableRedis."""
        await self.system.start()
        self._caretaker.start()

    async def close(self) -> None:
        """In the order of `server.app`."""
        self.gateway.close()
        self.door.end_all(DisconnectCode.SERVER_RESTARTING)
        await self._caretaker.close()
        await self.rooms.close()
        await self.system.close()

    def _away(self, away: bool) -> None:
        del away
        away_for = self.system.log.away_for
        self.gateway.set_read_only(away_for)
        self.rooms.log_changed(away_for)


class Machine:
    """Where runs of a server follow one another, under one address."""

    def __init__(self, name: str, loop: SimLoop, net: Net, street: Street, ambient: tuple[SimTime, SimSecrets]) -> None:
        self.name: Final = name
        self.server: Server | None = None
        self.past: list[Process] = []
        """Processes that are no more."""
        self._loop, self._net, self._street, self._ambient = loop, net, street, ambient
        self._runs = 0
        self.start()

    @property
    def up(self) -> bool:
        """Whether there is a process."""
        return self.process.life is not Life.DEAD

    def start(self) -> None:
        """Begin a new run."""
        self._runs += 1
        self.server = None
        self.process = Process(f"{self.name}.{self._runs}", self._loop)
        self.place = Place(self.name, self.process)
        self._street.doors[self.name] = (self.place, None)
        self.process.run(lambda: self._loop.create_task(self._main()))

    def kill(self, *, silently: bool = False) -> None:
        """At once; `silently`: as if the power was off, so that nobody's connection is ended."""
        self.process.kill()
        self.past.append(self.process)
        self._street.doors[self.name] = (self.place, None)
        if not silently:
            self._net.died(self.process)

    def drain(self) -> None:
        """Let it end in order."""
        self._street.doors[self.name] = (self.place, None)
        self.process.run(lambda: self._loop.create_task(self._drain()))

    async def _main(self) -> None:
        while True:
            server = Server(*self._ambient)
            try:
                await server.start()
            except UnsuitableRedis:
                await server.system.close()
                await asyncio.sleep(AGAIN_S)
            else:
                self.server = server
                self._street.doors[self.name] = (self.place, server.door)
                return

    async def _drain(self) -> None:
        if self.server is not None:
            await self.server.close()
        self._loop.call_soon(self.kill)


def running(machine: Machine) -> Any:  # noqa: ANN401
    """The server of a machine that has one now."""
    return machine.server if machine.up else None
