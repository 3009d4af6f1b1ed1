# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from msgspec.structs import replace

from server.errors import RejectCode
from server.ids import EVERYWHERE, MAIN, Placement
from server.rooms import commands as c
from server.rooms.events import ChatSent, HelpAcknowledged, HelpCleared, HelpRequested
from server.rooms.state import AssignmentStrategy, ChatMessage, HelpRequest, Role
from tests.rooms.builders import ANA, BEN, LEA, MOD, Session, circle

B1 = Placement("b1")


def in_breakout() -> Session:
    """Ana and Ben are in a breakout, the moderator in main."""
    session = circle(ANA, BEN)
    session.do(MOD, c.DraftPlan(AssignmentStrategy.EVEN, 1, 0))
    session.do(MOD, c.OpenBreakouts(1))
    return session


def test_a_broadcast_reaches_every_room() -> None:
    """Nothing to read is refused."""
    session = in_breakout()
    events = session.do(MOD, c.Broadcast(" Ten minutes "))
    assert events == (ChatSent(ChatMessage(1, MOD, "Mod", EVERYWHERE, "Ten minutes", session.now_ms)),)
    assert session.refused(MOD, c.Broadcast("  ")) is RejectCode.BAD_MESSAGE


def test_help_is_called_once_and_the_caller_sees_who_answers() -> None:
    """The second moderator's answer changes nothing."""
    session = in_breakout()
    session.join(LEA, role=Role.MODERATOR)
    assert session.do(ANA, c.RequestHelp()) == (HelpRequested(HelpRequest(ANA, B1, session.now_ms)),)
    assert session.do(ANA, c.RequestHelp()) == ()
    assert session.do(MOD, c.AcknowledgeHelp(ANA)) == (HelpAcknowledged(ANA, MOD),)
    assert session.do(LEA, c.AcknowledgeHelp(ANA)) == ()
    assert session.refused(MOD, c.AcknowledgeHelp(BEN)) is RejectCode.NOT_HERE


def test_a_call_can_be_taken_back() -> None:
    """Twice is no event."""
    session = in_breakout()
    session.do(ANA, c.RequestHelp())
    assert session.do(ANA, c.CancelHelp()) == (HelpCleared(ANA),)
    assert session.do(ANA, c.CancelHelp()) == ()


def test_a_call_is_answered_when_a_moderator_comes() -> None:
    """Somebody who is no moderator does not answer it."""
    session = in_breakout()
    session.join(LEA)
    session.do(ANA, c.RequestHelp())
    session.do(MOD, c.Move((LEA,), B1))
    assert session.state.help != ()
    assert session.do(MOD, c.Visit(B1))[1:] == (HelpCleared(ANA),)


def test_a_call_in_a_moderators_presence_stays_open() -> None:
    """Who calls although a moderator is there wants to be seen."""
    session = circle(ANA)
    session.do(ANA, c.RequestHelp())
    session.do(ANA, c.RaiseHand())
    assert [request.participant for request in session.state.help] == [ANA]


def test_a_call_that_nobody_has_seen_goes_with_the_caller() -> None:
    """Opening or closing the small groups makes nobody's call disappear; a moderator who then comes answers it."""
    session = circle(ANA, BEN)
    session.do(ANA, c.RequestHelp())
    (call,) = session.state.help
    session.do(MOD, c.DraftPlan(AssignmentStrategy.EVEN, 1, 0))
    assert session.do(MOD, c.OpenBreakouts(1))[1:] == (HelpRequested(replace(call, placement=B1)),)
    assert session.do(MOD, c.CloseBreakouts())[1:] == (HelpRequested(call),)
    assert session.state.help == (call,)
    session.do(MOD, c.UndoBreakouts())
    assert session.do(MOD, c.Visit(B1))[1:] == (HelpCleared(ANA),)


def test_a_call_that_was_seen_is_over_when_the_caller_goes_elsewhere() -> None:
    """It was about the room that they called from; so it is when they leave."""
    session = in_breakout()
    session.do(ANA, c.RequestHelp())
    session.do(MOD, c.AcknowledgeHelp(ANA))
    assert session.do(MOD, c.Move((ANA,), MAIN))[1:] == (HelpCleared(ANA),)
    session.do(BEN, c.RequestHelp())
    session.do(BEN, c.Leave())
    assert session.state.help == ()
