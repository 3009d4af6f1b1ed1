# SPDX-License-Identifier: Apache-2.0
"""What a publisher sends: a `Source` is one track, a `Layer` one of its RTP streams (RFC 8853)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from server.media.h264 import read_h264
from server.media.holes import Holes
from server.media.meter import Meter
from server.media.picture import NO_PICTURE
from server.media.receive import ReceiveStatistics
from server.media.red import Redundancy
from server.media.rtcp import KeyframePacer, SenderReport
from server.media.rtp import MalformedPacket, Packet, retransmitted
from server.media.sdp import LEVEL_URI, REPAIRED_RID_URI, RID_URI
from server.media.sdp_answer import MediaLine
from server.media.sdp_codecs import CodecName, MediaKind
from server.media.vp8 import read_vp8
from server.media.vp9 import read_vp9

if TYPE_CHECKING:
    from server.media.line import Line
    from server.media.peer import Peer
    from server.media.voices import Voice

MAX_PAYLOAD: Final = 1_334
"""What still fits into the buffer of pylibsrtp (1356 bytes) with our longest header and as a retransmission."""

HISTORY: Final = 256
"""Video packets of a layer kept to answer NACKs: some seconds of it."""

RECODE_NS: Final = 1_000_000_000
"""From one change of codec to the next at the least: each makes everybody who gets the layer begin again."""

_READERS: Final = {CodecName.VP8: read_vp8, CodecName.VP9: read_vp9, CodecName.H264: read_h264}


class Layer:
    """One encoding of a source. `lines` is who gets it now: the route table, empty when nobody may.

    `pending` are the lines that begin with its next keyframe, or with its next packet if it is a voice.
    `ssrc` and `rtx_ssrc` are None until they are known; `height` in pixels is 0 until a keyframe told it.
    """

    __slots__ = (
        "arrived_ns",
        "clock_rate",
        "codec",
        "height",
        "history",
        "holes",
        "index",
        "keyframes",
        "kind",
        "lines",
        "meter",
        "pacer",
        "pending",
        "recoded_ns",
        "report",
        "rid",
        "route",
        "rtx_ssrc",
        "source",
        "ssrc",
        "statistics",
    )

    def __init__(self, source: Source, index: int, rid: str, ssrc: int | None, rtx_ssrc: int | None) -> None:
        self.source = source
        self.index = index
        self.rid = rid
        self.ssrc = ssrc
        self.rtx_ssrc = rtx_ssrc
        self.kind = source.kind
        self.codec: CodecName = source.codec
        self.clock_rate = source.clock_rate
        self.statistics = ReceiveStatistics(self.clock_rate)
        self.holes = Holes()
        self.meter = Meter()
        self.pacer = KeyframePacer()
        self.report: SenderReport | None = None
        self.lines: tuple[Line, ...] = ()
        self.route: Any = None
        """What the packet path has made of `lines`, in a form of its own; None: nothing as yet."""
        self.pending: tuple[Line, ...] = ()
        self.arrived_ns = 0
        self.recoded_ns = 0
        self.height = 0
        self.keyframes = 0
        self.history: list[Packet | None] = []
        """Of pictures, by number; empty until there is something to keep."""

    def bitrate_bps(self, now_ns: int) -> int:
        """Over about the last second, 0 when nothing comes."""
        return self.meter.bps(now_ns)

    def accept(self, packet: Packet, size_bytes: int, now_ns: int) -> Packet | None:
        """The packet as first sent and read once for all lines; None for one that is not to be forwarded.

        That is: above the budget of its source, of a foreign payload type, a duplicate, too old, too long or malformed.
        `size_bytes` is its length on the wire.
        """
        source, statistics = self.source, self.statistics
        if not source.budget.take(size_bytes, now_ns):
            return None
        first_sent = packet.ssrc == self.ssrc
        original = packet if first_sent else self._unwrapped(packet)
        codec = source.formats.get(original.payload_type) if original is not None else None
        if original is None or codec is None:
            return None
        newest = statistics.highest
        extended = statistics.accept(original.sequence)
        if extended is None or len(original.payload) > MAX_PAYLOAD:
            return None
        original.extended = extended
        if extended != newest + 1:
            self._skipped(newest, extended)
        self.meter.add(size_bytes, now_ns)
        if first_sent:
            # What is sent again tells nothing of whether the layer is still being sent.
            self.arrived_ns = now_ns
            statistics.arrived(original.timestamp, now_ns)
        if codec is CodecName.OPUS:
            return original
        if codec is CodecName.RED:
            return original if self._describe_redundancy(original) else None
        return original if self._describe_picture(original, codec, now_ns) else None

    def _skipped(self, newest: int, extended: int) -> None:
        """Keep track of what did not come, of video, where asking for it helps."""
        if self.kind is MediaKind.VIDEO and newest >= 0:
            if extended > newest:
                self.holes.skipped(newest + 1, extended)
            else:
                self.holes.filled(extended)

    def _unwrapped(self, packet: Packet) -> Packet | None:
        """The packet that is sent again here, if its payload type belongs to this layer."""
        original = self.source.rtx_formats.get(packet.payload_type)
        if original is None or packet.ssrc != self.rtx_ssrc or self.ssrc is None:
            return None
        return retransmitted(packet, self.ssrc, original)

    def _describe_redundancy(self, packet: Packet) -> bool:
        """Whether anybody could play it."""
        try:
            packet.redundancy = Redundancy(packet, self.source.opus)
        except MalformedPacket:
            return False
        return True

    def _describe_picture(self, packet: Packet, codec: CodecName, now_ns: int) -> bool:
        """Whether it is of the present codec. Video is also kept for a while, for those who get it and lose some."""
        if codec is not self.codec and not self._recode(codec, packet.extended, now_ns):
            return False
        try:
            picture = _READERS[codec](packet.payload)
        except MalformedPacket:
            # An empty payload only moves the sequence on: it goes through, but starts nothing.
            picture = NO_PICTURE
        packet.picture = picture
        if picture.keyframe:
            self.keyframes += 1
            self.height = picture.height or self.height
            self.pacer.fulfilled()
        # What is sent again very late must not take the place of a newer one.
        if (self.lines or self.pending) and packet.extended > self.statistics.highest - HISTORY:
            if not self.history:
                self.history = self._places()
            self.history[packet.extended % HISTORY] = packet
        return True

    def forget(self) -> None:
        """Nobody gets this layer any more: of hundreds of cameras only those that are watched keep packets."""
        self.history = []

    def _places(self) -> list[Packet | None]:
        return [None] * HISTORY

    def begin_pending(self, packet: Packet, now_ns: int) -> tuple[Line, ...]:
        """The lines that start with this packet, if they can; they are in `lines` now."""
        if packet.picture is not None and not packet.picture.keyframe:
            return ()
        begun = tuple([line for line in self.pending if packet.extended >= line.after])
        for line in begun:
            line.begin(packet, now_ns)
        return begun

    def recall(self, extended: int) -> Packet | None:
        """A packet lately forwarded, by its extended sequence number."""
        packet = self.history[extended % HISTORY] if self.history else None
        return packet if packet is not None and packet.extended == extended else None

    def since(self, extended: int) -> list[Packet]:
        """What is kept of the packets after this one, in their order."""
        after = range(max(extended + 1, self.statistics.highest - HISTORY + 1), self.statistics.highest + 1)
        return [packet for number in after if (packet := self.recall(number)) is not None]

    def newest(self) -> Packet | None:
        """The packet furthest on in the sequence, if it is kept."""
        return self.recall(self.statistics.highest)

    def _recode(self, codec: CodecName, extended: int, now_ns: int) -> bool:
        """Whether the publisher has changed its codec: then whoever gets this layer begins again, or cannot go on.

        What comes late from before a change does not change it back, and nobody is followed to and fro.
        """
        if extended < self.statistics.highest or now_ns - self.recoded_ns < RECODE_NS:
            return False
        self.codec = codec
        self.recoded_ns = now_ns
        for line in self.lines + self.pending:
            line.choose(None)
            line.choose(self)
        return True


class Source:
    """One track of a publisher, as one layer or as several of different size, smallest first."""

    __slots__ = (
        "_repaired_rid_id",
        "_rid_id",
        "budget",
        "clock_rate",
        "codec",
        "formats",
        "kind",
        "layers",
        "opus",
        "publisher",
        "rtx_formats",
        "voice",
    )

    def __init__(self, publisher: Peer, line: MediaLine) -> None:
        section = line.section
        self.publisher = publisher
        self.kind = section.kind
        self.codec: CodecName = next(codec.name for codec in line.codecs if codec.name is not CodecName.RED)
        self.clock_rate = line.codec.clock_rate
        self.opus = next((codec.payload_type for codec in line.codecs if codec.name is CodecName.OPUS), 0)
        self.formats = {codec.payload_type: codec.name for codec in line.codecs}
        entry = publisher.entry
        self.budget = entry.source_budget(self.kind)
        self.rtx_formats = {
            codec.rtx_payload_type: codec.payload_type for codec in line.codecs if codec.rtx_payload_type is not None
        }
        self.voice: Voice | None = (
            entry.voice(publisher.participant, section.extension_id(LEVEL_URI))
            if section.kind is MediaKind.AUDIO
            else None
        )
        self._rid_id = section.extension_id(RID_URI)
        self._repaired_rid_id = section.extension_id(REPAIRED_RID_URI)
        self.layers: tuple[Layer, ...] = (
            tuple(entry.layer(self, index, rid.id, None, None) for index, rid in enumerate(section.rids))
            if section.rids
            else (entry.layer(self, 0, "", section.ssrc, section.rtx_ssrc),)
        )

    def takes(self, payload_type: int) -> bool:
        """Whether it is a format of this source, or one in which that is sent again."""
        return payload_type in self.formats or payload_type in self.rtx_formats

    def latch(self, packet: Packet) -> Layer | None:
        """The layer that a stream with a new SSRC belongs to, which then is known by it; None for one too many.

        Of several layers it is the one named by RID, of a retransmission by repaired RID (RFC 8852 section 3).
        """
        repairs = packet.payload_type in self.rtx_formats
        layer = self._named(packet, self._repaired_rid_id if repairs else self._rid_id)
        if layer is None:
            return None
        if repairs and layer.rtx_ssrc is None:
            layer.rtx_ssrc = packet.ssrc
        elif packet.payload_type in self.formats and layer.ssrc is None:
            layer.ssrc = packet.ssrc
        else:
            return None
        return layer

    def _named(self, packet: Packet, identifier: int | None) -> Layer | None:
        if not self.layers[0].rid:
            return self.layers[0]
        value = packet.extension(identifier) if identifier is not None else None
        return next((layer for layer in self.layers if layer.rid.encode() == value), None)

    def let_go(self) -> None:
        """See `Peer.let_go`."""
        self.layers = ()

    def detach(self) -> None:
        """Nobody gets this any more."""
        for layer in self.layers:
            for line in layer.lines + layer.pending:
                line.attach(None)
