# SPDX-License-Identifier: Apache-2.0
"""Opening a plan: at once, or after telling people."""

from __future__ import annotations

from collections import Counter

from server.breakouts.assignment import least_full
from server.breakouts.evolve import breakout_id
from server.breakouts.leaders import with_leaders
from server.breakouts.plan import require_plan
from server.breakouts.problems import Problem, ProblemKind, company, is_here, leads_room, problems_of
from server.breakouts.revisions import Arrangement, Moves, real_moves, revise
from server.errors import CommandRejected, RejectCode
from server.ids import MAIN, ParticipantId, Placement
from server.rooms import timers
from server.rooms.commands import OpenBreakouts
from server.rooms.context import Context, Events
from server.rooms.events import BreakoutsChange, ChangeAnnounced, ChangeCancelled
from server.rooms.people import people_in
from server.rooms.state import (
    AssignmentStrategy,
    Breakout,
    BreakoutPlan,
    PendingChange,
    PendingKind,
    PlannedRoom,
    Role,
    RoomState,
)


def decide_open(state: RoomState, command: OpenBreakouts, actor: ParticipantId, ctx: Context) -> Events:
    """Open the draft now, or announce it. Raises STALE_VERSION, PLAN_INFEASIBLE or PERSON_ALONE."""
    plan = require_plan(state, command.version)
    change = _change(state, plan, ctx.now_ms + command.lead_ms)
    _require_feasible(_problems(state, change), allow_alone=command.allow_alone)
    if command.lead_ms:
        return (ChangeAnnounced(change=change, by=actor),)
    return _open(state, ctx, change, by=actor, fulfils=None)


def open_announced(state: RoomState, ctx: Context, change: PendingChange) -> Events:
    """Open what was announced, for those who are still here. If they are all gone, it is called off.

    Somebody whose company has left meanwhile goes where they were told all the same: no surprises; the moderator sees
    it and decides.
    """
    if not real_moves(state, change.moves):
        return (ChangeCancelled(id=change.id, by=None),)
    return _open(state, ctx, change, by=None, fulfils=change.id)


def _open(
    state: RoomState, ctx: Context, change: PendingChange, *, by: ParticipantId | None, fulfils: int | None
) -> Events:
    moves = change.moves | _newcomers(state, change.moves, change.rooms)
    arrangement = Arrangement(
        rooms=with_leaders(state, change.rooms, moves),
        moves=moves,
        timer=timers.start(ctx.now_ms, change.duration_ms),
        prompt=change.prompt,
    )
    return revise(state, ctx, BreakoutsChange.OPEN, arrangement, by=by, fulfils=fulfils)


def _change(state: RoomState, plan: BreakoutPlan, at_ms: int) -> PendingChange:
    """The plan for those who are here now.

    Who came after an even, random or leaders' draft goes to the least-full room; who is in no room of a draft by hand
    stays in main.
    """
    planned = [_present(room, state) for room in plan.rooms]
    rooms = tuple(
        Breakout(id=breakout_id(state.next_breakout + index), name=room.name, leader=room.leader)
        for index, room in enumerate(planned)
    )
    moves = {member: Placement(room.id) for room, draft in zip(rooms, planned, strict=True) for member in draft.members}
    by_hand = plan.strategy is AssignmentStrategy.BY_HAND
    others = dict.fromkeys(_unplaced(state, moves), MAIN) if by_hand else _newcomers(state, moves, rooms)
    return PendingChange(
        id=state.next_pending,
        kind=PendingKind.OPEN,
        at_ms=at_ms,
        moves=moves | others,
        rooms=rooms,
        duration_ms=plan.duration_ms,
        prompt=plan.prompt,
    )


def _present(room: PlannedRoom, state: RoomState) -> PlannedRoom:
    people = state.participants
    members = tuple(member for member in room.members if is_here(member, people))
    leader = room.leader if leads_room(room.leader, members, people) else None
    return PlannedRoom(name=room.name, members=members, leader=leader)


def _problems(state: RoomState, change: PendingChange) -> tuple[Problem, ...]:
    rooms = [
        PlannedRoom(room.name, tuple(id_ for id_, to in change.moves.items() if to == Placement(room.id)), room.leader)
        for room in change.rooms
    ]
    return problems_of(rooms, state.participants)


def _require_feasible(problems: tuple[Problem, ...], *, allow_alone: bool) -> None:
    if any(problem.kind is not ProblemKind.PERSON_ALONE for problem in problems):
        raise CommandRejected(RejectCode.PLAN_INFEASIBLE)
    if problems and not allow_alone:
        raise CommandRejected(RejectCode.PERSON_ALONE)


def _unplaced(state: RoomState, moves: Moves) -> tuple[ParticipantId, ...]:
    people = people_in(state, MAIN)
    return tuple(person.id for person in people if person.role is not Role.MODERATOR and person.id not in moves)


def _newcomers(state: RoomState, moves: Moves, rooms: tuple[Breakout, ...]) -> Moves:
    """Whoever is in main and has not been given a place yet, one after the other to the least-full room."""
    taken = Counter(moves[id_] for id_ in company(moves, state.participants))
    counts = {Placement(room.id): taken[Placement(room.id)] for room in rooms}
    placed: Moves = {}
    for id_ in _unplaced(state, moves):
        placed[id_] = to = least_full(counts)
        if to != MAIN:
            counts[to] += 1
    return placed
