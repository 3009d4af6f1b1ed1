# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from server.errors import RejectCode
from server.ids import MAIN, ParticipantId, Placement
from server.rooms import commands as c
from server.rooms.events import RoundEnded, RoundJoined, RoundStarted, TurnEnded, TurnOutcome, TurnStarted
from server.rooms.phases import RoundOrder
from server.rooms.state import AssignmentStrategy, Role, Round
from tests.rooms.builders import ANA, BEN, CLEO, DAN, LEA, MOD, Session, circle


def in_round(*people: ParticipantId, order: RoundOrder = RoundOrder.LIST) -> Session:
    """A round of these people in main."""
    session = circle(*people)
    session.do(MOD, c.StartRound(order=order))
    return session


def round_of(session: Session, placement: Placement = MAIN) -> Round:
    """The round that is going on there."""
    return session.state.rounds[placement]


def test_a_round_calls_everyone_in_order_and_ends() -> None:
    """Turn by turn; the last one ends it."""
    session = in_round(ANA, BEN)
    assert session.do(ANA, c.FinishTurn()) == (
        TurnEnded(MAIN, ANA, TurnOutcome.DONE),
        TurnStarted(MAIN, BEN, session.now_ms),
    )
    assert session.do(BEN, c.FinishTurn()) == (TurnEnded(MAIN, BEN, TurnOutcome.DONE), RoundEnded(MAIN))
    assert session.state.rounds == {}


def test_a_round_needs_people() -> None:
    """Moderators alone do not make one."""
    assert circle().refused(MOD, c.StartRound()) is RejectCode.NOT_NOW


def test_a_new_round_replaces_the_old_one() -> None:
    """Everyone has a turn again."""
    session = in_round(ANA, BEN)
    session.do(ANA, c.FinishTurn())
    started, called = session.do(MOD, c.StartRound(turn_ms=5_000, no_cross_talk=False))
    assert isinstance(started, RoundStarted)
    assert (started.round.turn_ms, started.round.no_cross_talk) == (5_000, False)
    assert called == TurnStarted(MAIN, ANA, session.now_ms)


def test_passing_is_possible_at_any_time() -> None:
    """During one's turn, before it, and twice; who has passed is not called again."""
    session = in_round(ANA, BEN, CLEO)
    assert session.do(CLEO, c.PassTurn()) == (TurnEnded(MAIN, CLEO, TurnOutcome.PASSED),)
    assert session.do(CLEO, c.PassTurn()) == ()
    session.do(ANA, c.PassTurn())
    assert round_of(session).current == BEN
    assert session.do(BEN, c.PassTurn())[-1] == RoundEnded(MAIN)


def test_come_back_to_me_is_called_after_the_others() -> None:
    """In the order of asking; asking twice changes nothing; then one may pass or speak."""
    session = in_round(ANA, BEN, CLEO)
    session.do(CLEO, c.ComeBackLater())
    assert session.do(CLEO, c.ComeBackLater()) == ()
    session.do(ANA, c.ComeBackLater())
    assert round_of(session).current == BEN
    session.do(BEN, c.FinishTurn())
    assert round_of(session).current == CLEO
    session.do(ANA, c.PassTurn())
    assert session.do(CLEO, c.FinishTurn())[-1] == RoundEnded(MAIN)


def test_the_last_one_who_wants_to_come_later_is_called_again() -> None:
    """There is nobody to wait for; passing ends the round."""
    session = in_round(ANA)
    assert session.do(ANA, c.ComeBackLater())[-1] == TurnStarted(MAIN, ANA, session.now_ms)
    assert session.do(ANA, c.PassTurn())[-1] == RoundEnded(MAIN)


def test_turns_are_ended_by_whose_turn_it_is() -> None:
    """Others can neither finish it, nor pass or postpone a turn that they do not have."""
    session = in_round(ANA, BEN)
    assert session.refused(BEN, c.FinishTurn()) is RejectCode.NOT_YOUR_TURN
    assert session.refused(MOD, c.PassTurn()) is RejectCode.NOT_YOUR_TURN
    session.do(ANA, c.FinishTurn())
    assert session.refused(ANA, c.ComeBackLater()) is RejectCode.NOT_YOUR_TURN


def test_nobody_is_called_in_a_round_of_volunteers() -> None:
    """The first who wants to speaks; the others wait; everyone gets the word once."""
    session = in_round(ANA, BEN, CLEO, order=RoundOrder.VOLUNTEER)
    assert round_of(session).current is None
    assert session.refused(MOD, c.NextTurn()) is RejectCode.NOT_NOW
    assert session.do(BEN, c.TakeTurn()) == (TurnStarted(MAIN, BEN, session.now_ms),)
    assert session.do(BEN, c.TakeTurn()) == ()
    assert session.refused(ANA, c.TakeTurn()) is RejectCode.NOT_YOUR_TURN
    session.do(BEN, c.FinishTurn())
    assert session.refused(BEN, c.TakeTurn()) is RejectCode.NOT_NOW
    assert session.refused(MOD, c.TakeTurn()) is RejectCode.NOT_NOW
    session.do(ANA, c.ComeBackLater())
    session.do(ANA, c.TakeTurn())
    session.do(ANA, c.FinishTurn())
    assert session.do(CLEO, c.PassTurn())[-1] == RoundEnded(MAIN)


