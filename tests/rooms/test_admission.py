# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from msgspec.structs import replace

from server.errors import DisconnectCode, JoinRefused, RejectCode
from server.ids import LOBBY, MAIN, ConnectionId, NodeId, ParticipantId, Placement, connection_at
from server.rooms import commands as c
from server.rooms.context import Context
from server.rooms.decide import decide
from server.rooms.events import (
    ConnectionLost,
    LeaveReason,
    ParticipantAdmitted,
    ParticipantJoined,
    ParticipantLeft,
    ParticipantReturned,
    SeatBound,
    SettingsChanged,
)
from server.rooms.state import (
    MAX_EVER,
    MAX_PARTICIPANTS,
    SEAT_GRACE_MS,
    Agreement,
    AssignmentStrategy,
    Past,
    Presence,
    Role,
    RoomSettings,
)
from server.rooms.timeouts import next_timeout
from tests.rooms.builders import ANA, BEN, CLEO, DAN, LEA, MOD, Session, circle


def settings(**changes: object) -> RoomSettings:
    """Settings that differ from the default in this."""
    return replace(RoomSettings(title="Circle"), **changes)


def test_most_people_wait_in_the_lobby_and_moderators_come_straight_in() -> None:
    """Also leaders wait; nobody's microphone or camera is on, whatever the client says."""
    session = Session()
    for person, role in ((ANA, Role.PARTICIPANT), (LEA, Role.LEADER), (MOD, Role.MODERATOR)):
        session.knock(person, role, microphone=True, camera=True)
    assert [session.person(each).placement for each in (ANA, LEA, MOD)] == [LOBBY, LOBBY, MAIN]
    assert not any(each.microphone or each.camera for each in session.state.participants.values())


def test_auto_admit_skips_the_lobby() -> None:
    """Newcomers go to main while no breakouts are open."""
    session = Session(settings(auto_admit=True))
    session.knock(ANA)
    assert session.person(ANA).placement == MAIN


def test_late_joiners_go_to_the_least_full_room() -> None:
    """Whether they are admitted by a moderator or by themselves; moderators go to main."""
    session = circle(ANA, BEN, CLEO)
    session.do(MOD, c.DraftPlan(AssignmentStrategy.EVEN, 2, 0))
    session.do(MOD, c.OpenBreakouts(1, allow_alone=True))
    session.knock(DAN)
    session.knock(LEA)
    session.do(MOD, c.Admit((DAN, LEA)))
    session.do(MOD, c.SetAutoAdmit(auto_admit=True))
    session.knock(ParticipantId("eve"))
    placements = [person.placement for person in session.state.participants.values()]
    assert sorted(placements) == ["b1", "b1", "b1", "b2", "b2", "b2", "main"]
    session.knock(ParticipantId("mod2"), Role.MODERATOR)
    assert session.person(ParticipantId("mod2")).placement == MAIN


def test_a_second_connection_takes_the_seat_over() -> None:
    """Same place and role; microphone and camera only as far as the new client still sends them."""
    session = circle(ANA)
    session.do(ANA, c.SetMicrophone(on=True))
    session.do(ANA, c.SetCamera(on=True))
    before = session.person(ANA)
    events = session.knock(ANA, Role.MODERATOR, name="Other", microphone=True, agreement=7)
    assert [type(event) for event in events] == [SeatBound, ParticipantReturned]
    assert session.person(ANA) == replace(before, camera=False)
    assert session.state.seats[ANA].generation == 2
    session.knock(ANA, camera=True)
    session.knock(ANA, camera=True, microphone=True)
    assert session.person(ANA) == replace(before, camera=False, microphone=False)


def test_a_lost_connection_keeps_the_seat_for_a_while() -> None:
    """Shown as lost, back in the same place; an older connection that dies late takes nothing away."""
    session = circle(ANA)
    first = session.state.seats[ANA].connection
    assert first is not None
    session.lose(ANA)
    assert session.person(ANA).presence is Presence.LOST
    session.knock(ANA)
    assert session.person(ANA).presence is Presence.CONNECTED
    assert session.do(None, c.LoseConnection(ANA, first)) == ()
    assert session.do(None, c.LoseConnection(ParticipantId("nobody"), first)) == ()
    assert next_timeout(session.state) is None


