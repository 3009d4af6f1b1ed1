# SPDX-License-Identifier: Apache-2.0
"""The room families that this node carries for all nodes: taken when asked for, kept by a lease, handed over."""

from __future__ import annotations

import asyncio
from typing import Final, Protocol

import structlog

from server.cluster.calls import FAULTS
from server.cluster.carrier import Carrier, LocalPlane
from server.cluster.media_messages import Adopt, MediaMessage, NotHere, OpenGuest, Reported, Request
from server.cluster.placements import Place, Placements
from server.cluster.tasks import Tasks
from server.errors import CommandRejected
from server.ids import NodeId, RoomId
from server.ports import PeerMissing, PeerRefused
from server.rooms.routes import RouteGroup

RENEW_S: Final = 5.0
RETRY_S: Final = 0.25
MOVE_EVERY_S: Final = 0.05
"""Between two rooms that leave a draining node: their people connect anew at the same moment."""

log = structlog.get_logger()


class Host(Protocol):
    """What carrying rooms needs of the node."""

    async def load_room(self, room: RoomId) -> tuple[RouteGroup, ...] | None:
        """Load a room here, if it is not; its routes, None: there is no such room."""

    def elsewhere(self, room: RoomId) -> NodeId | None:
        """Another node that could carry it."""

    def say(self, node: NodeId, message: MediaMessage) -> None:
        """Bring a message to a node, which may be this one."""


