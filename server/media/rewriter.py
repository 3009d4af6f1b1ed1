# SPDX-License-Identifier: Apache-2.0
"""One outgoing stream whose source changes: SSRC, sequence number, timestamp and picture ids stay continuous. Pure.

The rule that keeps SRTP safe: an outgoing (SSRC, extended sequence number) stands for one plaintext only.
Each layer that is forwarded is a *segment* with a start: a packet from before the start is dropped, because its number
would fall into the segment before; duplicates are removed per layer before they come here.
"""

from __future__ import annotations

from struct import Struct as Layout
from typing import Final

from server.media.picture import LONG_ID, SHORT_ID, Picture
from server.media.rtp import HEADER, NUMBERED, ONE_BYTE, Packet

NS: Final = 1_000_000_000
MAX_LEAP: Final = 1024
"""How far a number may be ahead of the one before. A subscriber that misses a packet between two leaps of 2**15 guesses
the wrong cycle (RFC 3711 section 3.3.1) and can never decrypt that line again, whoever is in the slot later."""

NUMBER_LENGTH: Final = 1
"""Of the transport-wide number, as the one-byte form writes it: bytes less one."""

_SEQUENCE: Final = 0xFFFF
_TIMESTAMP: Final = 0xFFFFFFFF


_NUMBERED_END: Final = Layout("!IHHB")


