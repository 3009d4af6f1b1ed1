# SPDX-License-Identifier: Apache-2.0
"""Feedback read by C says what the Python reference says, to the last bit."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.media.congestion.acknowledged import Acknowledger, AcknowledgerPort, Batch
from server.media.congestion.arrivals import Arrivals
from server.media.congestion.delay import Trend
from server.media.congestion.feedback import MalformedFeedback
from server.media.congestion.history import SendHistory
from server.media.congestion.trains import Trains
from server.media.native.feedback import CompiledAcknowledger, CompiledFeedback, CompiledTrains, CompiledTrend
from server.media.native.library import load
from server.media.native.stream import SharedHistory
from tests.media.congestion.simulation import MS, Scenario, World
from tests.media.paths import compiled_library, compiled_path

SHARED = CompiledFeedback(load(compiled_library()))

Said = str | tuple[list[int], list[int], list[int], list[int], int, int]


def said(acknowledger: AcknowledgerPort, message: bytes) -> tuple[Said, Batch | None]:
    """All that is known after one message, comparable, and the batch."""
    try:
        batch = acknowledger.read(message)
    except MalformedFeedback:
        return "malformed", None
    if batch is None:
        return "foreign", None
    arrived = [batch.arrived(index) for index in range(len(batch.numbers))]
    return (list(batch.numbers), list(batch.sent), list(batch.sizes), arrived, batch.lost, batch.judged), batch


class Twins:
    """The same packets in two histories, the same feedback to both."""

    def __init__(self, first: int) -> None:
        self.histories = SendHistory(first), SharedHistory(first)
        self.python = Acknowledger(self.histories[0])
        self.compiled = CompiledAcknowledger(SHARED, self.histories[1])
        self.trends = Trend(), CompiledTrend(SHARED)
        self.trains = Trains(), CompiledTrains(SHARED)

    def send(self, size: int | None, now_ns: int) -> int:
        """One number, and its packet unless that was refused (None)."""
        (number, _) = [history.next() for history in self.histories]
        if size is not None:
            for history in self.histories:
                history.sent(number, size, now_ns)
        return number

    def check(self, message: bytes) -> str:
        """Both say the same, follow the same trend, and leave the same memory."""
        expected, batch = said(self.python, message)
        found, compiled = said(self.compiled, message)
        assert found == expected
        assert self.histories[0].times == list(self.histories[1].times)
        if batch is not None and compiled is not None and len(batch.sent):
            python, native = self.trends
            assert native.follow(compiled) is python.follow(batch)
            assert native.least_ns == python.least_ns
            assert compiled.wire_bytes() == batch.wire_bytes()
            assert self.trains[1].add(compiled) == self.trains[0].add(batch)
        return expected if isinstance(expected, str) else "read"


@settings(max_examples=150, deadline=None)
@given(
    first=st.sampled_from([1, 2_040, 65_300, 10_000_000]),
    fates=st.lists(
        st.tuples(
            st.sampled_from(["comes", "comes", "comes", "lost", "late", "refused"]),
            st.integers(0, 30),
            st.one_of(st.integers(20, 40), st.integers(0, 900)),
        ),
        min_size=1,
        max_size=400,
    ),
    cut=st.integers(1, 90),
)
def test_feedback_is_read_alike(first: int, fates: list[tuple[str, int, int]], cut: int) -> None:
    """Whatever was sent, lost, late or refused, over every wrap, and said twice."""
    twins, arrivals = Twins(first), Arrivals()
    now_ms, late, told = 100_000, [], 0
    for index, (fate, later_ms, delay_ms) in enumerate(fates):
        now_ms += later_ms
        number = twins.send(None if fate == "refused" else 60 + index, now_ms * MS)
        if fate == "comes":
            arrivals.record(number & 0xFFFF, (now_ms + delay_ms) * MS)
        if fate == "late":
            late.append(number)
        if index % cut == cut - 1 or index == len(fates) - 1:
            for message in arrivals.feedback(1, 2):
                told += twins.check(message) == "read"
                twins.check(message)
            for number_late in late:
                arrivals.record(number_late & 0xFFFF, (now_ms + 900) * MS)
            late = []
    assert told or not any(fate == "comes" for fate, _, _ in fates)


@settings(max_examples=400, deadline=None)
@given(chunks=st.binary(max_size=80), count=st.integers(0, 9_000), head=st.binary(min_size=4, max_size=4))
def test_rubbish_is_refused_alike(chunks: bytes, count: int, head: bytes) -> None:
    """Any chunks and deltas behind a right header, cut short, or behind a wrong one."""
    twins = Twins(60_000)
    base = [twins.send(100, 5 * index * MS) for index in range(3_000)][-1_500]
    body = base.to_bytes(3)[1:] + count.to_bytes(2) + b"\x00\x01\x00\x01" + chunks
    padded = bytes(8) + body + bytes(-len(body) % 4)
    length = (len(padded) // 4).to_bytes(2)
    twins.check(b"\x8f\xcd" + length + padded)
    twins.check(b"\xaf\xcd" + length + padded)
    twins.check(head + padded)
    twins.check(b"\x8f\xcd" + length + padded[:-1])
    twins.check(b"")


def test_foreign_and_wrapped_messages_are_read_alike() -> None:
    """A message of the future, of long ago, and one whose reference time wrapped."""
    twins, arrivals = Twins(1), Arrivals()
    for index in range(3_000):
        twins.send(100, index * MS)
    for number in (2_990, 2_999, 5, 3_010, 3_000):
        arrivals.record(number, (1 << 24) * 64 * MS - 3 * MS + number)
        (message, *_) = arrivals.feedback(1, 2)
        twins.check(message)
    (before, after) = twins.send(100, 0), twins.send(100, 0)
    wrapping = Arrivals()
    wrapping.record(before & 0xFFFF, (1 << 24) * 64 * MS - MS)
    twins.check(wrapping.feedback(1, 2)[0])
    wrapping.record(after & 0xFFFF, (1 << 24) * 64 * MS + MS)
    assert twins.check(wrapping.feedback(1, 2)[0]) == "read"


@pytest.mark.parametrize("step", [0x7FFFFF, -0x7FFFFF])
def test_a_clock_that_leaps_without_end_is_read_alike(step: int) -> None:
    """Each message half a cycle of the reference time from the one before: what adds up fits 64 bits in ns, too."""
    twins, reference = Twins(1), 0
    for index in range(18_000):
        number = twins.send(100, (index + 1) * MS)
        body = number.to_bytes(8)[-2:] + b"\x00\x01" + reference.to_bytes(3) + b"\x00" + b"\x20\x01\x04\x00"
        reference = reference + step & 0xFFFFFF
        message = b"\x8f\xcd\x00\x05" + bytes(8) + body
        if index % 200:
            for acknowledger in (twins.python, twins.compiled):
                assert acknowledger.read(message) is not None
        else:
            assert twins.check(message) == "read"


@pytest.mark.parametrize("stalls_ms", [0, 250])
def test_estimates_are_the_same(stalls_ms: int) -> None:
    """A link that loses, jitters and gets narrow, and a receiver that sleeps: the same target at every moment."""

    def rate(at_s: float) -> float:
        return 3e6 if at_s < 5 else 6e5

    scenario = Scenario(rate, loss=0.02, jitter_ms=4, rtt_ms=80, seconds=12, stalls_ms=stalls_ms)
    reference, world = World(scenario), World(scenario)
    path = compiled_path()
    world.history = SharedHistory(first=world.history.state[0])
    world.estimator = path.estimator(world.history)
    assert world.run().target == reference.run().target
