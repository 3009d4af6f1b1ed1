# SPDX-License-Identifier: Apache-2.0
"""RTP packets as read by a forwarder: header, extensions (RFC 8285), retransmissions (RFC 4588)."""

from __future__ import annotations

from struct import Struct as Layout
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from server.media.picture import Picture
    from server.media.red import Redundancy

HEADER_BYTES: Final = 12
HEADER: Final = Layout("!BBHII")
"""Version and flags, marker and payload type, sequence number, timestamp, SSRC (RFC 3550 section 5.1)."""

NUMBERED: Final = Layout("!BBHIIHHBHx")
"""The same, then one header extension of two bytes in the one-byte form (RFC 8285 section 4.2): profile, length in
words, id and length, the transport-wide sequence number."""

ONE_BYTE: Final = 0xBEDE
"""Profile of the one-byte form."""

_TWO_BYTE: Final = 0x1000
_U16: Final = Layout("!H")
_EXTENSION_HEADER: Final = Layout("!HH")


class MalformedPacket(ValueError):
    """The bytes are no RTP packet; nothing of them is kept."""


class Packet:
    """One received packet. `payload` still holds the padding, if the padding bit is set.

    What forwarding adds, once for all subscribers: `extended`, the unwrapped sequence number; `picture`, for video;
    `redundancy`, for audio that repeats itself: the forms in which it goes on, which are `redundant` or not.
    """

    __slots__ = (
        "extended",
        "extension_profile",
        "extensions",
        "flags",
        "marker",
        "payload",
        "payload_type",
        "picture",
        "redundancy",
        "redundant",
        "sequence",
        "ssrc",
        "timestamp",
    )

    def __init__(self, data: bytes) -> None:
        if len(data) < HEADER_BYTES:
            raise MalformedPacket
        first, second, self.sequence, self.timestamp, self.ssrc = HEADER.unpack_from(data)
        if first >> 6 != 2:
            raise MalformedPacket
        start = HEADER_BYTES + 4 * (first & 0x0F)
        self.extensions = b""
        self.extension_profile = 0
        if first & 0x10:
            if len(data) < start + 4:
                raise MalformedPacket
            self.extension_profile, words = _EXTENSION_HEADER.unpack_from(data, start)
            end = start + 4 + 4 * words
            self.extensions = data[start + 4 : end]
            start = end
        if len(data) < start:
            raise MalformedPacket
        self.flags = first & 0xA0
        self.marker = second & 0x80
        self.payload_type = second & 0x7F
        self.payload = data[start:]
        self.extended = 0
        self.picture: Picture | None = None
        self.redundancy: Redundancy | None = None
        self.redundant = False

    def with_payload(self, payload: bytes, *, redundant: bool = False) -> Packet:
        """The same packet with another payload, and without padding or extensions."""
        other = Packet.__new__(Packet)
        other.sequence, other.timestamp, other.ssrc = self.sequence, self.timestamp, self.ssrc
        other.extended, other.marker, other.payload_type = self.extended, self.marker, self.payload_type
        other.flags, other.extension_profile, other.extensions = 0x80, 0, b""
        other.payload = payload
        other.picture = other.redundancy = None
        other.redundant = redundant
        return other

    def extension(self, wanted: int) -> bytes | None:
        """The value of the header extension with this id, one-byte or two-byte form."""
        if self.extension_profile == ONE_BYTE:
            return _one_byte_extension(self.extensions, wanted)
        if self.extension_profile & 0xFFF0 == _TWO_BYTE:
            return _two_byte_extension(self.extensions, wanted)
        return None

    @property
    def tail(self) -> bytes:
        """The end of the payload that every subscriber gets as it is: all of it, but for `picture.head`."""
        return self.payload[len(self.picture.head) :] if self.picture is not None else self.payload

    def media_length(self) -> int:
        """Bytes of payload without padding; 0 for a packet that only fills the link."""
        if not self.flags & 0x20:
            return len(self.payload)
        padding = self.payload[-1] if self.payload else 0
        return max(0, len(self.payload) - padding)


def _one_byte_extension(block: bytes, wanted: int) -> bytes | None:
    position, size = 0, len(block)
    while position < size:
        head = block[position]
        position += 1
        if head == 0:
            continue
        identifier, end = head >> 4, position + (head & 0x0F) + 1
        if identifier == 15 or end > size:
            return None
        if identifier == wanted:
            return block[position:end]
        position = end
    return None


def _two_byte_extension(block: bytes, wanted: int) -> bytes | None:
    position, size = 0, len(block)
    while position + 1 < size:
        identifier = block[position]
        if identifier == 0:
            position += 1
            continue
        position += 2
        end = position + block[position - 1]
        if end > size:
            return None
        if identifier == wanted:
            return block[position:end]
        position = end
    return None


def audio_level(value: bytes) -> int:
    """0 (loudest) to 127 (silence), in -dBov, RFC 6464 section 3."""
    return value[0] & 0x7F


def retransmitted(packet: Packet, ssrc: int, payload_type: int) -> Packet | None:
    """The original inside an RTX packet (RFC 4588 section 4), or None for one that only probes the link."""
    if packet.media_length() < 2:
        return None
    (packet.sequence,) = _U16.unpack_from(packet.payload)
    packet.payload = packet.payload[2:]
    packet.ssrc = ssrc
    packet.payload_type = payload_type
    return packet


def rtx_payload(sequence: int, payload: bytes) -> bytes:
    """The payload of a retransmission: the original sequence number, then the original payload."""
    return _U16.pack(sequence) + payload
