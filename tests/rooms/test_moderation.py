# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from server.errors import RejectCode
from server.ids import MAIN
from server.rooms import commands as c
from server.rooms.events import (
    BreakoutsRevised,
    CameraChanged,
    ChangeCancelled,
    HardMuteChanged,
    LeaveReason,
    MicrophoneChanged,
    ParticipantLeft,
    RoleChanged,
    SessionEnded,
    SpotlightChanged,
)
from server.rooms.phases import SessionStatus
from server.rooms.state import AssignmentStrategy, Role
from server.rooms.timeouts import next_timeout
from tests.rooms.builders import ANA, BEN, CLEO, LEA, MINUTE, MOD, Session, circle


def speaking() -> Session:
    """Everyone's microphone is on."""
    session = circle(ANA, BEN)
    session.join(LEA, role=Role.LEADER)
    for person in (MOD, LEA, ANA, BEN):
        session.do(person, c.SetMicrophone(on=True))
    return session


def test_muted_people_may_unmute_themselves() -> None:
    """Only those whose microphone is on are muted; those who have gone are passed over."""
    session = speaking()
    session.do(BEN, c.SetMicrophone(on=False))
    assert session.do(MOD, c.Mute((ANA, BEN, CLEO))) == (MicrophoneChanged(ANA, on=False, by=MOD),)
    session.do(ANA, c.SetMicrophone(on=True))
    assert session.person(ANA).microphone
    assert session.refused(MOD, c.Mute((CLEO,))) is RejectCode.NOT_HERE


def test_muting_everyone_leaves_staff_their_voice() -> None:
    """And reaches nobody in other rooms."""
    session = speaking()
    session.do(MOD, c.MuteEveryone())
    assert [session.person(each).microphone for each in (MOD, LEA, ANA, BEN)] == [True, True, False, False]


def test_a_hard_mute_holds_until_it_is_lifted() -> None:
    """Lifting it does not turn the microphone on."""
    session = speaking()
    assert session.do(MOD, c.SetHardMute(ANA, on=True)) == (HardMuteChanged(ANA, on=True, by=MOD),)
    assert session.do(MOD, c.SetHardMute(ANA, on=True)) == ()
    assert not session.person(ANA).microphone
    session.do(MOD, c.SetHardMute(ANA, on=False))
    assert not session.person(ANA).microphone
    session.do(ANA, c.SetMicrophone(on=True))


def test_a_camera_can_be_turned_off_by_staff() -> None:
    """A camera that is off needs no event."""
    session = circle(ANA)
    assert session.do(MOD, c.TurnCameraOff(ANA)) == ()
    session.do(ANA, c.SetCamera(on=True))
    assert session.do(MOD, c.TurnCameraOff(ANA)) == (CameraChanged(ANA, on=False, by=MOD),)


def test_removing_is_for_others() -> None:
    """One cannot lock oneself out."""
    session = circle(ANA)
    assert session.refused(MOD, c.Remove(MOD)) is RejectCode.NOT_ALLOWED
    assert session.do(MOD, c.Remove(ANA)) == (ParticipantLeft(ANA, MAIN, LeaveReason.REMOVED, session.now_ms),)


def test_one_person_is_in_the_spotlight() -> None:
    """Somebody who has been admitted, or nobody."""
    session = circle(ANA)
    session.knock(BEN)
    assert session.refused(MOD, c.Spotlight(BEN)) is RejectCode.NOT_NOW
    assert session.refused(MOD, c.Spotlight(CLEO)) is RejectCode.NOT_HERE
    assert session.do(MOD, c.Spotlight(ANA)) == (SpotlightChanged(ANA, MOD),)
    assert session.do(MOD, c.Spotlight(ANA)) == ()
    assert session.do(MOD, c.Spotlight()) == (SpotlightChanged(None, MOD),)


def test_roles_are_given_and_taken_but_never_the_last_moderators() -> None:
    """There is always somebody who can open the door, unless they leave."""
    session = circle(ANA)
    session.knock(BEN)
    assert session.refused(MOD, c.SetRole(MOD, Role.PARTICIPANT)) is RejectCode.NOT_NOW
    assert session.refused(MOD, c.SetRole(BEN, Role.LEADER)) is RejectCode.NOT_NOW
    assert session.do(MOD, c.SetRole(ANA, Role.PARTICIPANT)) == ()
    assert session.do(MOD, c.SetRole(ANA, Role.MODERATOR)) == (RoleChanged(ANA, Role.MODERATOR, MOD),)
    session.do(ANA, c.SetRole(MOD, Role.PARTICIPANT))
    assert session.refused(MOD, c.SetRole(ANA, Role.PARTICIPANT)) is RejectCode.NOT_ALLOWED
    session.do(ANA, c.Leave())
    assert session.state.participants.keys() == {MOD, BEN}


def test_the_end_is_the_end_for_all() -> None:
    """Everyone leaves in one entry, also from breakouts and the lobby; nothing is due any more."""
    session = circle(ANA, BEN)
    session.knock(CLEO)
    session.do(MOD, c.NextPhase())
    session.do(MOD, c.DraftPlan(AssignmentStrategy.EVEN, 1, 10 * MINUTE))
    session.do(MOD, c.OpenBreakouts(1))
    session.do(ANA, c.RequestHelp())
    events = session.do(MOD, c.EndSession())
    revised, ended, *left = events
    assert isinstance(revised, BreakoutsRevised)
    assert ended == SessionEnded(debrief=False, at_ms=session.now_ms, by=MOD)
    assert {event.participant for event in left if isinstance(event, ParticipantLeft)} == {MOD, ANA, BEN, CLEO}
    assert all(isinstance(event, ParticipantLeft) and event.reason is LeaveReason.ENDED for event in left)
    assert session.state.status is SessionStatus.ENDED
    assert session.state.participants == {}
    assert next_timeout(session.state) is None


def test_staff_stay_for_the_debrief() -> None:
    """Participants leave; an announced change is called off; staff can talk, and end it when they are done."""
    session = circle(ANA, BEN)
    session.join(LEA, role=Role.LEADER)
    session.do(MOD, c.NextPhase())
    session.do(MOD, c.DraftPlan(AssignmentStrategy.EVEN, 1, 10 * MINUTE))
    session.do(MOD, c.OpenBreakouts(1, lead_ms=30_000))
    events = session.do(MOD, c.EndSession(debrief=True))
    assert isinstance(events[0], ChangeCancelled)
    assert session.state.status is SessionStatus.DEBRIEF
    assert session.state.participants.keys() == {MOD, LEA}
    assert session.do(MOD, c.EndSession(debrief=True)) == ()
    session.do(LEA, c.SendChat("That went well"))
    session.do(MOD, c.EndSession())
    assert session.state.participants == {}


def test_there_is_no_debrief_of_a_session_that_has_not_begun() -> None:
    """It can only be ended."""
    session = circle(ANA)
    assert session.refused(MOD, c.EndSession(debrief=True)) is RejectCode.NOT_NOW
    session.do(MOD, c.EndSession())
    assert session.state.status is SessionStatus.ENDED


@pytest.mark.parametrize("command", [c.Mute((ANA,)), c.MuteEveryone(), c.SetHardMute(ANA, on=True)])
def test_nothing_that_staff_do_turns_a_microphone_on(command: c.Moderation) -> None:
    """C1."""
    session = speaking()
    session.do(ANA, c.SetMicrophone(on=False))
    session.do(MOD, command)
    assert not session.person(ANA).microphone
