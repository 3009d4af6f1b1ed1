# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from loadtest.sequences import GIVE_UP_MS, Sequences


def test_gaps_are_asked_for_again_and_given_up() -> None:
    """At once, then after each wait, until nobody would wait for it any more."""
    sequences = Sequences()
    for number in (65_534, 65_535, 2):
        sequences.take(number, 0.0)
    assert sequences.due(0.0, 100.0) == [0, 1]
    assert sequences.due(50.0, 100.0) == []
    assert sequences.take(1, 60.0) == 65_537
    assert sequences.due(100.0, 100.0) == [0]
    assert sequences.due(GIVE_UP_MS + 1, 100.0) == []
    assert (sequences.expected, sequences.lost, sequences.late) == (5, 1, 1)


def test_the_same_packet_twice_counts_once() -> None:
    """Whether it is a duplicate of the network or a repair that came after all."""
    sequences = Sequences()
    assert [sequences.take(number, 0.0) for number in (5, 6, 6, 5)] == [5, 6, None, None]
    assert (sequences.received, sequences.duplicates) == (2, 2)


@given(st.permutations(range(40)), st.sets(st.integers(1, 38)))
def test_every_order_counts_the_same(order: list[int], lost: set[int]) -> None:
    """Reordering is no loss."""
    sequences = Sequences()
    for number in order:
        if number not in lost:
            sequences.take(number + 65_520 & 0xFFFF, 0.0)
    assert sequences.expected == 40
    assert sequences.lost == len(lost)
