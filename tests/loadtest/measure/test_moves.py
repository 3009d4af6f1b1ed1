# SPDX-License-Identifier: Apache-2.0
"""What counts of a move: the last person there, the first of a new neighbour, the silence in between."""

from __future__ import annotations

import pytest

from loadtest.measure.move import Moving
from loadtest.measure.recorder import Recorder
from loadtest.measure.senses import FirstSenses, MoveSenses
from loadtest.measure.totals import Totals
from loadtest.plan.scenario import Do


def totals_of(recorder: Recorder) -> Totals:
    """All that was recorded."""
    totals = Totals()
    totals.add(0, recorder.take())
    return totals


def test_a_split_ends_with_the_last_person() -> None:
    """Each is timed from the press; whoever arrives twice counts once."""
    recorder = Recorder()
    moving = Moving(Do.SPLIT, 10.0, [1, 2, 3], recorder)
    for person, at_s in ((1, 10.020), (2, 10.030), (2, 10.5), (3, 10.080)):
        moving.arrived(person, at_s)
    totals = totals_of(recorder)
    assert totals.summary("split_ms", 1).maximum == pytest.approx(80)
    assert totals.summary("move_ms", 1).count == 3
    assert totals.summary("moves", 1).count == 3


def test_whoever_never_arrives_is_an_error_and_no_figure() -> None:
    """A split without its last person has no time."""
    recorder = Recorder()
    moving = Moving(Do.MERGE, 0.0, [1, 2, 3], recorder)
    moving.arrived(1, 0.1)
    moving.excuse(2)
    moving.close()
    totals = totals_of(recorder)
    assert totals.errors == {"merge: somebody did not get there": 1}
    assert totals.summary("merge_ms", 1).count == 0


def test_only_a_new_neighbour_is_a_new_voice() -> None:
    """Clip 1 was there before and goes on; 2 is new; 3 was heard by mistake, but is not in the room."""
    senses = MoveSenses(5.0, heard=frozenset({1, 4}), seen=frozenset({1}), last_s=4.98)
    for clip, at_s in ((1, 4.99), (1, 5.01), (3, 5.02), (2, 5.06), (1, 5.08)):
        senses.sound(clip, at_s)
    senses.picture(2, 5.15)
    assert senses.sensed() is None
    senses.landed(frozenset({1, 2}), [5.0, 5.02, 5.04, 5.06], now_s=5.09)
    sensed = senses.sensed()
    assert sensed is not None
    assert sensed.new_voice_s == pytest.approx(0.06)
    assert sensed.new_picture_s == pytest.approx(0.15)
    assert sensed.silence_s == pytest.approx(0.04)


def silence_s(heard: list[float], spoken: list[float], *, until_s: float = 8.0, last_s: float | None = 4.99) -> float:
    """Of somebody who heard and could have heard a packet at each of these times, after a press at 5 s."""
    senses = MoveSenses(5.0, heard=frozenset({1}), seen=frozenset(), last_s=last_s)
    for at_s in heard:
        senses.sound(1, at_s)
    senses.landed(frozenset({1}), spoken, until_s)
    sensed = senses.sensed()
    assert sensed is not None
    assert sensed.silence_s is not None
    return sensed.silence_s


def steps(since_s: float, until_s: float) -> list[float]:
    """A packet each 20 ms."""
    return [since_s + number * 0.02 for number in range(round((until_s - since_s) / 0.02))]


def test_a_voice_without_a_break_is_no_silence() -> None:
    """The distance of two packets remains."""
    assert silence_s(steps(4.9, 8.0), steps(4.9, 8.0)) == pytest.approx(0.02)


def test_silence_before_the_press_is_not_the_moves() -> None:
    """A pause that ended earlier is left out; one that the press fell into counts from its beginning."""
    assert silence_s([4.9, 5.3, *steps(5.32, 8.0)], steps(4.0, 8.0), last_s=3.0) == pytest.approx(0.32, abs=0.001)


def test_the_first_packet_after_the_press_ends_a_silence() -> None:
    """Who hears nothing between the press and the move has still heard something before it."""
    assert silence_s(steps(5.2, 8.0), steps(4.9, 8.0)) == pytest.approx(0.21, abs=0.011)
    assert silence_s(steps(5.2, 8.0), steps(5.0, 8.0), last_s=None) == pytest.approx(0.2)


def test_a_silence_that_does_not_end_is_the_longest() -> None:
    """Whoever hears nobody any more would otherwise be the one with the best figure."""
    assert silence_s([5.01], steps(5.0, 8.0)) == pytest.approx(2.99, abs=0.011)


def test_a_pause_of_those_who_speak_is_not_the_moves() -> None:
    """Half a second in which nobody said anything; the first word after it was heard 40 ms late."""
    spoken = steps(5.0, 5.2) + steps(5.7, 8.0)
    heard = steps(5.005, 5.205) + steps(5.745, 8.005)
    assert silence_s(heard, spoken) == pytest.approx(0.065, abs=0.001)


def test_where_nobody_spoke_there_is_no_figure() -> None:
    """Not even if background noise was heard all the time."""
    senses = MoveSenses(5.0, heard=frozenset({1}), seen=frozenset(), last_s=4.99)
    for at_s in steps(5.0, 5.5):
        senses.sound(1, at_s)
    senses.landed(frozenset({1}), [4.5], 8.0)
    sensed = senses.sensed()
    assert sensed is not None
    assert sensed.silence_s is None


def test_a_new_connection_is_timed_by_those_who_were_there() -> None:
    """Somebody who came later says nothing about how long it took."""
    sounds: list[float] = []
    pictures: list[float] = []
    first = FirstSenses(frozenset({1}), sounds.append, pictures.append)
    for clip, at_s in ((2, 1.0), (None, 1.1), (1, 1.2), (1, 1.3)):
        first.sound(clip, at_s)
        first.picture(clip, at_s)
    assert (sounds, pictures) == ([1.2], [1.2])
