# SPDX-License-Identifier: Apache-2.0
"""One room family that this node carries for all nodes: its peers, and to whom reports about each of them go."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, assert_never

from msgspec import Struct

from server.cluster.media_messages import Adopt, CloseGuest, Dismiss, OpenGuest, Reported, Request, WatchAs
from server.ids import NodeId, ParticipantId, PeerId, RoomId
from server.ports import (
    MediaPlane,
    MediaReport,
    PeerAdopted,
    PeerAnswered,
    PeerClosed,
    PeerConnected,
    PeerMissing,
    PeerRefused,
    PeerReport,
    QualityChanged,
    SlotsChanged,
    VoicesHeard,
)
from server.rooms.routes import RouteGroup


class LocalPlane(MediaPlane, Protocol):
    """The media plane of one node."""

    @property
    def free(self) -> float:
        """Free share of a core of the least loaded worker; 0: nothing can take a room."""

    @property
    def ready(self) -> bool:
        """Whether any worker listens."""


class _Guest(Struct):
    """A peer on this node's worker. `home`: the node that its participant's client is connected to."""

    participant: ParticipantId
    home: NodeId
    slots: SlotsChanged | None = None
    quality: QualityChanged | None = None


class Carrier:
    """Drives the local plane for one room. `tell` gets each report, with the node through which its peer was opened."""

    def __init__(
        self, room: RoomId, generation: int, plane: LocalPlane, tell: Callable[[NodeId, Reported], None]
    ) -> None:
        self.room = room
        self.generation = generation
        self._plane = plane
        self._send = tell
        self._guests: dict[PeerId, _Guest] = {}
        self._members: frozenset[ParticipantId] = frozenset()
        plane.open_room(room, self._heard)

    @property
    def homes(self) -> frozenset[NodeId]:
        """The nodes that have peers here."""
        return frozenset(guest.home for guest in self._guests.values())

    def asked(self, home: NodeId, request: Request) -> None:
        """Do what a node asks for. Raises CommandRejected with NO_MEDIA while no worker can take a peer."""
        match request:
            case OpenGuest(peer=peer, participant=participant, sdp=sdp):
                self._plane.open_peer(peer, self.room, participant, sdp)
                self._guests[peer] = _Guest(participant, home)
            case CloseGuest(peer=peer):
                self._close(peer)
            case WatchAs(peer=peer, watch=watch):
                self._plane.watch(peer, watch)
            case Adopt(participant=participant):
                self._adopt(home, participant)
            case Dismiss(participant=participant):
                self._dismiss({participant})
            case _:
                assert_never(request)

    def set_routes(self, groups: tuple[RouteGroup, ...]) -> None:
        """What may flow, by this node's own copy of the log. Who has left loses the peer with the right."""
        self._plane.set_routes(self.room, groups)
        members = frozenset(member for group in groups for member in group.members)
        self._dismiss(self._members - members)
        self._members = members

    def end(self) -> None:
        """Carry the room no longer."""
        self._guests.clear()
        self._plane.close_room(self.room)

    def refuse(self, home: NodeId, peer: PeerId) -> None:
        """No worker here can take this peer."""
        self._tell(home, PeerRefused(peer, "no_media"))

    def _tell(self, home: NodeId, report: MediaReport) -> None:
        self._send(home, Reported(self.room, self.generation, report))

    def _dismiss(self, participants: frozenset[ParticipantId] | set[ParticipantId]) -> None:
        for peer in [peer for peer, guest in self._guests.items() if guest.participant in participants]:
            self._close(peer)

    def _close(self, peer: PeerId) -> None:
        if self._guests.pop(peer, None) is not None:
            self._plane.close_peer(peer)

    def _adopt(self, home: NodeId, participant: ParticipantId) -> None:
        found = [(peer, guest) for peer, guest in self._guests.items() if guest.participant == participant]
        if not found:
            self._tell(home, PeerMissing(participant))
            return
        peer, guest = found[-1]
        if guest.home != home:
            self._tell(guest.home, PeerClosed(peer, "replaced"))
            guest.home = home
        self._tell(home, PeerAdopted(peer, participant))
        for report in (guest.slots, guest.quality):
            if report is not None:
                self._tell(home, report)

    def _heard(self, report: MediaReport) -> None:
        if isinstance(report, VoicesHeard):
            for home in self.homes:
                self._tell(home, report)
        elif not isinstance(report, PeerAdopted | PeerMissing):
            self._heard_of(report)

    def _heard_of(self, report: PeerReport) -> None:
        guest = self._guests.get(report.peer)
        if guest is None:
            return
        match report:
            case SlotsChanged():
                guest.slots = report
            case QualityChanged():
                guest.quality = report
            case PeerClosed() | PeerRefused():
                del self._guests[report.peer]
            case PeerAnswered() | PeerConnected():
                pass
            case _:
                assert_never(report)
        self._tell(guest.home, report)
