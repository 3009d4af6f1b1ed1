# SPDX-License-Identifier: Apache-2.0
"""The media plane of several nodes: a room family is carried by one node, whichever nodes its people come through.

This node asks the carrier of a room for peers, and passes on what it reports; it may be the carrier itself, which is
asked in the same way. Rights come from the carrier's own copy of the log: it loads the room before it carries it, and
what other nodes think of the routes is not asked. Where a room is stands in Redis (`placements`); what is said between
nodes goes through `post`. While Redis is away rooms stay where they are, and media flows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, Protocol, assert_never

import structlog

from server.cluster.calls import FAULTS
from server.cluster.carrier import LocalPlane
from server.cluster.carriers import RETRY_S, Carriers
from server.cluster.connect import Client
from server.cluster.keys import Keys
from server.cluster.media_messages import (
    Adopt,
    CloseGuest,
    Dismiss,
    MediaMessage,
    NotHere,
    OpenGuest,
    Passed,
    Reported,
    WatchAs,
    decode,
    encode,
    matter_of,
)
from server.cluster.placements import Candidate, Place, Placements, choose_node
from server.cluster.post import Post
from server.cluster.seal import Seal
from server.cluster.tasks import Tasks
from server.cluster.visits import Room, Sink
from server.errors import CommandRejected, RejectCode
from server.ids import NodeId, ParticipantId, PeerId, RoomId
from server.ports import PeerAdopted, PeerClosed, PeerRefused, VoicesHeard, Watch
from server.rooms.routes import RouteGroup

FULL: Final = 0.15
"""Share of a core that some worker of some node must have left for new rooms to begin."""

log = structlog.get_logger()


class NodeFacts(Protocol):
    """What is known of a node."""

    @property
    def node(self) -> NodeId: ...

    @property
    def media_free(self) -> float: ...

    @property
    def draining(self) -> bool: ...


class NodeList(Protocol):
    """`nodes.Nodes`, as far as media needs it."""

    node: NodeId
    lapsed: frozenset[NodeId]

    def live(self) -> tuple[NodeFacts, ...]: ...

    def on_lapse(self, callback: Callable[[NodeId], None]) -> None: ...

    def on_buried(self, callback: Callable[[], None]) -> None: ...


class SharedPlane:
    """`MediaPlane` of this node among others. `load` loads a room here, so that its routes are set here, too.

    `passed` takes what people in a room without our media say to each other, from other nodes. `secret`: that of the
    API, under which nodes of one system seal what they say to each other.
    """

    def __init__(
        self,
        local: LocalPlane,
        client: Client,
        nodes: NodeList,
        load: Callable[[RoomId], Awaitable[None]],
        secret: str,
        keys: Keys | None = None,
    ) -> None:
        keys = keys or Keys()
        self.seal = Seal(secret.encode())
        self._local = local
        self._client = client
        self._nodes = nodes
        self._load = load
        self._prefix = keys.prefix
        self._placements = Placements(client, lambda room: keys.key(room, "place"))
        self._post = Post(client, nodes.node, self, self.seal, keys.prefix)
        self._rooms: dict[RoomId, Room] = {}
        self._peers: dict[PeerId, RoomId] = {}
        self._tasks = Tasks()
        self._carriers = Carriers(self, nodes.node, local, self._placements, self._tasks)
        self.passed: Callable[[RoomId, ParticipantId, bytes], None] = lambda *_: None
        nodes.on_lapse(self._lapsed)
        nodes.on_buried(self._buried)

    @property
    def ready(self) -> bool:
        """Whether this node could carry a room."""
        return self._local.ready

    @property
    def full(self) -> bool:
        """Whether no node should be given another room."""
        return all(each.free < FULL or each.draining for each in self._candidates())

    def carries(self, room: RoomId) -> bool:
        """Whether the media of this room goes through this node's worker."""
        return room in self._carriers.rooms

    async def start(self) -> None:
        """Begin to listen to the other nodes. The local plane and `nodes` have started."""
        await self._post.start()
        self._tasks.spawn(self._carriers.renew())

    async def close(self) -> None:
        """Say nothing more. The local plane is closed by whoever started it."""
        await self._tasks.close()
        await self._post.close()

    async def drain(self) -> None:
        """Hand every room that is carried here to another node, as far as there is one."""
        await self._carriers.drain()

    # -- MediaPlane ----------------------------------------------------------------------------------------------------

    def open_room(self, room: RoomId, sink: Sink) -> None:
        known = self._rooms.get(room)
        if known is None:
            self._rooms[room] = Room(room, sink)
        else:
            known.sink = sink

    def open_peer(self, peer: PeerId, room: RoomId, participant: ParticipantId, sdp: str) -> None:
        known = self._rooms.get(room)
        if known is None or (known.place is None and not any(each.free > 0 for each in self._candidates())):
            raise CommandRejected(RejectCode.NO_MEDIA)
        for earlier in known.open(peer, participant, sdp):
            self._peers.pop(earlier, None)
        self._peers[peer] = room
        self._press(known)

    def close_peer(self, peer: PeerId) -> None:
        known = self._room_of(peer)
        if known is not None:
            del self._peers[peer]
            if known.close(peer) and known.place is not None:
                self.say(known.place.node, CloseGuest(known.room, known.place.generation, peer))

    def adopt(self, room: RoomId, participant: ParticipantId) -> None:
        known = self._rooms.get(room)
        if known is not None:
            known.adoptions[participant] = None
            self._press(known)

    def dismiss(self, room: RoomId, participant: ParticipantId) -> None:
        known = self._rooms.get(room)
        if known is not None:
            known.dismissals[participant] = None
            self._press(known)

    def watch(self, peer: PeerId, watch: Watch) -> None:
        known = self._room_of(peer)
        if known is not None and known.watch(peer, watch) and known.place is not None:
            self.say(known.place.node, WatchAs(known.room, known.place.generation, peer, watch))

    def set_routes(self, room: RoomId, groups: tuple[RouteGroup, ...]) -> None:
        known = self._rooms.get(room)
        if known is not None:
            known.groups = groups
            self._carriers.set_routes(room, groups)

    def close_room(self, room: RoomId) -> None:
        known = self._rooms.pop(room, None)
        if known is None:
            return
        for peer in known.visits:
            self._peers.pop(peer, None)
        if not self._carriers.close(room) and known.place is not None:
            for peer in known.visits:
                self.say(known.place.node, CloseGuest(room, known.place.generation, peer))

    def check_offer(self, sdp: str) -> None:
        self._local.check_offer(sdp)

    def pass_on(self, node: NodeId, room: RoomId, sender: ParticipantId, signal: bytes) -> None:
        """Carry what one person's client says to another's that is connected through that node."""
        self._post.send(node, encode(Passed(room, sender, signal)))

    # -- asking the carrier --------------------------------------------------------------------------------------------

    def _room_of(self, peer: PeerId) -> Room | None:
        room = self._peers.get(peer)
        return None if room is None else self._rooms.get(room)

    def _press(self, room: Room) -> None:
        """See to it that what waits in this room is asked of its carrier."""
        if room.place is not None:
            for request in room.due(room.place.generation):
                self.say(room.place.node, request)
        elif not room.seeking and room.wanting:
            room.seeking = True
            self._tasks.spawn(self._seek(room))

    async def _seek(self, room: Room) -> None:
        """Find the carrier, or choose one if somebody wants to open a peer."""
        try:
            while self._rooms.get(room.room) is room and room.wanting:
                try:
                    if await self._settle(room):
                        break
                except FAULTS:
                    await asyncio.sleep(RETRY_S)
        finally:
            room.seeking = False
        self._press(room)

    async def _settle(self, room: Room) -> bool:
        """One look: True when the room has a place, or nothing wants one any more."""
        place = await self._placements.find(room.room)
        if place is None or not self._there(place.node):
            for report in room.nowhere():
                room.sink(report)
            if not room.visits:
                return True
            node = choose_node(room.room, self._candidates())
            if node is None:
                self._refuse(room)
                return True
            place = await self._placements.claim(room.room, place, node)
            if not self._there(place.node):
                return False
            log.info("room_placed", generation=place.generation, node=place.node)
        room.place = place
        self._post.expect(place.node)
        return True

    def _refuse(self, room: Room) -> None:
        for peer in tuple(room.visits):
            self._forget(room, peer)
            room.sink(PeerRefused(peer, "no_media"))

    def _forget(self, room: Room, peer: PeerId) -> None:
        room.close(peer)
        self._peers.pop(peer, None)

    def _there(self, node: NodeId) -> bool:
        return node == self._nodes.node or not (node in self._nodes.lapsed or self._post.silent(node))

    def elsewhere(self, room: RoomId) -> NodeId | None:
        """Another node that could carry this room."""
        return choose_node(room, [each for each in self._candidates() if each.node != self._nodes.node])

    async def load_room(self, room: RoomId) -> tuple[RouteGroup, ...] | None:
        """Load a room here, if it is not; its routes, None: there is no such room."""
        if room not in self._rooms:
            await self._load(room)
        known = self._rooms.get(room)
        return None if known is None else known.groups

    def _candidates(self) -> tuple[Candidate, ...]:
        mine = Candidate(self._nodes.node, self._local.free, self._carriers.draining)
        others = (
            Candidate(each.node, each.media_free, each.draining)
            for each in self._nodes.live()
            if each.node != mine.node and not self._post.silent(each.node)
        )
        return (mine, *others)

    def _displaced(self, room: Room, reason: str) -> None:
        """The room is not where it was: its answered peers are gone, what waits is asked elsewhere."""
        room.place = None
        for report in room.displaced(reason):
            self._peers.pop(report.peer, None)
            room.sink(report)
        self._press(room)

    def _reported(self, sender: NodeId, message: Reported) -> None:
        room, report = self._rooms.get(message.room), message.report
        if room is None or room.place != Place(sender, message.generation) or not room.heard(report):
            return
        if isinstance(report, PeerClosed | PeerRefused):
            self._peers.pop(report.peer, None)
        elif isinstance(report, PeerAdopted):
            self._peers[report.peer] = room.room
        room.sink(report)

    def _not_here(self, sender: NodeId, message: NotHere) -> None:
        room = self._rooms.get(message.room)
        if room is not None and room.place == Place(sender, message.generation):
            self._displaced(room, message.reason)

    def say(self, node: NodeId, message: MediaMessage) -> None:
        """Tell another node, or this one."""
        if node == self._nodes.node:
            self._heard(node, message)
        elif isinstance(message, Reported) and isinstance(message.report, VoicesHeard):
            self._post.send_loose(node, encode(message))
        else:
            self._post.send(node, encode(message), matter_of(message))

    # -- called by the post and by the list of nodes -------------------------------------------------------------------

    def delivered(self, sender: NodeId, body: bytes) -> None:
        """A message of another node."""
        self._heard(sender, decode(body))

    def _heard(self, sender: NodeId, message: MediaMessage) -> None:
        match message:
            case OpenGuest() | CloseGuest() | WatchAs() | Adopt() | Dismiss():
                self._carriers.asked(sender, message)
            case NotHere():
                self._not_here(sender, message)
            case Reported():
                self._reported(sender, message)
            case Passed(room, person, signal):
                self.passed(room, person, signal)
            case _:
                assert_never(message)

    def fell_silent(self, node: NodeId) -> None:
        """This node is taken to be dead: what it carried is placed anew."""
        log.warning("node_silent", node=node)
        for room in [room for room in self._rooms.values() if room.place is not None and room.place.node == node]:
            self._displaced(room, "worker_lost")

    def _lapsed(self, node: NodeId) -> None:
        self._post.forget(node)
        self.fell_silent(node)

    def _buried(self) -> None:
        """The others gave this node up while it slept. It begins anew under another name, and carries nothing."""
        self._carriers.abandon(self._nodes.node)
        post, self._post = self._post, Post(self._client, self._nodes.node, self, self.seal, self._prefix)
        self._tasks.spawn(post.close())
        self._tasks.spawn(self._post.start())
        for room in tuple(self._rooms.values()):
            if room.place is not None:
                self._displaced(room, "worker_lost")
