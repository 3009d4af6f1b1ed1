# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from server.media.holes import (
    HOPEFUL,
    LONGEST_RETRY_MS,
    MAX_NACKS,
    NACK_AGE,
    NACK_ATTEMPTS,
    NACK_RETRY_MS,
    PATIENCE,
    REPAIR_SHARE,
    Holes,
)

MANY = 10_000
"""Packets received: as many requests as there may be."""

RTT_MS = 20.0


def test_each_is_asked_for_a_few_times_with_growing_patience() -> None:
    """At once, then after 70, 140 and 280 ms, and then no more."""
    holes = Holes()
    holes.skipped(65_535, 65_537)
    assert holes.fresh
    asked = [now_ms for now_ms in range(0, 5_000, 10) if holes.due(65_537, now_ms, MANY, RTT_MS) == [65_535, 0]]
    assert not holes.open
    assert asked == [0, NACK_RETRY_MS, 3 * NACK_RETRY_MS, 7 * NACK_RETRY_MS]
    assert len(asked) == NACK_ATTEMPTS


def test_what_was_asked_for_in_vain_is_asked_for_anew() -> None:
    """Requests went to an address that is left: on the new one nothing of them counts."""
    holes = Holes()
    holes.skipped(10, 30)
    while holes.due(30, 0, 0, RTT_MS) or holes.due(30, NACK_RETRY_MS, 0, RTT_MS):
        holes.fresh = False
    assert holes.hopeless(0)
    holes.again()
    assert holes.fresh
    assert not holes.hopeless(0)
    assert holes.due(30, NACK_RETRY_MS, 0, RTT_MS) == list(range(10, 30))
    whole = Holes()
    whole.again()
    assert not whole.fresh


def test_what_came_is_asked_for_no_more() -> None:
    """Late or sent again: it is no hole."""
    holes = Holes()
    holes.skipped(10, 13)
    assert holes.due(13, 0, MANY, RTT_MS) == [10, 11, 12]
    holes.filled(11)
    holes.filled(99)
    assert holes.due(13, NACK_RETRY_MS, MANY, RTT_MS) == [10, 12]


def test_of_a_burst_the_newest_are_asked_for() -> None:
    """Of a long gap only a part is worth asking for."""
    holes = Holes()
    holes.skipped(0, 5_000)
    assert holes.due(5_000, 0, MANY, RTT_MS) == list(range(5_000 - MAX_NACKS, 5_000))


def test_what_is_long_past_is_let_go() -> None:
    """A packet that nobody plays any more is not asked for again."""
    holes = Holes()
    holes.skipped(10, 11)
    assert holes.due(11 + NACK_AGE, 0, MANY, RTT_MS) == []
    holes.skipped(20, 21)
    holes.skipped(21 + NACK_AGE, 22 + NACK_AGE)
    assert holes.due(22 + NACK_AGE, 0, MANY, RTT_MS) == [21 + NACK_AGE]


@given(st.lists(st.tuples(st.integers(1, 400), st.integers(0, 100), st.booleans()), max_size=60))
def test_it_stays_small(gaps: list[tuple[int, int, bool]]) -> None:
    """Whatever is lost and whenever one asks: what is kept, asked at once, and asked in all is bounded."""
    holes, newest, now_ms, asked = Holes(), 0, 0, 0
    for gap, wait_ms, ask in gaps:
        holes.skipped(newest + 1, newest + gap)
        newest += gap
        now_ms += wait_ms
        due = holes.due(newest, now_ms, newest, RTT_MS) if ask else []
        asked += len(due)
        assert len(due) <= MAX_NACKS
        assert len(holes._due_ms) == len(holes._attempts) <= NACK_AGE + MAX_NACKS  # noqa: SLF001
    assert asked <= NACK_ATTEMPTS * newest


def test_an_answer_that_may_be_on_its_way_is_waited_for() -> None:
    """The second request comes after a round trip and a bit, but after a second at the latest."""
    for rtt_ms, retry_ms in ((10.0, NACK_RETRY_MS), (400.0, int(PATIENCE * 400)), (5_000.0, LONGEST_RETRY_MS)):
        holes = Holes()
        holes.skipped(10, 11)
        assert holes.due(11, 0, MANY, rtt_ms) == [10]
        assert holes.due(11, retry_ms - 1, MANY, rtt_ms) == []
        assert holes.due(11, retry_ms, MANY, rtt_ms) == [10]


def test_repairs_take_only_a_share_of_what_comes() -> None:
    """Half of everything is lost for a long time: after a first burst only some of the newest are asked for."""
    holes, asked = Holes(), 0
    for newest in range(2, 4_000, 2):
        holes.skipped(newest - 1, newest)
        due = holes.due(newest, 10 * newest, newest // 2, RTT_MS)
        assert all(number > newest - NACK_AGE for number in due)
        asked += len(due)
    assert REPAIR_SHARE * 1_900 < asked <= MAX_NACKS + REPAIR_SHARE * 2_000


def test_more_than_may_be_asked_for_is_hopeless() -> None:
    """From then on until so much has come that there is room for a good part of a burst again."""
    holes = Holes()
    holes.skipped(0, MAX_NACKS)
    holes.due(MAX_NACKS, 0, 0, RTT_MS)
    assert not holes.hopeless(0)
    holes.skipped(MAX_NACKS + 1, MAX_NACKS + 2)
    holes.due(MAX_NACKS + 2, 0, 1, RTT_MS)
    assert holes.hopeless(1)
    enough = int(HOPEFUL / REPAIR_SHARE)
    assert holes.hopeless(enough - 1)
    assert not holes.hopeless(enough)
    assert not holes.hopeless(enough)