def test_staff_go_on_with_the_next() -> None:
    """For somebody who has lost their connection, or cannot end."""
    session = in_round(ANA, BEN)
    session.lose(ANA)
    assert session.do(MOD, c.NextTurn()) == (
        TurnEnded(MAIN, ANA, TurnOutcome.MOVED_ON),
        TurnStarted(MAIN, BEN, session.now_ms),
    )


def test_staff_give_the_turn() -> None:
    """To somebody who waits, who has spoken, or to a moderator; not to somebody in another room."""
    session = in_round(ANA, BEN, CLEO)
    assert session.do(MOD, c.GiveTurn(CLEO)) == (
        TurnEnded(MAIN, ANA, TurnOutcome.MOVED_ON),
        TurnStarted(MAIN, CLEO, session.now_ms),
    )
    assert session.do(MOD, c.GiveTurn(CLEO)) == ()
    session.do(MOD, c.GiveTurn(ANA))
    session.do(MOD, c.GiveTurn(MOD))
    assert round_of(session).current == MOD
    session.knock(DAN)
    assert session.refused(MOD, c.GiveTurn(DAN)) is RejectCode.NOT_HERE
    assert session.refused(MOD, c.GiveTurn(ParticipantId("nobody"))) is RejectCode.NOT_HERE


def test_a_volunteer_round_can_be_given_too() -> None:
    """While nobody speaks, nobody's turn is ended."""
    session = in_round(ANA, BEN, order=RoundOrder.VOLUNTEER)
    assert session.do(MOD, c.GiveTurn(BEN)) == (TurnStarted(MAIN, BEN, session.now_ms),)


@pytest.mark.parametrize("command", [c.TakeTurn(), c.FinishTurn(), c.PassTurn(), c.NextTurn(), c.EndRound()])
def test_without_a_round_there_are_no_turns(command: c.RoundCommand) -> None:
    """Refused, not ignored: the person should see that the round is over."""
    assert circle(ANA).refused(MOD, command) is RejectCode.NOT_NOW


def test_a_round_can_be_ended_early() -> None:
    """Everybody may speak again."""
    session = in_round(ANA, BEN)
    assert session.do(MOD, c.EndRound()) == (RoundEnded(MAIN),)


def test_newcomers_are_last_in_the_order() -> None:
    """Also somebody who was a moderator until now."""
    session = in_round(ANA)
    session.join(BEN)
    session.join(LEA, role=Role.MODERATOR)
    assert round_of(session).waiting == (BEN,)
    events = session.do(MOD, c.SetRole(LEA, Role.PARTICIPANT))
    assert events[1:] == (RoundJoined(MAIN, LEA),)


def test_whoever_becomes_a_moderator_leaves_the_order_but_not_their_turn() -> None:
    """Moderators are not called."""
    session = in_round(ANA, BEN, CLEO)
    session.do(MOD, c.SetRole(BEN, Role.MODERATOR))
    assert round_of(session).waiting == (CLEO,)
    session.do(MOD, c.SetRole(ANA, Role.MODERATOR))
    assert round_of(session).current == ANA
    session.do(ANA, c.FinishTurn())
    assert round_of(session).current == CLEO


def test_when_the_speaker_leaves_the_next_is_called() -> None:
    """And when all have gone, the round is over."""
    session = in_round(ANA, BEN)
    assert session.do(ANA, c.Leave())[1:] == (TurnStarted(MAIN, BEN, session.now_ms),)
    assert session.do(BEN, c.Leave())[1:] == (RoundEnded(MAIN),)


def test_rounds_follow_people_between_rooms() -> None:
    """Who is moved away is out of the round; who has spoken and returns is not asked again."""
    session = in_round(ANA, BEN, CLEO, DAN)
    session.do(ANA, c.FinishTurn())
    session.do(MOD, c.DraftPlan(AssignmentStrategy.EVEN, 1, 0))
    events = session.do(MOD, c.OpenBreakouts(1))
    assert RoundEnded(MAIN) in events
    session.do(MOD, c.Visit(Placement("b1")))
    session.do(MOD, c.StartRound())
    breakout = Placement("b1")
    session.do(MOD, c.Move((BEN,), MAIN))
    assert round_of(session, breakout).waiting == (CLEO, DAN)
    assert session.do(MOD, c.Move((ANA,), MAIN))[1:] == (
        TurnEnded(breakout, ANA, TurnOutcome.GONE),
        TurnStarted(breakout, CLEO, session.now_ms),
    )
    session.do(CLEO, c.FinishTurn())
    session.do(MOD, c.Move((CLEO,), MAIN))
    session.do(MOD, c.Move((CLEO,), breakout))
    assert round_of(session, breakout).done == (CLEO,)
    assert session.do(MOD, c.CloseBreakouts())[1:] == (RoundEnded(breakout),)


def test_a_leader_runs_the_round_of_their_breakout() -> None:
    """L14: in their room, and only while they are there."""
    session = circle(ANA, BEN)
    session.join(LEA, role=Role.LEADER)
    session.do(MOD, c.DraftPlan(AssignmentStrategy.BY_LEADER, 1, 0))
    session.do(MOD, c.OpenBreakouts(1))
    session.do(LEA, c.StartRound())
    assert round_of(session, Placement("b1")).current == ANA
    session.do(LEA, c.NextTurn())
    session.do(LEA, c.EndRound())
    session.do(LEA, c.Visit(MAIN))
    assert session.refused(LEA, c.StartRound()) is RejectCode.NOT_ALLOWED
