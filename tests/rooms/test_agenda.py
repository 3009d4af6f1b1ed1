# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from msgspec.structs import replace

from server.errors import RejectCode
from server.ids import MAIN, ParticipantId, PhaseId
from server.rooms import commands as c
from server.rooms.agenda import MAX_PROMPT, MAX_TITLE
from server.rooms.events import (
    AgendaEdited,
    BreakoutsRevised,
    PhaseExtended,
    PhaseStarted,
    RoundStarted,
    SessionStarted,
    TurnStarted,
)
from server.rooms.phases import Phase, PhaseKind, RoundOrder, RoundPlan, SessionStatus
from server.rooms.state import AssignmentStrategy, Timer
from tests.rooms.builders import AGENDA, ANA, BEN, BREAKOUTS, CHECK_IN, CLOSE, MINUTE, MOD, TOPIC, Session, circle


def in_topic(*people: ParticipantId) -> Session:
    """A live session in its second phase."""
    session = circle(*people)
    session.do(MOD, c.NextPhase())
    session.do(MOD, c.NextPhase())
    return session


def test_the_first_phase_begins_the_session() -> None:
    """With its timer, and the round that it opens with; moderators are not in the order."""
    session = circle(ANA, BEN)
    events = session.do(MOD, c.NextPhase())
    assert [type(event) for event in events] == [SessionStarted, PhaseStarted, RoundStarted, TurnStarted]
    assert session.state.status is SessionStatus.LIVE
    assert session.state.agenda.current == CHECK_IN.id
    assert session.state.agenda.timer == Timer(session.now_ms, session.now_ms + 10 * MINUTE)
    round_ = session.state.rounds[MAIN]
    assert (round_.current, round_.waiting) == (ANA, (BEN,))


def test_a_phase_begins_without_its_round_when_nobody_is_there() -> None:
    """A round waits for nobody."""
    session = circle()
    events = session.do(MOD, c.NextPhase())
    assert [type(event) for event in events] == [SessionStarted, PhaseStarted]


def test_a_random_round_is_drawn_from_the_seed() -> None:
    """Everyone is in it once."""
    random = replace(CHECK_IN, round=RoundPlan(order=RoundOrder.RANDOM))
    people = tuple(ParticipantId(f"p{number}") for number in range(9))
    orders = set()
    for start in range(5):
        session = circle(*people)
        session.do(MOD, c.EditAgenda(1, (random,)))
        session.now_ms += start
        session.do(MOD, c.NextPhase())
        round_ = session.state.rounds[MAIN]
        assert round_.current is not None
        assert sorted((round_.current, *round_.waiting)) == sorted(people)
        orders.add((round_.current, *round_.waiting))
    assert len(orders) > 1


def test_the_round_of_a_phase_is_over_with_it() -> None:
    """And a phase without time limit has no timer."""
    session = in_topic(ANA)
    assert session.state.rounds == {}
    session.do(MOD, c.NextPhase())
    assert session.state.agenda.timer is None


def test_one_goes_back_and_forth_over_skipped_phases() -> None:
    """Before the first and after the last there is nothing."""
    session = circle(ANA)
    assert session.refused(MOD, c.PreviousPhase()) is RejectCode.NOT_NOW
    session.do(MOD, c.SkipPhase(TOPIC.id))
    session.do(MOD, c.NextPhase())
    assert session.refused(MOD, c.PreviousPhase()) is RejectCode.NOT_NOW
    visited = []
    for command in (c.NextPhase(), c.NextPhase(), c.PreviousPhase(), c.PreviousPhase()):
        session.do(MOD, command)
        visited.append(session.state.agenda.current)
    assert visited == [BREAKOUTS.id, CLOSE.id, BREAKOUTS.id, CHECK_IN.id]
    session.do(MOD, c.NextPhase())
    session.do(MOD, c.NextPhase())
    assert session.refused(MOD, c.NextPhase()) is RejectCode.NOT_NOW


