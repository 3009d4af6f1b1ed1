# SPDX-License-Identifier: Apache-2.0
"""A workshop of 300 on one worker: its packets, its rooms, and what a change costs."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

import pytest

from server.media.slots import FEWEST_PICTURES
from server.ports import MAX_VOICES
from tests.media.workshop import Workshop, plenary

PEOPLE = tuple(f"p{number}" for number in range(300))
SLOTS = 12


@pytest.fixture(scope="module")
def large() -> Workshop:
    """Everyone is connected."""
    made = Workshop()
    made.join(PEOPLE, SLOTS)
    return made


def meet(workshop: Workshop, *names: str) -> None:
    """A fresh plenary in which everyone is on air."""
    workshop.circle.wait(60_000)
    workshop.tick()
    workshop.route()
    workshop.route(plenary(PEOPLE, names))


def everyone_sends(workshop: Workshop) -> None:
    """One keyframe and some loud words of each."""
    workshop.clear()
    for name in PEOPLE:
        workshop.show(name)
    workshop.talk(*PEOPLE, milliseconds=60)


def test_the_plenary_keeps_its_budget(large: Workshop) -> None:
    """All 300 speak and show themselves at once: each gets three voices, the awaited, and five pictures."""
    meet(large, PEOPLE[77])
    everyone_sends(large)
    for name in PEOPLE:
        seat = large.seats[name]
        voices = {audio.source for audio, _ in seat.peer.slots if audio.source is not None}
        pictures = {video.source for _, video in seat.peer.slots if video.source is not None and not video.hidden}
        assert len(pictures) == FEWEST_PICTURES
        assert MAX_VOICES <= len(voices) <= MAX_VOICES + 1
        assert (large.seats[PEOPLE[77]].microphone in voices) is (name != PEOPLE[77])


def test_rooms_of_the_plenary_are_whole_and_closed(large: Workshop) -> None:
    """Split into 25: everyone gets everyone of their room, and nobody else; then all are back."""
    meet(large)
    everyone_sends(large)
    order = random.Random(7).sample(PEOPLE, len(PEOPLE))
    rooms = [order[number::25] for number in range(25)]
    large.split(*rooms)
    everyone_sends(large)
    for room in rooms:
        for name in room:
            assert large.sources(name) == set(room) - {name}
    large.route(plenary(PEOPLE))
    everyone_sends(large)
    assert all(len(large.sources(name)) <= SLOTS for name in PEOPLE)


def test_turning_from_one_speaker_to_another_moves_few_slots(large: Workshop) -> None:
    """Five people in a discussion, a change each second: the slots are told once for each of them, then no more."""
    meet(large)
    speakers = PEOPLE[100:105]
    counts = []
    for _ in range(3):
        before = len(large.told)
        for name in speakers:
            large.talk(name, milliseconds=1000)
        counts.append(len(large.told) - before)
    assert counts[0] <= len(speakers) * len(PEOPLE) * 2
    assert counts[-1] == 0


def cost_s(change: Callable[[], None]) -> float:
    """Processor time of a change."""
    began = time.process_time()
    change()
    return time.process_time() - began


def test_the_cost_of_a_change_grows_with_the_people(large: Workshop) -> None:
    """Not with their square: five times the people, at most about five times the time (measured: 300 in 40 ms)."""
    small = Workshop()
    small.join(PEOPLE[:60], SLOTS)

    def cost_of_a_round(workshop: Workshop, people: tuple[str, ...]) -> float:
        workshop.route(plenary(people))
        split = cost_s(lambda: workshop.split(*(people[number::5] for number in range(len(people) // 12))))
        return split + cost_s(lambda: workshop.route(plenary(people)))

    few = min(cost_of_a_round(small, PEOPLE[:60]) for _ in range(5))
    many = min(cost_of_a_round(large, PEOPLE) for _ in range(5))
    assert many < few * 5 * 3
    assert many < 1.0
