# SPDX-License-Identifier: Apache-2.0
"""What people may see: told twice in the code (`view`, `audience`), compared by the state machine, spelt out here."""

from __future__ import annotations

import pytest

from server.ids import EVERYWHERE, LOBBY, MAIN, ParticipantId, Placement
from server.rooms import commands as c
from server.rooms import events as e
from server.rooms.audience import Audience, Scope, Viewer, audience_of, viewer_of
from server.rooms.events import Event
from server.rooms.phases import SessionStatus
from server.rooms.state import (
    Agenda,
    AssignmentStrategy,
    Breakouts,
    GoalVisibility,
    PlannedRoom,
    Reaction,
    Role,
    RoomView,
)
from server.rooms.view import view_of
from tests.rooms.builders import ANA, BEN, CLEO, DAN, LEA, MOD, Session, circle

B1, B2 = Placement("b1"), Placement("b2")


def in_two_rooms() -> Session:
    """Ana and Ben in one breakout, Cleo and the leader Lea in another, the moderator in main, Dan in the lobby."""
    session = circle(ANA, BEN, CLEO)
    session.join(LEA, role=Role.LEADER)
    session.do(MOD, c.NextPhase())
    session.do(MOD, c.DraftPlan(AssignmentStrategy.BY_HAND, 2, 0))
    rooms = (PlannedRoom("Blue", (ANA, BEN)), PlannedRoom("Green", (CLEO, LEA), LEA))
    session.do(MOD, c.EditPlan(1, rooms, 0))
    session.do(MOD, c.OpenBreakouts(2))
    session.knock(DAN)
    return session


def test_a_view_is_never_the_state() -> None:
    """What never leaves the server is not in it, whoever asks."""
    session = in_two_rooms()
    for participant in session.state.participants:
        assert type(view_of(session.state, participant)) is RoomView


def test_nobody_has_no_view() -> None:
    """A snapshot is for people with a seat."""
    with pytest.raises(KeyError):
        view_of(in_two_rooms().state, ParticipantId("nobody"))


def test_the_lobby_sees_itself_and_that_the_session_has_begun() -> None:
    """No agenda, nobody else, no chat, no rooms."""
    session = in_two_rooms()
    session.do(MOD, c.Broadcast("Welcome"))
    state = session.state
    assert view_of(state, DAN) == RoomView(
        id=state.id,
        status=SessionStatus.LIVE,
        settings=state.settings,
        agenda=Agenda(version=0, phases=()),
        participants={DAN: state.participants[DAN]},
        breakouts=Breakouts(),
    )


def test_moderators_see_the_lobby_and_others_do_not() -> None:
    """The roster is for all who have been admitted, over all rooms."""
    state = in_two_rooms().state
    inside = {MOD, ANA, BEN, CLEO, LEA}
    assert view_of(state, MOD).participants.keys() == inside | {DAN}
    for each in (ANA, LEA):
        assert view_of(state, each).participants.keys() == inside


def test_chat_is_of_the_place_one_is_in() -> None:
    """Also for moderators; a broadcast is for all who have been admitted."""
    session = in_two_rooms()
    session.do(ANA, c.SendChat("Blue"))
    session.do(CLEO, c.SendChat("Green"))
    session.do(MOD, c.SendChat("Main"))
    session.do(MOD, c.Broadcast("All"))
    seen = {each: view_of(session.state, each).chat.keys() for each in (ANA, BEN, CLEO, MOD)}
    assert seen == {ANA: {B1, EVERYWHERE}, BEN: {B1, EVERYWHERE}, CLEO: {B2, EVERYWHERE}, MOD: {MAIN, EVERYWHERE}}


def test_rounds_are_seen_where_they_are_and_by_moderators() -> None:
    """A leader sees the one of their own room."""
    session = in_two_rooms()
    session.do(LEA, c.StartRound())
    seen = {each: view_of(session.state, each).rounds.keys() for each in (ANA, CLEO, LEA, MOD)}
    assert seen == {ANA: set(), CLEO: {B2}, LEA: {B2}, MOD: {B2}}


