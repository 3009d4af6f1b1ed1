# SPDX-License-Identifier: Apache-2.0
"""One RTCPeerConnection of a participant: its keys, its path, what it sends and the slots it receives in."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from enum import StrEnum
from typing import Final

from server.ids import ParticipantId, PeerId, RoomId
from server.media.dtls import SrtpError, SrtpPair
from server.media.ice import IceSession, Path
from server.media.rewriter import Rewriter
from server.media.rtcp import PublisherClock, sender_report
from server.media.rtp import Packet
from server.media.sdp import MID_URI, MediaKind, Offer
from server.media.sdp_answer import LinePlan, MediaLine, SendLine, SlotSsrcs
from server.media.streams import Line, Source


class CloseReason(StrEnum):
    """Why a peer is gone, as `PeerClosed` says it."""

    CLOSED = "closed"
    CONSENT_EXPIRED = "consent_expired"
    DTLS_CLOSED = "dtls_closed"
    REPLACED = "replaced"


Send = Callable[[bytes, Path], None]

_FORWARDED: Final = (SendLine.MICROPHONE, SendLine.CAMERA)
"""The screen line is reserved: nothing of it is forwarded yet."""


class Peer:
    """State of one connection. Nothing leaves before `srtp` and a checked path are there."""

    def __init__(
        self, peer: PeerId, room: RoomId, participant: ParticipantId, offer: Offer, plan: LinePlan, send: Send
    ) -> None:
        self.id = peer
        self.room = room
        self.participant = participant
        self.offer = offer
        self.ssrc = _random_ssrc()
        """Ours, in the feedback we send."""
        self.ice: IceSession[Peer] | None = None
        self.srtp: SrtpPair | None = None
        self.dtls_receive: Callable[[bytes], None] | None = None
        self.clock = PublisherClock()
        self.dropped = 0
        self._put = send
        self.sources = {purpose: Source(self, line) for purpose, line in plan.send.items()}
        self.slots = tuple((_line(self, pair.audio), _line(self, pair.video)) for pair in plan.slots)
        self.lines = {line.rewriter.ssrc: line for slot in self.slots for line in slot}
        self._streams: dict[int, Source] = {}
        for source in self.sources.values():
            for ssrc in (source.ssrc, source.rtx_ssrc):
                if ssrc is not None:
                    self._streams[ssrc] = source
        self._mids = {line.section.mid.encode(): self.sources[purpose] for purpose, line in plan.send.items()}
        self._mid_ids = {
            identifier for section in offer.sections if (identifier := section.extension_id(MID_URI)) is not None
        }

    @property
    def microphone(self) -> Source | None:
        """What others hear."""
        return self.sources.get(SendLine.MICROPHONE)

    @property
    def camera(self) -> Source | None:
        """What others see."""
        return self.sources.get(SendLine.CAMERA)

    @property
    def ssrcs(self) -> tuple[SlotSsrcs, ...]:
        """The constant numbers of the slots, for the answer."""
        return tuple(
            SlotSsrcs(audio=a.rewriter.ssrc, video=v.rewriter.ssrc, video_rtx=v.rtx_ssrc) for a, v in self.slots
        )

    def source_of(self, packet: Packet) -> Source | None:
        """Whose packet it is: by SSRC, and for a new SSRC by its MID, once (RFC 8843 section 9.2)."""
        source = self._streams.get(packet.ssrc)
        return source if source is not None else self._latch(packet)

    def source_with_ssrc(self, ssrc: int) -> Source | None:
        """The source whose media (not its retransmissions) has this SSRC."""
        source = self._streams.get(ssrc)
        return source if source is not None and source.ssrc == ssrc else None

    def send_rtp(self, data: bytes) -> bool:
        """Protect and send one RTP packet; False if it could not leave."""
        if self.srtp is None or self.ice is None or self.ice.selected is None:
            return False
        try:
            protected = self.srtp.protect(data)
        except (SrtpError, ValueError):
            # Too old, a number used before, or longer than libsrtp's buffer takes.
            self.dropped += 1
            return False
        self._put(protected, self.ice.selected)
        return True

    def send_rtcp(self, data: bytes) -> bool:
        """Protect and send one compound RTCP packet."""
        if self.srtp is None or self.ice is None or self.ice.selected is None:
            return False
        try:
            protected = self.srtp.protect_rtcp(data)
        except (SrtpError, ValueError):
            self.dropped += 1
            return False
        self._put(protected, self.ice.selected)
        return True

    def send_dtls(self, data: bytes) -> None:
        """A handshake datagram on the selected path, if there still is one."""
        if self.ice is not None and self.ice.selected is not None:
            self._put(data, self.ice.selected)

    def send_sender_report(self, rewriter: Rewriter, ntp: int, rtp: int) -> None:
        """Tell the subscriber the clock behind one of its lines."""
        self.send_rtcp(sender_report(rewriter.ssrc, ntp, rtp, rewriter.packets, rewriter.octets))

    def _latch(self, packet: Packet) -> Source | None:
        value = next((mid for identifier in self._mid_ids if (mid := packet.extension(identifier))), None)
        source = self._mids.get(value) if value is not None else None
        if source is None:
            return None
        if source.ssrc is None and packet.payload_type == source.payload_type:
            source.ssrc = packet.ssrc
        elif source.rtx_ssrc is None and packet.payload_type == source.rtx_payload_type:
            source.rtx_ssrc = packet.ssrc
        else:
            return None
        self._streams[packet.ssrc] = source
        return source


def forwarded(peer: Peer) -> tuple[Source, ...]:
    """The sources of a peer that routes may name."""
    return tuple(peer.sources[line] for line in _FORWARDED if line in peer.sources)


def _line(peer: Peer, media: MediaLine) -> Line:
    codec = media.codec
    rewriter = Rewriter(
        ssrc=_random_ssrc(),
        payload_type=codec.payload_type,
        clock_rate=codec.clock_rate,
        sequence=secrets.randbits(15),
        timestamp=secrets.randbits(32),
    )
    rtx = codec.rtx_payload_type if media.section.kind is MediaKind.VIDEO else None
    return Line(peer, rewriter, _random_ssrc(), rtx)


def _random_ssrc() -> int:
    return secrets.randbits(31) | 1
