# SPDX-License-Identifier: Apache-2.0
"""RTP packets as read by a forwarder: header, extensions (RFC 8285), VP8 descriptor (RFC 7741). Nothing is decoded."""

from __future__ import annotations

from struct import Struct as Layout
from typing import Final

HEADER_BYTES: Final = 12
HEADER: Final = Layout("!BBHII")
"""Version and flags, marker and payload type, sequence number, timestamp, SSRC (RFC 3550 section 5.1)."""

_ONE_BYTE: Final = 0xBEDE
_TWO_BYTE: Final = 0x1000
_U16: Final = Layout("!H")
_EXTENSION_HEADER: Final = Layout("!HH")


class MalformedPacket(ValueError):
    """The bytes are no RTP packet; nothing of them is kept."""


class Packet:
    """One received packet. `payload` still holds the padding, if the padding bit is set."""

    __slots__ = (
        "extension_profile",
        "extensions",
        "flags",
        "marker",
        "payload",
        "payload_type",
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

    def extension(self, wanted: int) -> bytes | None:
        """The value of the header extension with this id, one-byte or two-byte form."""
        if self.extension_profile == _ONE_BYTE:
            return _one_byte_extension(self.extensions, wanted)
        if self.extension_profile & 0xFFF0 == _TWO_BYTE:
            return _two_byte_extension(self.extensions, wanted)
        return None

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


class Vp8:
    """Where the continuity fields of one VP8 payload stand, RFC 7741 section 4.2. Offsets are 0 where absent."""

    __slots__ = ("keyframe", "long_picture_id", "picture_id", "picture_id_at", "tl0", "tl0_at")

    def __init__(self, payload: bytes) -> None:
        self.picture_id = self.picture_id_at = self.tl0 = self.tl0_at = 0
        self.long_picture_id = False
        try:
            self.keyframe = self._read(payload)
        except IndexError:
            raise MalformedPacket from None

    def _read(self, payload: bytes) -> bool:
        first, at = payload[0], 1
        if first & 0x80:
            present, at = payload[1], 2
            if present & 0x80:
                self.picture_id_at, self.picture_id = at, payload[at] & 0x7F
                if payload[at] & 0x80:
                    self.long_picture_id = True
                    self.picture_id = self.picture_id << 8 | payload[at + 1]
                    at += 1
                at += 1
            if present & 0x40:
                self.tl0_at, self.tl0 = at, payload[at]
                at += 1
            if present & 0x30:
                at += 1
        # Start of the first partition, and the inverse key frame bit of the VP8 frame header (RFC 6386 section 9.1).
        return first & 0x17 == 0x10 and not payload[at] & 0x01


def with_vp8_ids(payload: bytes, vp8: Vp8, picture_id: int, tl0: int) -> bytes:
    """The payload with other continuity fields, in the widths it had."""
    changed = bytearray(payload)
    if vp8.picture_id_at:
        if vp8.long_picture_id:
            _U16.pack_into(changed, vp8.picture_id_at, 0x8000 | picture_id & 0x7FFF)
        else:
            changed[vp8.picture_id_at] = picture_id & 0x7F
    if vp8.tl0_at:
        changed[vp8.tl0_at] = tl0 & 0xFF
    return bytes(changed)


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
