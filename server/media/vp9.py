# SPDX-License-Identifier: Apache-2.0
"""The payload descriptor of VP9 (RFC 9628 section 4.2)."""

from __future__ import annotations

from typing import Final

from server.media.picture import Picture
from server.media.rtp import MalformedPacket

_PICTURE_ID, _PREDICTED, _LAYERS, _FLEXIBLE = 0x80, 0x40, 0x20, 0x10
_FRAME_START, _STRUCTURE = 0x08, 0x02
_SPATIAL: Final = 0x0E
_MAX_REFERENCES: Final = 3


def read_vp9(payload: bytes) -> Picture:
    """What the payload tells. Raises MalformedPacket when it ends too early."""
    picture = Picture()
    try:
        first, at = payload[0], 1
        if first & _PICTURE_ID:
            at = _picture_id(picture, payload)
        base = True
        if first & _LAYERS:
            base = not payload[at] & _SPATIAL
            at += 1
            if not first & _FLEXIBLE:
                picture.tl0_at, picture.tl0 = at, payload[at]
                at += 1
        if picture.picture_id_at or picture.tl0_at:
            picture.head = payload[:at]
        if first & _FLEXIBLE and first & _PREDICTED:
            at = _after_references(payload, at)
        picture.keyframe = base and first & (_PREDICTED | _FRAME_START) == _FRAME_START
        if first & _STRUCTURE:
            picture.height = _height(payload, at)
    except IndexError:
        raise MalformedPacket from None
    return picture


def _picture_id(picture: Picture, payload: bytes) -> int:
    picture.picture_id_at, picture.picture_id = 1, payload[1] & 0x7F
    if not payload[1] & 0x80:
        return 2
    picture.long_picture_id = True
    picture.picture_id = picture.picture_id << 8 | payload[2]
    return 3


def _after_references(payload: bytes, at: int) -> int:
    """Differences to the pictures that are referred to: the last bit says whether another one follows."""
    for _ in range(_MAX_REFERENCES):
        at += 1
        if not payload[at - 1] & 0x01:
            break
    return at


def _height(payload: bytes, at: int) -> int:
    """Of the largest spatial layer, if the scalability structure tells sizes."""
    layers = (payload[at] >> 5) + 1
    if not payload[at] & 0x10:
        return 0
    last = at + 1 + 4 * (layers - 1)
    return payload[last + 2] << 8 | payload[last + 3]