class Rewriter:
    """Maps packets of the present segment to one SSRC. `now_ns` is a monotonic clock in nanoseconds.

    `sequence` and `timestamp` are the random starts (RFC 3550 section 5.1); the sequence starts below 2**15
    so that a reordered first packet cannot be taken for one of an earlier cycle (RFC 3711 section 3.3.1).
    `extension_id` is that of the transport-wide number, 0 when the subscriber does not want it.
    The mapping is in public integers, so that compiled code can keep the same ones.
    """

    __slots__ = (
        "_first_ns",
        "_first_timestamp",
        "began",
        "clock_rate",
        "extension_id",
        "last_timestamp",
        "next",
        "numbered",
        "octets",
        "packets",
        "payload_type",
        "picture_id",
        "picture_offset",
        "redundant",
        "redundant_type",
        "sequence_offset",
        "ssrc",
        "start",
        "timestamp_offset",
        "tl0",
        "tl0_offset",
        "waiting",
    )

    def __init__(self, ssrc: int, clock_rate: int, sequence: int, timestamp: int, extension_id: int = 0) -> None:
        self.ssrc = ssrc
        self.clock_rate = clock_rate
        self.extension_id = extension_id
        self.numbered = _NUMBERED_END.pack(ssrc, ONE_BYTE, 1, extension_id << 4 | NUMBER_LENGTH)
        """The constant part of a header with a transport-wide number."""
        self.payload_type = 0
        self.redundant = False
        """Whether a voice goes out with its redundancy."""
        self.redundant_type = 0
        """Payload type of redundant audio, for packets in that form."""
        self.waiting = True
        self.packets = 0
        self.octets = 0
        self.next = (sequence & 0x7FFF) + 0x10000
        self.start = 0
        self.began = 0
        """Timestamp, as the source gave it, of the first packet of the segment."""
        self.sequence_offset = 0
        self.last_timestamp = 0
        self.timestamp_offset = 0
        self.picture_id = -1
        self.picture_offset = 0
        self.tl0 = -1
        self.tl0_offset = 0
        self._first_timestamp = timestamp & _TIMESTAMP
        self._first_ns: int | None = None

    def stop(self) -> None:
        """The segment is over: its mapping is never applied again."""
        self.waiting = True

    def rest(self, at_ns: int) -> None:
        """The newest packet of the segment, which is over, is of that moment: from there on our time advances."""
        self._first_ns, self._first_timestamp = at_ns, self.last_timestamp

    def begin(self, packet: Packet, payload_type: int, now_ns: int) -> None:
        """A new segment, with this packet as its first: of video one that starts a keyframe."""
        self.waiting = False
        self.payload_type = payload_type
        self.start = packet.extended
        self.began = packet.timestamp
        self.sequence_offset = self.next - packet.extended
        self._begin_timestamps(packet, now_ns)
        picture = packet.picture
        if picture is not None:
            self.picture_offset = self.picture_id + 1 - picture.picture_id if self.picture_id >= 0 else 0
            self.tl0_offset = self.tl0 + 1 - picture.tl0 if self.tl0 >= 0 else 0

    def head(self, packet: Packet, number: int) -> bytes:
        """The beginning of the outgoing packet; `packet.tail` follows. Only for `packet.extended >= start`.

        `number` is the transport-wide sequence number, unwrapped, if there is an extension for it.
        """
        sequence = packet.extended + self.sequence_offset
        ahead = sequence - self.next
        if ahead >= MAX_LEAP:
            # A leap of the source becomes a hole of one packet, after which the segment starts again.
            sequence = self.next + 1
            self.sequence_offset = sequence - packet.extended
            self.start = packet.extended
        timestamp = packet.timestamp + self.timestamp_offset & _TIMESTAMP
        if ahead >= 0:
            self.next = sequence + 1
            self.last_timestamp = timestamp
        self.packets += 1
        self.octets += len(packet.payload)
        # Extensions and contributing sources are the publisher's; padding stays, since it is in the payload.
        first = 0x80 | packet.flags & 0x20
        second = packet.marker | (self.redundant_type if packet.redundant else self.payload_type)
        header = (
            NUMBERED.pack(
                first | 0x10,
                second,
                sequence & _SEQUENCE,
                timestamp,
                self.ssrc,
                ONE_BYTE,
                1,
                self.extension_id << 4 | NUMBER_LENGTH,
                number & _SEQUENCE,
            )
            if self.extension_id
            else HEADER.pack(first, second, sequence & _SEQUENCE, timestamp, self.ssrc)
        )
        picture = packet.picture
        return header + self.continued(picture) if picture is not None and picture.head else header

    def sequence_of(self, sequence: int) -> int | None:
        """The layer's extended number of one of our 16-bit numbers, if it is of the present segment (for NACK)."""
        newest = self.next - 1
        ours = newest + ((sequence - newest + 0x8000 & _SEQUENCE) - 0x8000)
        theirs = ours - self.sequence_offset
        return theirs if not self.waiting and ours <= newest and theirs >= self.start else None

    def repeat(self, packet: Packet) -> tuple[int, int, bytes]:
        """Our sequence number, timestamp and payload of a packet that was sent before in the present segment."""
        picture = packet.picture
        payload = packet.payload if picture is None or not picture.head else self._mapped(picture) + packet.tail
        return packet.extended + self.sequence_offset & _SEQUENCE, self.timestamp_of(packet.timestamp), payload

    def timestamp_of(self, timestamp: int) -> int:
        """Our timestamp for one of the present layer (for sender reports)."""
        return timestamp + self.timestamp_offset & _TIMESTAMP

    def _begin_timestamps(self, packet: Packet, now_ns: int) -> None:
        if self._first_ns is None:
            self._first_ns = now_ns
            timestamp = self._first_timestamp
        else:
            elapsed = (now_ns - self._first_ns) * self.clock_rate // NS
            timestamp = self._first_timestamp + elapsed & _TIMESTAMP
            if not 0 < (timestamp - self.last_timestamp & _TIMESTAMP) < 0x80000000:
                # The source before ran ahead of our clock; a new picture must still be a later one.
                # Or this line was idle for half a cycle (6.6 hours of video). The clock goes on from here either way.
                timestamp = self.last_timestamp + 1 & _TIMESTAMP
                self._first_ns, self._first_timestamp = now_ns, timestamp
        self.timestamp_offset = timestamp - packet.timestamp & _TIMESTAMP
        self.last_timestamp = timestamp

    def continued(self, picture: Picture) -> bytes:
        """The head of a payload that is sent for the first time."""
        if picture.picture_id_at:
            mask = LONG_ID if picture.long_picture_id else SHORT_ID
            picture_id = picture.picture_id + self.picture_offset & mask
            if self.picture_id < 0 or picture_id - self.picture_id & mask <= mask >> 1:
                self.picture_id = picture_id
        if picture.tl0_at:
            tl0 = picture.tl0 + self.tl0_offset & 0xFF
            if self.tl0 < 0 or tl0 - self.tl0 & 0xFF < 0x80:
                self.tl0 = tl0
        return self._mapped(picture)

    def _mapped(self, picture: Picture) -> bytes:
        if not self.picture_offset and not self.tl0_offset:
            return picture.head
        return picture.with_ids(picture.picture_id + self.picture_offset, picture.tl0 + self.tl0_offset)
