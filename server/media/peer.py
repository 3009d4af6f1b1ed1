# SPDX-License-Identifier: Apache-2.0
"""One RTCPeerConnection of a participant: its keys, its path, what it sends and the slots it receives in."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from aiortc.rtp import RTCP_RR, RTCP_SR

from server.ids import ParticipantId, PeerId, RoomId
from server.media.budget import budget_of_handshake, budget_of_repeats, budget_of_reports
from server.media.dtls import SrtpError, SrtpPair
from server.media.ice import IceSession, Path
from server.media.line import Line
from server.media.packet_path import PICTURE_CLOCK, Outlet
from server.media.rtcp import PublisherClock, receiver_report, report_head
from server.media.rtp import Packet
from server.media.sdp import MID_URI, TRANSPORT_CC_URI, Offer
from server.media.sdp_answer import LinePlan, MediaLine, SendLine, SlotSsrcs
from server.media.sdp_codecs import Codec, CodecName
from server.media.sdp_lines import MOST_SHARED
from server.media.statistics import Reported
from server.media.streams import Layer, Source

if TYPE_CHECKING:
    from server.media.congestion.estimator import Estimator
    from server.media.downlink import Downlink


class CloseReason(StrEnum):
    """Why a peer is gone, as `PeerClosed` says it."""

    CLOSED = "closed"
    CONSENT_EXPIRED = "consent_expired"
    DTLS_CLOSED = "dtls_closed"
    REPLACED = "replaced"


_FORWARDED: Final = (SendLine.MICROPHONE, SendLine.CAMERA)
"""The screen line is reserved: nothing of it is forwarded yet."""

_REPORTS: Final = (RTCP_SR, RTCP_RR)
"""What a compound packet may begin with."""

_MOST_REPORTS: Final = 40
"""In one datagram, which every path takes."""

_TWO_BYTE_IDS: Final = 15
"""From here on a header extension does not fit the one-byte form (RFC 8285 section 4.2), and is not answered."""


class Peer:
    """State of one connection. Nothing leaves before `srtp` and a checked path are there."""

    def __init__(
        self, peer: PeerId, room: RoomId, participant: ParticipantId, offer: Offer, plan: LinePlan, outlet: Outlet
    ) -> None:
        self.id = peer
        self.room = room
        self.participant = participant
        self.offer = offer
        fresh = _fresh_ssrcs(
            {ssrc for section in offer.sections for ssrc in (section.ssrc, section.rtx_ssrc) if ssrc is not None}
        )
        self.ssrc = next(fresh)
        """Ours, in the feedback we send."""
        in_use = [section for section in offer.sections if section.codecs and not section.rejected]
        self._head = b"" if all(section.reduced_size for section in in_use) else report_head(self.ssrc)
        """Before feedback, for a client that does not say that it takes less than a compound packet (RFC 5506)."""
        self.ice: IceSession[Peer] | None = None
        self.dtls_receive: Callable[[bytes], None] | None = None
        self.clock = PublisherClock()
        self.entry = outlet.packets.entry()
        """Where what it sends comes in."""
        self.budget = self.entry.budget
        self.report_budget = budget_of_reports()
        self.repeat_budget = budget_of_repeats()
        self.handshake_budget = budget_of_handshake()
        self.history = outlet.packets.history() if any(map(_extension_id, _received(plan))) else None
        """Of what left with a transport-wide number; None when the client wants none."""
        self.downlink: Downlink | None = None
        self.reported = Reported()
        self.number_id = next((value for line in plan.send.values() if (value := _extension_id(line))), 0)
        """Of the transport-wide number in what the client sends, 0 when it sends none."""
        self.arrivals = self.entry.arrivals(self.number_id) if self.number_id else None
        self.leg = outlet.packets.leg(outlet.send, self.history)
        """Where RTP leaves."""
        self._srtp: SrtpPair | None = None
        self._dropped = 0
        self._clocks_told_ns = 0
        self._outlet = outlet
        self.sources = {purpose: Source(self, line) for purpose, line in plan.send.items()}
        self.slots = tuple((self._line(pair.audio, fresh), self._line(pair.video, fresh)) for pair in plan.slots)
        self.pictures = sum(pair.video is not None for pair in plan.slots)
        """So many of the slots, the first ones, have a line for a picture."""
        self.lines = {line.rewriter.ssrc: line for slot in self.slots for line in slot}
        self._layers = {ssrc: layer for layer, ssrc in _told(self.sources.values())}
        self._mids = {line.section.mid.encode(): self.sources[purpose] for purpose, line in plan.send.items()}
        self._mid_ids = {
            identifier for section in offer.sections if (identifier := section.extension_id(MID_URI)) is not None
        }

    @property
    def srtp(self) -> SrtpPair | None:
        """The keys; None before the handshake and when the connection is closed."""
        return self._srtp

    @srtp.setter
    def srtp(self, srtp: SrtpPair | None) -> None:
        self._srtp = srtp
        self.entry.keys(srtp)
        self.leg.keys(srtp)

    def moved(self, path: Path | None) -> None:
        """Packets go elsewhere from now on."""
        self.leg.move(path, self._outlet.outbox(path) if path is not None else None)
        if self.downlink is not None:
            self.downlink.moved()
        for source in self.sources.values():
            for layer in source.layers:
                layer.holes.again()

    def let_go(self) -> None:
        """It is closed for good: cut the circles, which the collector finds very late among so many old objects."""
        for source in self.sources.values():
            source.let_go()
        self.entry.let_go()
        self.ice = self.dtls_receive = self.downlink = None
        self.sources, self._mids, self._layers, self.lines, self.slots = {}, {}, {}, {}, ()

    @property
    def dropped(self) -> int:
        """Packets that libsrtp would not protect."""
        return self._dropped + self.leg.refused

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

    def estimator(self) -> Estimator | None:
        """Of its link; None where no feedback can come."""
        return self._outlet.packets.estimator(self.history) if self.history is not None else None

    def layer_of(self, packet: Packet) -> Layer | None:
        """Whose packet it is: by SSRC, and for a new SSRC by its MID and RID, once (RFC 8843 section 9.2)."""
        layer = self._layers.get(packet.ssrc)
        return layer if layer is not None else self._latch(packet)

    def layer_with_ssrc(self, ssrc: int) -> Layer | None:
        """The layer whose media (not its retransmissions) has this SSRC."""
        layer = self._layers.get(ssrc)
        return layer if layer is not None and layer.ssrc == ssrc else None

    def send_rtcp(self, data: bytes) -> bool:
        """Protect and send RTCP packets in one datagram."""
        if self.srtp is None or self.ice is None or self.ice.selected is None:
            return False
        try:
            protected = self.srtp.protect_rtcp(data if data[1] in _REPORTS else self._head + data)
        except (SrtpError, ValueError):
            self._dropped += 1
            return False
        self._outlet.send(protected, self.ice.selected)
        return True

    def send_arrivals(self) -> None:
        """Tell the client when its packets came, so that it finds what its link can carry."""
        known = next((layer.ssrc for layer in self._layers.values() if layer.ssrc is not None), None)
        # A sender drops feedback about an SSRC that is not its own.
        if self.arrivals is not None and known is not None:
            for message in self.arrivals.feedback(self.ssrc, known):
                self.send_rtcp(message)

    def send_dtls(self, data: bytes) -> None:
        """A handshake datagram on the selected path, if there still is one."""
        if self.ice is not None and self.ice.selected is not None:
            self._outlet.send(data, self.ice.selected)

    def send_sender_reports(self, now_ns: int) -> None:
        """Tell the clocks of all lines that publishers told since the last call, in one datagram."""
        since_ns, self._clocks_told_ns = self._clocks_told_ns, now_ns
        reports = [report for line in self.lines.values() if (report := line.sender_report(now_ns, since_ns))]
        for at in range(0, len(reports), _MOST_REPORTS):
            # A receiver that looks at the first report only, whether it is of its stream, has to go on here.
            self.send_rtcp(receiver_report(self.ssrc, []) + b"".join(reports[at : at + _MOST_REPORTS]))

    def _line(self, media: MediaLine | None, fresh: Iterator[int]) -> Line:
        """Without a section one that takes no codec, so that nothing ever flows in it."""
        codecs = media.codecs if media is not None else ()
        rewriter = self._outlet.packets.rewriter(
            self.leg,
            ssrc=next(fresh),
            clock_rate=codecs[0].clock_rate if codecs else PICTURE_CLOCK,
            extension_id=_extension_id(media) if media is not None else 0,
            start=(secrets.randbits(15), secrets.randbits(32)),
        )
        return Line(self, rewriter, next(fresh), _formats(codecs))

    def _latch(self, packet: Packet) -> Layer | None:
        value = next((mid for identifier in self._mid_ids if (mid := packet.extension(identifier))), None)
        source = self._mids.get(value) if value is not None else self._only_with(packet.payload_type)
        layer = source.latch(packet) if source is not None else None
        if layer is not None:
            self._layers[packet.ssrc] = layer
        return layer

    def _only_with(self, payload_type: int) -> Source | None:
        """The source with this format if it is but one: a client that names no sections is known by that."""
        formats = [source for source in self.sources.values() if source.takes(payload_type)]
        return formats[0] if len(formats) == 1 else None


def forwarded(peer: Peer) -> tuple[Source, ...]:
    """The sources of a peer that routes may name."""
    return tuple(peer.sources[line] for line in _FORWARDED if line in peer.sources)


@lru_cache(MOST_SHARED)
def _formats(codecs: tuple[Codec, ...]) -> Mapping[CodecName, tuple[int, int | None]]:
    return {codec.name: (codec.payload_type, codec.rtx_payload_type) for codec in codecs}


def _received(plan: LinePlan) -> tuple[MediaLine, ...]:
    return tuple(line for pair in plan.slots for line in (pair.audio, pair.video) if line is not None)


def _extension_id(line: MediaLine) -> int:
    """Of the transport-wide number in this line's packets, 0 when there is none."""
    identifier = line.section.extension_id(TRANSPORT_CC_URI) or 0
    return identifier if identifier < _TWO_BYTE_IDS else 0


def _told(sources: Iterable[Source]) -> Iterator[tuple[Layer, int]]:
    """The layers whose SSRCs, also those of retransmissions, stand in the offer."""
    for layer in (layer for source in sources for layer in source.layers):
        yield from ((layer, ssrc) for ssrc in (layer.ssrc, layer.rtx_ssrc) if ssrc is not None)


def _fresh_ssrcs(taken: set[int]) -> Iterator[int]:
    """Random, and no number twice in one connection: under one key each means a key stream (RFC 7714 section 8.1)."""
    while True:
        ssrc = secrets.randbits(31) | 1
        if ssrc not in taken:
            taken.add(ssrc)
            yield ssrc
