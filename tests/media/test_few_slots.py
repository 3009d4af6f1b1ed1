# SPDX-License-Identifier: Apache-2.0
"""Subscribers with fewer slots than there are voices that lead: phones, and pages that save data."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.ids import ParticipantId
from server.media.few_slots import STILL_NS, FewPlaces
from server.media.speakers import TURN_NS, Talker
from server.ports import MAX_VOICES, PauseReason, Tile, Watch
from tests.media.circle import MS
from tests.media.workshop import Workshop, plenary, source_of

CROWD = tuple(f"p{number}" for number in range(8))
ME, PHONE = "me", "phone"
EVERYONE = (*CROWD, ME, PHONE)

pytestmark = pytest.mark.usefixtures("packet_path")


@pytest.fixture(params=[1, 2, 3])
def slots(request: pytest.FixtureRequest) -> int:
    """Of the phone."""
    return int(request.param)


@pytest.fixture
def workshop(slots: int) -> Workshop:
    """Eight on air, one who has a slot for everyone, and a phone."""
    made = Workshop()
    made.join((*CROWD, ME), slots=12)
    made.join([PHONE], slots=slots)
    made.route(plenary(EVERYONE))
    return made


def say(workshop: Workshop, name: str, words: int, first: int = 0, every_ms: int = 20) -> list[bytes]:
    """One after the other; what was said."""
    said = [f"{name} {number}".encode() for number in range(first, first + words)]
    for word in said:
        workshop.circle.wait(every_ms)
        workshop.speak(name, word)
    return said


def of(workshop: Workshop, listener: str, speaker: str) -> list[bytes]:
    """What a listener heard of a speaker."""
    return [word for word in workshop.words(listener) if word.startswith(f"{speaker} ".encode())]


def test_a_lone_speaker_is_heard_past_raised_hands(workshop: Workshop) -> None:
    """More people are awaited than the phone has slots, and somebody else speaks."""
    workshop.route(plenary(EVERYONE, awaited=CROWD[:4]))
    said = say(workshop, CROWD[7], 30)
    assert of(workshop, PHONE, CROWD[7]) == said


def test_one_after_the_other_each_is_heard(workshop: Workshop, slots: int) -> None:
    """A lively round: with as much of a pause as breathing takes nothing of anybody is lost."""
    workshop.route(plenary(EVERYONE, awaited=CROWD[:2]))
    for turn in range(3):
        for name in CROWD[: slots + 1]:
            said = say(workshop, name, 20, first=100 * turn)
            assert of(workshop, PHONE, name)[-20:] == said
            workshop.circle.wait(220)


def test_who_is_awaited_is_heard_over_others_from_the_first_word(workshop: Workshop) -> None:
    """Three people go on talking while the one whose turn it is begins."""
    talkers, called = CROWD[3 : 3 + MAX_VOICES], CROWD[0]
    workshop.route(plenary(EVERYONE, awaited=[called, CROWD[1], CROWD[2]]))
    workshop.talk(*talkers, milliseconds=600)
    said = []
    for number in range(20):
        workshop.circle.wait(20)
        for name in talkers:
            workshop.speak(name)
        said.append(f"{called} {number}".encode())
        workshop.speak(called, said[-1])
    assert of(workshop, PHONE, called) == said
    assert of(workshop, ME, called) == said


def test_nothing_is_said_twice(workshop: Workshop) -> None:
    """Whoever lost a slot and gets it back goes on where they were, however long their packets are."""
    long, called = CROWD[5], CROWD[0]
    workshop.route(plenary(EVERYONE, awaited=CROWD[:4]))
    for turn in range(6):
        say(workshop, long, 8, first=100 * turn, every_ms=60)
        say(workshop, called, 3, first=100 * turn)
        say(workshop, long, 8, first=100 * turn + 50, every_ms=60)
    for name in (long, called):
        heard = of(workshop, PHONE, name)
        assert len(heard) > 12
        assert len(set(heard)) == len(heard)


def test_a_hand_that_is_lowered_in_a_word_repeats_nothing(workshop: Workshop) -> None:
    """Whoever was led because they were awaited, and now because they speak, goes on where they were."""
    speaker = CROWD[3]
    workshop.route(plenary(EVERYONE, awaited=CROWD[:4]))
    said = say(workshop, speaker, 10)
    workshop.route(plenary(EVERYONE, awaited=CROWD[:3]))
    said += say(workshop, speaker, 10, first=10)
    assert of(workshop, PHONE, speaker) == said


def test_who_loses_the_floor_for_a_moment_repeats_nothing() -> None:
    """For a listener with slots for all who lead, where a phone has not: a louder voice, then a free place."""
    desk, (soft, loud, other, short) = "desk", CROWD[4:]
    workshop = Workshop()
    workshop.join((*CROWD, desk), slots=6)
    workshop.join([PHONE], slots=1)
    workshop.route(plenary((*CROWD, desk, PHONE), awaited=CROWD[:2]))
    for step in range(75):
        workshop.circle.wait(20)
        workshop.speak(other)
        if step < 21:
            workshop.speak(short)
        if step % 3 == 0:
            workshop.speak(soft, f"{soft} {step}".encode(), level=45)
        if step >= 30:
            workshop.speak(loud, level=15)
    assert of(workshop, desk, soft) == [f"{soft} {step}".encode() for step in range(0, 75, 3)]


def test_those_with_enough_slots_notice_nothing(workshop: Workshop) -> None:
    """That there is a phone in the room costs nobody else a word, and no slot of theirs changes."""
    workshop.route(plenary(EVERYONE, awaited=CROWD[:4]))
    told = len([message for message in workshop.told if message.peer == ME])
    for name in CROWD:
        said = say(workshop, name, 10)
        assert of(workshop, ME, name) == said
    assert len([message for message in workshop.told if message.peer == ME]) == told


def test_a_client_that_wants_no_pictures_offers_no_lines_for_them(workshop: Workshop) -> None:
    """Its voices come as everybody's do, everyone's slot says that the picture is not shown, and none is sent."""
    workshop.join(["radio"], slots=0, voices=4)
    workshop.route(plenary((*EVERYONE, "radio"), awaited=CROWD[:4]))
    said = say(workshop, CROWD[7], 10)
    for name in CROWD:
        workshop.show(name)
    assert of(workshop, "radio", CROWD[7]) == said
    assert {slot.paused for slot in workshop.slots("radio")} == {PauseReason.HIDDEN}
    lines = {audio.rewriter.ssrc for audio, _ in workshop.seats["radio"].peer.slots}
    assert {packet.ssrc for packet in workshop.seats["radio"].packets} <= lines


def test_a_picture_is_shown_where_there_is_a_line_for_it(workshop: Workshop) -> None:
    """One picture and three voices more: whoever is shown comes to the only slot for it, whoever speaks is heard."""
    workshop.join(["thrifty"], slots=1, voices=3)
    workshop.route(plenary((*EVERYONE, "thrifty")))
    for name in CROWD[:3]:
        workshop.watch("thrifty", Watch((Tile(ParticipantId(name), 180),), 0, 0))
        workshop.clear()
        said = say(workshop, CROWD[6], 10)
        workshop.show(name)
        workshop.show(CROWD[5])
        assert of(workshop, "thrifty", CROWD[6]) == said
        pictures = [packet for packet in workshop.seats["thrifty"].seen() if packet.payload]
        assert {source_of(packet.payload) for packet in pictures} == {name}


# -- the places --------------------------------------------------------------------------------------------------------


def person(number: int, spoke_ns: int = 0) -> Talker:
    """Somebody who spoke last at this time."""
    made = Talker(ParticipantId(f"p{number}"))
    made.spoke_ns = spoke_ns
    return made


def test_among_equals_who_all_speak_each_has_a_turn() -> None:
    """Neither does the first one keep the place for ever, nor is anybody cut off after a word."""
    places, talkers = FewPlaces(1), [person(0), person(1)]
    changes: list[int] = []
    for now_ms in range(0, 20_000, 20):
        for talker in talkers:
            talker.spoke_ns = now_ms * MS
        changes += [now_ms * MS for talker in talkers if places.claim(talker, now_ms * MS, ())]
    assert len(changes) >= 4
    assert all(later - earlier > TURN_NS for earlier, later in pairwise(changes))


steps = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 300)), max_size=80)


@given(st.integers(0, 4), st.sets(st.integers(0, 5), max_size=3), steps)
def test_places_are_bounded_and_a_lone_speaker_has_one(
    count: int, awaited: set[int], spoken: list[tuple[int, int]]
) -> None:
    """Whoever speaks gets a place unless as many others spoke just now, of whom none matters less."""
    places, talkers, now_ns = FewPlaces(count), [person(number) for number in range(6)], STILL_NS
    called = {talkers[number].participant for number in awaited}
    for number, gap_ms in spoken:
        now_ns += gap_ms * MS
        talker = talkers[number]
        talker.spoke_ns = now_ns
        places.claim(talker, now_ns, called)
        assert len(places.voices) <= count
        if talker.participant in places.voices or not count:
            continue
        holders = [each for each in talkers if each.participant in places.voices]
        assert len(holders) == count
        assert all(now_ns - each.spoke_ns <= STILL_NS for each in holders)
        assert talker.participant not in called or all(each.participant in called for each in holders)
