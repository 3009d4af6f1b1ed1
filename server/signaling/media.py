# SPDX-License-Identifier: Apache-2.0
"""The signaling half of media: offers in, answers and notices out, routes reconciled from the room.

A peer belongs to a participant, not to a connection: when only the signaling was lost, media goes on, and the next
connection of the same client hears of it again.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from operator import is_
from typing import Final, assert_never

from msgspec import Struct

from server.errors import CommandRejected, RejectCode
from server.ids import LOBBY, ParticipantId, PeerId, RoomId
from server.observing import Meter, Span, Tracer
from server.ports import (
    Epoch,
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
    Seq,
    Slot,
    SlotsChanged,
    VoicesHeard,
    Watch,
)
from server.rooms.routes import RouteGroup, routes_of
from server.rooms.state import MediaMode, RoomState
from server.runner.listeners import Commit
from server.runner.runner import RoomRunner
from server.signaling.codec import notice_frame
from server.signaling.delivery import Client, Delivery
from server.signaling.messages import (
    ConnectionQuality,
    MediaAnswer,
    MediaLost,
    MediaOffer,
    Notice,
    Playback,
    Slots,
    Voices,
)
from server.signaling.playback import since

WHICHEVER: Final = 0
"""In place of the number of an offer: nobody here knows it."""
OUR_REASONS: Final = frozenset({"no_media", "worker_lost", "moved"})
"""Why a peer is refused or ends that its client has done nothing for, and has to offer again."""


class Peer(Struct):
    """A participant's RTCPeerConnection, as far as signaling knows it."""

    id: PeerId
    slots: tuple[int, tuple[Slot, ...]] | None = None
    quality: ConnectionQuality | None = None
    playback: Playback | None = None
    span: Span | None = None
    """From the offer to the connection, while its time is taken."""
    since_s: float | None = None
    """When the offer came, until it is known what it came to."""

    @property
    def offer(self) -> int:
        """The number of the offer that this peer answers, as its client counts."""
        return int(self.id.partition(".")[2])

    def came_to(self, outcome: str, meter: Meter | None) -> None:
        """What came of the offer, if that is not known yet."""
        since_s, self.since_s = self.since_s, None
        if since_s is not None and meter is not None:
            meter.media(outcome, time.perf_counter() - since_s)
        span, self.span = self.span, None
        if span is not None:
            span.end(outcome)


def fresh_peer(offer: int) -> PeerId:
    """A name that no other peer has, on any node; it tells the offer to a node that the client comes to later."""
    return PeerId(f"{secrets.token_hex(8)}.{offer}")


