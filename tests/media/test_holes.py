# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from server.media.holes import MAX_NACKS, NACK_AGE, NACK_ATTEMPTS, NACK_RETRY_MS, Holes


def test_each_is_asked_for_a_few_times_with_growing_patience() -> None:
    """At once, then after 70, 140 and 280 ms, and then no more."""
    holes = Holes()
    holes.skipped(65_535, 65_537)
    assert holes.fresh
    asked = [now_ms for now_ms in range(0, 5_000, 10) if holes.due(65_537, now_ms) == [65_535, 0]]
    assert not holes.open
    assert asked == [0, NACK_RETRY_MS, 3 * NACK_RETRY_MS, 7 * NACK_RETRY_MS]
    assert len(asked) == NACK_ATTEMPTS


def test_what_came_is_asked_for_no_more() -> None:
    """Late or sent again: it is no hole."""
    holes = Holes()
    holes.skipped(10, 13)
    assert holes.due(13, 0) == [10, 11, 12]
    holes.filled(11)
    holes.filled(99)
    assert holes.due(13, NACK_RETRY_MS) == [10, 12]


def test_of_a_burst_the_newest_are_asked_for() -> None:
    """Of a long gap only a part is worth asking for."""
    holes = Holes()
    holes.skipped(0, 5_000)
    assert holes.due(5_000, 0) == list(range(5_000 - MAX_NACKS, 5_000))


def test_what_is_long_past_is_let_go() -> None:
    """A packet that nobody plays any more is not asked for again."""
    holes = Holes()
    holes.skipped(10, 11)
    assert holes.due(11 + NACK_AGE, 0) == []
    holes.skipped(20, 21)
    holes.skipped(21 + NACK_AGE, 22 + NACK_AGE)
    assert holes.due(22 + NACK_AGE, 0) == [21 + NACK_AGE]


@given(st.lists(st.tuples(st.integers(1, 400), st.integers(0, 100), st.booleans()), max_size=60))
def test_it_stays_small(gaps: list[tuple[int, int, bool]]) -> None:
    """Whatever is lost and whenever one asks: what is kept, asked at once, and asked in all is bounded."""
    holes, newest, now_ms, asked = Holes(), 0, 0, 0
    for gap, wait_ms, ask in gaps:
        holes.skipped(newest + 1, newest + gap)
        newest += gap
        now_ms += wait_ms
        due = holes.due(newest, now_ms) if ask else []
        asked += len(due)
        assert len(due) <= MAX_NACKS
        assert len(holes._due_ms) == len(holes._attempts) <= NACK_AGE + MAX_NACKS  # noqa: SLF001
    assert asked <= NACK_ATTEMPTS * newest
