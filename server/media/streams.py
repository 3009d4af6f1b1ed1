# SPDX-License-Identifier: Apache-2.0
"""The two ends of forwarding: a `Source` a publisher sends, and a `Line` that a subscriber receives in a slot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from server.media.receive import ReceiveStatistics
from server.media.rewriter import Rewriter
from server.media.rtcp import KeyframePacer, SenderReport
from server.media.rtp import HEADER, MalformedPacket, Packet, Vp8, audio_level, retransmitted, rtx_payload
from server.media.sdp import LEVEL_URI, MediaKind
from server.media.sdp_answer import MediaLine

if TYPE_CHECKING:
    from server.media.peer import Peer

HISTORY: Final = 256
"""Video packets of a source kept to answer NACKs: some seconds of one layer."""

SILENT: Final = 127
RESEND_SHARE: Final = 8
RESEND_FLOOR: Final = 64
"""A line repeats at most one packet in `RESEND_SHARE`, and a few more: a subscriber cannot multiply its traffic."""

_History = list[tuple[int, Packet, Vp8 | None] | None]


class Source:
    """One stream of a publisher. `lines` is who gets it now: the route table, empty when nobody may."""

    __slots__ = (
        "arrived_ns",
        "clock_rate", "heard", "history", "kind", "level", "level_id", "lines", "pacer", "payload_type", "publisher",
        "report", "rtx_payload_type", "rtx_ssrc", "ssrc", "statistics",
    )  # fmt: skip

    def __init__(self, publisher: Peer, line: MediaLine) -> None:
        section = line.section
        self.publisher = publisher
        self.kind = section.kind
        self.clock_rate = line.codec.clock_rate
        self.payload_type = line.codec.payload_type
        self.rtx_payload_type = line.codec.rtx_payload_type
        self.ssrc = section.ssrc
        self.rtx_ssrc = section.rtx_ssrc
        self.level_id = section.extension_id(LEVEL_URI) if section.kind is MediaKind.AUDIO else None
        self.statistics = ReceiveStatistics(self.clock_rate)
        self.pacer = KeyframePacer()
        self.report: SenderReport | None = None
        self.lines: tuple[Line, ...] = ()
        self.arrived_ns = 0
        self.heard = False
        """Whether the room lets this voice be heard now."""
        self.level = SILENT
        self.history: _History = [None] * HISTORY if self.kind is MediaKind.VIDEO else []

    def take(self, packet: Packet) -> Packet | None:
        """The packet as first sent, if its payload type belongs here; retransmissions are unwrapped."""
        if packet.payload_type == self.payload_type and packet.ssrc == self.ssrc:
            return packet
        if packet.payload_type == self.rtx_payload_type and packet.ssrc == self.rtx_ssrc and self.ssrc is not None:
            return retransmitted(packet, self.ssrc, self.payload_type)
        return None

    def note_level(self, packet: Packet) -> None:
        """Keep the loudest level since the last report, RFC 6464."""
        if self.level_id is not None and self.heard:
            value = packet.extension(self.level_id)
            if value:
                self.level = min(self.level, audio_level(value))

    def forward(self, packet: Packet, extended: int, now_ns: int) -> tuple[int, bool]:
        """Rewrite, protect and send to every line; returns the packets sent and whether a keyframe is wanted."""
        if self.kind is MediaKind.AUDIO:
            return sum(line.send_audio(packet, extended, now_ns) for line in self.lines), False
        try:
            vp8 = Vp8(packet.payload)
        except MalformedPacket:
            # An empty payload only moves the sequence on: it goes through, but starts nothing.
            vp8 = _NO_PICTURE
        if vp8.keyframe:
            self.pacer.fulfilled()
        self.history[extended % HISTORY] = (extended, packet, vp8)
        sent = 0
        wanting = False
        for line in self.lines:
            sent += line.send_video(packet, vp8, extended, now_ns)
            wanting = wanting or line.rewriter.waiting
        return sent, wanting

    def recall(self, extended: int) -> tuple[Packet, Vp8 | None] | None:
        """A packet lately forwarded, by its extended sequence number."""
        entry = self.history[extended % HISTORY] if self.history else None
        return (entry[1], entry[2]) if entry is not None and entry[0] == extended else None


_NO_PICTURE: Final = Vp8(b"\x00\x00")


class Line:
    """One receive line of a subscriber: a constant SSRC fed by whichever source is in the slot."""

    __slots__ = ("_resends", "_rtx_sequence", "peer", "rewriter", "rtx_payload_type", "rtx_ssrc", "source")

    def __init__(self, peer: Peer, rewriter: Rewriter, rtx_ssrc: int, rtx_payload_type: int | None) -> None:
        self.peer = peer
        self.rewriter = rewriter
        self.rtx_ssrc = rtx_ssrc
        self.rtx_payload_type = rtx_payload_type
        self.source: Source | None = None
        self._rtx_sequence = 1
        self._resends = 0

    def switch(self, source: Source | None) -> bool:
        """Feed the line from another source; returns whether that is a change."""
        if source is self.source:
            return False
        self.source = source
        self.rewriter.switch()
        return True

    def send_audio(self, packet: Packet, extended: int, now_ns: int) -> bool:
        """Whether the packet left."""
        began = self.rewriter.waiting
        data = self.rewriter.audio(packet, extended, now_ns)
        return data is not None and self._send(data, now_ns, began=began)

    def send_video(self, packet: Packet, vp8: Vp8, extended: int, now_ns: int) -> bool:
        """Whether the packet left."""
        began = self.rewriter.waiting
        data = self.rewriter.video(packet, vp8, extended, now_ns)
        return data is not None and self._send(data, now_ns, began=began)

    def resend(self, sequence: int) -> bool:
        """Answer a NACK for one of our 16-bit numbers by RTX, if it belongs to the present segment."""
        original = self.rewriter.sequence_of(sequence)
        if original is None or self.source is None or self.rtx_payload_type is None:
            return False
        kept = self.source.recall(original)
        if kept is None or self._resends >= self.rewriter.packets // RESEND_SHARE + RESEND_FLOOR:
            return False
        packet, vp8 = kept
        ours, timestamp, payload = self.rewriter.repeat(packet, vp8, original)
        second = packet.marker | self.rtx_payload_type
        header = HEADER.pack(0x80 | packet.flags & 0x20, second, self._rtx_sequence & 0xFFFF, timestamp, self.rtx_ssrc)
        self._rtx_sequence += 1
        self._resends += 1
        return self.peer.send_rtp(header + rtx_payload(ours, payload))

    def _send(self, data: bytes, now_ns: int, *, began: bool) -> bool:
        sent = self.peer.send_rtp(data)
        if began and sent:
            self.report(now_ns)
        return sent

    def report(self, now_ns: int) -> None:
        """Send the source's clock in our numbers, so that voice and picture stay together (RFC 3550, 6.4.1)."""
        source = self.source
        if source is None or source.report is None or self.rewriter.waiting:
            return
        ntp, rtp = source.report.at(now_ns, source.clock_rate)
        self.peer.send_sender_report(
            self.rewriter, ntp + source.publisher.clock.offset, self.rewriter.timestamp_of(rtp)
        )