def test_a_lost_node_takes_the_connections_made_there() -> None:
    """Each seat is kept for its grace from then on, and whoever is at another node has noticed nothing."""
    session = circle()
    for person, node in ((ANA, "n1"), (BEN, "n2"), (CLEO, "n1")):
        session.knock(person, connection=connection_at(NodeId(node), "1"))
    session.knock(CLEO, connection=connection_at(NodeId("n2"), "2"))
    lost = session.do(None, c.LoseConnections(NodeId("n1")))
    assert lost == (ConnectionLost(ANA, session.now_ms),)
    assert next_timeout(session.state) == session.now_ms + SEAT_GRACE_MS
    assert session.do(None, c.LoseConnections(NodeId("n1"))) == ()


def test_after_the_grace_the_seat_is_gone() -> None:
    """To the millisecond, and not earlier."""
    session = circle(ANA)
    assert session.lose(ANA) == (ConnectionLost(ANA, session.now_ms),)
    assert session.pass_time(SEAT_GRACE_MS - 1) == ()
    assert session.pass_time(1) == (ParticipantLeft(ANA, MAIN, LeaveReason.TIMED_OUT, session.now_ms),)
    assert ANA not in session.state.seats


def test_hand_and_turn_survive_a_lost_connection() -> None:
    """L9: whoever comes back has their place in the queue and in the round."""
    session = circle(ANA, BEN, CLEO)
    session.do(MOD, c.StartRound())
    for person in (BEN, ANA):
        session.do(person, c.RaiseHand())
    before = (session.state.hands, session.state.rounds)
    session.lose(BEN)
    session.lose(ANA)
    session.knock(BEN)
    session.knock(ANA)
    assert (session.state.hands, session.state.rounds) == before


def test_admission_is_repeated_without_effect() -> None:
    """Who is in already is let in once; who has gone is passed over; if nobody is here it is refused."""
    session = circle(ANA)
    session.knock(BEN)
    events = session.do(MOD, c.Admit((ANA, BEN, CLEO, BEN)))
    assert [type(event) for event in events] == [ParticipantAdmitted]
    assert session.do(MOD, c.Admit((ANA,))) == ()
    assert session.refused(MOD, c.Admit((CLEO,))) is RejectCode.NOT_HERE


def test_somebody_promoted_before_is_admitted_to_main() -> None:
    """The role that a person had comes back with them: a moderator never waits."""
    session = circle(ANA)
    session.do(MOD, c.SetRole(ANA, Role.MODERATOR))
    session.do(ANA, c.Leave())
    session.knock(ANA)
    assert (session.person(ANA).role, session.person(ANA).placement) == (Role.MODERATOR, MAIN)


def test_denied_people_have_no_seat_and_may_ask_again() -> None:
    """Only people in the lobby can be denied."""
    session = circle(ANA)
    session.knock(BEN)
    assert session.do(MOD, c.Deny(BEN)) == (ParticipantLeft(BEN, LOBBY, LeaveReason.DENIED, session.now_ms),)
    assert session.refused(MOD, c.Deny(BEN)) is RejectCode.NOT_HERE
    assert session.refused(MOD, c.Deny(ANA)) is RejectCode.NOT_NOW
    session.knock(BEN)
    assert session.person(BEN).placement == LOBBY


def test_turning_auto_admit_on_lets_all_in() -> None:
    """In the order of coming; turning it on again, or off, lets nobody in."""
    session = circle()
    session.knock(ANA)
    session.knock(BEN)
    events = session.do(MOD, c.SetAutoAdmit(auto_admit=True))
    assert [type(event) for event in events] == [SettingsChanged, ParticipantAdmitted, ParticipantAdmitted]
    assert session.do(MOD, c.SetAutoAdmit(auto_admit=True)) == ()
    session.do(MOD, c.SetAutoAdmit(auto_admit=False))
    session.knock(CLEO)
    assert session.person(CLEO).placement == LOBBY


