# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.media.rtp import MalformedPacket, Packet, audio_level, retransmitted, rtx_payload
from tests.media.packets import rtp

short_extensions = st.lists(st.tuples(st.integers(1, 14), st.binary(min_size=1, max_size=16)), max_size=5)
long_extensions = st.lists(st.tuples(st.integers(1, 255), st.binary(max_size=40)), max_size=5)


@given(
    sequence=st.integers(0, 0xFFFF),
    timestamp=st.integers(0, 0xFFFFFFFF),
    ssrc=st.integers(0, 0xFFFFFFFF),
    payload_type=st.integers(0, 127),
    payload=st.binary(max_size=60),
    marker=st.booleans(),
    extensions=st.one_of(short_extensions, long_extensions),
    padding=st.integers(0, 20),
)
def test_what_was_written_is_read(
    *,
    sequence: int,
    timestamp: int,
    ssrc: int,
    payload_type: int,
    payload: bytes,
    marker: bool,
    extensions: list[tuple[int, bytes]],
    padding: int,
) -> None:
    """Header, both forms of extensions, payload and padding of any packet."""
    packet = Packet(
        rtp(
            sequence,
            timestamp=timestamp,
            ssrc=ssrc,
            payload_type=payload_type,
            payload=payload,
            marker=marker,
            extensions=extensions,
            padding=padding,
        )
    )
    assert (packet.sequence, packet.timestamp, packet.ssrc) == (sequence, timestamp, ssrc)
    assert (packet.payload_type, bool(packet.marker)) == (payload_type, marker)
    assert packet.payload[: packet.media_length()] == payload
    for wanted in range(1, 256):
        first = next((value for identifier, value in extensions if identifier == wanted), None)
        assert packet.extension(wanted) == first


@given(st.binary(max_size=80))
def test_any_bytes_are_a_packet_or_malformed(data: bytes) -> None:
    """No input raises anything but `MalformedPacket`, neither at the header nor later."""
    try:
        packet = Packet(data)
    except MalformedPacket:
        return
    packet.extension(1)
    assert 0 <= packet.media_length() <= len(packet.payload)
    retransmitted(packet, 1, 96)


def test_contributing_sources_are_skipped() -> None:
    """Two CSRCs between header and payload (RFC 3550 section 5.1)."""
    data = bytearray(rtp(payload=b"\x01" * 8 + b"rest"))
    data[0] |= 2
    assert Packet(bytes(data)).payload == b"rest"


@pytest.mark.parametrize(("value", "level"), [(b"\x80", 0), (b"\xff", 127), (b"\x2a", 42)])
def test_level_is_without_the_voice_bit(value: bytes, level: int) -> None:
    """RFC 6464 section 3: the first bit is voice activity."""
    assert audio_level(value) == level


def test_a_retransmission_gives_the_original_back() -> None:
    """RFC 4588 section 4: number in front, other SSRC and payload type; padding alone is no packet."""
    carried = Packet(rtp(9, ssrc=2001, payload_type=97, payload=rtx_payload(77, b"picture")))
    original = retransmitted(carried, 2000, 96)
    assert original is not None
    assert (original.sequence, original.ssrc, original.payload_type, original.payload) == (77, 2000, 96, b"picture")
    assert retransmitted(Packet(rtp(9, payload=b"", padding=200)), 2000, 96) is None
