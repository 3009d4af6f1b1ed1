# SPDX-License-Identifier: Apache-2.0
"""The connections of one worker: from offer to answer, handshake, ICE restart and goodbye."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable
from typing import Final

from server.ids import PeerId, RoomId
from server.media.channel import FromWorker, OpenPeer, PeerAnswered, PeerClosed, PeerConnected, PeerRefused
from server.media.dtls import Certificate, DtlsSession, HandshakeFailed
from server.media.ice import IceLite, IceSession
from server.media.packet_path import Outlet
from server.media.peer import CloseReason, Peer
from server.media.reachable import Candidate
from server.media.router import RoomRoutes
from server.media.sdp import Offer, OfferRefused, parse_offer
from server.media.sdp_answer import LinePlan, Local, answer, plan_lines, same_lines

HANDSHAKE_S: Final = 30.0


class _Connection:
    """A peer with what its transport needs; `version` counts our answers (RFC 8829 section 5.3.2)."""

    __slots__ = ("dtls", "handshake", "peer", "session", "version")

    def __init__(self, peer: Peer, dtls: DtlsSession, handshake: asyncio.Task[None]) -> None:
        self.peer = peer
        self.dtls = dtls
        self.handshake = handshake
        self.session = secrets.randbits(62)
        self.version = 0


class Connections:
    """`emit` takes what the node must know, in order; `left` is called with each peer that is gone for good."""

    def __init__(
        self,
        emit: Callable[[FromWorker], None],
        room_of: Callable[[RoomId], RoomRoutes],
        ice: IceLite[Peer],
        outlet: Outlet,
        candidates: tuple[Candidate, ...],
        left: Callable[[Peer], None],
    ) -> None:
        self.peers: dict[PeerId, Peer] = {}
        self._emit = emit
        self._room_of = room_of
        self._ice = ice
        self._outlet = outlet
        self._candidates = candidates
        self._left = left
        self._certificate = Certificate()
        self._open: dict[PeerId, _Connection] = {}
        self._loop = asyncio.get_running_loop()

    def open(self, message: OpenPeer) -> None:
        """Answer an offer: of a new connection, or of the participant's present one whose transport changes."""
        try:
            offer = parse_offer(message.sdp)
        except OfferRefused as refusal:
            self._emit(PeerRefused(peer=message.peer, reason=refusal.problem.value))
            return
        plan = plan_lines(offer)
        if not plan.send and not plan.slots:
            self._emit(PeerRefused(peer=message.peer, reason="no_common_codec"))
            return
        earlier = self._room_of(message.room).peers.get(message.participant)
        renegotiates = earlier is not None and offer.renegotiates(earlier.offer)
        if earlier is not None and renegotiates and same_lines(plan, plan_lines(earlier.offer)):
            self._continue(earlier, message.peer, offer)
            return
        # Other lines under the DTLS of before: it would be connected, and nothing of a new peer would come through.
        stuck = earlier is not None and renegotiates and earlier.srtp is not None
        if earlier is not None:
            self.close(earlier.id, CloseReason.REPLACED)
        self.close(message.peer, CloseReason.REPLACED)
        if stuck:
            self._emit(PeerRefused(peer=message.peer, reason="renegotiated"))
        else:
            self._begin(message, offer, plan)

    def close(self, peer_id: PeerId, reason: CloseReason) -> None:
        """Say goodbye to a peer and forget it."""
        connection = self._open.pop(peer_id, None)
        if connection is None:
            return
        peer = self.peers.pop(peer_id)
        peer.srtp = None
        connection.handshake.cancel()
        room = self._room_of(peer.room)
        room.remove(peer.participant)
        room.rebuild()
        self._emit(PeerClosed(peer=peer_id, reason=reason.value))
        connection.dtls.close()
        if peer.ice is not None:
            self._ice.remove(peer.ice)
        self._left(peer)
        peer.let_go()

    def close_all(self) -> None:
        """Close every peer."""
        for peer in list(self._open):
            self.close(peer, CloseReason.CLOSED)

    def _begin(self, message: OpenPeer, offer: Offer, plan: LinePlan) -> None:
        peer = Peer(message.peer, message.room, message.participant, offer, plan, self._outlet)
        ufrag, pwd = _credentials()
        peer.ice = IceSession(peer, ufrag, pwd, offer.ufrag, time.monotonic_ns() // 1_000_000)
        peer.ice.moved = peer.moved
        self._ice.add(peer.ice)
        dtls = DtlsSession(self._certificate, offer.fingerprint, peer.send_dtls)
        peer.dtls_receive = dtls.receive
        handshake = self._loop.create_task(self._handshake(peer, dtls))
        self._keep(_Connection(peer, dtls, handshake))
        self._answer(peer)
        room = self._room_of(peer.room)
        room.add(peer)
        room.rebuild()

    def _continue(self, peer: Peer, peer_id: PeerId, offer: Offer) -> None:
        """Same lines, same keys, same SSRCs; new ICE credentials if the client has new ones (RFC 8445 section 9).

        From now on it is known by the id of the latest offer; what was said of it is said again under that.
        """
        connection = self._open.pop(peer.id)
        del self.peers[peer.id]
        if peer.id != peer_id:
            self._emit(PeerClosed(peer=peer.id, reason=CloseReason.REPLACED.value))
        if peer.ice is not None and offer.ufrag != peer.offer.ufrag:
            self._ice.restart(peer.ice, *_credentials(), offer.ufrag)
        peer.id, peer.offer = peer_id, offer
        self._keep(connection)
        self._answer(peer)
        if peer.srtp is not None:
            self._emit(PeerConnected(peer=peer.id))
        self._room_of(peer.room).repeat(peer.participant)

    def _keep(self, connection: _Connection) -> None:
        self._open[connection.peer.id] = connection
        self.peers[connection.peer.id] = connection.peer

    def _answer(self, peer: Peer) -> None:
        connection = self._open[peer.id]
        connection.version += 1
        if peer.ice is None:
            return
        local = Local(
            ufrag=peer.ice.credentials.ufrag,
            pwd=peer.ice.credentials.pwd.decode(),
            fingerprint=self._certificate.fingerprint,
            candidates=self._candidates,
            session=connection.session,
            version=connection.version,
        )
        self._emit(PeerAnswered(peer=peer.id, sdp=answer(peer.offer, local, peer.ssrcs), slots=len(peer.slots)))

    async def _handshake(self, peer: Peer, dtls: DtlsSession) -> None:
        def goodbye() -> None:
            self.close(peer.id, CloseReason.DTLS_CLOSED)

        try:
            async with asyncio.timeout(HANDSHAKE_S):
                peer.srtp = await dtls.handshake(goodbye)
        except (HandshakeFailed, TimeoutError):
            self._loop.call_soon(goodbye)
            return
        self._emit(PeerConnected(peer=peer.id))
        self._room_of(peer.room).rebuild()


def _credentials() -> tuple[str, str]:
    """A user fragment and a password, of 64 and 128 bits (RFC 8445 section 5.3 asks for 24 and 128)."""
    return secrets.token_hex(8), secrets.token_hex(16)
