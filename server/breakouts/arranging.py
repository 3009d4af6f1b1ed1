# SPDX-License-Identifier: Apache-2.0
"""Changing the rooms while they are open: merge, split, add, rename, close one. Each is one revision."""

from __future__ import annotations

from typing import assert_never

from msgspec.structs import replace

from server.breakouts.evolve import breakout_id
from server.breakouts.leaders import with_leaders
from server.breakouts.plan import require_name
from server.breakouts.revisions import Moves, rearranged, revise
from server.errors import CommandRejected, RejectCode
from server.ids import MAIN, BreakoutId, ParticipantId, Placement
from server.rooms import commands as c
from server.rooms.context import Context, Events
from server.rooms.events import BreakoutsChange
from server.rooms.people import people_in, require_some
from server.rooms.state import MAX_BREAKOUTS, Breakout, RoomState


def decide_arranging(state: RoomState, command: c.ArrangingCommand, actor: ParticipantId, ctx: Context) -> Events:
    """Dispatch. Raises NOT_HERE for rooms that are not there, LIMIT_REACHED, NAME_INVALID."""
    match command:
        case c.MergeBreakouts():
            return _merge(state, command, actor, ctx)
        case c.SplitBreakout():
            return _split(state, command, actor, ctx)
        case c.AddBreakout():
            return _add(state, command, actor, ctx)
        case c.RenameBreakout():
            return _rename(state, command, actor, ctx)
        case c.CloseBreakout():
            return _close_one(state, command, actor, ctx)
    assert_never(command)


def _merge(state: RoomState, command: c.MergeBreakouts, actor: ParticipantId, ctx: Context) -> Events:
    """Everyone of `source`, visitors too, to `target`; without a leader, `target` gets one of theirs."""
    source = _breakout(state, command.source)
    target = _breakout(state, command.target)
    if source == target:
        return ()
    moves = _everyone(state, source, Placement(target.id))
    rooms = with_leaders(state, _without(state, source), moves)
    return revise(state, ctx, BreakoutsChange.MERGE, rearranged(state, moves, rooms), by=actor)


def _split(state: RoomState, command: c.SplitBreakout, actor: ParticipantId, ctx: Context) -> Events:
    """A new breakout for those of these people who are still here. Raises PLAN_INFEASIBLE when nobody would stay."""
    source = _breakout(state, command.source)
    leaving = [person.id for person in require_some(state, command.participants)]
    here = {person.id for person in people_in(state, Placement(source.id))}
    if not here.issuperset(leaving):
        raise CommandRejected(RejectCode.NOT_HERE)
    if len(leaving) == len(here):
        raise CommandRejected(RejectCode.PLAN_INFEASIBLE)
    room = _new_breakout(state, command.name)
    moves = dict.fromkeys(leaving, Placement(room.id))
    rooms = with_leaders(state, (*state.breakouts.rooms, room), moves)
    return revise(state, ctx, BreakoutsChange.SPLIT, rearranged(state, moves, rooms), by=actor)


def _add(state: RoomState, command: c.AddBreakout, actor: ParticipantId, ctx: Context) -> Events:
    """One more breakout, empty."""
    rooms = (*state.breakouts.rooms, _new_breakout(state, command.name))
    return revise(state, ctx, BreakoutsChange.ADD, rearranged(state, {}, rooms), by=actor)


def _rename(state: RoomState, command: c.RenameBreakout, actor: ParticipantId, ctx: Context) -> Events:
    """Another name for a breakout."""
    old = _breakout(state, command.breakout)
    new = replace(old, name=require_name(command.name))
    if new == old:
        return ()
    rooms = tuple(new if room == old else room for room in state.breakouts.rooms)
    return revise(state, ctx, BreakoutsChange.RENAME, rearranged(state, {}, rooms), by=actor)


def _close_one(state: RoomState, command: c.CloseBreakout, actor: ParticipantId, ctx: Context) -> Events:
    """Everyone of one breakout to main; with the last one the breakouts are closed."""
    room = _breakout(state, command.breakout)
    arrangement = rearranged(state, _everyone(state, room, MAIN), _without(state, room))
    return revise(state, ctx, BreakoutsChange.CLOSE_ONE, arrangement, by=actor)


def _breakout(state: RoomState, breakout: BreakoutId) -> Breakout:
    """The open breakout of this id. Raises NOT_HERE."""
    for room in state.breakouts.rooms:
        if room.id == breakout:
            return room
    raise CommandRejected(RejectCode.NOT_HERE)


def _everyone(state: RoomState, room: Breakout, to: Placement) -> Moves:
    return {person.id: to for person in people_in(state, Placement(room.id))}


def _without(state: RoomState, closed: Breakout) -> tuple[Breakout, ...]:
    return tuple(room for room in state.breakouts.rooms if room != closed)


def _new_breakout(state: RoomState, name: str) -> Breakout:
    if len(state.breakouts.rooms) >= MAX_BREAKOUTS:
        raise CommandRejected(RejectCode.LIMIT_REACHED)
    return Breakout(id=breakout_id(state.next_breakout), name=require_name(name))