def test_a_locked_room_lets_only_moderators_and_returning_people_in() -> None:
    """The leader of the session is never locked out by their own lock."""
    session = circle(ANA)
    session.do(MOD, c.SetLocked(locked=True))
    assert session.do(MOD, c.SetLocked(locked=True)) == ()
    assert session.turned_away(BEN) is DisconnectCode.ROOM_LOCKED
    session.lose(ANA)
    session.knock(ANA)
    session.do(MOD, c.Leave())
    session.knock(MOD, Role.MODERATOR)
    assert session.person(MOD).placement == MAIN


def test_whoever_was_admitted_needs_no_new_admission() -> None:
    """I2: not after the grace, not after leaving, not while the room is locked; whoever only waited waits again."""
    session = circle(ANA)
    session.knock(BEN)
    session.do(MOD, c.SetLocked(locked=True))
    for person in (ANA, BEN):
        session.lose(person)
    session.pass_time(SEAT_GRACE_MS)
    assert ANA not in session.state.seats
    session.knock(ANA)
    assert session.person(ANA).placement == MAIN
    assert session.turned_away(BEN) is DisconnectCode.ROOM_LOCKED
    session.do(ANA, c.Leave())
    session.knock(ANA)
    assert session.person(ANA).placement == MAIN


def test_capacity_counts_the_lobby() -> None:
    """A full room refuses the next, and takes somebody when one has left."""
    session = Session(settings(capacity=2))
    session.knock(ANA)
    session.knock(BEN)
    assert session.turned_away(MOD, Role.MODERATOR) is DisconnectCode.ROOM_FULL
    session.do(ANA, c.Leave())
    session.knock(MOD, Role.MODERATOR)


def test_no_capacity_goes_beyond_the_hard_cap() -> None:
    """Whatever the settings say."""
    session = Session(settings(capacity=10 * MAX_PARTICIPANTS))
    session.join(MOD, role=Role.MODERATOR)
    person = session.person(MOD)
    crowd = {ParticipantId(f"p{number}"): person for number in range(MAX_PARTICIPANTS)}
    session.state = replace(session.state, participants=crowd)
    assert session.turned_away(ANA) is DisconnectCode.ROOM_FULL


def test_a_session_remembers_only_so_many_people_and_tickets() -> None:
    """What has to be remembered for safety is bounded by taking nobody new, but those who were here and moderators."""
    session = circle(ANA)
    session.state = replace(session.state, used_tickets=frozenset(f"t{number}" for number in range(MAX_EVER)))
    assert session.turned_away(BEN) is DisconnectCode.ROOM_FULL
    past = {ParticipantId(f"p{number}"): Past(Role.PARTICIPANT, hard_muted=False) for number in range(MAX_EVER)}
    session.state = replace(session.state, used_tickets=frozenset(), past=past)
    assert session.turned_away(BEN) is DisconnectCode.ROOM_FULL
    session.knock(ANA)
    session.knock(ParticipantId("p7"))
    session.knock(MOD, Role.MODERATOR)


@pytest.mark.parametrize("accepted", [0, 1, 3])
def test_another_agreement_than_the_present_one_is_not_enough(accepted: int) -> None:
    """The group agreement is accepted by its version, before the lobby."""
    session = Session(settings(agreement=Agreement(version=2, text="Be kind")))
    assert session.turned_away(ANA, agreement=accepted) is DisconnectCode.AGREEMENT_REQUIRED
    session.knock(ANA, agreement=2)
    assert session.state.seats[ANA].agreement == 2


@pytest.mark.parametrize("name", ["", "   ", "a" * 41, "a\u202eb", "\u200d"])
def test_names_that_cannot_be_shown_are_refused(name: str) -> None:
    """Nothing else of the join is kept."""
    session = Session()
    assert session.turned_away(ANA, name=name) is DisconnectCode.NAME_INVALID
    assert session.state.participants == {}


def test_a_ticket_admits_one_person_once() -> None:
    """Neither somebody else nor the same person comes with it again."""
    session = circle()
    session.knock(ANA, ticket="t1")
    assert session.turned_away(BEN, ticket="t1") is DisconnectCode.TICKET_USED
    assert session.turned_away(ANA, ticket="t1") is DisconnectCode.TICKET_USED
    session.knock(ANA)


