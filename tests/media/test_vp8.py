# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from aiortc.codecs.vpx import VpxPayloadDescriptor
from hypothesis import given
from hypothesis import strategies as st

from server.media.rtp import MalformedPacket
from server.media.vp8 import read_vp8
from tests.media.packets import vp8


@given(st.binary(max_size=12))
def test_any_payload_is_vp8_or_malformed(payload: bytes) -> None:
    """A descriptor that runs out of bytes is malformed; one that is read points inside the payload."""
    try:
        found = read_vp8(payload)
    except MalformedPacket:
        return
    assert max(found.picture_id_at, found.tl0_at) <= len(found.head) <= len(payload)
    assert payload.startswith(found.head)


@pytest.mark.parametrize(
    ("keyframe", "start", "expected"), [(True, True, True), (False, True, False), (True, False, False)]
)
def test_only_the_first_packet_of_a_keyframe_starts_one(keyframe: bool, start: bool, expected: bool) -> None:
    """The start bit of the descriptor and the frame header together."""
    assert read_vp8(vp8(keyframe=keyframe, start=start)).keyframe is expected


@given(picture=st.integers(0, 0x7FFF), tl0=st.integers(0, 255), new=st.integers(0, 0x7FFF), new_tl0=st.integers(0, 255))
def test_new_ids_are_read_by_another_stack(picture: int, tl0: int, new: int, new_tl0: int) -> None:
    """Picture id and TL0PICIDX are replaced, everything else stays."""
    payload = vp8(picture, tl0, keyframe=True)
    found = read_vp8(payload)
    changed = found.with_ids(new, new_tl0) + payload[len(found.head) :]
    descriptor, rest = VpxPayloadDescriptor.parse(changed)
    assert (descriptor.picture_id, descriptor.tl0picidx) == (new, new_tl0)
    assert rest == VpxPayloadDescriptor.parse(payload)[1]


def test_a_short_picture_id_stays_short() -> None:
    """Seven bits in, seven bits out."""
    payload = bytes([0x90, 0x80, 0x05, 0x00])
    assert read_vp8(payload).with_ids(0x1FF, 0) == bytes([0x90, 0x80, 0x7F])


def test_a_keyframe_tells_its_height() -> None:
    """RFC 6386 section 9.1: 14 bits after start code and width, the scaling above them left out."""
    frame = b"\x10\x02\x00\x9d\x01\x2a" + (640).to_bytes(2, "little") + (0x4000 | 360).to_bytes(2, "little")
    descriptor = vp8(keyframe=True, body=b"")[:5]
    assert read_vp8(descriptor + frame).height == 360
    assert read_vp8(descriptor + frame[:-1]).height == 0
    assert read_vp8(descriptor + frame.replace(b"\x9d", b"\x9e")).height == 0
