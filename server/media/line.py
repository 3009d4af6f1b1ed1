# SPDX-License-Identifier: Apache-2.0
"""What a subscriber receives in one half of a slot: a constant SSRC, fed by one layer of whoever is in the slot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from server.media.rewriter import NUMBER_LENGTH, Rewriter
from server.media.rtcp import sender_report
from server.media.rtp import HEADER, NUMBERED, ONE_BYTE, Packet, rtx_payload
from server.media.sdp_codecs import CodecName, MediaKind
from server.ports import PauseReason

if TYPE_CHECKING:
    from collections.abc import Mapping

    from server.media.congestion.history import SendHistory
    from server.media.peer import Peer
    from server.media.streams import Layer, Source

RESEND_SHARE: Final = 8
RESEND_FLOOR: Final = 64
"""A line repeats at most one packet in `RESEND_SHARE`, and a few more: a subscriber cannot multiply its traffic."""

MAX_PADDING: Final = 255
"""RFC 3550 section 5.1: the last byte of the padding counts it."""


class Line:
    """One receive line, with at most one layer `flowing` (it is in its `lines`) and one `awaited` (in its `pending`).

    Both are of `source`.
    `formats`: payload type and retransmission payload type of each codec that the subscriber takes here.
    `rtx_payload_type` is that of the flowing layer. Counters are since the start.
    """

    __slots__ = (
        "_rtx_sequence",
        "after",
        "awaited",
        "flowing",
        "formats",
        "height",
        "hidden",
        "history",
        "leg",
        "padded",
        "paused",
        "peer",
        "pinned",
        "rank",
        "resent",
        "rewriter",
        "rtx_payload_type",
        "rtx_ssrc",
        "source",
        "switches",
    )

    def __init__(
        self, peer: Peer, rewriter: Rewriter, rtx_ssrc: int, formats: Mapping[CodecName, tuple[int, int | None]]
    ) -> None:
        self.peer = peer
        self.leg = peer.leg
        self.rewriter = rewriter
        self.rtx_ssrc = rtx_ssrc
        self.formats = formats
        self.redundant = CodecName.RED in formats
        if self.redundant:
            rewriter.redundant_type = formats[CodecName.RED][0]
        self.rtx_payload_type: int | None = None
        self.history: SendHistory | None = peer.history if rewriter.extension_id else None
        self.source: Source | None = None
        self.flowing: Layer | None = None
        self.awaited: Layer | None = None
        self.after = -1
        """Of the awaited layer, the newest number there was when it was chosen for a line that got nothing of it: what
        comes late from before that is not for this subscriber."""
        self.height = self.rank = 0
        self.pinned = self.hidden = False
        """What the client shows here: pixels, 0 the most important, kept by the person's wish, not shown at all."""
        self.paused: PauseReason | None = None
        self.resent = 0
        self.padded = 0
        self.switches = 0
        self._rtx_sequence = 1

    @property
    def redundant(self) -> bool:
        """Whether a voice goes out with its redundancy; a thin link may be better off without."""
        return self.rewriter.redundant

    @redundant.setter
    def redundant(self, redundant: bool) -> None:
        self.rewriter.redundant = redundant

    @property
    def chosen(self) -> Layer | None:
        """The layer that should flow: it does, or will from its next keyframe on."""
        return self.awaited if self.awaited is not None else self.flowing

    def plays(self, source: Source) -> bool:
        """Whether the subscriber takes the codec that this source sends."""
        return source.layers[0].codec in self.formats

    def attach(self, source: Source | None) -> bool:
        """Put a person's track into the slot; nothing of the one before flows any more. Whether that is a change.

        A voice begins with its next packet; of a camera a layer has to be chosen.
        """
        if source is self.source:
            return False
        self.choose(None)
        self.source = source
        if source is not None and source.kind is MediaKind.AUDIO:
            self.choose(source.layers[0])
        return True

    def choose(self, layer: Layer | None) -> bool:
        """Which layer of the source should flow; None pauses. Returns whether a keyframe of it is needed first.

        Until that keyframe the former layer goes on. A layer in a codec that the subscriber does not take pauses.
        """
        if layer is not None and layer.source is not self.source:
            raise ValueError("a layer of another source")
        if layer is None or layer.codec not in self.formats:
            self._leave_awaited()
            self._leave_flowing()
            self.rewriter.stop()
            return False
        if layer is self.flowing:
            self._leave_awaited()
            return False
        if layer is not self.awaited:
            self._leave_awaited()
            self.awaited = layer
            self.after = -1 if self.flowing is not None else layer.statistics.highest
            layer.pending += (self,)
        return layer.source.kind is MediaKind.VIDEO

    def begin(self, packet: Packet, now_ns: int) -> None:
        """The awaited layer starts with this packet.

        Where it would stand had it not been late: else every later packet would seem early, and each switch would
        look like jitter to the subscriber, who answers that with a longer buffer.
        """
        layer = self.awaited
        if layer is None:
            return
        self._leave_awaited()
        self._leave_flowing()
        payload_type, self.rtx_payload_type = self.formats[layer.codec]
        self.rewriter.begin(packet, payload_type, now_ns - layer.statistics.lateness_ns(packet.timestamp, now_ns))
        self.flowing = layer
        self.switches += 1
        layer.lines += (self,)

    def send(self, packet: Packet, now_ns: int) -> bool:
        """Send one packet of the flowing layer, from `rewriter.start` on, as this line can read it; whether it left."""
        redundancy = packet.redundancy
        return self.put(packet if redundancy is None else redundancy.form(self), now_ns)

    def put(self, packet: Packet, now_ns: int) -> bool:
        """Rewrite, protect and send one packet as it is; whether it left."""
        history = self.history
        if history is None:
            return self.leg.send(self.rewriter.ssrc, self.rewriter.head(packet, 0), packet.tail) > 0
        number = history.next()
        size = self.leg.send(self.rewriter.ssrc, self.rewriter.head(packet, number), packet.tail)
        if size:
            history.sent(number, size, now_ns)
        return size > 0

    def resend(self, sequence: int, now_ns: int) -> bool:
        """Answer a NACK for one of our 16-bit numbers by RTX, if it belongs to the present segment."""
        if self.flowing is None or self.resent >= self.rewriter.packets // RESEND_SHARE + RESEND_FLOOR:
            return False
        original = self.rewriter.sequence_of(sequence) if self.rtx_payload_type is not None else None
        kept = self.flowing.recall(original) if original is not None else None
        if kept is None:
            return False
        self.resent += 1
        return self._repeat(kept, now_ns) > 0

    def pad(self, size: int, now_ns: int) -> int:
        """Send about `size` bytes that only measure the link; returns how many left, 0 where there is no RTX.

        For more than padding can hold, the newest packet goes out once more: it may even heal a loss.
        """
        if self.rtx_payload_type is None:
            # Nothing flowed yet: a paused picture is the very reason to measure.
            self.rtx_payload_type = next((rtx for _, rtx in self.formats.values() if rtx is not None), None)
        if self.rtx_payload_type is None:
            return 0
        newest = self.flowing.newest() if self.flowing is not None and size > MAX_PADDING else None
        if newest is not None and newest.extended >= self.rewriter.start:
            sent = self._repeat(newest, now_ns)
        else:
            length = min(max(size, 1), MAX_PADDING)
            padding = bytes(length - 1) + bytes([length])
            sent = self._send_rtx(0x20, 0, self.rewriter.last_timestamp, padding, now_ns)
        self.padded += sent
        return sent

    def report(self, now_ns: int) -> None:
        """Send the layer's clock in our numbers, so that voice and picture stay together (RFC 3550, 6.4.1)."""
        report = self.sender_report(now_ns)
        if report:
            self.peer.send_rtcp(report)

    def sender_report(self, now_ns: int, since_ns: int = -1) -> bytes:
        """Nothing where the publisher has not told its clock since then.

        Its NTP time is ours, at which the report leaves: else the round trip that the receiver's answer tells of had
        the delays of the publisher's own path in it.
        """
        layer = self.flowing
        if layer is None or layer.report is None or layer.report.arrived_ns <= since_ns:
            return b""
        ours, theirs = layer.source.publisher.clock.at(now_ns)
        rewriter = self.rewriter
        rtp = rewriter.timestamp_of(layer.report.at(theirs, layer.clock_rate))
        return sender_report(rewriter.ssrc, ours, rtp, rewriter.packets, rewriter.octets)

    def _repeat(self, packet: Packet, now_ns: int) -> int:
        sequence, timestamp, payload = self.rewriter.repeat(packet)
        return self._send_rtx(packet.flags & 0x20, packet.marker, timestamp, rtx_payload(sequence, payload), now_ns)

    def _send_rtx(self, padding: int, marker: int, timestamp: int, payload: bytes, now_ns: int) -> int:
        """One packet of the retransmission stream; returns its length on the wire."""
        first, second = 0x80 | padding, marker | (self.rtx_payload_type or 0)
        sequence = self._rtx_sequence & 0xFFFF
        self._rtx_sequence += 1
        history = self.history
        if history is None:
            return self.leg.send(self.rtx_ssrc, HEADER.pack(first, second, sequence, timestamp, self.rtx_ssrc), payload)
        number = history.next()
        extension = (ONE_BYTE, 1, self.rewriter.extension_id << 4 | NUMBER_LENGTH, number & 0xFFFF)
        head = NUMBERED.pack(first | 0x10, second, sequence, timestamp, self.rtx_ssrc, *extension)
        size = self.leg.send(self.rtx_ssrc, head, payload)
        if size:
            history.sent(number, size, now_ns)
        return size

    def _leave_awaited(self) -> None:
        layer, self.awaited = self.awaited, None
        if layer is not None:
            layer.pending = _without(layer.pending, self)

    def _rest_after(self, voice: Layer) -> None:
        """A microphone has a clock of its own, which loses or gains a tenth of a second in half an hour.

        That would be a gap of as much, or no gap where there was one, when the next voice begins by the wall clock.
        """
        newest = self.rewriter.last_timestamp - self.rewriter.timestamp_offset
        self.rewriter.rest(voice.arrived_ns - voice.statistics.lateness_ns(newest, voice.arrived_ns))

    def _leave_flowing(self) -> None:
        layer, self.flowing = self.flowing, None
        if layer is not None:
            if layer.kind is MediaKind.AUDIO:
                self._rest_after(layer)
            layer.lines = _without(layer.lines, self)
            if not layer.lines:
                layer.forget()


def _without(lines: tuple[Line, ...], line: Line) -> tuple[Line, ...]:
    at = lines.index(line)
    return lines[:at] + lines[at + 1 :]
