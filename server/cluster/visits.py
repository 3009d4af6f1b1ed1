# SPDX-License-Identifier: Apache-2.0
"""A room as one node sees it that may be carried elsewhere: its peers that were opened or adopted here. Pure."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from server.cluster.media_messages import Adopt, Dismiss, OpenGuest, Request, WatchAs
from server.cluster.placements import Place
from server.ids import ParticipantId, PeerId, RoomId
from server.ports import (
    MediaReport,
    PeerAdopted,
    PeerAnswered,
    PeerClosed,
    PeerMissing,
    PeerRefused,
    VoicesHeard,
    Watch,
)
from server.rooms.routes import RouteGroup

Sink = Callable[[MediaReport], None]


class Visit(Struct):
    """A peer of this node's. `sdp`: the offer, until it is answered. `asked`: the carrier knows of it."""

    participant: ParticipantId
    sdp: str
    asked: bool = False
    answered: bool = False
    watch: Watch | None = None


class Room:
    """What this node wants of the carrier of a room."""

    def __init__(self, room: RoomId, sink: Sink) -> None:
        self.room = room
        self.sink = sink
        self.groups: tuple[RouteGroup, ...] = ()
        self.place: Place | None = None
        self.seeking = False
        self.visits: dict[PeerId, Visit] = {}
        self.adoptions: dict[ParticipantId, None] = {}
        """Asked for, and not answered yet."""
        self.dismissals: dict[ParticipantId, None] = {}

    @property
    def wanting(self) -> bool:
        """Whether something waits for the carrier to be found."""
        return bool(self.adoptions or self.dismissals) or any(not visit.asked for visit in self.visits.values())

    def open(self, peer: PeerId, participant: ParticipantId, sdp: str) -> list[PeerId]:
        """A new peer; forgets and returns those of the same participant for which nobody has been asked yet."""
        stale = [each for each, visit in self.visits.items() if visit.participant == participant and not visit.asked]
        for each in stale:
            del self.visits[each]
        self.visits[peer] = Visit(participant, sdp)
        return stale

    def close(self, peer: PeerId) -> bool:
        """Forget a peer; True: the carrier has to be told."""
        visit = self.visits.pop(peer, None)
        return visit is not None and visit.asked

    def watch(self, peer: PeerId, watch: Watch) -> bool:
        """Keep what is shown; True: the carrier has to be told."""
        visit = self.visits.get(peer)
        if visit is None:
            return False
        visit.watch = watch
        return visit.asked

    def due(self, generation: int) -> list[Request]:
        """What the carrier has to be asked now. Adoptions are repeated until they are answered."""
        requests: list[Request] = [Dismiss(self.room, generation, participant) for participant in self.dismissals]
        self.dismissals.clear()
        requests += [Adopt(self.room, generation, participant) for participant in self.adoptions]
        for peer, visit in self.visits.items():
            if not visit.asked:
                visit.asked = True
                requests.append(OpenGuest(self.room, generation, peer, visit.participant, visit.sdp))
                if visit.watch is not None:
                    requests.append(WatchAs(self.room, generation, peer, visit.watch))
        return requests

    def nowhere(self) -> list[PeerMissing]:
        """Nobody carries the room: nobody has a peer there."""
        missing = [PeerMissing(participant) for participant in self.adoptions]
        self.adoptions.clear()
        self.dismissals.clear()
        return missing

    def displaced(self, reason: str) -> list[PeerClosed]:
        """The carrier is gone: what it answered has ended, and what it did not is to be asked of the next one."""
        gone = [PeerClosed(peer, reason) for peer, visit in self.visits.items() if visit.answered]
        for report in gone:
            del self.visits[report.peer]
        for visit in self.visits.values():
            visit.asked = False
        return gone

    def heard(self, report: MediaReport) -> bool:
        """Follow a report of the carrier; False: it concerns nothing here any more."""
        match report:
            case VoicesHeard():
                return True
            case PeerMissing(participant):
                return self._settled(participant)
            case PeerAdopted(peer, participant):
                wanted = self._settled(participant)
                if wanted:
                    self.visits[peer] = Visit(participant, "", asked=True, answered=True)
                return wanted
            case PeerClosed(peer, _) | PeerRefused(peer, _):
                return self.visits.pop(peer, None) is not None
            case PeerAnswered(peer, _, _):
                visit = self.visits.get(peer)
                if visit is not None:
                    visit.answered, visit.sdp = True, ""
                return visit is not None
            case _:
                return report.peer in self.visits

    def _settled(self, participant: ParticipantId) -> bool:
        if participant not in self.adoptions:
            return False
        del self.adoptions[participant]
        return True