class MediaDesk:
    """Listens to one room: opens and closes its peers, and keeps the routes as the room wants them."""

    def __init__(
        self,
        runner: RoomRunner,
        delivery: Delivery,
        plane: MediaPlane,
        excuse: Callable[[ParticipantId], None] = lambda _: None,
    ) -> None:
        """`excuse`: this participant's last offer came to nothing through no fault of theirs."""
        self.meter: Meter | None = None
        self.tracer: Tracer | None = None
        self._excuse = excuse
        self._room: RoomId = runner.room
        self._runner = runner
        self._delivery = delivery
        self._plane = plane
        self._peers: dict[ParticipantId, Peer] = {}
        self._owners: dict[PeerId, ParticipantId] = {}
        self._watches: dict[ParticipantId, Watch] = {}
        self._routes: tuple[RouteGroup, ...] = ()
        self._followed: tuple[object, ...] = ()
        plane.open_room(self._room, self._report)
        self._reconcile(runner.state)
        runner.subscribe(self)

    def offer(
        self, participant: ParticipantId, offer: MediaOffer, request: str = "", parent: Span | None = None
    ) -> None:
        """Open a peer in place of an earlier one; raises CommandRejected."""
        state = self._runner.state
        person = state.participants.get(participant)
        if person is None or person.placement == LOBBY:
            raise CommandRejected(RejectCode.NOT_ADMITTED)
        if state.settings.media_mode is not MediaMode.SFU:
            raise CommandRejected(RejectCode.NOT_NOW, detail="media of this room does not go through the server")
        self._plane.check_offer(offer.sdp)
        peer = fresh_peer(offer.offer)
        try:
            self._plane.open_peer(peer, self._room, participant, offer.sdp)
        except CommandRejected:
            self._excuse(participant)
            raise
        self._keep(participant, peer)
        self._peers[participant].since_s = time.perf_counter()
        if self.tracer is not None:
            self._peers[participant].span = self.tracer.begin("media", request, parent)
        if participant in self._watches:
            self._plane.watch(peer, self._watches[participant])

    def watch(self, participant: ParticipantId, watch: Watch) -> None:
        """Whom the participant's client shows: for its present peer, and for those after it."""
        self._watches[participant] = watch
        peer = self._peers.get(participant)
        if peer is not None:
            self._plane.watch(peer.id, watch)

    def played(self, participant: ParticipantId, playback: Playback) -> None:
        """Count what a client says of its playback."""
        peer = self._peers.get(participant)
        if peer is None:
            return
        new, peer.playback = since(peer.playback, playback), playback
        if self.meter is not None:
            self.meter.played(new.freezes, new.frozen_ms, new.concealed_ms, new.played_ms)

    @property
    def busy(self) -> bool:
        """Whether anybody has a peer that is ours to tell of."""
        return bool(self._peers)

    def remind(self, client: Client) -> None:
        """Tell a client that has come back to its peer what it may have missed; that may be with another node."""
        peer = self._peers.get(client.participant)
        served = self._runner.state.settings.media_mode is MediaMode.SFU
        if peer is None and served and client.viewer.placement != LOBBY:
            self._plane.adopt(self._room, client.participant)
        if peer is not None and peer.slots is not None:
            client.link.send(notice_frame(Slots(*peer.slots)))
        if peer is not None and peer.quality is not None:
            client.link.send(notice_frame(peer.quality))

    def begin_anew(self, participant: ParticipantId) -> None:
        """Their client knows of no peer: close the one of an earlier client, here or with another node."""
        if participant in self._peers:
            self.close_peer(participant)
        else:
            self._plane.dismiss(self._room, participant)

    def close_peer(self, participant: ParticipantId) -> None:
        """Stop this participant's media, and forget what their client showed."""
        self._watches.pop(participant, None)
        peer = self._forget(participant)
        if peer is not None:
            self._plane.close_peer(peer.id)

    def _keep(self, participant: ParticipantId, peer: PeerId) -> None:
        self._forget(participant)
        self._peers[participant] = Peer(peer)
        self._owners[peer] = participant

    def _forget(self, participant: ParticipantId) -> Peer | None:
        peer = self._peers.pop(participant, None)
        if peer is not None:
            del self._owners[peer.id]
            peer.came_to("gone", self.meter)
        return peer

    # -- listening to the room -----------------------------------------------------------------------------------------

    def committed(self, commit: Commit) -> None:
        """Follow the room."""
        self._reconcile(commit.after)

    def reset(self, state: RoomState, _epoch: Epoch, _seq: Seq) -> None:
        """Follow the room that was loaded anew."""
        self._reconcile(state)

    def closed(self, _error: Exception) -> None:
        """The room is over."""
        for peer in self._peers.values():
            peer.came_to("gone", self.meter)
        self._peers.clear()
        self._owners.clear()
        self._plane.close_room(self._room)

    def _reconcile(self, state: RoomState) -> None:
        # States share what an event does not touch: most commits (chat, timers, reactions) are none of ours.
        followed = (state.participants, state.rounds, state.hands, state.spotlight, state.breakouts)
        if len(self._followed) == len(followed) and all(map(is_, followed, self._followed)):
            return
        self._followed = followed
        for participant in [known for known in (*self._peers, *self._watches) if known not in state.participants]:
            self.close_peer(participant)
        if state.settings.media_mode is not MediaMode.SFU:
            return
        routes = routes_of(state)
        if routes != self._routes:
            self._routes = routes
            self._plane.set_routes(self._room, routes)

    # -- listening to the media plane ----------------------------------------------------------------------------------

    def _report(self, report: MediaReport) -> None:
        """Pass on what concerns this room."""
        match report:
            case VoicesHeard():
                self._voices(report)
            case PeerAdopted(peer, participant):
                self._adopted(participant, peer)
            case PeerMissing(participant):
                self._missing(participant)
            case _:
                owner = self._owners.get(report.peer)
                if owner is not None:
                    self._report_peer(owner, self._peers[owner], report)

    def _adopted(self, participant: ParticipantId, peer: PeerId) -> None:
        if participant not in self._peers:  # otherwise their client has made an offer meanwhile
            self._keep(participant, peer)
            if participant in self._watches:
                self._plane.watch(peer, self._watches[participant])

    def _missing(self, participant: ParticipantId) -> None:
        if participant not in self._peers:
            self._notify(participant, MediaLost("closed", WHICHEVER))

    def _report_peer(self, participant: ParticipantId, peer: Peer, report: PeerReport) -> None:
        match report:
            case PeerAnswered():
                if peer.span is not None:
                    peer.span.reached("answered")
                self._notify(participant, MediaAnswer(peer.offer, report.sdp))
            case SlotsChanged():
                peer.slots = (report.revision, report.slots)
                self._notify(participant, Slots(report.revision, report.slots))
            case PeerRefused() | PeerClosed():
                peer.came_to(report.reason, self.meter)
                self._forget(participant)
                if report.reason in OUR_REASONS:
                    self._excuse(participant)
                self._notify(participant, MediaLost(report.reason, peer.offer))
            case PeerConnected():
                peer.came_to("connected", self.meter)
            case QualityChanged(up=up, down=down, reason=reason):
                peer.quality = ConnectionQuality(up, down, reason)
                self._notify(participant, peer.quality)
            case _:
                assert_never(report)

    def _notify(self, participant: ParticipantId, notice: Notice) -> None:
        client = self._delivery.clients.get(participant)
        if client is not None:
            client.link.send(notice_frame(notice))

    def _voices(self, heard: VoicesHeard) -> None:
        frame = notice_frame(Voices(heard.levels))
        for client in self._delivery.clients.values():
            if client.viewer.placement == heard.placement:
                client.link.send(frame)
