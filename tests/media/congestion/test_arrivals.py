# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import time

from hypothesis import given, settings
from hypothesis import strategies as st

from server.media.congestion.arrivals import MAX_BYTES, MAX_GAP, MAX_PENDING, Arrivals
from server.media.congestion.feedback import TICK_NS, Feedback, parse

MS = 1_000_000


def told(arrivals: Arrivals) -> list[Feedback]:
    """The feedback due now, read back; every message within its bounds."""
    messages = arrivals.feedback(1, 2)
    assert all(len(message) <= MAX_BYTES and not len(message) % 4 for message in messages)
    return [parse(message) for message in messages]


def statuses(messages: list[Feedback]) -> list[tuple[int, int | None]]:
    """What all messages say, in order."""
    return [status for message in messages for status in message.arrivals()]


def test_loss_between_packets_is_told() -> None:
    """Numbers that were skipped are in the message as lost, across the wrap."""
    arrivals = Arrivals()
    for number in (65_534, 65_535, 1):
        arrivals.record(number, 128 * MS)
    (message,) = told(arrivals)
    assert message.arrivals() == [(65_534, 128_000), (65_535, 128_000), (0, None), (1, 128_000)]


def test_loss_between_messages_is_told() -> None:
    """A message begins where the one before ended."""
    arrivals = Arrivals()
    arrivals.record(10, 64 * MS)
    assert statuses(told(arrivals)) == [(10, 64_000)]
    arrivals.record(13, 65 * MS)
    assert statuses(told(arrivals)) == [(11, None), (12, None), (13, 65_000)]
    assert told(arrivals) == []


def test_late_packet_is_told_alone() -> None:
    """A packet that comes after it was told as lost is corrected, and no other is told a second time."""
    arrivals = Arrivals()
    for number in (1, 2, 6):
        arrivals.record(number, 64 * MS)
    told(arrivals)
    arrivals.record(4, 70 * MS)
    arrivals.record(7, 71 * MS)
    assert statuses(told(arrivals)) == [(4, 70_000), (7, 71_000)]


def test_first_packets_out_of_order() -> None:
    """The lowest number of the first feedback is its base."""
    arrivals = Arrivals()
    arrivals.record(2, 64 * MS)
    arrivals.record(65_535, 65 * MS)
    assert statuses(told(arrivals)) == [(65_535, 65_000), (0, None), (1, None), (2, 64_000)]


def test_first_of_duplicates_counts() -> None:
    """A copy that comes later does not move the time."""
    arrivals = Arrivals()
    arrivals.record(5, 64 * MS)
    arrivals.record(5, 99 * MS)
    assert statuses(told(arrivals)) == [(5, 64_000)]


def test_long_gap_is_left_out() -> None:
    """After a leap of the numbers the message starts anew, and is short."""
    arrivals = Arrivals()
    arrivals.record(0, 64 * MS)
    arrivals.record(MAX_GAP + 10, 64 * MS)
    assert statuses(told(arrivals)) == [(0, 64_000), (MAX_GAP + 10, 64_000)]


def test_long_silence_starts_a_new_message() -> None:
    """A delta that 16 bits cannot hold goes into a message with a reference time of its own."""
    arrivals = Arrivals()
    arrivals.record(1, 64 * MS)
    arrivals.record(2, 20_064 * MS)
    messages = told(arrivals)
    assert len(messages) == 2
    assert statuses(messages) == [(1, 64_000), (2, 20_064_000)]


def test_flood_is_bounded() -> None:
    """However much comes, memory and messages stay small."""
    arrivals = Arrivals()
    for number in range(30_000):
        arrivals.record(number * 2 & 0xFFFF, number * MS)
    messages = told(arrivals)
    assert sum(len(message.ticks) for message in messages) <= MAX_PENDING
    assert len(messages) <= 32


def cost_ns(step: int) -> int:
    """Of the feedback about eight packets whose numbers are so far apart, at best."""
    arrivals = Arrivals()
    costs = []
    for number in range(0, 8 * step * 30, 8 * step):
        for index in range(8):
            arrivals.record(number + index * step & 0xFFFF, 64 * MS)
        before = time.perf_counter_ns()
        arrivals.feedback(1, 2)
        costs.append(time.perf_counter_ns() - before)
    return min(costs)


def test_leaping_numbers_cost_no_time() -> None:
    """A hole costs the same however long it is: whoever leaps on purpose keeps nobody waiting."""
    assert cost_ns(4_000) < 20 * cost_ns(3)


gaps = st.lists(
    st.tuples(
        st.one_of(st.integers(1, 3), st.integers(1, 300)), st.one_of(st.integers(0, 40), st.integers(-900, 9_000))
    ),
    min_size=1,
    max_size=400,
)


@settings(max_examples=150, deadline=None)
@given(first=st.integers(0, 0xFFFF), steps=gaps, cuts=st.sets(st.integers(0, 400), max_size=6))
def test_round_trip(first: int, steps: list[tuple[int, int]], cuts: set[int]) -> None:
    """Parsing what was built gives every packet once, received ones with their time, the others as lost."""
    arrivals = Arrivals()
    expected: list[tuple[int, int | None]] = []
    got: list[tuple[int, int | None]] = []
    number, tick = first, 1_000_000
    for index, (ahead, later) in enumerate(steps):
        expected += [(lost & 0xFFFF, None) for lost in range(number + 1, number + ahead)] if index else []
        number, tick = number + (ahead if index else 0), max(0, tick + later)
        arrivals.record(number & 0xFFFF, tick * TICK_NS + 99)
        expected.append((number & 0xFFFF, tick * TICK_NS // 1000))
        if index in cuts:
            got += statuses(told(arrivals))
    got += statuses(told(arrivals))
    assert got == expected


@settings(max_examples=100, deadline=None)
@given(order=st.permutations(range(60)), cuts=st.sets(st.integers(0, 59), max_size=5))
def test_any_order_is_told_once(order: list[int], cuts: set[int]) -> None:
    """Whatever the order and the cuts, each packet that came is told as received exactly once."""
    arrivals = Arrivals()
    received: list[int] = []
    for index, number in enumerate(order):
        arrivals.record(65_500 + number & 0xFFFF, (64 + index) * MS)
        if index in cuts or index == 59:
            received += [number for number, at in statuses(told(arrivals)) if at is not None]
    assert len(received) == len(set(received))
    if not cuts - {59}:
        assert len(received) == 60
