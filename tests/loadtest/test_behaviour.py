# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import random
from collections.abc import Iterable

import pytest
from msgspec.structs import replace

from holdspace_client.protocol.ids import LOBBY, MAIN, ParticipantId, PhaseId, Placement, RoomId
from holdspace_client.protocol.rooms import commands as c
from holdspace_client.protocol.rooms.commands import RoomCommand
from holdspace_client.protocol.rooms.phases import Phase, PhaseKind, RoundOrder, SessionStatus
from holdspace_client.protocol.rooms.state import (
    Agenda,
    Goal,
    GoalVisibility,
    Hand,
    Participant,
    Role,
    RoomSettings,
    RoomView,
    Round,
)
from loadtest.behaviour import SLOT_S, Behaviour

ANA, BEN, CLEO = (ParticipantId(name) for name in ("ana", "ben", "cleo"))


def person(identity: ParticipantId, **changes: object) -> Participant:
    """Somebody in main with the camera on."""
    return replace(Participant(identity, identity, Role.PARTICIPANT, MAIN, joined_ms=0, camera=True), **changes)


def room(*people: Participant, kind: PhaseKind = PhaseKind.TOPIC, **changes: object) -> RoomView:
    """A live session in a phase of this kind."""
    phase = Phase(PhaseId("now"), kind, "Now")
    view = RoomView(
        id=RoomId("r"),
        status=SessionStatus.LIVE,
        settings=RoomSettings("Title"),
        agenda=Agenda(1, (phase,), phase.id),
        participants={one.id: one for one in people},
    )
    return replace(view, **changes)


def a_round(*, current: ParticipantId | None, waiting: tuple[ParticipantId, ...] = ()) -> dict[Placement, Round]:
    """A round in main, with turns of 30 s."""
    return {MAIN: Round(RoundOrder.LIST, 30_000, no_cross_talk=True, waiting=waiting, current=current)}


def live(
    mind: Behaviour, view: RoomView, seconds: float, *, who: ParticipantId = ANA, start: float = 0.0
) -> list[RoomCommand]:
    """What this person sends while nothing changes."""
    ticks = [start + tick / 4 for tick in range(int(seconds * 4))]
    return [command for now in ticks for command in mind.next(view, who, now).commands]


def kinds(commands: Iterable[RoomCommand]) -> set[type[RoomCommand]]:
    """Which commands there are, without their contents."""
    return {type(command) for command in commands}


@pytest.mark.parametrize("seed", range(20))
def test_a_turn_is_spoken_or_given_up_and_always_ends(seed: int) -> None:
    """Whoever has the word speaks and finishes, passes, or asks to be called later; nobody holds it for ever."""
    mind = Behaviour(0, random.Random(seed))
    view = room(person(ANA, microphone=True), person(BEN), rounds=a_round(current=ANA, waiting=(BEN,)))
    sent = kinds(live(mind, view, 32)) & {c.FinishTurn, c.PassTurn, c.ComeBackLater}
    assert len(sent) == 1


def test_turns_come_in_all_ways() -> None:
    """Over many people all three ways are seen, and speaking is by far the most frequent."""
    outcomes: list[type[RoomCommand]] = []
    for seed in range(200):
        view = room(person(ANA), person(BEN), rounds=a_round(current=ANA, waiting=(BEN,)))
        outcomes += kinds(live(Behaviour(1, random.Random(seed)), view, 32)) & {
            c.FinishTurn,
            c.PassTurn,
            c.ComeBackLater,
        }
    assert {kind for kind in outcomes if outcomes.count(kind) >= 5} == {c.FinishTurn, c.PassTurn, c.ComeBackLater}
    assert outcomes.count(c.FinishTurn) > 120


def test_nobody_speaks_out_of_turn() -> None:
    """While somebody else has the word, nothing is said and nobody presses the microphone for it."""
    mind = Behaviour(1, random.Random(1))
    view = room(person(ANA, microphone=True), person(BEN), rounds=a_round(current=BEN, waiting=(ANA,)))
    assert not any(mind.next(view, ANA, tick / 4).speaking for tick in range(200))


def test_volunteers_take_the_word_after_a_moment() -> None:
    """When it is nobody's turn, a person who has not spoken takes it, not at once."""
    mind = Behaviour(0, random.Random(3))
    view = room(person(ANA, microphone=True), person(BEN), rounds=a_round(current=None, waiting=(ANA, BEN)))
    assert c.TakeTurn not in kinds(live(mind, view, 1.5))
    assert c.TakeTurn in kinds(live(mind, view, 8, start=1.5))


def test_camera_is_pressed_once() -> None:
    """A camera that a moderator has turned off stays off."""
    mind = Behaviour(0, random.Random(1))
    sent = live(mind, room(person(ANA, camera=False, microphone=True)), 60)
    assert sent.count(c.SetCamera(on=True)) == 1


