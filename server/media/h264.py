# SPDX-License-Identifier: Apache-2.0
"""Where a picture can begin in H.264, packetization mode 1 (RFC 6184 sections 5.4, 5.7.1, 5.8)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from server.media.picture import Picture
from server.media.rtp import MalformedPacket

_IDR, _SEQUENCE_PARAMETERS, _STAP_A, _FU_A = 5, 7, 24, 28
_TYPE: Final = 0x1F
_FRAGMENT_START: Final = 0x80
_STARTS: Final = (_IDR, _SEQUENCE_PARAMETERS)
"""Encoders for WebRTC send the parameters right before each IDR picture: then decoding begins with them."""


def read_h264(payload: bytes) -> Picture:
    """What the payload tells; H.264 has no continuity fields. Raises MalformedPacket when it ends too early."""
    picture = Picture()
    try:
        unit = payload[0] & _TYPE
        if unit == _STAP_A:
            picture.keyframe = any(inner in _STARTS for inner in _aggregated(payload))
        elif unit == _FU_A:
            picture.keyframe = bool(payload[1] & _FRAGMENT_START) and payload[1] & _TYPE in _STARTS
        else:
            picture.keyframe = unit in _STARTS
    except IndexError:
        raise MalformedPacket from None
    return picture


def _aggregated(payload: bytes) -> Iterator[int]:
    """The types of the units in a STAP-A, each after its length in two bytes."""
    at = 1
    while at < len(payload):
        size = payload[at] << 8 | payload[at + 1]
        if size == 0:
            raise MalformedPacket
        yield payload[at + 2] & _TYPE
        at += 2 + size
