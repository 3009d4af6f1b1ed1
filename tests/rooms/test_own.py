# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from msgspec.structs import replace

from server.errors import RejectCode
from server.ids import MAIN, ParticipantId
from server.rooms import commands as c
from server.rooms.events import (
    CameraChanged,
    ChatSent,
    GoalSet,
    HandLowered,
    HandRaised,
    MicrophoneChanged,
    Reacted,
    Renamed,
)
from server.rooms.state import MAX_GOALS, ChatMessage, Goal, GoalVisibility, Hand, Reaction
from tests.rooms.builders import ANA, BEN, MOD, circle


def test_microphone_and_camera_are_switched_by_their_owner() -> None:
    """Twice the same wish gives one event."""
    session = circle(ANA)
    assert session.do(ANA, c.SetMicrophone(on=True)) == (MicrophoneChanged(ANA, on=True, by=ANA),)
    assert session.do(ANA, c.SetMicrophone(on=True)) == ()
    assert session.do(ANA, c.SetCamera(on=True)) == (CameraChanged(ANA, on=True, by=ANA),)
    assert session.do(ANA, c.SetCamera(on=True)) == ()
    assert session.do(ANA, c.SetMicrophone(on=False)) == (MicrophoneChanged(ANA, on=False, by=ANA),)


def test_who_is_hard_muted_cannot_unmute_but_may_use_the_camera() -> None:
    """Turning the microphone off is always possible."""
    session = circle(ANA)
    session.do(MOD, c.SetHardMute(ANA, on=True))
    assert session.refused(ANA, c.SetMicrophone(on=True)) is RejectCode.HARD_MUTED
    assert session.do(ANA, c.SetMicrophone(on=False)) == ()
    assert session.do(ANA, c.SetCamera(on=True)) != ()


def test_hands_queue_in_the_order_of_raising() -> None:
    """A hand that is raised again keeps its place."""
    session = circle(ANA, BEN)
    assert session.do(ANA, c.RaiseHand()) == (HandRaised(Hand(ANA, session.now_ms)),)
    session.do(BEN, c.RaiseHand())
    assert session.do(ANA, c.RaiseHand()) == ()
    assert [hand.participant for hand in session.state.hands] == [ANA, BEN]


def test_hands_are_lowered_by_oneself_or_by_staff() -> None:
    """A hand that is not raised needs no event."""
    session = circle(ANA, BEN)
    session.do(ANA, c.RaiseHand())
    assert session.refused(BEN, c.LowerHand(ANA)) is RejectCode.NOT_ALLOWED
    assert session.do(MOD, c.LowerHand(ANA)) == (HandLowered(ANA, MOD),)
    assert session.do(ANA, c.LowerHand()) == ()
    assert session.do(ANA, c.LowerHand(ANA)) == ()


def test_reactions_go_to_the_placement() -> None:
    """And leave nothing behind."""
    session = circle(ANA)
    before = session.state
    assert session.do(ANA, c.React(Reaction.HEART)) == (Reacted(ANA, MAIN, Reaction.HEART),)
    assert session.state == before


def test_names_are_cleaned() -> None:
    """One may rename oneself, staff may rename others; the same name again is no event."""
    session = circle(ANA, BEN)
    assert session.do(ANA, c.Rename("  Blue   Bird ")) == (Renamed(ANA, "Blue Bird", ANA),)
    assert session.do(ANA, c.Rename("Blue Bird", ANA)) == ()
    assert session.do(MOD, c.Rename("Sky", ANA)) == (Renamed(ANA, "Sky", MOD),)
    assert session.refused(BEN, c.Rename("Mud", ANA)) is RejectCode.NOT_ALLOWED
    assert session.refused(ANA, c.Rename(" \n ")) is RejectCode.NAME_INVALID


def test_two_people_may_have_the_same_name() -> None:
    """People are told apart by their ids."""
    session = circle(ANA, BEN)
    session.do(ANA, c.Rename("Ben"))
    assert session.person(ANA).name == session.person(BEN).name


def test_chat_carries_the_name_of_its_time() -> None:
    """Text is trimmed, numbers rise; nothing to read is refused."""
    session = circle(ANA)
    events = session.do(ANA, c.SendChat(" Hello\x07 \n"))
    assert events == (ChatSent(ChatMessage(1, ANA, "Ana", MAIN, "Hello", session.now_ms)),)
    session.do(ANA, c.Rename("Sky"))
    session.do(ANA, c.SendChat("Again"))
    assert [(message.id, message.name) for message in session.state.chat[MAIN]] == [(1, "Ana"), (2, "Sky")]
    assert session.refused(ANA, c.SendChat(" \x00 ")) is RejectCode.BAD_MESSAGE


def test_a_goal_is_written_replaced_and_taken_back() -> None:
    """Each change tells who learns of it; the same goal again is no event."""
    session = circle(ANA)
    assert session.do(ANA, c.SetGoal("")) == ()
    written = session.do(ANA, c.SetGoal(" Rest "))
    private = Goal("Rest", GoalVisibility.PRIVATE, session.now_ms)
    assert written == (GoalSet(ANA, private, GoalVisibility.PRIVATE),)
    assert session.do(ANA, c.SetGoal("Rest")) == ()
    session.do(ANA, c.SetGoal("Rest", GoalVisibility.GROUP))
    assert session.do(ANA, c.SetGoal("")) == (GoalSet(ANA, None, GoalVisibility.GROUP),)
    session.do(ANA, c.SetGoal("Walk"))
    assert session.do(ANA, c.SetGoal("")) == (GoalSet(ANA, None, GoalVisibility.PRIVATE),)


def test_a_goal_that_becomes_private_is_taken_back_from_the_group_first() -> None:
    """The group learns that it is gone, and nothing of the new one."""
    session = circle(ANA)
    session.do(ANA, c.SetGoal("Rest", GoalVisibility.GROUP))
    taken, written = session.do(ANA, c.SetGoal("Rest more"))
    assert taken == GoalSet(ANA, None, GoalVisibility.GROUP)
    assert isinstance(written, GoalSet)
    assert written.visibility is GoalVisibility.PRIVATE


def test_there_are_only_so_many_goals() -> None:
    """Everybody gets all of the group's at once, so that whoever comes under ever new names must not fill the room."""
    session = circle(ANA, BEN)
    session.do(ANA, c.SetGoal("Rest"))
    others = {ParticipantId(f"p{number}"): Goal("Walk", GoalVisibility.GROUP, 0) for number in range(MAX_GOALS - 1)}
    session.state = replace(session.state, goals=others | session.state.goals)
    assert session.refused(BEN, c.SetGoal("Walk")) is RejectCode.LIMIT_REACHED
    assert session.do(BEN, c.SetGoal("")) == ()
    session.do(ANA, c.SetGoal("Rest more"))
    session.do(ANA, c.SetGoal(""))
    session.do(BEN, c.SetGoal("Walk"))


def test_a_goal_outlives_its_owners_leaving() -> None:
    """It is there at the end of the session, and when its owner comes back."""
    session = circle(ANA)
    session.do(ANA, c.SetGoal("Rest"))
    session.do(ANA, c.Leave())
    assert session.state.goals[ANA].text == "Rest"
