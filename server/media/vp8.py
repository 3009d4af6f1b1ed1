# SPDX-License-Identifier: Apache-2.0
"""The payload descriptor of VP8 (RFC 7741 section 4.2) and the start of its frame header (RFC 6386 section 9.1)."""

from __future__ import annotations

from typing import Final

from server.media.picture import Picture
from server.media.rtp import MalformedPacket

_START_CODE: Final = b"\x9d\x01\x2a"
_HEIGHT_AT: Final = 8
_HEIGHT_MASK: Final = 0x3FFF
"""The upper two bits are for scaling by the player."""


def read_vp8(payload: bytes) -> Picture:
    """What the payload tells. Raises MalformedPacket when it ends too early."""
    picture = Picture()
    try:
        frame = _descriptor(picture, payload)
        # Start of the first partition, and the inverse key frame bit.
        picture.keyframe = payload[0] & 0x17 == 0x10 and not payload[frame] & 0x01
    except IndexError:
        raise MalformedPacket from None
    if picture.keyframe and payload[frame + 3 : frame + 6] == _START_CODE and len(payload) > frame + _HEIGHT_AT + 1:
        picture.height = int.from_bytes(payload[frame + _HEIGHT_AT : frame + _HEIGHT_AT + 2], "little") & _HEIGHT_MASK
    return picture


def _descriptor(picture: Picture, payload: bytes) -> int:
    """Read the continuity fields; returns where the frame begins."""
    if not payload[0] & 0x80:
        return 1
    present, at = payload[1], 2
    if present & 0x80:
        picture.picture_id_at, picture.picture_id = at, payload[at] & 0x7F
        if payload[at] & 0x80:
            picture.long_picture_id = True
            picture.picture_id = picture.picture_id << 8 | payload[at + 1]
            at += 1
        at += 1
    if present & 0x40:
        picture.tl0_at, picture.tl0 = at, payload[at]
        at += 1
    if picture.picture_id_at or picture.tl0_at:
        picture.head = payload[:at]
    return at + 1 if present & 0x30 else at
