# SPDX-License-Identifier: Apache-2.0
"""Who may do what: every command, sent by every role from every placement, in every state of the session."""

from __future__ import annotations

from typing import Final

import msgspec
import pytest
from msgspec.structs import replace

from server.errors import CommandRejected, RejectCode
from server.ids import LOBBY, MAIN, BreakoutId, NodeId, ParticipantId, PhaseId, Placement
from server.rooms import commands as c
from server.rooms.commands import Command, RoomCommand
from server.rooms.context import Context
from server.rooms.decide import decide
from server.rooms.phases import SessionStatus
from server.rooms.roles import GRANTS, MODERATORS
from server.rooms.state import AssignmentStrategy, Breakout, Hand, Participant, PlannedRoom, Reaction, Role, RoomState
from tests.rooms.builders import ANA, BEN, MOD, TOPIC, Session, new_room

WHO: Final = ParticipantId("who")
B1: Final = Placement("b1")
B2: Final = Placement("b2")
PLACES: Final = (LOBBY, MAIN, B1, B2)

EXAMPLES: Final[tuple[RoomCommand, ...]] = (
    c.Admit((ANA,)),
    c.Deny(ANA),
    c.SetLocked(locked=True),
    c.SetAutoAdmit(auto_admit=True),
    c.Leave(),
    c.SetMicrophone(on=True),
    c.SetCamera(on=True),
    c.RaiseHand(),
    c.LowerHand(),
    c.React(Reaction.HEART),
    c.Rename("Blue"),
    c.SendChat("Hello"),
    c.SetGoal("Rest"),
    c.Mute((ANA,)),
    c.MuteEveryone(),
    c.SetHardMute(ANA, on=True),
    c.TurnCameraOff(ANA),
    c.Remove(ANA),
    c.Spotlight(ANA),
    c.SetRole(ANA, Role.MODERATOR),
    c.EndSession(),
    c.NextPhase(),
    c.PreviousPhase(),
    c.SkipPhase(TOPIC.id),
    c.ExtendPhase(60_000),
    c.EditAgenda(1, (TOPIC,)),
    c.StartRound(),
    c.TakeTurn(),
    c.FinishTurn(),
    c.PassTurn(),
    c.ComeBackLater(),
    c.NextTurn(),
    c.GiveTurn(ANA),
    c.EndRound(),
    c.DraftPlan(AssignmentStrategy.EVEN, 2, 0),
    c.EditPlan(1, (PlannedRoom("Blue", (ANA,)),), 0),
    c.DiscardPlan(),
    c.OpenBreakouts(1),
    c.Move((ANA,), B2),
    c.Swap(ANA, BEN),
    c.MergeBreakouts(BreakoutId("b1"), BreakoutId("b2")),
    c.SplitBreakout(BreakoutId("b1"), (ANA,), "Quiet"),
    c.AddBreakout("Blue"),
    c.RenameBreakout(BreakoutId("b1"), "Sky"),
    c.CloseBreakout(BreakoutId("b1")),
    c.CloseBreakouts(),
    c.ExtendBreakouts(60_000),
    c.UndoBreakouts(),
    c.Visit(B2),
    c.Broadcast("Hello all"),
    c.RequestHelp(),
    c.CancelHelp(),
    c.AcknowledgeHelp(ANA),
)
"""One of each command, about people and rooms that exist."""

FOR_STAFF: Final = [command for command in EXAMPLES if Role.PARTICIPANT not in GRANTS[type(command)].roles]
FOR_MODERATORS: Final = [command for command in EXAMPLES if GRANTS[type(command)].roles == MODERATORS]
NAMING: Final = frozenset(
    {"participant", "participants", "first", "second", "breakout", "source", "target", "to", "phase"}
)
"""Fields that name a person, a room or a phase."""
ABOUT_SOMETHING: Final = [command for command in EXAMPLES if NAMING & set(command.__struct_fields__)]

SEATED: Final = {
    MOD: Participant(MOD, "Mod", Role.MODERATOR, MAIN, joined_ms=0),
    ANA: Participant(ANA, "Ana", Role.PARTICIPANT, B1, joined_ms=1, microphone=True, camera=True),
    BEN: Participant(BEN, "Ben", Role.PARTICIPANT, B2, joined_ms=2),
}


def room(role: Role, placement: Placement, status: SessionStatus = SessionStatus.LIVE) -> RoomState:
    """A room with two breakouts, the first led by `WHO`, who has this role in this placement."""
    state = new_room()
    rooms = (Breakout(BreakoutId("b1"), "Blue", leader=WHO), Breakout(BreakoutId("b2"), "Green"))
    return replace(
        state,
        status=status,
        agenda=replace(state.agenda, current=state.agenda.phases[0].id),
        participants={**SEATED, WHO: Participant(WHO, "Who", role, placement, joined_ms=3)},
        breakouts=replace(state.breakouts, rooms=rooms),
        hands=(Hand(ANA, 1),),
    )


def verdict(state: RoomState, command: Command, actor: ParticipantId | None = WHO) -> RejectCode | None:
    """The refusal, or None when the command is accepted."""
    try:
        decide(state, command, actor, Context(now_ms=9_000))
    except CommandRejected as refusal:
        return refusal.code
    return None


def named(command: object) -> str:
    """How the command shows in the test's id."""
    return type(command).__name__


def test_every_command_has_a_grant_and_an_example() -> None:
    """Nothing can be added to the protocol without a row in the table and in this sweep."""
    kinds = set(RoomCommand.__args__)
    assert set(GRANTS) == kinds
    assert {type(command) for command in EXAMPLES} == kinds


