# SPDX-License-Identifier: Apache-2.0
"""Breakouts within a whole session: seats, the lobby, phases, rounds and calls for help, as the runner decides them."""

from __future__ import annotations

from server.errors import RejectCode
from server.ids import MAIN, ParticipantId, Placement
from server.rooms import commands as c
from server.rooms.events import (
    BreakoutsChange,
    BreakoutsRevised,
    ChangeCancelled,
    HelpCleared,
    PhaseStarted,
    RoundEnded,
)
from server.rooms.state import AssignmentStrategy
from tests.rooms.builders import ANA, BEN, CLEO, DAN, LEA, MINUTE, MOD, Session, circle


def split(lead_ms: int = 0, minutes: int = 0) -> Session:
    """Ana and Cleo are (or will be) in b1, Ben and Dan in b2."""
    session = circle(ANA, BEN, CLEO, DAN)
    session.do(MOD, c.DraftPlan(AssignmentStrategy.EVEN, 2, minutes * MINUTE))
    session.do(MOD, c.OpenBreakouts(1, lead_ms))
    return session


def place_of(session: Session, participant: ParticipantId) -> Placement:
    """Where somebody is."""
    return session.person(participant).placement


def test_a_late_joiner_is_admitted_into_the_least_full_breakout() -> None:
    """They do not have to be seen to by anybody."""
    session = split()
    session.do(ANA, c.Leave())
    session.join(LEA)
    assert place_of(session, LEA) == "b1"


def test_who_reconnects_is_back_in_their_breakout() -> None:
    """The seat keeps the place."""
    session = split()
    session.lose(ANA)
    session.pass_time(30_000)
    session.knock(ANA)
    assert place_of(session, ANA) == "b1"


def test_who_reconnects_after_the_end_of_the_breakouts_is_in_main() -> None:
    """Whoever was away was brought back with the others."""
    session = split(minutes=1)
    session.pass_time(50_000)
    session.lose(ANA)
    session.pass_time(20_000)
    session.knock(ANA)
    assert {place_of(session, each) for each in (ANA, BEN, CLEO, DAN)} == {MAIN}


def test_who_is_removed_during_the_announcement_is_not_moved() -> None:
    """Nor is their place kept."""
    session = split(lead_ms=10_000)
    session.do(MOD, c.Remove(ANA))
    happened = session.pass_time(10_000)
    (opened,) = [event for event in happened if isinstance(event, BreakoutsRevised)]
    assert opened.moves.keys() == {BEN, CLEO, DAN}


def test_the_next_phase_closes_the_breakouts_in_the_same_commit() -> None:
    """Nobody is left behind in a phase that is over; what was announced is taken back."""
    session = split()
    session.do(MOD, c.Move((ANA,), Placement("b2"), lead_ms=30_000))
    events = session.do(MOD, c.NextPhase())
    assert [event.change for event in events if isinstance(event, BreakoutsRevised)] == [BreakoutsChange.CLOSE]
    assert any(isinstance(event, ChangeCancelled) for event in events)
    assert any(isinstance(event, PhaseStarted) for event in events)
    assert place_of(session, ANA) == MAIN


def test_the_next_phase_calls_off_an_announced_opening() -> None:
    """It would surprise everyone later."""
    session = split(lead_ms=60_000)
    assert ChangeCancelled(1, MOD) in session.do(MOD, c.NextPhase())
    session.pass_time(2 * MINUTE)
    assert session.state.breakouts.rooms == ()
    assert session.state.breakouts.revision == 0


def test_closing_ends_the_rounds_of_the_breakouts() -> None:
    """Nobody waits for a turn in a room that is no more."""
    session = split()
    session.do(MOD, c.Visit(Placement("b1")))
    session.do(MOD, c.StartRound())
    events = session.do(MOD, c.CloseBreakouts())
    assert RoundEnded(Placement("b1")) in events
    assert session.state.rounds == {}


def test_a_visit_answers_the_call_for_help() -> None:
    """The moderator has come."""
    session = split()
    session.do(ANA, c.RequestHelp())
    assert HelpCleared(ANA) in session.do(MOD, c.Visit(Placement("b1")))


def test_only_moderators_arrange_breakouts() -> None:
    """Whatever the command, a participant is refused."""
    session = split()
    for command in (c.CloseBreakouts(), c.UndoBreakouts(), c.Move((ANA,), MAIN), c.DiscardPlan(), c.Visit(MAIN)):
        assert session.refused(ANA, command) is RejectCode.NOT_ALLOWED