def test_plans_are_for_moderators() -> None:
    """An announced change is for everyone."""
    session = circle(ANA, BEN)
    session.do(MOD, c.DraftPlan(AssignmentStrategy.EVEN, 1, 0))
    assert view_of(session.state, MOD).breakouts.plan is not None
    assert view_of(session.state, ANA).breakouts.plan is None
    session.do(MOD, c.OpenBreakouts(1, lead_ms=10_000))
    assert view_of(session.state, ANA).breakouts.pending == session.state.breakouts.pending != ()


def test_calls_for_help_are_for_moderators_and_their_caller() -> None:
    """Nobody else learns of them."""
    session = in_two_rooms()
    session.do(ANA, c.RequestHelp())
    seen = {each: len(view_of(session.state, each).help) for each in (ANA, BEN, LEA, MOD)}
    assert seen == {ANA: 1, BEN: 0, LEA: 0, MOD: 1}


def test_private_goals_are_their_owners_alone() -> None:
    """Not even moderators read them."""
    session = in_two_rooms()
    session.do(ANA, c.SetGoal("Rest"))
    session.do(BEN, c.SetGoal("Walk", GoalVisibility.GROUP))
    seen = {each: view_of(session.state, each).goals.keys() for each in (ANA, CLEO, MOD)}
    assert seen == {ANA: {ANA, BEN}, CLEO: {BEN}, MOD: {BEN}}


ANY = Viewer(ANA, moderator=False, placement=MAIN)
VIEWERS = {
    "moderator": Viewer(MOD, moderator=True, placement=MAIN),
    "main": ANY,
    "breakout": Viewer(BEN, moderator=False, placement=B1),
    "lobby": Viewer(DAN, moderator=False, placement=LOBBY),
}


@pytest.mark.parametrize(
    ("audience", "expected"),
    [
        (Audience(Scope.NOBODY), []),
        (Audience(Scope.NOBODY, person=BEN), ["breakout"]),
        (Audience(Scope.MODERATORS), ["moderator"]),
        (Audience(Scope.MODERATORS, person=DAN), ["moderator", "lobby"]),
        (Audience(Scope.PLACEMENT, B1), ["breakout"]),
        (Audience(Scope.PLACEMENT_AND_MODERATORS, B1), ["moderator", "breakout"]),
        (Audience(Scope.ADMITTED), ["moderator", "main", "breakout"]),
        (Audience(Scope.EVERYONE), ["moderator", "main", "breakout", "lobby"]),
    ],
    ids=str,
)
def test_an_audience_is_a_rule(audience: Audience, expected: list[str]) -> None:
    """Each scope includes whom its name says, and the one person who is added."""
    assert sorted(name for name, viewer in VIEWERS.items() if audience.includes(viewer)) == sorted(expected)


def heard_by(session: Session, events: tuple[Event, ...], kind: type[Event]) -> set[str]:
    """Who receives the event of this kind."""
    (event,) = (event for event in events if isinstance(event, kind))
    audience = audience_of(event, session.state)
    viewers = (viewer_of(session.state, each) for each in session.state.participants)
    return {viewer.id for viewer in viewers if viewer is not None and audience.includes(viewer)}


def test_what_happens_in_the_lobby_is_for_moderators_and_the_person() -> None:
    """Coming, waiting, renaming, losing the connection, being denied."""
    session = in_two_rooms()
    eve = ParticipantId("eve")
    assert heard_by(session, session.knock(eve), e.ParticipantJoined) == {MOD, eve}
    assert heard_by(session, session.do(eve, c.Rename("Evening")), e.Renamed) == {MOD, eve}
    assert heard_by(session, session.lose(eve), e.ConnectionLost) == {MOD, eve}
    assert heard_by(session, session.knock(eve), e.ParticipantReturned) == {MOD, eve}
    assert heard_by(session, session.do(MOD, c.Deny(eve)), e.ParticipantLeft) == {MOD}


