# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.media.congestion.feedback import MAX_STATUSES, MalformedFeedback, parse


def packet(base: int, count: int, body: bytes, reference: int = 3) -> bytes:
    """A message with this reference time, padded with zeros as the draft has it."""
    body += bytes(-len(body) % 4)
    return struct.pack("!BBHIIHHI", 0x8F, 205, 4 + len(body) // 4, 1, 2, base, count, reference << 8 | 7) + body


def test_recorded_shapes() -> None:
    """The three kinds of chunks, as the draft draws them."""
    run = packet(5, 3, struct.pack("!H", 0x2003) + bytes((4, 8, 0)))
    assert parse(run).arrivals() == [(5, 193_000), (6, 195_000), (7, 195_000)]
    one_bit = packet(65_535, 14, struct.pack("!H", 0x8000 | 0b10000000000001) + bytes((0, 1)))
    assert [at for _, at in parse(one_bit).arrivals()] == [192_000, *[None] * 12, 192_250]
    two_bit = packet(0, 7, struct.pack("!H", 0xC000 | 0b10_00_01_00_00_00_10) + struct.pack("!hBh", -4, 2, 2000))
    assert [at for _, at in parse(two_bit).arrivals()] == [191_000, None, 191_500, None, None, None, 691_500]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        packet(1, 0, b""),
        packet(1, 1, b""),
        packet(1, 9, struct.pack("!H", 0x2009)),
        packet(1, 1, struct.pack("!H", 0x6001)),
        packet(1, MAX_STATUSES + 1, struct.pack("!H", 0x1FFF) * 2),
        packet(1, 2, struct.pack("!HB", 0x2002, 1))[:-1],
        b"\xaf" + packet(1, 1, struct.pack("!HBB", 0x2001, 1, 99))[1:],
    ],
    ids=["empty", "no packets", "no chunk", "deltas cut", "reserved", "too many", "length", "padding"],
)
def test_malformed_is_refused(data: bytes) -> None:
    """What is cut short, reserved or beyond the bounds raises the one error."""
    with pytest.raises(MalformedFeedback):
        parse(data)


@settings(max_examples=300, deadline=None)
@given(body=st.binary(max_size=200), count=st.integers(0, 0xFFFF))
def test_junk_never_does_more_than_raise(body: bytes, count: int) -> None:
    """Any bytes give a consistent message or the one error."""
    try:
        message = parse(packet(1, count, body))
    except MalformedFeedback:
        return
    assert len(message.symbols) == count
    assert len(message.ticks) == sum(1 for symbol in message.symbols if symbol)


@given(deltas=st.binary(min_size=2, max_size=300), cut=st.integers(1, 299), padding=st.integers(0, 3))
def test_one_run_says_the_same_as_two(deltas: bytes, cut: int, padding: int) -> None:
    """Most messages are one run of packets that came: a short way for those, and the same answer."""
    count, first = len(deltas), min(cut, len(deltas) - 1)
    one = packet(65_500, count, struct.pack("!H", 0x2000 | count) + deltas + bytes(4 * padding))
    two = packet(65_500, count, struct.pack("!HH", 0x2000 | first, 0x2000 | count - first) + deltas)
    assert parse(one).arrivals() == parse(two).arrivals()
    assert parse(one).symbols == parse(two).symbols == [1] * count


def test_a_run_that_looks_like_one_of_all_is_read_as_it_is() -> None:
    """The count of a message has more bits than that of a run."""
    said = packet(0, MAX_STATUSES, struct.pack("!H", 0x2000) + bytes(2 * MAX_STATUSES))
    with pytest.raises(MalformedFeedback):
        parse(said)
