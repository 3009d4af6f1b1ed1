# SPDX-License-Identifier: Apache-2.0
"""More people than slots, with real packets: who is heard and seen, how soon, and by whom never."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.ids import ParticipantId, Placement
from server.media.voices import EARLY, Voice
from server.ports import MAX_LEVELS, MAX_VOICES, PauseReason, Tile, Watch
from tests.media.workshop import HUSH, Workshop, on_air, plenary

CROWD = tuple(f"p{number}" for number in range(16))
ME = "me"


@pytest.fixture
def workshop() -> Workshop:
    """Sixteen on air and one who listens, with four slots each."""
    made = Workshop()
    made.join((*CROWD, ME))
    made.route(plenary((*CROWD, ME)))
    return made


def outsiders(workshop: Workshop) -> list[str]:
    """Those who are in no slot of mine."""
    seated = {slot.source for slot in workshop.slots(ME)}
    return [name for name in CROWD if name not in seated]


def test_a_voice_without_a_slot_gets_one_with_its_first_words(workshop: Workshop) -> None:
    """The slot is told before, and what was said while it was still unclear who speaks comes along."""
    speaker = outsiders(workshop)[0]
    words = [f"word {number}".encode() for number in range(5)]
    for word in words:
        workshop.circle.wait(20)
        workshop.speak(speaker, word)
    assert workshop.words(ME) == words
    assert any(slot.source == speaker and slot.audio for slot in workshop.slots(ME))


def test_without_the_early_packets_the_first_would_be_lost(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    """What they are worth: 20 ms of what is loud, and all that is quieter before."""
    monkeypatch.setattr(Voice, "early", lambda *_: [])
    speaker = outsiders(workshop)[0]
    words = [f"word {number}".encode() for number in range(5)]
    for word in words:
        workshop.speak(speaker, word)
    assert workshop.words(ME) == words[1:]


def test_a_quiet_beginning_comes_along_too(workshop: Workshop) -> None:
    """A syllable that grows out of silence: the packets before the loud ones, as many as are kept."""
    speaker = outsiders(workshop)[0]
    for number in range(30):
        workshop.speak(speaker, f"breath {number}".encode(), HUSH)
    workshop.speak(speaker, b"loud")
    workshop.speak(speaker, b"louder")
    assert workshop.words(ME)[-2:] == [b"loud", b"louder"]
    assert len(workshop.words(ME)) == EARLY + 1


def test_nothing_said_before_the_right_to_speak_comes_along(workshop: Workshop) -> None:
    """Muted, in another room, or before being let in: early packets are of the present right alone."""
    speaker = outsiders(workshop)[0]
    rest = [name for name in (*CROWD, ME) if name != speaker]
    workshop.speak(speaker, b"to my room", HUSH)
    workshop.route(plenary(rest), on_air(Placement("b1"), [speaker]))
    workshop.speak(speaker, b"to myself", HUSH)
    workshop.route(plenary((*CROWD, ME)))
    workshop.clear()
    workshop.speak(speaker, b"one")
    workshop.speak(speaker, b"two")
    assert workshop.words(ME) == [b"one", b"two"]


def test_nothing_said_before_one_came_comes_along(workshop: Workshop) -> None:
    """Early packets are for those who were there when they were sent."""
    speaker = outsiders(workshop)[0]
    workshop.route(plenary(CROWD), on_air(Placement("b1"), [ME]))
    workshop.speak(speaker, b"whispered", HUSH)
    workshop.route(plenary((*CROWD, ME)))
    workshop.speak(speaker, b"one")
    workshop.speak(speaker, b"two")
    assert workshop.words(ME) == [b"one", b"two"]


def test_words_are_never_said_twice(workshop: Workshop) -> None:
    """Whoever loses the floor and gets it back goes on where they were."""
    speaker = outsiders(workshop)[0]
    said = []
    for number in range(12):
        word = f"word {number}".encode()
        said.append(word)
        workshop.speak(speaker, word)
        if number == 5:
            workshop.circle.wait(10_000)
            workshop.tick()
    assert workshop.words(ME) == said


def test_the_awaited_are_heard_from_the_first_packet(workshop: Workshop) -> None:
    """However quietly they begin, and while three others speak."""
    workshop.talk(*CROWD[:MAX_VOICES], milliseconds=2000)
    awaited = next(name for name in outsiders(workshop) if name not in CROWD[:MAX_VOICES])
    workshop.route(plenary((*CROWD, ME), awaited=[awaited]))
    workshop.clear()
    workshop.speak(awaited, b"quiet", 70)
    workshop.speak(awaited, b"and on", 60)
    assert workshop.words(ME) == [b"quiet", b"and on"]


def test_at_most_so_many_are_heard_at_once(workshop: Workshop) -> None:
    """Beside the awaited; all speaking at once gives turns, not a babble."""
    workshop.route(plenary((*CROWD, ME), awaited=[CROWD[0]]))
    workshop.talk(*CROWD, milliseconds=1000)
    workshop.clear()
    workshop.circle.wait(20)
    for name in CROWD:
        workshop.speak(name)
    assert len(workshop.words(ME)) == MAX_VOICES + 1
    assert CROWD[0].encode() in workshop.words(ME)


def test_a_silent_crowd_costs_nothing(workshop: Workshop) -> None:
    """Open microphones in which nobody speaks are sent to nobody who does not hear everyone."""
    workshop.talk(*CROWD, milliseconds=200, level=HUSH)
    assert workshop.words(ME) == []


def test_a_new_voice_takes_no_picture_away(workshop: Workshop) -> None:
    """There is a slot for it; the tiles go on."""
    workshop.watch(ME, Watch((), others=3, others_height=180))
    before = {slot.source for slot in workshop.slots(ME) if slot.paused is None}
    assert len(before) == 3
    for speaker in [name for name in CROWD if name not in before][:6]:
        workshop.talk(speaker, milliseconds=400)
        shown = {slot.source for slot in workshop.slots(ME) if slot.paused is None}
        assert shown == before
        assert speaker in {slot.source for slot in workshop.slots(ME)}
        workshop.circle.wait(2_000)


def test_whoever_goes_on_speaking_is_shown(workshop: Workshop) -> None:
    """In the room that the client leaves to the server."""
    workshop.watch(ME, Watch((Tile(ParticipantId(CROWD[9]), 360),), others=1, others_height=180))
    speaker = CROWD[12]
    workshop.talk(speaker, milliseconds=3_000)
    shown = {slot.source for slot in workshop.slots(ME) if slot.paused is None}
    assert shown == {CROWD[9], speaker}
    workshop.clear()
    for name in CROWD:
        workshop.show(name)
    assert workshop.sources(ME) == shown


def test_a_tile_that_is_not_shown_is_paused_and_heard(workshop: Workshop) -> None:
    """A hidden page gets voices and no picture."""
    workshop.watch(ME, Watch((), others=0, others_height=0))
    assert {slot.paused for slot in workshop.slots(ME)} == {PauseReason.HIDDEN}
    workshop.clear()
    for name in CROWD:
        workshop.show(name)
    assert workshop.sources(ME) == set()
    workshop.talk(CROWD[3], milliseconds=100)
    assert workshop.sources(ME) == {CROWD[3]}


def test_alternating_speakers_cause_no_storm(workshop: Workshop) -> None:
    """Once the speakers of a discussion have slots, turning from one to the other tells nobody anything."""
    speakers = CROWD[5:8]
    for name in speakers:
        workshop.talk(name, milliseconds=3_000)
    told = len(workshop.told)
    for _ in range(10):
        for name in speakers:
            workshop.talk(name, milliseconds=1_000)
    assert len(workshop.told) == told


def test_the_loudest_are_reported(workshop: Workshop) -> None:
    """At most so many, the loudest first."""
    workshop.circle.wait(20)
    for number, name in enumerate(CROWD):
        workshop.speak(name, level=60 - number)
    workshop.speak(ME, level=90)
    workshop.tick()
    (heard,) = workshop.voices
    assert len(heard.levels) == MAX_LEVELS
    assert [level.level for level in heard.levels] == sorted(range(60 - MAX_LEVELS + 1, 61))


def test_a_peer_that_comes_back_is_heard_again(workshop: Workshop) -> None:
    """A new connection of the same person takes up their slot in everyone's."""
    speaker = CROWD[2]
    workshop.talk(speaker, milliseconds=500)
    workshop.join([speaker])
    workshop.clear()
    workshop.talk(speaker, milliseconds=100)
    assert workshop.sources(ME) == {speaker}


