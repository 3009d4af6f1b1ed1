# SPDX-License-Identifier: Apache-2.0
"""A media worker without its process: applies the messages of the node, keeps the timers, reports back."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable
from typing import Final, assert_never

from server.ids import ParticipantId, PeerId, RoomId
from server.media.channel import (
    ClosePeer,
    CloseRoom,
    FromWorker,
    OpenPeer,
    PeerAnswered,
    PeerClosed,
    PeerConnected,
    PeerRefused,
    SetRoutes,
    Shutdown,
    SlotsChanged,
    ToWorker,
    VoiceLevel,
    VoicesHeard,
    WatchTiles,
    WorkerReady,
    WorkerStats,
)
from server.media.dtls import Certificate, DtlsSession, HandshakeFailed
from server.media.forwarder import Forwarder
from server.media.ice import IceSession
from server.media.overload import Overload
from server.media.peer import CloseReason, Peer
from server.media.router import RoomRoutes
from server.media.rtcp import picture_bps, receiver_estimate, receiver_report, report_block
from server.media.sdp import Offer, OfferRefused, parse_offer
from server.media.sdp_answer import Candidate, Local, answer, plan_lines
from server.media.streams import SILENT, Layer
from server.media.udp import UdpMux

HANDSHAKE_S: Final = 30.0
_PACE_S: Final = 0.05
_VOICES_EVERY: Final = 4
_REPORT_EVERY: Final = 20
"""Ticks of `_PACE_S`: voices 5 times a second, reports and expiry once a second."""


class MediaService:
    """All rooms of one worker on one UDP port. `emit` takes what the node must know, in order."""

    def __init__(
        self, emit: Callable[[FromWorker], None], addresses: tuple[str, ...], port: int, announced: tuple[str, ...] = ()
    ) -> None:
        self._emit = emit
        self._certificate = Certificate()
        self.mux = UdpMux(addresses, port, self._datagram)
        self.forwarder = Forwarder(self.mux.send)
        self._addresses = announced or addresses
        self._peers: dict[PeerId, Peer] = {}
        self._rooms: dict[RoomId, RoomRoutes] = {}
        self._handshakes: dict[PeerId, asyncio.Task[None]] = {}
        self._sessions: dict[PeerId, DtlsSession] = {}
        self._goodbyes: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()
        self._ticks = 0
        self._lag_ms = 0.0
        self._overload = Overload()
        self._process_s = time.process_time()
        self._counted_ns = time.monotonic_ns()
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Announce the port and begin the timers."""
        self._emit(WorkerReady(addresses=self._addresses, port=self.mux.port))
        self._schedule()

    async def close(self) -> None:
        """Close every peer and give the port back."""
        if self._timer is not None:
            self._timer.cancel()
        for peer in list(self._peers):
            self._close(peer, CloseReason.CLOSED)
        await asyncio.gather(*self._goodbyes)
        self.mux.close()

    def apply(self, message: ToWorker) -> None:
        """One message of the node; never waits. `Shutdown` is for the process and changes nothing here."""
        match message:
            case OpenPeer():
                self._open(message)
            case ClosePeer(peer=peer):
                self._close(peer, CloseReason.CLOSED)
            case SetRoutes(room=room):
                self._room(room).set_routes(message)
            case WatchTiles():
                self._watch(message)
            case CloseRoom(room=room):
                self._close_room(room)
            case Shutdown():
                pass
            case _:
                assert_never(message)

    def _datagram(self, data: bytes, path: tuple[int, tuple[str, int]]) -> None:
        self.forwarder.datagram(data, path)

    def _room(self, room: RoomId) -> RoomRoutes:
        routes = self._rooms.get(room)
        if routes is None:
            routes = self._rooms[room] = RoomRoutes(room, self._tell_slots, self._want_keyframe)
        return routes

    def _tell_slots(self, message: SlotsChanged) -> None:
        self._emit(message)

    def _want_keyframe(self, layer: Layer) -> None:
        self.forwarder.request_keyframe(layer, _now_ms())

    def _open(self, message: OpenPeer) -> None:
        try:
            offer = parse_offer(message.sdp)
        except OfferRefused as refusal:
            self._emit(PeerRefused(peer=message.peer, reason=refusal.problem.value))
            return
        plan = plan_lines(offer)
        if not plan.send and not plan.slots:
            self._emit(PeerRefused(peer=message.peer, reason="no_common_codec"))
            return
        room = self._room(message.room)
        if self._replace(room, message, offer):
            self._emit(PeerRefused(peer=message.peer, reason="renegotiated"))
            return
        peer = Peer(message.peer, message.room, message.participant, offer, plan, self.mux.send)
        ufrag, pwd = secrets.token_hex(8), secrets.token_hex(16)
        peer.ice = IceSession(peer, ufrag, pwd, offer.ufrag, _now_ms())
        self.forwarder.ice.add(peer.ice)
        self._peers[peer.id] = peer
        local = Local(ufrag=ufrag, pwd=pwd, fingerprint=self._certificate.fingerprint, candidates=self._candidates())
        dtls = DtlsSession(self._certificate, offer.fingerprint, peer.send_dtls)
        peer.dtls_receive = dtls.receive
        self._sessions[peer.id] = dtls
        self._handshakes[peer.id] = self._loop.create_task(self._handshake(peer, dtls))
        self._emit(PeerAnswered(peer=peer.id, sdp=answer(offer, local, peer.ssrcs), slots=len(peer.slots)))
        room.add(peer)
        room.rebuild()

    def _watch(self, message: WatchTiles) -> None:
        peer = self._peers.get(message.peer)
        if peer is not None:
            self._room(peer.room).watch(peer.participant, message.watch)

    def _replace(self, room: RoomRoutes, message: OpenPeer, offer: Offer) -> bool:
        """Close the earlier peer; whether the offer comes from the same RTCPeerConnection, which cannot go on.

        Its DTLS is done and would not begin again with our new peer: it would be connected, and nothing would come.
        """
        earlier = room.peers.get(message.participant)
        stuck = earlier is not None and earlier.srtp is not None and offer.renegotiates(earlier.offer)
        if earlier is not None:
            self._close(earlier.id, CloseReason.REPLACED)
        if message.peer in self._peers:
            self._close(message.peer, CloseReason.REPLACED)
        return stuck

    def _candidates(self) -> tuple[Candidate, ...]:
        """Host candidates; the local preference falls in the order of the addresses (RFC 8445 section 5.1.2)."""
        count = len(self._addresses)
        return tuple(
            Candidate(address=address, port=self.mux.port, priority=(126 << 24) | (count - index << 8) | 255)
            for index, address in enumerate(self._addresses)
        )

    async def _handshake(self, peer: Peer, dtls: DtlsSession) -> None:
        def goodbye() -> None:
            self._close(peer.id, CloseReason.DTLS_CLOSED)

        try:
            async with asyncio.timeout(HANDSHAKE_S):
                peer.srtp = await dtls.handshake(goodbye)
        except (HandshakeFailed, TimeoutError):
            self._loop.call_soon(goodbye)
            return
        self._emit(PeerConnected(peer=peer.id))
        self._room(peer.room).rebuild()

    def _close(self, peer_id: PeerId, reason: CloseReason) -> None:
        peer = self._peers.pop(peer_id, None)
        if peer is None:
            return
        peer.srtp = None
        self._handshakes.pop(peer_id).cancel()
        goodbye = self._loop.create_task(self._say_goodbye(peer, self._sessions.pop(peer_id)))
        self._goodbyes.add(goodbye)
        goodbye.add_done_callback(self._goodbyes.discard)
        room = self._room(peer.room)
        room.remove(peer.participant)
        room.rebuild()
        self._emit(PeerClosed(peer=peer_id, reason=reason.value))

    async def _say_goodbye(self, peer: Peer, dtls: DtlsSession) -> None:
        await dtls.close()
        if peer.ice is not None:
            self.forwarder.ice.remove(peer.ice)
        self.forwarder.dropped += peer.dropped

    def _close_room(self, room: RoomId) -> None:
        routes = self._rooms.get(room)
        if routes is None:
            return
        routes.groups = ()
        for peer in list(routes.peers.values()):
            self._close(peer.id, CloseReason.CLOSED)
        del self._rooms[room]

    def _schedule(self) -> None:
        due = self._loop.time() + _PACE_S
        self._timer = self._loop.call_at(due, self._tick, due)

    def _tick(self, due: float) -> None:
        self._lag_ms = max(self._lag_ms, (self._loop.time() - due) * 1000)
        self._ticks += 1
        now_ns = time.monotonic_ns()
        for peer in self._peers.values():
            self._pace(peer, now_ns)
        if self._ticks % _VOICES_EVERY == 0:
            for room in self._rooms.values():
                self._report_voices(room)
        if self._ticks % _REPORT_EVERY == 0:
            self._every_second(now_ns)
        self._schedule()

    def _pace(self, peer: Peer, now_ns: int) -> None:
        for layer in peer.camera.layers if peer.camera is not None else ():
            if layer.lines or layer.pending:
                self.forwarder.request_missing(layer)
                self.forwarder.pace_keyframes(layer, now_ns)

    def _report_voices(self, room: RoomRoutes) -> None:
        for group in room.groups:
            levels = tuple(
                level for participant in group.audio if (level := _take_level(room.peers.get(participant))) is not None
            )
            if levels:
                self._emit(VoicesHeard(room=room.room, placement=group.placement, levels=levels))

    def _every_second(self, now_ns: int) -> None:
        for room in self._rooms.values():
            seen = {member: len(group.video) for group in room.groups for member in group.members}
            for participant, peer in room.peers.items():
                _report_to_publisher(peer, picture_bps(seen.get(participant, 0)), now_ns)
        for peer in self.forwarder.ice.expire(now_ns // 1_000_000):
            self._close(peer.id, CloseReason.CONSENT_EXPIRED)
        busy = self._busy(now_ns)
        self._overload.update(busy, self._lag_ms)
        self._emit(
            WorkerStats(
                packets_received=self.forwarder.received,
                packets_forwarded=self.forwarder.forwarded,
                packets_dropped=self.forwarder.dropped
                + self.mux.dropped
                + sum(peer.dropped for peer in self._peers.values()),
                keyframe_requests=self.forwarder.keyframe_requests,
                peers=len(self._peers),
                loop_lag_ms=round(self._lag_ms, 3),
                busy=round(busy, 3),
                shed=self._overload.shed,
            )
        )
        self._lag_ms = 0.0

    def _busy(self, now_ns: int) -> float:
        """Share of one core used since the last call."""
        process_s = time.process_time()
        busy = (process_s - self._process_s) * 1e9 / max(1, now_ns - self._counted_ns)
        self._process_s, self._counted_ns = process_s, now_ns
        return busy


def _report_to_publisher(peer: Peer, bits_per_second: int, now_ns: int) -> None:
    """What came of what it sent, and how much of a picture it may send: without both its encoder stays low."""
    sending = [
        (ssrc, layer)
        for source in peer.sources.values()
        for layer in source.layers
        if (ssrc := layer.ssrc) and layer.statistics.received
    ]
    if not sending:
        return
    blocks = [report_block(ssrc, layer.statistics, layer.report, now_ns) for ssrc, layer in sending]
    pictures = [ssrc for ssrc, layer in sending if layer.source is peer.camera]
    estimate = receiver_estimate(peer.ssrc, bits_per_second, pictures) if pictures else b""
    peer.send_rtcp(receiver_report(peer.ssrc, blocks) + estimate)


def _take_level(peer: Peer | None) -> VoiceLevel | None:
    microphone = peer.microphone if peer is not None else None
    if peer is None or microphone is None or not microphone.heard or microphone.level == SILENT:
        return None
    level, microphone.level = microphone.level, SILENT
    return VoiceLevel(participant=ParticipantId(peer.participant), level=level)


def _now_ms() -> int:
    return time.monotonic_ns() // 1_000_000
