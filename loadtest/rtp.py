# SPDX-License-Identifier: Apache-2.0
"""RTP packets as bytes: numbers of our offer, header extensions, and reading what came. Pure."""

from __future__ import annotations

import struct
from struct import Struct as Layout
from typing import Final, NamedTuple

LEVEL_ID: Final = 1
TRANSPORT_ID: Final = 3
MID_ID: Final = 4
RID_ID: Final = 10
REPAIRED_RID_ID: Final = 11

AUDIO_PAYLOAD_TYPE: Final = 111
RED_PAYLOAD_TYPE: Final = 63
VIDEO_PAYLOAD_TYPE: Final = 96
RTX_PAYLOAD_TYPE: Final = 97
VIDEO_CLOCK_RATE: Final = 90_000

HEADER: Final = Layout("!BBHII")
MARKER: Final = 0x80
WITH_EXTENSION: Final = 0x90
_PADDING: Final = 0x20
_EXTENSION: Final = 0x10
_NUMBER_AT: Final = 16
"""Where the transport-wide number is in what we send: the first element of the extension."""
_ROOM_FOR_NUMBER: Final = b"\0\0\0"
_NUMBER: Final = Layout("!BH")


class Packet(NamedTuple):
    """What a receiver needs of one packet; `number` is the transport-wide one, if it has one."""

    payload_type: int
    marker: bool
    sequence: int
    timestamp: int
    ssrc: int
    number: int | None
    payload: bytes


class NotRtp(ValueError):
    """The bytes are no RTP packet."""


def extension_block(*elements: tuple[int, bytes]) -> bytes:
    """Elements in the one-byte form of RFC 8285 section 4.2, with room for a transport-wide number before them."""
    body = _ROOM_FOR_NUMBER
    for identifier, value in elements:
        body += bytes([identifier << 4 | len(value) - 1]) + value
    body += bytes(-len(body) % 4)
    return b"\xbe\xde" + (len(body) // 4).to_bytes(2, "big") + body


def numbered(data: bytes, number: int) -> bytes:
    """The same packet with its transport-wide sequence number; without one the room for it is padding."""
    element = _NUMBER.pack(TRANSPORT_ID << 4 | 1, number & 0xFFFF)
    return data[:_NUMBER_AT] + element + data[_NUMBER_AT + 3 :]


def read_packet(data: bytes) -> Packet:
    """Parse a packet (RFC 3550 section 5.1). Raises NotRtp."""
    try:
        first, second, sequence, timestamp, ssrc = HEADER.unpack_from(data)
        start, number = 12 + 4 * (first & 0x0F), None
        if first & _EXTENSION:
            words = int.from_bytes(data[start + 2 : start + 4], "big")
            number = _number(data, start + 4, start + 4 + 4 * words)
            start += 4 + 4 * words
        end = len(data) - (data[-1] if first & _PADDING else 0)
    except (struct.error, IndexError) as error:
        raise NotRtp from error
    if first >> 6 != 2 or start > len(data):
        raise NotRtp
    return Packet(second & 0x7F, bool(second & MARKER), sequence, timestamp, ssrc, number, data[start:end])


def _number(data: bytes, at: int, end: int) -> int | None:
    while at < end and data[at] >> 4 != TRANSPORT_ID:
        at += 2 + (data[at] & 0x0F) if data[at] else 1
    return int.from_bytes(data[at + 1 : at + 3], "big") if at < end else None


def read_red(payload: bytes) -> tuple[tuple[int, ...], bytes]:
    """Redundant audio (RFC 2198 section 3): how far back the copies are, in samples, and the sound of now.

    Raises NotRtp.
    """
    offsets, at, behind = [], 0, 0
    while at + 4 <= len(payload) and payload[at] & 0x80:
        block = int.from_bytes(payload[at + 1 : at + 4], "big")
        offsets.append(block >> 10)
        behind += block & 0x3FF
        at += 4
    if at + 1 + behind > len(payload):
        raise NotRtp
    return tuple(offsets), payload[at + 1 + behind :]


class Unwrapped:
    """Numbers of `bits` bits that go on beyond their end: the nearest to the one before (RFC 3711 section 3.3.1)."""

    __slots__ = ("_half", "_last", "_mask")

    def __init__(self, bits: int = 16) -> None:
        self._mask = (1 << bits) - 1
        self._half = 1 << bits - 1
        self._last: int | None = None

    def __call__(self, value: int) -> int:
        if self._last is None:
            self._last = value
        ahead = (value - self._last + self._half & self._mask) - self._half
        self._last += ahead
        return self._last