def test_going_on_brings_everyone_back_from_breakouts() -> None:
    """In the same entry, before the phase and its round begin."""
    session = circle(ANA, BEN)
    session.do(MOD, c.DraftPlan(AssignmentStrategy.EVEN, 1, 0))
    session.do(MOD, c.OpenBreakouts(1))
    events = session.do(MOD, c.NextPhase())
    assert [type(event) for event in events[:3]] == [BreakoutsRevised, SessionStarted, PhaseStarted]
    assert session.state.breakouts.rooms == ()
    assert session.state.rounds[MAIN].current == ANA


def test_only_coming_phases_are_skipped() -> None:
    """And taken back into the agenda."""
    session = in_topic(ANA)
    for phase in (CHECK_IN, TOPIC):
        assert session.refused(MOD, c.SkipPhase(phase.id)) is RejectCode.NOT_NOW
    assert session.refused(MOD, c.SkipPhase(PhaseId("other"))) is RejectCode.NOT_HERE
    (edited,) = session.do(MOD, c.SkipPhase(CLOSE.id))
    assert edited == AgendaEdited(2, (CHECK_IN, TOPIC, BREAKOUTS, replace(CLOSE, skipped=True)), MOD)
    assert session.do(MOD, c.SkipPhase(CLOSE.id)) == ()
    session.do(MOD, c.SkipPhase(CLOSE.id, skipped=False))
    assert session.state.agenda.phases == AGENDA.phases
    assert session.state.agenda.version == 3


def test_a_phase_with_a_timer_can_be_extended() -> None:
    """A phase without one has no end to move."""
    session = in_topic(ANA)
    ends_ms = session.now_ms + 3 * MINUTE
    (extended,) = session.do(MOD, c.ExtendPhase(MINUTE))
    assert isinstance(extended, PhaseExtended)
    assert extended.timer.ends_ms == ends_ms
    session.do(MOD, c.NextPhase())
    assert session.refused(MOD, c.ExtendPhase(MINUTE)) is RejectCode.NOT_NOW


EXTRA = Phase(PhaseId("extra"), PhaseKind.CUSTOM, "  Extra  ", prompt=" Why? ")


def test_the_agenda_is_edited_by_version() -> None:
    """Texts are trimmed; the second of two editors is told to look again."""
    session = in_topic(ANA)
    edited = session.do(MOD, c.EditAgenda(1, (TOPIC, EXTRA)))
    assert edited == (AgendaEdited(2, (TOPIC, replace(EXTRA, title="Extra", prompt="Why?")), MOD),)
    assert session.refused(MOD, c.EditAgenda(1, (TOPIC,))) is RejectCode.STALE_VERSION
    assert session.do(MOD, c.EditAgenda(2, session.state.agenda.phases)) == ()


def test_the_current_phase_stays_in_the_agenda() -> None:
    """Before the session any list will do."""
    session = circle(ANA)
    session.do(MOD, c.EditAgenda(1, (EXTRA,)))
    session.do(MOD, c.NextPhase())
    assert session.refused(MOD, c.EditAgenda(2, (TOPIC,))) is RejectCode.NOT_NOW


@pytest.mark.parametrize(
    "changes",
    [
        {"id": PhaseId("")},
        {"id": PhaseId("x" * 65)},
        {"title": "  "},
        {"title": "x" * (MAX_TITLE + 1)},
        {"prompt": "x" * (MAX_PROMPT + 1)},
        {"duration_ms": -1},
        {"duration_ms": 5 * 60 * MINUTE},
        {"round": RoundPlan(turn_ms=-1)},
        {"id": TOPIC.id},
    ],
    ids=str,
)
def test_phases_out_of_bounds_are_refused(changes: dict[str, object]) -> None:
    """Also two phases with one id."""
    session = circle(ANA)
    phases = (TOPIC, replace(EXTRA, **changes))
    assert session.refused(MOD, c.EditAgenda(1, phases)) is RejectCode.BAD_MESSAGE