def test_a_muted_person_leaves_it_at_that_for_a_while() -> None:
    """After a moderator's mute the microphone is not pressed again at once; hard muted it is never."""
    mind = Behaviour(0, random.Random(1))
    live(mind, room(person(ANA, microphone=True)), 1)
    muted = room(person(ANA))
    assert c.SetMicrophone(on=True) not in live(mind, muted, 15, start=1)
    assert c.SetMicrophone(on=True) in live(mind, muted, 15, start=16)
    assert c.SetMicrophone(on=True) not in live(mind, room(person(ANA, hard_muted=True)), 60, start=40)


def test_the_microphone_is_closed_after_speaking() -> None:
    """Those who press for each turn close it when they do not have the word."""
    mind = Behaviour(1, random.Random(1))
    assert live(mind, room(person(ANA, microphone=True)), 1)[0] == c.SetMicrophone(on=False)


def test_in_a_breakout_one_speaks_at_a_time() -> None:
    """Without a round people take turns by the clock, and there is silence between."""
    place = Placement("b1")
    people = [person(one, placement=place, microphone=True) for one in (ANA, BEN, CLEO)]
    minds = {one.id: Behaviour(number, random.Random(number)) for number, one in enumerate(people)}
    heard: set[frozenset[ParticipantId]] = set()
    for tick in range(int(3 * SLOT_S * 4)):
        now = tick / 4
        heard.add(frozenset(one for one, mind in minds.items() if mind.next(room(*people), one, now).speaking))
    assert heard == {frozenset(), frozenset({ANA}), frozenset({BEN}), frozenset({CLEO})}


def test_alone_in_a_breakout_nobody_talks() -> None:
    """There is nobody to talk to."""
    mind = Behaviour(0, random.Random(1))
    view = room(person(ANA, placement=Placement("b1"), microphone=True))
    assert not any(mind.next(view, ANA, tick / 4).speaking for tick in range(200))


def test_a_hand_is_raised_heard_and_lowered() -> None:
    """In a topic a hand goes up now and then; the first in the queue speaks for a while and lowers it."""
    mind = Behaviour(0, random.Random(1))
    topic = room(person(ANA, microphone=True), person(BEN))
    assert c.RaiseHand in kinds(live(mind, topic, 300))
    raised = replace(topic, hands=(Hand(ANA, 0),))
    wishes = [mind.next(raised, ANA, 300 + tick / 4) for tick in range(80)]
    assert any(wish.speaking for wish in wishes)
    assert c.LowerHand() in [command for wish in wishes for command in wish.commands]


def test_the_second_in_the_queue_waits() -> None:
    """Hands are heard in their order."""
    mind = Behaviour(0, random.Random(1))
    view = room(person(ANA, microphone=True), person(BEN), hands=(Hand(BEN, 0), Hand(ANA, 1)))
    assert not any(mind.next(view, ANA, tick / 4).speaking for tick in range(200))


def test_each_writes_one_goal_in_reflection() -> None:
    """Written after a moment, and not again when it is there."""
    mind = Behaviour(0, random.Random(1))
    reflection = room(person(ANA, microphone=True), kind=PhaseKind.REFLECTION)
    assert sum(isinstance(command, c.SetGoal) for command in live(mind, reflection, 30)) == 1
    written = replace(reflection, goals={ANA: Goal("x", GoalVisibility.GROUP, 0)})
    assert c.SetGoal not in kinds(live(mind, written, 100, start=100))


def test_one_person_calls_for_help_once() -> None:
    """In a breakout, after a while; the others never do."""
    view = room(person(ANA, placement=Placement("b1")), person(BEN, placement=Placement("b1")))
    calls = [
        sum(command == c.RequestHelp() for command in live(Behaviour(n, random.Random(1)), view, 90)) for n in range(5)
    ]
    assert calls == [0, 0, 1, 0, 0]


@pytest.mark.parametrize(
    "view",
    [
        room(person(ANA, placement=LOBBY, camera=False)),
        room(person(ANA, camera=False), status=SessionStatus.DEBRIEF),
        room(person(BEN)),
    ],
)
def test_outside_the_session_nothing_is_wished(view: RoomView) -> None:
    """In the lobby, after the end, or without a seat nobody does anything."""
    assert live(Behaviour(0, random.Random(1)), view, 60) == []


def test_chat_is_rare() -> None:
    """In an hour of topic a person writes a greeting and a few remarks."""
    mind = Behaviour(0, random.Random(5))
    texts = [
        command
        for command in live(mind, room(person(ANA, microphone=True), person(BEN)), 3600)
        if isinstance(command, c.SendChat)
    ]
    assert 2 <= len(texts) <= 4