@pytest.mark.parametrize("placement", PLACES)
@pytest.mark.parametrize("command", FOR_STAFF, ids=named)
def test_participants_never_succeed_with_staff_commands(command: RoomCommand, placement: Placement) -> None:
    """Wherever they are, and even if a breakout names them as its leader."""
    expected = RejectCode.NOT_ADMITTED if placement == LOBBY else RejectCode.NOT_ALLOWED
    assert verdict(room(Role.PARTICIPANT, placement), command) is expected


@pytest.mark.parametrize("placement", PLACES)
@pytest.mark.parametrize("command", FOR_MODERATORS, ids=named)
def test_leaders_have_no_moderators_rights(command: RoomCommand, placement: Placement) -> None:
    """Not even in the breakout they lead."""
    expected = RejectCode.NOT_ADMITTED if placement == LOBBY else RejectCode.NOT_ALLOWED
    assert verdict(room(Role.LEADER, placement), command) is expected


@pytest.mark.parametrize("placement", [MAIN, B2])
@pytest.mark.parametrize(
    "command",
    [c.Mute((ANA,)), c.MuteEveryone(), c.SetHardMute(ANA, on=True), c.TurnCameraOff(ANA), c.StartRound()],
    ids=named,
)
def test_leaders_lead_only_where_they_lead(command: RoomCommand, placement: Placement) -> None:
    """Their rights hold in their breakout, and nowhere else."""
    assert verdict(room(Role.LEADER, B1), command) is None
    assert verdict(room(Role.LEADER, placement), command) is RejectCode.NOT_ALLOWED


@pytest.mark.parametrize("target", [BEN, MOD])
def test_nobody_acts_on_people_out_of_their_reach(target: ParticipantId) -> None:
    """A leader's reach is their breakout without moderators; a participant's reach is themselves."""
    visited = room(Role.LEADER, B1)
    visited = replace(visited, participants={**visited.participants, MOD: replace(SEATED[MOD], placement=B1)})
    commands: tuple[RoomCommand, ...] = (
        c.Mute((target,)),
        c.SetHardMute(target, on=True),
        c.TurnCameraOff(target),
        c.LowerHand(target),
        c.Rename("Somebody", target),
    )
    for command in commands:
        assert verdict(visited, command) is RejectCode.NOT_ALLOWED
        assert verdict(room(Role.PARTICIPANT, B1), command) is RejectCode.NOT_ALLOWED


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("command", EXAMPLES, ids=named)
def test_the_lobby_may_only_rename_itself_and_leave(command: RoomCommand, role: Role) -> None:
    """Whatever their token says."""
    allowed = isinstance(command, c.Rename | c.Leave)
    assert verdict(room(role, LOBBY), command) is (None if allowed else RejectCode.NOT_ADMITTED)


@pytest.mark.parametrize("command", EXAMPLES, ids=named)
def test_nothing_happens_after_the_end(command: RoomCommand) -> None:
    """A closed room refuses everything, from everyone who could do it before."""
    assert verdict(room(Role.MODERATOR, MAIN, SessionStatus.ENDED), command) in {
        RejectCode.NOT_NOW,
        RejectCode.NOT_ALLOWED,
    }


@pytest.mark.parametrize("command", EXAMPLES, ids=named)
def test_nobody_without_a_seat_is_obeyed(command: RoomCommand) -> None:
    """A command of somebody who was removed meanwhile, or of nobody."""
    assert verdict(room(Role.MODERATOR, MAIN), command, ParticipantId("stranger")) is RejectCode.NOT_HERE
    assert verdict(room(Role.MODERATOR, MAIN), command, None) is RejectCode.NOT_ALLOWED


def test_system_commands_are_the_systems_alone() -> None:
    """Not even a moderator takes seats for others."""
    session = Session()
    seat = session.seat(WHO, Role.MODERATOR)
    assert verdict(room(Role.MODERATOR, MAIN), seat, MOD) is RejectCode.NOT_ALLOWED
    lost = c.LoseConnection(MOD, seat.connection)
    assert verdict(room(Role.MODERATOR, MAIN), lost, WHO) is RejectCode.NOT_ALLOWED
    assert verdict(room(Role.MODERATOR, MAIN), c.LoseConnections(NodeId("n1")), MOD) is RejectCode.NOT_ALLOWED


@pytest.mark.parametrize("target", ["nobody", "b9", "lobby"])
@pytest.mark.parametrize("command", ABOUT_SOMETHING, ids=named)
def test_foreign_ids_reach_nobody(command: RoomCommand, target: str) -> None:
    """A moderator who names people, rooms or phases of another session is refused, or changes nobody."""
    names = NAMING & set(command.__struct_fields__)
    fields = {name: [target] if name == "participants" else target for name in names}
    foreign = msgspec.convert({**msgspec.to_builtins(command), **fields}, type(command))
    assert verdict(room(Role.MODERATOR, MAIN), foreign) in {RejectCode.NOT_HERE, RejectCode.NOT_NOW}


def test_the_sweep_would_notice() -> None:
    """The same commands succeed for the moderator they are meant for: the refusals above are about rights."""
    accepted = {named(command) for command in EXAMPLES if verdict(room(Role.MODERATOR, MAIN), command) is None}
    assert {"SetHardMute", "Remove", "SetRole", "EndSession", "NextPhase", "Move", "Swap", "Broadcast"} <= accepted
    assert verdict(room(Role.MODERATOR, MAIN), c.SkipPhase(PhaseId("topic"))) is None
