# SPDX-License-Identifier: Apache-2.0
"""One outgoing stream whose source changes: SSRC, sequence number, timestamp and VP8 ids stay continuous.

The rule that keeps SRTP safe: an outgoing (SSRC, extended sequence number) stands for one plaintext only.
Each source is a *segment* with a start: a packet from before the start is dropped, because its number
would fall into the segment before; duplicates are removed per source before they come here.
"""

from __future__ import annotations

from typing import Final

from server.media.rtp import HEADER, Packet, Vp8, with_vp8_ids

NS: Final = 1_000_000_000
MAX_LEAP: Final = 1024
"""How far a number may be ahead of the one before. A subscriber that misses a packet between two leaps of 2**15 guesses
the wrong cycle (RFC 3711 section 3.3.1) and can never decrypt that line again, whoever is in the slot later."""

_SEQUENCE: Final = 0xFFFF
_TIMESTAMP: Final = 0xFFFFFFFF


class Rewriter:
    """Maps packets of the present source to one SSRC. `now_ns` is a monotonic clock in nanoseconds.

    `sequence` and `timestamp` are the random starts (RFC 3550 section 5.1); the sequence starts below 2**15
    so that a reordered first packet cannot be taken for one of an earlier cycle (RFC 3711 section 3.3.1).
    """

    __slots__ = (
        "_first_ns",
        "_first_timestamp",
        "_last_timestamp",
        "_next",
        "_picture_id",
        "_picture_offset",
        "_sequence_offset",
        "_start",
        "_timestamp_offset",
        "_tl0",
        "_tl0_offset",
        "clock_rate",
        "octets",
        "packets",
        "payload_type",
        "ssrc",
        "waiting",
    )

    def __init__(self, ssrc: int, payload_type: int, clock_rate: int, sequence: int, timestamp: int) -> None:
        self.ssrc = ssrc
        self.payload_type = payload_type
        self.clock_rate = clock_rate
        self.waiting = True
        self.packets = 0
        self.octets = 0
        self._next = (sequence & 0x7FFF) + 0x10000
        self._start = 0
        self._sequence_offset = 0
        self._first_timestamp = timestamp & _TIMESTAMP
        self._first_ns: int | None = None
        self._last_timestamp = 0
        self._timestamp_offset = 0
        self._picture_id = -1
        self._picture_offset = 0
        self._tl0 = -1
        self._tl0_offset = 0

    def switch(self) -> None:
        """What comes next is another source: the mapping in use is never applied again."""
        self.waiting = True

    def audio(self, packet: Packet, extended: int, now_ns: int) -> bytes | None:
        """The outgoing packet, or None when it belongs before the segment. The segment starts with the first packet."""
        if self.waiting:
            self._begin(packet, extended, now_ns)
        elif extended < self._start:
            return None
        self._bridge(extended)
        return self._header(packet, extended) + packet.payload

    def video(self, packet: Packet, vp8: Vp8, extended: int, now_ns: int) -> bytes | None:
        """As `audio`; the segment starts with a keyframe, and nothing is let through before it."""
        if self.waiting:
            if not vp8.keyframe:
                return None
            self._begin(packet, extended, now_ns)
            self._begin_vp8(vp8)
        elif extended < self._start:
            return None
        self._bridge(extended)
        return self._header(packet, extended) + self._continued(packet, vp8)

    def sequence_of(self, sequence: int) -> int | None:
        """The source's extended number of one of our 16-bit numbers, if it is of the present segment (for NACK)."""
        newest = self._next - 1
        ours = newest + ((sequence - newest + 0x8000 & _SEQUENCE) - 0x8000)
        theirs = ours - self._sequence_offset
        return theirs if not self.waiting and ours <= newest and theirs >= self._start else None

    def repeat(self, packet: Packet, vp8: Vp8 | None, extended: int) -> tuple[int, int, bytes]:
        """Our sequence number, timestamp and payload of a packet that was sent before in the present segment."""
        payload = packet.payload if vp8 is None else self._continued(packet, vp8, newest=False)
        return extended + self._sequence_offset & _SEQUENCE, self.timestamp_of(packet.timestamp), payload

    def timestamp_of(self, timestamp: int) -> int:
        """Our timestamp for one of the present source (for sender reports)."""
        return timestamp + self._timestamp_offset & _TIMESTAMP

    def _begin(self, packet: Packet, extended: int, now_ns: int) -> None:
        self.waiting = False
        self._start = extended
        self._sequence_offset = self._next - extended
        if self._first_ns is None:
            self._first_ns = now_ns
            timestamp = self._first_timestamp
        else:
            elapsed = (now_ns - self._first_ns) * self.clock_rate // NS
            timestamp = self._first_timestamp + elapsed & _TIMESTAMP
            if not 0 < (timestamp - self._last_timestamp & _TIMESTAMP) < 0x80000000:
                # The source before ran ahead of our clock; a new picture must still be a later one.
                timestamp = self._last_timestamp + 1 & _TIMESTAMP
        self._timestamp_offset = timestamp - packet.timestamp & _TIMESTAMP
        self._last_timestamp = timestamp

    def _bridge(self, extended: int) -> None:
        """A leap of the source becomes a hole of one packet, after which the segment starts again."""
        if extended + self._sequence_offset - self._next >= MAX_LEAP:
            self._sequence_offset = self._next + 1 - extended
            self._start = extended

    def _begin_vp8(self, vp8: Vp8) -> None:
        self._picture_offset = self._picture_id + 1 - vp8.picture_id if self._picture_id >= 0 else 0
        self._tl0_offset = self._tl0 + 1 - vp8.tl0 if self._tl0 >= 0 else 0

    def _header(self, packet: Packet, extended: int) -> bytes:
        sequence = extended + self._sequence_offset
        timestamp = packet.timestamp + self._timestamp_offset & _TIMESTAMP
        if sequence >= self._next:
            self._next = sequence + 1
            self._last_timestamp = timestamp
        self.packets += 1
        self.octets += len(packet.payload)
        # Extensions and contributing sources are the publisher's; padding stays, since it is in the payload.
        first = 0x80 | packet.flags & 0x20
        return HEADER.pack(first, packet.marker | self.payload_type, sequence & _SEQUENCE, timestamp, self.ssrc)

    def _continued(self, packet: Packet, vp8: Vp8, *, newest: bool = True) -> bytes:
        picture_id = vp8.picture_id + self._picture_offset & 0x7FFF
        tl0 = vp8.tl0 + self._tl0_offset & 0xFF
        if newest:
            if vp8.picture_id_at and (self._picture_id < 0 or picture_id - self._picture_id & 0x7FFF < 0x4000):
                self._picture_id = picture_id
            if vp8.tl0_at and (self._tl0 < 0 or tl0 - self._tl0 & 0xFF < 0x80):
                self._tl0 = tl0
        if not self._picture_offset and not self._tl0_offset:
            return packet.payload
        return with_vp8_ids(packet.payload, vp8, picture_id, tl0)