def test_a_claim_opens_its_own_seat_alone() -> None:
    """Not somebody else's, not that of a person who was removed, and not after the client has resumed."""
    session = circle()
    session.knock(ANA, ticket="t1", claim_hash="c1")
    session.knock(BEN, ticket="t2", claim_hash="c2")
    assert session.turned_away(BEN, ticket="t1", claim_hash="c1") is DisconnectCode.TICKET_USED
    session.knock(ANA, ticket="t1", claim_hash="c1")
    assert session.state.seats[ANA].shown_hash == "c1"
    session.knock(ANA, shown_hash=session.state.seats[ANA].resume_hash, claim_hash="c1")
    assert session.state.seats[ANA].claim_hash == ""
    assert session.turned_away(ANA, ticket="t1", claim_hash="c1") is DisconnectCode.TICKET_USED
    assert session.turned_away(ANA, ticket="t1") is DisconnectCode.TICKET_USED


def test_the_log_decides_who_is_the_same_client() -> None:
    """The secret of the last Welcome or the one before it needs no ticket; any other is a stranger's, for the seat."""
    session = circle()
    session.knock(ANA, ticket="t1", resume_hash="first")
    session.knock(ANA, ticket="t1", resume_hash="second", shown_hash="first")
    session.knock(ANA, ticket="t1", resume_hash="third", shown_hash="first")
    assert session.state.seats[ANA].shown_hash == "first"
    assert session.turned_away(ANA, ticket="t1", shown_hash="second") is DisconnectCode.TICKET_USED
    session.knock(ANA, resume_hash="fourth", shown_hash="second")
    assert session.state.seats[ANA].shown_hash == ""
    assert session.state.used_tickets == {"t1"}


def test_removed_people_never_come_back() -> None:
    """I5: not with another ticket, not as a moderator."""
    session = circle(ANA)
    session.do(MOD, c.Remove(ANA))
    assert session.turned_away(ANA, Role.MODERATOR, ticket="t2") is DisconnectCode.REMOVED


def test_rights_that_were_taken_stay_taken_after_leaving() -> None:
    """I5: neither a hard mute nor a demotion is undone by coming back with the old token."""
    session = circle(ANA)
    session.join(LEA, role=Role.MODERATOR)
    session.do(MOD, c.SetRole(LEA, Role.PARTICIPANT))
    session.do(MOD, c.SetHardMute(ANA, on=True))
    for person, role in ((LEA, Role.MODERATOR), (ANA, Role.PARTICIPANT)):
        session.do(person, c.Leave())
        session.join(person, role=role)
    assert session.person(LEA).role is Role.PARTICIPANT
    assert session.refused(ANA, c.SetMicrophone(on=True)) is RejectCode.HARD_MUTED


def test_after_the_end_nobody_comes_and_to_the_debrief_only_staff() -> None:
    """Participants are told that the session is over."""
    session = circle(ANA)
    session.do(MOD, c.NextPhase())
    session.do(MOD, c.EndSession(debrief=True))
    assert session.turned_away(ANA) is DisconnectCode.SESSION_OVER
    session.join(LEA, role=Role.LEADER)
    session.do(MOD, c.EndSession())
    assert session.turned_away(MOD, Role.MODERATOR) is DisconnectCode.SESSION_OVER


def test_leaving_gives_up_the_seat() -> None:
    """From the lobby as from a breakout."""
    session = circle(ANA)
    session.knock(BEN)
    assert session.do(BEN, c.Leave()) == (ParticipantLeft(BEN, LOBBY, LeaveReason.LEFT, session.now_ms),)
    session.do(ANA, c.Leave())
    assert session.state.participants.keys() == {MOD}


def test_a_refused_join_names_nobody() -> None:
    """The refusal is a number; its text holds no name."""
    session = Session(settings(locked=True))
    command = session.seat(ANA, connection=ConnectionId("x"))
    with pytest.raises(JoinRefused, match=r"^room_locked$"):
        decide(session.state, command, None, Context(now_ms=1))


def test_joining_tells_who_and_where() -> None:
    """The event carries the whole person."""
    session = Session()
    _, joined = session.knock(ANA, name="  Ana   Sol ")
    assert isinstance(joined, ParticipantJoined)
    assert (joined.participant.name, joined.participant.placement) == ("Ana Sol", Placement("lobby"))
