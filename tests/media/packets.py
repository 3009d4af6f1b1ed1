# SPDX-License-Identifier: Apache-2.0
"""RTP packets for tests, made by aiortc: the code under test is read by another's writing."""

from __future__ import annotations

from collections.abc import Sequence

from aiortc.rtp import pack_header_extensions

from server.media.rtp import HEADER
from tests.media.offers import OPUS


def rtp(
    sequence: int = 1,
    *,
    timestamp: int = 0,
    ssrc: int = 1000,
    payload_type: int = 111,
    payload: bytes = b"voice",
    marker: bool = False,
    extensions: list[tuple[int, bytes]] | None = None,
    padding: int = 0,
) -> bytes:
    """One packet; `padding` bytes are appended the way RFC 3550 section 5.1 says."""
    profile, value = pack_header_extensions(extensions or [])
    first = 0x80 | (0x20 if padding else 0) | (0x10 if value else 0)
    head = HEADER.pack(first, (0x80 if marker else 0) | payload_type, sequence & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc)
    block = profile.to_bytes(2) + (len(value) // 4).to_bytes(2) + value if value else b""
    return head + block + payload + (bytes(padding - 1) + bytes([padding]) if padding else b"")


def vp8(
    picture_id: int = 1,
    tl0: int = 1,
    *,
    keyframe: bool = False,
    start: bool = True,
    body: bytes = b"\x00" * 20,
    bits: int = 15,
) -> bytes:
    """A VP8 payload with a picture id of 15 or 7 bits and TL0PICIDX (RFC 7741 section 4.2)."""
    written = (0x8000 | picture_id & 0x7FFF).to_bytes(2) if bits == 15 else bytes([picture_id & 0x7F])
    descriptor = bytes([0x80 | (0x10 if start else 0), 0xC0]) + written + bytes([tl0])
    return descriptor + bytes([0x00 if keyframe else 0x01]) + body


def red(*blocks: bytes, opus: int = OPUS, ages: Sequence[int] = ()) -> bytes:
    """RFC 2198 section 3: earlier blocks with their `ages` (each of the packet before) and length, then the newest."""
    *earlier, newest = blocks
    ages = ages or [960 * (len(earlier) - index) & 0x3FFF for index in range(len(earlier))]
    heads = b"".join(
        bytes([0x80 | opus]) + (age << 10 | len(block)).to_bytes(3) for age, block in zip(ages, earlier, strict=True)
    )
    return heads + bytes([opus]) + b"".join(earlier) + newest