def test_what_is_the_servers_own_business_is_for_nobody() -> None:
    """Seats, the opening of the room, and people who are not here any more."""
    session = in_two_rooms()
    assert heard_by(session, session.knock(ANA), e.SeatBound) == set()
    opening = e.RoomOpened(session.state.id, session.state.settings, session.state.agenda, 0)
    assert heard_by(session, (opening,), e.RoomOpened) == set()
    assert heard_by(session, (e.Renamed(ParticipantId("gone"), "X", MOD),), e.Renamed) == set()


def test_the_life_of_the_session_is_for_everyone() -> None:
    """Also in the lobby; the agenda is not."""
    session = circle(ANA)
    session.knock(DAN)
    began = session.do(MOD, c.NextPhase())
    assert heard_by(session, began, e.SessionStarted) == {MOD, ANA, DAN}
    assert heard_by(session, began, e.PhaseStarted) == {MOD, ANA}
    assert heard_by(session, session.do(MOD, c.SetLocked(locked=True)), e.SettingsChanged) == {MOD, ANA, DAN}


def test_what_is_said_in_a_room_stays_there() -> None:
    """Chat, reactions, rounds; moderators follow rounds from anywhere."""
    session = in_two_rooms()
    assert heard_by(session, session.do(ANA, c.SendChat("Hi")), e.ChatSent) == {ANA, BEN}
    assert heard_by(session, session.do(ANA, c.React(Reaction.HEART)), e.Reacted) == {ANA, BEN}
    assert heard_by(session, session.do(LEA, c.StartRound()), e.RoundStarted) == {CLEO, LEA, MOD}
    assert heard_by(session, session.do(MOD, c.Broadcast("Hi")), e.ChatSent) == {ANA, BEN, CLEO, LEA, MOD}


def test_a_goal_is_heard_by_those_who_may_read_it() -> None:
    """Private goals by their owner, others by all who have been admitted."""
    session = in_two_rooms()
    assert heard_by(session, session.do(ANA, c.SetGoal("Rest")), e.GoalSet) == {ANA}
    group = session.do(ANA, c.SetGoal("Rest", GoalVisibility.GROUP))
    assert heard_by(session, group, e.GoalSet) == {ANA, BEN, CLEO, LEA, MOD}


def test_a_call_for_help_is_heard_by_moderators_and_the_caller() -> None:
    """As are its answer and its end."""
    session = in_two_rooms()
    assert heard_by(session, session.do(ANA, c.RequestHelp()), e.HelpRequested) == {ANA, MOD}
    assert heard_by(session, session.do(MOD, c.AcknowledgeHelp(ANA)), e.HelpAcknowledged) == {ANA, MOD}
    assert heard_by(session, session.do(ANA, c.CancelHelp()), e.HelpCleared) == {ANA, MOD}


def test_rooms_are_everyones_business_and_drafts_are_moderators() -> None:
    """A revision goes to all who have been admitted."""
    session = in_two_rooms()
    assert heard_by(session, session.do(MOD, c.AddBreakout("Spare")), e.BreakoutsRevised) == {ANA, BEN, CLEO, LEA, MOD}
    session.do(MOD, c.CloseBreakouts())
    assert heard_by(session, session.do(MOD, c.DraftPlan(AssignmentStrategy.EVEN, 1, 0)), e.PlanChanged) == {MOD}


def test_hands_and_the_spotlight_are_for_all_who_are_in() -> None:
    """Over all rooms."""
    session = in_two_rooms()
    inside = {ANA, BEN, CLEO, LEA, MOD}
    assert heard_by(session, session.do(ANA, c.RaiseHand()), e.HandRaised) == inside
    assert heard_by(session, session.do(ANA, c.LowerHand()), e.HandLowered) == inside
    assert heard_by(session, session.do(MOD, c.Spotlight(ANA)), e.SpotlightChanged) == inside
