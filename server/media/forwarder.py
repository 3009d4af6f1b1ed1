# SPDX-License-Identifier: Apache-2.0
"""The packet path: from a datagram to the subscribers' sockets, synchronously, without a task or a coroutine."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Final

from aiortc.rtp import (
    RTCP_PSFB_FIR,
    RTCP_PSFB_PLI,
    RTCP_RTPFB_NACK,
    AnyRtcpPacket,
    RtcpPacket,
    RtcpPsfbPacket,
    RtcpRtpfbPacket,
    RtcpSrPacket,
)

from server.media.dtls import SrtpError, SrtpPair, is_dtls
from server.media.ice import IceLite, Path, is_stun
from server.media.peer import Peer
from server.media.rtcp import SenderReport, is_rtcp, negative_acknowledgement, ntp_units, picture_loss
from server.media.rtp import MalformedPacket, Packet
from server.media.sdp import MediaKind
from server.media.streams import Source

Send = Callable[[bytes, Path], None]

MAX_FEEDBACK: Final = 128
"""Lost packets that are looked up for one datagram of a subscriber; a longer list is no honest one."""

REPORT_GAP_NS: Final = 100_000_000
"""Sender reports of a source that come closer are ignored: each goes out again to everyone who gets the source."""

_LIVE_NS: Final = 2_000_000_000
"""A source that sent nothing for this long is off: it is not asked again and again."""

_NTP_EPOCH_S: Final = 2_208_988_800


class Forwarder:
    """Everything that arrives on the port. Counters are since the start."""

    def __init__(self, send: Send) -> None:
        self.ice: IceLite[Peer] = IceLite()
        self.received = 0
        self.forwarded = 0
        self.dropped = 0
        self.keyframe_requests = 0
        self._send = send
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
            self._srtp(peer, data, now_ns)
        elif is_dtls(data) and peer.dtls_receive is not None:
            peer.dtls_receive(data)

    def request_keyframe(self, source: Source, now_ms: int) -> None:
        """Ask the publisher now, or as soon as the pacer lets us; one that never sent is asked at its first packet."""
        if source.ssrc is not None and source.pacer.ask(now_ms):
            self._send_keyframe_request(source)

    def pace_keyframes(self, source: Source, now_ns: int) -> None:
        """Send a request that was held back, or again while a slot waits for a picture that does come in."""
        waiting = now_ns - source.arrived_ns < _LIVE_NS and any(line.rewriter.waiting for line in source.lines)
        if source.ssrc is not None and source.pacer.due(now_ns // 1_000_000, waiting=waiting):
            self._send_keyframe_request(source)

    def request_missing(self, source: Source) -> None:
        """Ask a publisher for what was skipped lately, while somebody gets this source."""
        lost = source.statistics.missing() if source.lines and source.ssrc is not None else []
        if lost and source.ssrc is not None:
            source.publisher.send_rtcp(negative_acknowledgement(source.publisher.ssrc, source.ssrc, lost))

    def _send_keyframe_request(self, source: Source) -> None:
        if source.ssrc is not None and source.publisher.send_rtcp(picture_loss(source.publisher.ssrc, source.ssrc)):
            self.keyframe_requests += 1

    def _stun(self, data: bytes, path: Path, now_ns: int) -> None:
        reply = self.ice.receive(data, path, now_ns // 1_000_000) if is_stun(data) else None
        if reply is not None:
            self._send(reply, path)

    def _srtp(self, peer: Peer, data: bytes, now_ns: int) -> None:
        if peer.srtp is None:
            self.dropped += 1
        elif is_rtcp(data):
            self._rtcp(peer, peer.srtp, data, now_ns)
        else:
            self._rtp(peer, peer.srtp, data, now_ns)

    def _rtp(self, peer: Peer, srtp: SrtpPair, data: bytes, now_ns: int) -> None:
        self.received += 1
        try:
            packet = Packet(srtp.unprotect(data))
        except (SrtpError, MalformedPacket, ValueError):
            self.dropped += 1
            return
        source = peer.source_of(packet)
        first_sent = source is not None and packet.ssrc == source.ssrc
        original = source.take(packet) if source is not None else None
        extended = source.statistics.accept(original.sequence) if source is not None and original is not None else None
        if source is None or original is None or extended is None:
            self.dropped += 1
            return
        source.arrived_ns = now_ns
        if first_sent:
            source.statistics.arrived(original.timestamp, now_ns)
            source.note_level(original)
        if source.lines:
            sent, wanting = source.forward(original, extended, now_ns)
            self.forwarded += sent
            if wanting:
                self.pace_keyframes(source, now_ns)

    def _rtcp(self, peer: Peer, srtp: SrtpPair, data: bytes, now_ns: int) -> None:
        try:
            packets = RtcpPacket.parse(srtp.unprotect_rtcp(data))
        except (SrtpError, ValueError, struct.error):
            self.dropped += 1
            return
        for packet in packets:
            self._feedback(peer, packet, now_ns)
        self._send_again(peer, packets)

    def _feedback(self, peer: Peer, packet: AnyRtcpPacket, now_ns: int) -> None:
        match packet:
            case RtcpSrPacket():
                self._sender_report(peer, packet, now_ns)
            case RtcpPsfbPacket(fmt=fmt) if fmt == RTCP_PSFB_PLI:
                self._keyframe_wanted(peer, packet.media_ssrc, now_ns)
            case RtcpPsfbPacket(fmt=fmt) if fmt == RTCP_PSFB_FIR and len(packet.fci) >= 4:
                self._keyframe_wanted(peer, int.from_bytes(packet.fci[:4]), now_ns)
            case _:
                # Receiver reports, REMB, SDES and BYE: nothing is steered by them yet. NACKs: see `_send_again`.
                pass

    def _send_again(self, peer: Peer, packets: Iterable[AnyRtcpPacket]) -> None:
        """Answer all NACKs of one datagram, within one bound."""
        nacks = (packet for packet in packets if isinstance(packet, RtcpRtpfbPacket) and packet.fmt == RTCP_RTPFB_NACK)
        asked = ((packet.media_ssrc, sequence) for packet in nacks for sequence in packet.lost)
        for ssrc, sequence in islice(asked, MAX_FEEDBACK):
            line = peer.lines.get(ssrc)
            if line is not None:
                self.forwarded += line.resend(sequence)

    def _sender_report(self, peer: Peer, packet: RtcpSrPacket, now_ns: int) -> None:
        source = peer.source_with_ssrc(packet.ssrc)
        if source is None or (source.report is not None and now_ns - source.report.arrived_ns < REPORT_GAP_NS):
            return
        info = packet.sender_info
        peer.clock.reported(info.ntp_timestamp, self._ntp_base + ntp_units(now_ns))
        source.report = SenderReport(info.ntp_timestamp, info.rtp_timestamp, now_ns)
        for line in source.lines:
            line.report(now_ns)

    def _keyframe_wanted(self, peer: Peer, ssrc: int, now_ns: int) -> None:
        line = peer.lines.get(ssrc)
        if line is not None and line.source is not None and line.source.kind is MediaKind.VIDEO:
            self.request_keyframe(line.source, now_ns // 1_000_000)
