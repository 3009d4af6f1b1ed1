# SPDX-License-Identifier: Apache-2.0
"""Transport-wide feedback, against the server's own reader and builder: two hands, one draft."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.transport_cc import Arrivals, read_feedback
from server.media.congestion.arrivals import Arrivals as ServerArrivals
from server.media.congestion.feedback import parse

MS = 1_000_000


@given(
    first=st.integers(0, 0xFFFF),
    steps=st.lists(st.tuples(st.integers(1, 40), st.integers(0, 300 * MS)), min_size=1, max_size=200),
)
def test_what_is_built_is_read_again(first: int, steps: list[tuple[int, int]]) -> None:
    """Numbers and the times between arrivals survive, to the tick of 0.25 ms; what lies between is told as absent."""
    arrivals, number, now_ns = Arrivals(), first, 5_000 * MS
    came = {}
    for ahead, gap in steps:
        arrivals.record(number & 0xFFFF, now_ns)
        came[number & 0xFFFF] = now_ns
        number, now_ns = number + ahead, now_ns + gap
    told: list[tuple[int, int | None]] = []
    while message := arrivals.feedback(1, 2):
        assert len(message) % 4 == 0
        told += read_feedback(message)
        assert [number for number, _ in parse(message).arrivals()] == [number for number, _ in read_feedback(message)]
    here = {number: when for number, when in told if when is not None}
    assert set(here) == set(came)
    assert all(abs(here[number] - came[number]) < MS for number in came)
    assert len(told) == (max(number for number, _ in enumerate(told)) + 1)


@given(steps=st.lists(st.tuples(st.integers(1, 30), st.integers(0, 90 * MS)), min_size=1, max_size=300))
def test_the_servers_feedback_is_understood(steps: list[tuple[int, int]]) -> None:
    """What the server builds of the same arrivals says the same."""
    arrivals, number, now_ns, came = ServerArrivals(), 100, 5_000 * MS, {}
    for ahead, gap in steps:
        arrivals.record(number & 0xFFFF, now_ns)
        came[number & 0xFFFF] = now_ns
        number, now_ns = number + ahead, now_ns + gap
    told = [item for message in arrivals.feedback(1, 2) for item in read_feedback(message)]
    here = {number: when for number, when in told if when is not None}
    assert set(here) == set(came)
    first = min(came)
    for number, when in here.items():
        assert abs((when - here[first]) - (came[number] - came[first])) < MS


def test_nothing_new_is_no_message() -> None:
    """Before the first packet and between two."""
    arrivals = Arrivals()
    assert arrivals.feedback(1, 2) == b""
    arrivals.record(7, MS)
    assert arrivals.feedback(1, 2)
    arrivals.record(7, 2 * MS)
    assert arrivals.feedback(1, 2) == b""


@pytest.mark.parametrize("data", [b"", bytes(12), b"\x8f\xcd\0\x05" + bytes(8) + b"\0\1\0\x64" + bytes(8)])
def test_broken_feedback_is_refused(data: bytes) -> None:
    """A message that promises more than it has."""
    with pytest.raises(ValueError, match=r"short|fewer"):
        read_feedback(data)
