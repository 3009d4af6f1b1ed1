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
    senses = MoveSenses(5.0, heard=frozenset({1, 4}), seen=frozenset({1}))
    for clip, at_s in ((1, 4.99), (1, 5.01), (3, 5.02), (2, 5.06), (1, 5.08)):
        senses.sound(clip, at_s)
    senses.picture(2, 5.15)
    assert senses.sensed() is None
    senses.landed(frozenset({1, 2}))
    sensed = senses.sensed()
    assert sensed is not None
    assert sensed.new_voice_s == pytest.approx(0.06)
    assert sensed.new_picture_s == pytest.approx(0.15)
    assert sensed.silence_s == pytest.approx(0.04)


def test_silence_before_the_press_is_not_the_moves() -> None:
    """A pause that ended earlier is left out; one that the press fell into counts from its beginning."""
    senses = MoveSenses(5.0, heard=frozenset({1}), seen=frozenset())
    for at_s in (3.0, 4.9, 5.3):
        senses.sound(1, at_s)
    senses.landed(frozenset({1}))
    sensed = senses.sensed()
    assert sensed is not None
    assert sensed.silence_s == pytest.approx(0.4)
    assert sensed.new_voice_s is None


def test_a_new_connection_is_timed_by_those_who_were_there() -> None:
    """Somebody who came later says nothing about how long it took."""
    sounds: list[float] = []
    pictures: list[float] = []
    first = FirstSenses(frozenset({1}), sounds.append, pictures.append)
    for clip, at_s in ((2, 1.0), (None, 1.1), (1, 1.2), (1, 1.3)):
        first.sound(clip, at_s)
        first.picture(clip, at_s)
    assert (sounds, pictures) == ([1.2], [1.2])
