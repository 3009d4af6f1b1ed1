# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from msgspec.structs import replace

from server.ids import MAIN, ParticipantId, Placement
from server.rooms import commands as c
from server.rooms.phases import RoundOrder
from server.rooms.routes import HANDS_AWAITED, RouteGroup, routes_of
from server.rooms.state import AssignmentStrategy, PlannedRoom, Role
from tests.rooms.builders import ANA, BEN, CLEO, DAN, LEA, MOD, Session, circle


def on_air(session: Session) -> None:
    """Everyone who is in turns microphone and camera on."""
    for person in tuple(session.state.participants):
        session.do(person, c.SetMicrophone(on=True))
        session.do(person, c.SetCamera(on=True))


def group(session: Session, placement: Placement = MAIN) -> RouteGroup:
    """What flows in this placement."""
    (found,) = (each for each in routes_of(session.state) if each.placement == placement)
    return found


def test_nothing_flows_before_somebody_presses() -> None:
    """Members share a placement; the lobby is in no group."""
    session = circle(ANA)
    session.knock(BEN)
    assert routes_of(session.state) == (RouteGroup(MAIN, (MOD, ANA), audio=(), video=(), staff=(MOD,)),)


def test_groups_are_placements() -> None:
    """In a stable order, whatever the order of moves; nobody is in two."""
    session = circle(ANA, BEN, CLEO)
    on_air(session)
    session.do(MOD, c.DraftPlan(AssignmentStrategy.BY_HAND, 2, 0))
    session.do(MOD, c.EditPlan(1, (PlannedRoom("A", (CLEO,)), PlannedRoom("B", (ANA,))), 0))
    session.do(MOD, c.OpenBreakouts(2, allow_alone=True))
    assert [(each.placement, each.audio) for each in routes_of(session.state)] == [
        ("b1", (CLEO,)),
        ("b2", (ANA,)),
        ("main", (MOD, BEN)),
    ]


def test_the_most_important_come_first() -> None:
    """Whose turn it is, the spotlight, staff, then the order of joining."""
    session = circle(ANA, BEN, CLEO, DAN)
    session.join(LEA, role=Role.LEADER)
    on_air(session)
    assert group(session).video == (MOD, LEA, ANA, BEN, CLEO, DAN)
    session.do(MOD, c.Spotlight(CLEO))
    session.do(MOD, c.StartRound(no_cross_talk=False))
    session.do(MOD, c.GiveTurn(DAN))
    assert group(session).video == (DAN, CLEO, MOD, LEA, ANA, BEN)
    assert group(session).audio == (DAN, CLEO, MOD, LEA, ANA, BEN)


def test_out_of_turn_only_the_moderator_is_heard() -> None:
    """No cross-talk: microphones stay as they are, and everyone is still seen."""
    session = circle(ANA, BEN)
    session.join(LEA, role=Role.LEADER)
    on_air(session)
    session.do(MOD, c.StartRound())
    assert group(session).audio == (ANA, MOD)
    assert group(session).video == (ANA, MOD, LEA, BEN)
    session.do(MOD, c.EndRound())
    assert group(session).audio == (MOD, LEA, ANA, BEN)


def test_while_volunteers_are_awaited_nobody_is_heard_out_of_turn() -> None:
    """The moderator can still ask."""
    session = circle(ANA, BEN)
    on_air(session)
    session.do(MOD, c.StartRound(order=RoundOrder.VOLUNTEER))
    assert group(session).audio == (MOD,)
    session.do(BEN, c.TakeTurn())
    assert group(session).audio == (BEN, MOD)


def test_a_leader_is_heard_out_of_turn_in_the_breakout_they_lead() -> None:
    """And nowhere else."""
    session = circle(ANA, BEN)
    session.join(LEA, role=Role.LEADER)
    on_air(session)
    session.do(MOD, c.DraftPlan(AssignmentStrategy.BY_LEADER, 1, 0))
    session.do(MOD, c.OpenBreakouts(1))
    session.do(LEA, c.StartRound())
    assert group(session, Placement("b1")).audio == (ANA, LEA)


def test_who_is_muted_or_off_is_not_forwarded() -> None:
    """Even if it is their turn."""
    session = circle(ANA, BEN)
    on_air(session)
    session.do(MOD, c.StartRound())
    session.do(MOD, c.SetHardMute(ANA, on=True))
    session.do(MOD, c.TurnCameraOff(ANA))
    assert group(session) == RouteGroup(
        MAIN, (MOD, ANA, BEN), audio=(MOD,), video=(MOD, BEN), awaited=(ANA, BEN), staff=(MOD,)
    )


def test_a_lost_signaling_connection_does_not_stop_media() -> None:
    """Their media may still flow."""
    session = circle(ANA)
    on_air(session)
    before = routes_of(session.state)
    session.lose(ANA)
    assert routes_of(session.state) == before


def test_a_hard_mute_wins_over_a_microphone_that_is_on() -> None:
    """The fold never leaves such a person; if it did, they would still not be heard."""
    session = circle(ANA)
    on_air(session)
    muted = replace(session.person(ANA), hard_muted=True)
    session.state = replace(session.state, participants={**session.state.participants, ANA: muted})
    assert group(session).audio == (MOD,)


def test_awaited_are_turn_spotlight_next_and_hands() -> None:
    """Most important first, each once, and only who is here; of the hands the oldest alone."""
    names = tuple(ParticipantId(f"h{number}") for number in range(6))
    session = circle(ANA, BEN, CLEO, *names)
    assert group(session).awaited == ()
    for person in (*names, ANA):
        session.do(person, c.RaiseHand())
    assert group(session).awaited == names[:HANDS_AWAITED]
    session.do(MOD, c.Spotlight(CLEO))
    session.do(MOD, c.StartRound())
    assert group(session).awaited == (ANA, CLEO, BEN, *names[:HANDS_AWAITED])
    session.do(MOD, c.GiveTurn(CLEO))
    assert group(session).awaited == (CLEO, BEN, *names[:HANDS_AWAITED])


def test_nobody_knows_who_is_next_of_volunteers() -> None:
    """Until somebody takes the turn, nobody is awaited."""
    session = circle(ANA, BEN)
    session.do(MOD, c.StartRound(order=RoundOrder.VOLUNTEER))
    assert group(session).awaited == ()
    session.do(BEN, c.TakeTurn())
    assert group(session).awaited == (BEN,)


def test_hands_are_awaited_where_they_are() -> None:
    """A hand raised in a breakout takes no slot in main; its leader is staff there."""
    session = circle(ANA, BEN)
    session.join(LEA, role=Role.LEADER)
    session.do(MOD, c.DraftPlan(AssignmentStrategy.BY_LEADER, 1, 0))
    session.do(MOD, c.OpenBreakouts(1))
    session.do(ANA, c.RaiseHand())
    assert group(session, Placement("b1")).awaited == (ANA,)
    assert group(session, Placement("b1")).staff == (LEA,)
    assert group(session).awaited == ()