@st.composite
def evenings(draw: st.DrawFn) -> list[list[list[str]]]:
    """Some rounds of rooms; whoever is in none of them is in the lobby."""
    people = CROWD[:9]
    rounds = []
    for _ in range(draw(st.integers(1, 4))):
        order = draw(st.permutations(people))
        cuts = sorted(draw(st.lists(st.integers(0, len(people)), max_size=4)))
        bounds = [0, *cuts, draw(st.integers(6, len(people)))]
        rounds.append([list(order[start:end]) for start, end in pairwise(bounds)])
    return rounds


@settings(max_examples=40, deadline=None)
@given(evenings(), st.integers(1, 5), st.data())
def test_nothing_reaches_another_room(rounds: list[list[list[str]]], slots: int, data: st.DataObject) -> None:
    """Through any splits, speakers and tiles: what arrives was sent by somebody in the same room, since it is so."""
    people = CROWD[:9]
    workshop = Workshop()
    workshop.join(people, slots)
    for rooms in rounds:
        workshop.split(*rooms)
        workshop.clear()
        where = {name: number for number, room in enumerate(rooms) for name in room}
        speakers = data.draw(st.lists(st.sampled_from(people), min_size=1, max_size=12))
        for name in speakers:
            workshop.watch(name, data.draw(_watches))
            workshop.talk(name, milliseconds=data.draw(st.sampled_from((20, 60, 400))))
            for each in people:
                workshop.show(each)
        for name in people:
            strangers = {each for each in people if each not in where or where[each] != where.get(name)}
            assert not workshop.sources(name) & (strangers | {name})
            if name in where and slots >= len(rooms[where[name]]):
                heard = {each for each in speakers if each != name and where.get(each) == where[name]}
                assert heard <= workshop.sources(name)


_watches = st.builds(
    Watch,
    tiles=st.lists(
        st.builds(Tile, st.sampled_from([ParticipantId(name) for name in CROWD[:9]]), st.just(180)), max_size=4
    ).map(tuple),
    others=st.integers(0, 4),
    others_height=st.just(90),
)