class Carriers:
    """What is carried here. `renew` has to run all the time."""

    def __init__(self, host: Host, node: NodeId, plane: LocalPlane, placements: Placements, tasks: Tasks) -> None:
        self.draining = False
        self._host = host
        self._node = node
        self._plane = plane
        self._placements = placements
        self._tasks = tasks
        self._carriers: dict[RoomId, Carrier] = {}
        self._waiting: dict[RoomId, list[tuple[NodeId, Request]]] = {}

    @property
    def rooms(self) -> tuple[RoomId, ...]:
        """What is carried here."""
        return tuple(self._carriers)

    def asked(self, home: NodeId, request: Request) -> None:
        """A node takes this one for the carrier of a room."""
        carrier = self._carriers.get(request.room)
        if carrier is not None and carrier.generation == request.generation:
            self._carry(carrier, home, request)
        elif carrier is not None and carrier.generation > request.generation:
            self._deny(home, request.room, request.generation, "moved")
        elif request.room in self._waiting:
            self._waiting[request.room].append((home, request))
        else:
            self._waiting[request.room] = [(home, request)]
            self._tasks.spawn(self._take(request.room))

    def set_routes(self, room: RoomId, groups: tuple[RouteGroup, ...]) -> None:
        """What this node's copy of the room lets flow, if the room is carried here."""
        carrier = self._carriers.get(room)
        if carrier is not None:
            carrier.set_routes(groups)

    def close(self, room: RoomId) -> bool:
        """The room is over here; False: it is not carried here."""
        carrier = self._carriers.get(room)
        if carrier is None:
            return False
        self._give_up(carrier, "closed")
        self._tasks.spawn(self._release(carrier))
        return True

    def abandon(self, node: NodeId) -> None:
        """This node is another one now, and carries nothing. Nobody is told: it was given up already."""
        self._node = node
        for room in tuple(self._carriers):
            self._carriers.pop(room).end()

    async def drain(self) -> None:
        """Hand every room to another node, as far as there is one."""
        self.draining = True
        for carrier in tuple(self._carriers.values()):
            try:
                await self._hand_over(carrier, "moved")
            except FAULTS:
                log.warning("room_not_handed_over")
            await asyncio.sleep(MOVE_EVERY_S)

    async def renew(self) -> None:
        """Keep the leases, for ever. What Redis has lost is put back; what it has given to others is let go."""
        while True:
            await asyncio.sleep(RENEW_S)
            for carrier in tuple(self._carriers.values()):
                try:
                    stands = await self._placements.renew(carrier.room, self._place(carrier))
                except FAULTS:
                    break
                if stands != self._place(carrier):
                    self._give_up(carrier, "moved")

    def _place(self, carrier: Carrier) -> Place:
        return Place(self._node, carrier.generation)

    def _carry(self, carrier: Carrier, home: NodeId, request: Request) -> None:
        try:
            carrier.asked(home, request)
        except CommandRejected:
            if isinstance(request, OpenGuest):
                self._tasks.spawn(self._shift(carrier, home, request))

    async def _shift(self, carrier: Carrier, home: NodeId, request: OpenGuest) -> None:
        """No worker here can take a peer: another node has to carry the room, or the client has to wait."""
        try:
            moved = await self._hand_over(carrier, "worker_lost")
        except FAULTS:
            moved = False
        if moved:
            self._deny(home, carrier.room, carrier.generation, "worker_lost")
        else:
            carrier.refuse(home, request.peer)

    async def _take(self, room: RoomId) -> None:
        """Begin to carry a room, if that is what stands in Redis; then do what was asked meanwhile."""
        place, groups = await self._look(room)
        if place is not None and groups is not None:
            self._begin(room, place, groups)
        for home, request in self._waiting.pop(room):
            carrier = self._carriers.get(room)
            if carrier is not None and carrier.generation == request.generation:
                self._carry(carrier, home, request)
            elif place is not None and groups is None:
                self._refuse(home, request)
            else:
                self._deny(home, room, request.generation, "moved")
        if self.draining and (carrier := self._carriers.get(room)) is not None:
            await self._hand_over(carrier, "moved")

    async def _look(self, room: RoomId) -> tuple[Place | None, tuple[RouteGroup, ...] | None]:
        """The placement, if it says that the room is here, and the routes, if there is such a room."""
        while True:
            try:
                place = await self._placements.find(room)
                if place is None or place.node != self._node:
                    return None, None
                return place, await self._host.load_room(room)
            except Exception as error:  # noqa: BLE001 - Redis is away, or the log: who has asked is waiting
                log.warning("room_not_loaded", error=type(error).__name__)
                await asyncio.sleep(RETRY_S)

    def _begin(self, room: RoomId, place: Place, groups: tuple[RouteGroup, ...]) -> None:
        earlier = self._carriers.get(room)
        if earlier is not None:
            self._give_up(earlier, "moved")
        carrier = self._carriers[room] = Carrier(room, place.generation, self._plane, self._host.say)
        carrier.set_routes(groups)

    def _refuse(self, home: NodeId, request: Request) -> None:
        """There is no such room."""
        match request:
            case OpenGuest(room, generation, peer):
                self._host.say(home, Reported(room, generation, PeerRefused(peer, "no_media")))
            case Adopt(room, generation, participant):
                self._host.say(home, Reported(room, generation, PeerMissing(participant)))
            case _:
                pass

    def _deny(self, home: NodeId, room: RoomId, generation: int, reason: str) -> None:
        self._host.say(home, NotHere(room, generation, reason))

    def _give_up(self, carrier: Carrier, reason: str) -> None:
        """Carry this room no longer, and say so to all that have peers here."""
        if self._carriers.get(carrier.room) is not carrier:
            return
        del self._carriers[carrier.room]
        homes = carrier.homes
        carrier.end()
        for home in homes:
            self._deny(home, carrier.room, carrier.generation, reason)

    async def _hand_over(self, carrier: Carrier, reason: str) -> bool:
        """Let another node carry the room; False if there is none."""
        if self._carriers.get(carrier.room) is not carrier:
            return True
        node = self._host.elsewhere(carrier.room)
        if node is None:
            return False
        await self._placements.claim(carrier.room, self._place(carrier), node)
        self._give_up(carrier, reason)
        return True

    async def _release(self, carrier: Carrier) -> None:
        try:
            await self._placements.release(carrier.room, self._place(carrier))
        except FAULTS:
            log.info("placement_left_to_expire")
