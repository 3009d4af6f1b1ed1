# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from aiortc.codecs.h264 import H264PayloadDescriptor
from hypothesis import given
from hypothesis import strategies as st

from server.media.h264 import read_h264
from server.media.rtp import MalformedPacket
from server.media.vp9 import read_vp9

IDR, SLICE, PARAMETERS, PICTURE_PARAMETERS = 0x65, 0x41, 0x67, 0x68


def vp9(
    first: int, picture_id: int | None = None, layers: int | None = None, tl0: int | None = None, rest: bytes = b""
) -> bytes:
    """A payload with the flags of RFC 9628 section 4.2 that these fields need."""
    flags = first | (0x80 if picture_id is not None else 0) | (0x20 if layers is not None else 0)
    return (
        bytes([flags])
        + (b"" if picture_id is None else (0x8000 | picture_id).to_bytes(2))
        + (b"" if layers is None else bytes([layers]))
        + (b"" if tl0 is None else bytes([tl0]))
        + rest
    )


def stap(*units: bytes) -> bytes:
    """RFC 6184 section 5.7.1."""
    return b"\x18" + b"".join(len(unit).to_bytes(2) + unit for unit in units)


@given(st.binary(max_size=24))
def test_any_payload_is_read_or_malformed(payload: bytes) -> None:
    """No input raises anything else, and what is found stands inside the payload."""
    for read in (read_vp9, read_h264):
        try:
            found = read(payload)
        except MalformedPacket:
            continue
        assert payload.startswith(found.head)
        assert max(found.picture_id_at, found.tl0_at) <= len(found.head)


@pytest.mark.parametrize(
    ("payload", "keyframe"),
    [
        (vp9(0x08, 5), True),
        (vp9(0x00, 5), False),
        (vp9(0x48, 5), False),
        (vp9(0x08, 5, 0x00, 9), True),
        (vp9(0x08, 5, 0x02, 9), False),
        (vp9(0x58, 5, 0x00, None, b"\x04"), False),
    ],
    ids=["start", "middle", "predicted", "base layer", "upper layer", "flexible"],
)
def test_a_vp9_keyframe_starts_in_its_base_layer(payload: bytes, keyframe: bool) -> None:
    """Not predicted from another picture, first packet of its frame, lowest spatial layer."""
    assert read_vp9(payload).keyframe is keyframe


@given(picture=st.integers(0, 0x7FFF), tl0=st.integers(0, 255), new=st.integers(0, 0x7FFF), new_tl0=st.integers(0, 255))
def test_vp9_ids_are_replaced(picture: int, tl0: int, new: int, new_tl0: int) -> None:
    """Picture id and TL0PICIDX change in their places, and nothing else does."""
    payload = vp9(0x0C, picture, 0x20, tl0, b"rest")
    found = read_vp9(payload)
    assert (found.picture_id, found.tl0) == (picture, tl0)
    assert found.with_ids(new, new_tl0) + payload[len(found.head) :] == vp9(0x0C, new, 0x20, new_tl0, b"rest")


def test_vp9_tells_the_height_of_its_largest_layer() -> None:
    """The scalability structure after the references, two layers of 320x180 and 640x360."""
    sizes = b"".join(value.to_bytes(2) for value in (320, 180, 640, 360))
    assert read_vp9(vp9(0x0A, 1, 0x00, 7, b"\x38" + sizes)).height == 360
    assert read_vp9(vp9(0x0A, 1, 0x00, 7, b"\x20")).height == 0
    predicted = vp9(0x5A, 1, 0x00, None, b"\x05\x02" + b"\x10" + sizes[4:])
    assert read_vp9(predicted).height == 360


@pytest.mark.parametrize(
    ("payload", "keyframe"),
    [
        (bytes([IDR, 1]), True),
        (bytes([SLICE, 1]), False),
        (stap(bytes([PARAMETERS, 1]), bytes([PICTURE_PARAMETERS]), bytes([IDR, 2])), True),
        (stap(bytes([PICTURE_PARAMETERS, 1]), bytes([SLICE, 2])), False),
        (bytes([0x7C, 0x80 | 5, 1]), True),
        (bytes([0x7C, 5, 1]), False),
        (bytes([0x7C, 0x80 | 1, 1]), False),
    ],
    ids=["idr", "slice", "parameters", "no idr", "first fragment", "later fragment", "fragment of a slice"],
)
def test_an_h264_picture_begins_with_parameters_or_idr(payload: bytes, keyframe: bool) -> None:
    """Alone, aggregated, or as the first fragment; another reader takes the payload too."""
    H264PayloadDescriptor.parse(payload)
    assert read_h264(payload).keyframe is keyframe
