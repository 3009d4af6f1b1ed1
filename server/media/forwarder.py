# SPDX-License-Identifier: Apache-2.0
"""The packet path: from a datagram to the subscribers' sockets, synchronously, without a task or a coroutine."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from itertools import islice
from typing import Final

from aiortc.rtp import (
    RTCP_PSFB_APP,
    RTCP_PSFB_FIR,
    RTCP_PSFB_PLI,
    RTCP_RTPFB_NACK,
    AnyRtcpPacket,
    RtcpPsfbPacket,
    RtcpReceiverInfo,
    RtcpRrPacket,
    RtcpRtpfbPacket,
    RtcpSrPacket,
    unpack_remb_fci,
)

from server.media.dtls import SrtpError, SrtpPair, is_dtls
from server.media.ice import IceLite, Path, is_stun
from server.media.line import Line
from server.media.peer import Peer
from server.media.rtcp import (
    SenderReport,
    is_rtcp,
    negative_acknowledgement,
    ntp_units,
    parse_reports,
    picture_loss,
    split_feedback,
)
from server.media.rtp import MalformedPacket, Packet
from server.media.sdp_codecs import MediaKind
from server.media.streams import Layer

Send = Callable[[bytes, Path], None]
Fan = Callable[[Layer, Packet, int], int]

MAX_FEEDBACK: Final = 128
"""Lost packets that are looked up for one datagram of a subscriber; a longer list is no honest one."""

REPORT_GAP_NS: Final = 100_000_000
"""Sender reports of a layer that come closer are ignored."""

_FIR_BYTES: Final = 8
"""An entry of a full intra request: whom it is for, and its number (RFC 5104 section 4.3.1.1)."""

_LIVE_NS: Final = 2_000_000_000
"""A layer that sent nothing for this long is off: it is not asked again and again."""

_NTP_EPOCH_S: Final = 2_208_988_800


class Forwarder:
    """Everything that arrives on the port. Counters are since the start."""

    def __init__(self, send: Send, fan: Fan) -> None:
        self.ice: IceLite[Peer] = IceLite()
        self.received = 0
        self.forwarded = 0
        self.dropped = 0
        self.keyframe_requests = 0
        self._send = send
        self._fan = fan
        # Wall time is read once: an NTP line that never steps, whatever happens to the clock of the host.
        self._ntp_base = ntp_units(time.time_ns() - time.monotonic_ns()) + (_NTP_EPOCH_S << 32)

    def datagram(self, data: bytes, path: Path) -> None:
        """RFC 7983: STUN to the ICE side, the rest only from a checked address."""
        now_ns = time.monotonic_ns()
        if data[0] < 4:
            self._stun(data, path, now_ns)
            return
        peer = self.ice.owner_of(path)
        if peer is None:
            self.dropped += 1
        elif 127 < data[0] < 192:
            self.receive(peer, data, now_ns)
        elif is_dtls(data) and peer.dtls_receive is not None and peer.handshake_budget.take(len(data), now_ns):
            peer.dtls_receive(data)

    def receive(self, peer: Peer, data: bytes, now_ns: int) -> None:
        """One SRTP or SRTCP datagram from a checked address of this peer."""
        srtp = peer.srtp
        if srtp is None or not peer.budget.take(len(data), now_ns):
            self.dropped += 1
        elif not is_rtcp(data):
            self._rtp(peer, srtp, data, now_ns)
        elif peer.report_budget.take(len(data), now_ns):
            self._rtcp(peer, srtp, data, now_ns)
        else:
            self.dropped += 1

    def request_keyframe(self, layer: Layer, now_ms: int, *, begins: bool = True) -> None:
        """Ask the publisher now, or as soon as the pacer lets us; one that never sent is asked at its first packet."""
        rtt_ms = layer.source.publisher.reported.rtt_ms
        if layer.ssrc is not None and layer.pacer.ask(now_ms, begins=begins, rtt_ms=rtt_ms):
            self._send_keyframe_request(layer)

    def pace_keyframes(self, layer: Layer, now_ns: int) -> None:
        """Send a request that was held back, or again while a line waits for a picture that does come in."""
        waiting = bool(layer.pending) and now_ns - layer.arrived_ns < _LIVE_NS
        rtt_ms = layer.source.publisher.reported.rtt_ms
        if layer.ssrc is not None and layer.pacer.due(now_ns // 1_000_000, waiting=waiting, rtt_ms=rtt_ms):
            self._send_keyframe_request(layer)

    def request_missing(self, layer: Layer, now_ns: int) -> None:
        """Ask a publisher for what was skipped lately, while somebody gets this layer."""
        holes, publisher, statistics = layer.holes, layer.source.publisher, layer.statistics
        if not holes.open:
            return
        holes.fresh = False
        if not layer.lines and not layer.pending:
            return
        lost = holes.due(statistics.highest, now_ns // 1_000_000, statistics.received, publisher.reported.rtt_ms)
        if lost and layer.ssrc is not None:
            publisher.send_rtcp(negative_acknowledgement(publisher.ssrc, layer.ssrc, lost))

    def _send_keyframe_request(self, layer: Layer) -> None:
        publisher = layer.source.publisher
        if layer.ssrc is not None and publisher.send_rtcp(picture_loss(publisher.ssrc, layer.ssrc)):
            self.keyframe_requests += 1

    def _stun(self, data: bytes, path: Path, now_ns: int) -> None:
        reply = self.ice.receive(data, path, now_ns // 1_000_000) if is_stun(data) else None
        if reply is not None:
            self._send(reply, path)

    def _rtp(self, peer: Peer, srtp: SrtpPair, data: bytes, now_ns: int) -> None:
        self.received += 1
        try:
            plain = srtp.unprotect(data)
        except (SrtpError, ValueError):
            self.dropped += 1
            return
        self.decrypted(peer, plain, len(data), now_ns)

    def decrypted(self, peer: Peer, data: bytes, size_bytes: int, now_ns: int) -> None:
        """One RTP packet of this peer, which was so long on the wire."""
        try:
            packet = Packet(data)
        except MalformedPacket:
            self.dropped += 1
            return
        if peer.arrivals is not None and (number := packet.extension(peer.number_id)):
            peer.arrivals.record(int.from_bytes(number[:2]), now_ns)
        layer = peer.layer_of(packet)
        accepted = layer.accept(packet, size_bytes, now_ns) if layer is not None else None
        if layer is None or accepted is None:
            self.dropped += 1
            return
        voice = layer.source.voice
        if voice is not None:
            voice.note(accepted, now_ns)
        self._forward(layer, accepted, now_ns)

    def _forward(self, layer: Layer, packet: Packet, now_ns: int) -> None:
        """Begin with it whoever can, and hand it to everybody who gets this layer."""
        begun = layer.begin_pending(packet, now_ns) if layer.pending else ()
        if layer.lines:
            self.forwarded += self._fan(layer, packet, now_ns)
        if begun:
            self._began(begun, layer, packet, now_ns)
        if layer.pending:
            self.pace_keyframes(layer, now_ns)
        if layer.holes.fresh:
            self.request_missing(layer, now_ns)

    def _began(self, begun: Iterable[Line], layer: Layer, packet: Packet, now_ns: int) -> None:
        """A keyframe that came late has had successors, which these lines could not take before it."""
        kept = layer.since(packet.extended)
        for line in begun:
            self.forwarded += sum(line.put(later, now_ns) for later in kept)
            line.report(now_ns)

    def _rtcp(self, peer: Peer, srtp: SrtpPair, data: bytes, now_ns: int) -> None:
        try:
            transport, rest = split_feedback(srtp.unprotect_rtcp(data))
        except (SrtpError, ValueError):
            self.dropped += 1
            return
        packets = parse_reports(rest)
        if peer.downlink is not None:
            for message in transport:
                peer.downlink.transport_feedback(message, now_ns)
        for packet in packets:
            self._feedback(peer, packet, now_ns)
        if packets:
            self._send_again(peer, packets, now_ns)

    def _feedback(self, peer: Peer, packet: AnyRtcpPacket, now_ns: int) -> None:
        match packet:
            case RtcpSrPacket(reports=blocks):
                self._sender_report(peer, packet, now_ns)
                self._received(peer, blocks, now_ns)
            case RtcpRrPacket(reports=blocks):
                self._received(peer, blocks, now_ns)
            case RtcpPsfbPacket(fmt=fmt) if fmt == RTCP_PSFB_PLI:
                self._keyframe_wanted(peer, packet.media_ssrc, now_ns)
            case RtcpPsfbPacket(fmt=fmt) if fmt == RTCP_PSFB_FIR:
                for at in range(0, len(packet.fci) - 3, _FIR_BYTES):
                    self._keyframe_wanted(peer, int.from_bytes(packet.fci[at : at + 4]), now_ns)
            case RtcpPsfbPacket(fmt=fmt) if fmt == RTCP_PSFB_APP and peer.downlink is not None:
                with suppress(ValueError, struct.error):
                    # Other application messages have another name than REMB in the same place.
                    peer.downlink.remb(unpack_remb_fci(packet.fci)[0], now_ns)
            case _:
                # SDES and BYE: nothing is steered by them. NACKs: see `_send_again`.
                pass

    def _received(self, peer: Peer, blocks: list[RtcpReceiverInfo], now_ns: int) -> None:
        if not blocks:
            return
        peer.reported.add(blocks, self._ntp_base + ntp_units(now_ns))
        if peer.downlink is not None:
            peer.downlink.receiver_report(blocks, now_ns)

    def _send_again(self, peer: Peer, packets: Iterable[AnyRtcpPacket], now_ns: int) -> None:
        """Answer all NACKs of one datagram, within one bound."""
        nacks = (packet for packet in packets if isinstance(packet, RtcpRtpfbPacket) and packet.fmt == RTCP_RTPFB_NACK)
        asked = ((packet.media_ssrc, sequence) for packet in nacks for sequence in packet.lost)
        for ssrc, sequence in islice(asked, MAX_FEEDBACK):
            line = peer.lines.get(ssrc)
            if line is not None and peer.repeat_budget.take(0, now_ns):
                self.forwarded += line.resend(sequence, now_ns)

    def _sender_report(self, peer: Peer, packet: RtcpSrPacket, now_ns: int) -> None:
        layer = peer.layer_with_ssrc(packet.ssrc)
        if layer is None or (layer.report is not None and now_ns - layer.report.arrived_ns < REPORT_GAP_NS):
            return
        first = layer.report is None
        info = packet.sender_info
        peer.clock.reported(info.ntp_timestamp, self._ntp_base + ntp_units(now_ns), now_ns)
        layer.report = SenderReport(info.ntp_timestamp, info.rtp_timestamp, now_ns)
        # Later ones go out with the next of each subscriber's reports.
        for line in layer.lines if first else ():
            line.report(now_ns)

    def _keyframe_wanted(self, peer: Peer, ssrc: int, now_ns: int) -> None:
        line = peer.lines.get(ssrc)
        layer = (line.flowing or line.awaited) if line is not None else None
        if layer is not None and layer.source.kind is MediaKind.VIDEO:
            self.request_keyframe(layer, now_ns // 1_000_000, begins=False)
