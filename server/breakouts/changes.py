# SPDX-License-Identifier: Apache-2.0
"""Changes while breakouts are open: move, swap, merge, split, add, rename, close one, visit. Each is one revision."""

from __future__ import annotations

from msgspec.structs import replace

from server.breakouts.evolve import breakout_id
from server.breakouts.leaders import with_leaders
from server.breakouts.plan import require_name
from server.breakouts.revisions import Moves, real_moves, rearranged, require_space_to_announce, revise
from server.errors import CommandRejected, RejectCode
from server.ids import MAIN, BreakoutId, ParticipantId, Placement
from server.rooms import commands as c
from server.rooms.context import Context, Events
from server.rooms.events import BreakoutsChange, ChangeAnnounced, ChangeCancelled
from server.rooms.people import is_open, people_in, require_admitted
from server.rooms.state import MAX_BREAKOUTS, Breakout, PendingChange, PendingKind, Role, RoomState


def decide_move(state: RoomState, command: c.Move, actor: ParticipantId, ctx: Context) -> Events:
    """Move people now, or tell them first. Who is there already stays."""
    for participant in command.participants:
        require_admitted(state, participant)
    if not is_open(state, command.to):
        raise CommandRejected(RejectCode.NOT_HERE)
    moves = real_moves(state, dict.fromkeys(command.participants, command.to))
    if not moves:
        return ()
    if command.lead_ms:
        require_space_to_announce(state)
        at_ms = ctx.now_ms + command.lead_ms
        change = PendingChange(id=state.next_pending, kind=PendingKind.MOVE, at_ms=at_ms, moves=moves)
        return (ChangeAnnounced(change=change, by=actor),)
    return _led(state, ctx, BreakoutsChange.MOVE, moves, actor)


def move_announced(state: RoomState, ctx: Context, change: PendingChange) -> Events:
    """Make an announced move, for those who are still here; if nobody is left to move, it is called off."""
    if not real_moves(state, change.moves):
        return (ChangeCancelled(id=change.id, by=None),)
    rooms = with_leaders(state, state.breakouts.rooms, change.moves)
    arrangement = rearranged(state, change.moves, rooms)
    return revise(state, ctx, BreakoutsChange.MOVE, arrangement, by=None, fulfils=change.id)


def decide_swap(state: RoomState, command: c.Swap, actor: ParticipantId, ctx: Context) -> Events:
    """Exchange two people; nothing when they are in the same place."""
    first = require_admitted(state, command.first)
    second = require_admitted(state, command.second)
    if first.placement == second.placement:
        return ()
    moves = {first.id: second.placement, second.id: first.placement}
    return _led(state, ctx, BreakoutsChange.SWAP, moves, actor)


def decide_merge(state: RoomState, command: c.MergeBreakouts, actor: ParticipantId, ctx: Context) -> Events:
    """Everyone of `source`, visitors too, to `target`; `target` keeps its leader, or takes over that of `source`."""
    source = require_breakout(state, command.source)
    target = require_breakout(state, command.target)
    if source == target:
        return ()
    moves = _everyone(state, source, Placement(target.id))
    merged = replace(target, leader=target.leader or source.leader)
    rooms = tuple(merged if room == target else room for room in _without(state, source))
    return revise(state, ctx, BreakoutsChange.MERGE, rearranged(state, moves, rooms), by=actor)


def decide_split(state: RoomState, command: c.SplitBreakout, actor: ParticipantId, ctx: Context) -> Events:
    """A new breakout for these people of `source`. Raises PLAN_INFEASIBLE when nobody would stay behind."""
    source = require_breakout(state, command.source)
    leaving = frozenset(command.participants)
    here = {person.id for person in people_in(state, Placement(source.id))}
    if not leaving <= here:
        raise CommandRejected(RejectCode.NOT_HERE)
    if leaving == here:
        raise CommandRejected(RejectCode.PLAN_INFEASIBLE)
    room = _new_breakout(state, command.name)
    moves = dict.fromkeys(command.participants, Placement(room.id))
    return _led(state, ctx, BreakoutsChange.SPLIT, moves, actor, rooms=(*state.breakouts.rooms, room))


def decide_add(state: RoomState, command: c.AddBreakout, actor: ParticipantId, ctx: Context) -> Events:
    """One more breakout, empty."""
    rooms = (*state.breakouts.rooms, _new_breakout(state, command.name))
    return revise(state, ctx, BreakoutsChange.ADD, rearranged(state, {}, rooms), by=actor)


def decide_rename(state: RoomState, command: c.RenameBreakout, actor: ParticipantId, ctx: Context) -> Events:
    """Another name for a breakout."""
    old = require_breakout(state, command.breakout)
    new = replace(old, name=require_name(command.name))
    if new == old:
        return ()
    rooms = tuple(new if room == old else room for room in state.breakouts.rooms)
    return revise(state, ctx, BreakoutsChange.RENAME, rearranged(state, {}, rooms), by=actor)


def decide_close_one(state: RoomState, command: c.CloseBreakout, actor: ParticipantId, ctx: Context) -> Events:
    """Everyone of one breakout to main; with the last one the breakouts are closed."""
    room = require_breakout(state, command.breakout)
    arrangement = rearranged(state, _everyone(state, room, MAIN), _without(state, room))
    return revise(state, ctx, BreakoutsChange.CLOSE_ONE, arrangement, by=actor)


def decide_visit(state: RoomState, command: c.Visit, actor: ParticipantId, ctx: Context) -> Events:
    """Staff move themselves: moderators anywhere, a peer leader between main and the breakout they lead."""
    person = require_admitted(state, actor)
    if not is_open(state, command.to):
        raise CommandRejected(RejectCode.NOT_HERE)
    led = {MAIN, *(room.id for room in state.breakouts.rooms if room.leader == actor)}
    may = person.role is Role.MODERATOR or (person.role is Role.LEADER and led >= {person.placement, command.to})
    if not may:
        raise CommandRejected(RejectCode.NOT_ALLOWED)
    if person.placement == command.to:
        return ()
    return revise(state, ctx, BreakoutsChange.VISIT, rearranged(state, {actor: command.to}), by=actor)


def require_breakout(state: RoomState, breakout: BreakoutId) -> Breakout:
    """The open breakout of this id. Raises NOT_HERE."""
    for room in state.breakouts.rooms:
        if room.id == breakout:
            return room
    raise CommandRejected(RejectCode.NOT_HERE)


def _led(
    state: RoomState,
    ctx: Context,
    change: BreakoutsChange,
    moves: Moves,
    actor: ParticipantId,
    rooms: tuple[Breakout, ...] | None = None,
) -> Events:
    rooms = with_leaders(state, state.breakouts.rooms if rooms is None else rooms, moves)
    return revise(state, ctx, change, rearranged(state, moves, rooms), by=actor)


def _everyone(state: RoomState, room: Breakout, to: Placement) -> Moves:
    return {person.id: to for person in people_in(state, Placement(room.id))}


def _without(state: RoomState, closed: Breakout) -> tuple[Breakout, ...]:
    return tuple(room for room in state.breakouts.rooms if room != closed)


def _new_breakout(state: RoomState, name: str) -> Breakout:
    if len(state.breakouts.rooms) >= MAX_BREAKOUTS:
        raise CommandRejected(RejectCode.LIMIT_REACHED)
    return Breakout(id=breakout_id(state.next_breakout), name=require_name(name))
