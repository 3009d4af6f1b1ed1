# SPDX-License-Identifier: Apache-2.0
"""The draft: a versioned plan that moderators prepare, and open when it fits."""

from __future__ import annotations

from typing import assert_never

from msgspec import structs

from server.breakouts.assignment import assign
from server.breakouts.lifecycle import require_possible
from server.breakouts.problems import ProblemKind, is_here, leads_room, problems_of
from server.errors import CommandRejected, RejectCode
from server.ids import LOBBY, ParticipantId
from server.rooms.commands import DiscardPlan, DraftPlan, EditPlan, PlanCommand
from server.rooms.context import Context, Events
from server.rooms.events import PlanChanged
from server.rooms.names import clean_name, clean_text
from server.rooms.people import in_order
from server.rooms.state import (
    MAX_BREAKOUTS,
    AssignmentStrategy,
    BreakoutPlan,
    Participant,
    PlannedRoom,
    Role,
    RoomState,
)


def decide_plan(state: RoomState, command: PlanCommand, actor: ParticipantId, ctx: Context) -> Events:
    """What a command about the draft brings. Raises CommandRejected."""
    require_possible(state.breakouts, command)
    match command:
        case DraftPlan():
            return _draft(state, command, actor, ctx)
        case EditPlan():
            return _edit(state, command, actor)
        case DiscardPlan():
            return () if state.breakouts.plan is None else (PlanChanged(plan=None, by=actor),)
    assert_never(command)


def require_plan(state: RoomState, version: int) -> BreakoutPlan:
    """The draft that the sender has seen. Raises STALE_VERSION when it is another one, or gone."""
    plan = state.breakouts.plan
    if plan is None or plan.version != version:
        raise CommandRejected(RejectCode.STALE_VERSION)
    return plan


def _draft(state: RoomState, command: DraftPlan, actor: ParticipantId, ctx: Context) -> Events:
    """For everyone who has been admitted, wherever they are; moderators go where they want."""
    people = in_order([person for person in state.participants.values() if person.placement != LOBBY])
    leaders = _with_role(people, Role.LEADER)
    rooms = assign(command.strategy, _with_role(people, Role.PARTICIPANT), leaders, command.rooms, ctx.seed)
    if len(rooms) > MAX_BREAKOUTS:
        raise CommandRejected(RejectCode.LIMIT_REACHED)
    if command.strategy is not AssignmentStrategy.BY_HAND:
        _refuse(state, rooms, frozenset({ProblemKind.NO_LEADER, ProblemKind.EMPTY_ROOM}))
    names = map(require_name, command.names)
    plan = BreakoutPlan(
        version=state.next_plan,
        strategy=command.strategy,
        rooms=tuple(structs.replace(room, name=next(names, room.name)) for room in rooms),
        duration_ms=command.duration_ms,
        prompt=clean_text(command.prompt),
    )
    return (PlanChanged(plan=plan, by=actor),)


def _with_role(people: tuple[Participant, ...], role: Role) -> tuple[ParticipantId, ...]:
    return tuple(person.id for person in people if person.role is role)


def _edit(state: RoomState, command: EditPlan, actor: ParticipantId) -> Events:
    """It may still be unfinished, but names nobody twice and no strangers.

    People of the draft who have left meanwhile are dropped, and its leaders who may lead no more, so that a departure
    does not spoil the edit. Taking somebody out makes it a plan by hand: from then on it alone says who stays in main.
    """
    old = require_plan(state, command.version)
    known = _members(old.rooms)
    gone = {member for member in known if not is_here(member, state.participants)}
    led = {room.leader for room in old.rooms if leads_room(room.leader, room.members, state.participants)}
    unfit = {room.leader for room in old.rooms} - led
    rooms = tuple(_tidy(room, gone, unfit) for room in command.rooms)
    _refuse(state, rooms, frozenset({ProblemKind.NO_LEADER, ProblemKind.UNKNOWN_PERSON, ProblemKind.PERSON_TWICE}))
    plan = BreakoutPlan(
        version=state.next_plan,
        strategy=AssignmentStrategy.BY_HAND if known - gone - _members(rooms) else old.strategy,
        rooms=rooms,
        duration_ms=command.duration_ms,
        prompt=clean_text(command.prompt),
    )
    return (PlanChanged(plan=plan, by=actor),)


def _members(rooms: tuple[PlannedRoom, ...]) -> set[ParticipantId]:
    return {member for room in rooms for member in room.members}


def _tidy(room: PlannedRoom, gone: set[ParticipantId], unfit: set[ParticipantId | None]) -> PlannedRoom:
    members = tuple(member for member in room.members if member not in gone)
    leader = None if room.leader in unfit else room.leader
    return PlannedRoom(name=require_name(room.name), members=members, leader=leader)


def require_name(name: str) -> str:
    """The name of a breakout as it is stored. Raises NAME_INVALID."""
    clean = clean_name(name)
    if clean is None:
        raise CommandRejected(RejectCode.NAME_INVALID)
    return clean


def _refuse(state: RoomState, rooms: tuple[PlannedRoom, ...], kinds: frozenset[ProblemKind]) -> None:
    if any(problem.kind in kinds for problem in problems_of(rooms, state.participants)):
        raise CommandRejected(RejectCode.PLAN_INFEASIBLE)
