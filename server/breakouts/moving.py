# SPDX-License-Identifier: Apache-2.0
"""Moving people between rooms that are open: move, swap, visit. Each is one revision."""

from __future__ import annotations

from typing import assert_never

from server.breakouts.leaders import with_leaders
from server.breakouts.revisions import Moves, real_moves, rearranged, require_space_to_announce, revise
from server.errors import CommandRejected, RejectCode
from server.ids import MAIN, ParticipantId
from server.rooms import commands as c
from server.rooms.context import Context, Events
from server.rooms.events import BreakoutsChange, ChangeAnnounced, ChangeCancelled
from server.rooms.people import is_open, require_admitted, require_some
from server.rooms.state import PendingChange, PendingKind, Role, RoomState


def decide_moving(state: RoomState, command: c.MovingCommand, actor: ParticipantId, ctx: Context) -> Events:
    """Dispatch. Raises NOT_HERE for people or rooms that are not there, NOT_NOW for people in the lobby."""
    match command:
        case c.Move():
            return _move(state, command, actor, ctx)
        case c.Swap():
            return _swap(state, command, actor, ctx)
        case c.Visit():
            return _visit(state, command, actor, ctx)
    assert_never(command)


def move_announced(state: RoomState, ctx: Context, change: PendingChange) -> Events:
    """Make an announced move, for those who are still here; if nobody is left to move, it is called off."""
    if not real_moves(state, change.moves):
        return (ChangeCancelled(id=change.id, by=None),)
    rooms = with_leaders(state, state.breakouts.rooms, change.moves)
    arrangement = rearranged(state, change.moves, rooms)
    return revise(state, ctx, BreakoutsChange.MOVE, arrangement, by=None, fulfils=change.id)


def _move(state: RoomState, command: c.Move, actor: ParticipantId, ctx: Context) -> Events:
    """Move those who are still here now, or tell them first. Who is there already stays."""
    people = [require_admitted(state, person.id).id for person in require_some(state, command.participants)]
    if not is_open(state, command.to):
        raise CommandRejected(RejectCode.NOT_HERE)
    moves = real_moves(state, dict.fromkeys(people, command.to))
    if not moves:
        return ()
    if command.lead_ms:
        require_space_to_announce(state)
        at_ms = ctx.now_ms + command.lead_ms
        change = PendingChange(id=state.next_pending, kind=PendingKind.MOVE, at_ms=at_ms, moves=moves)
        return (ChangeAnnounced(change=change, by=actor),)
    return _revise(state, ctx, BreakoutsChange.MOVE, moves, actor)


def _swap(state: RoomState, command: c.Swap, actor: ParticipantId, ctx: Context) -> Events:
    """Exchange two people; nothing when they are in the same place."""
    first = require_admitted(state, command.first)
    second = require_admitted(state, command.second)
    if first.placement == second.placement:
        return ()
    moves = {first.id: second.placement, second.id: first.placement}
    return _revise(state, ctx, BreakoutsChange.SWAP, moves, actor)


def _visit(state: RoomState, command: c.Visit, actor: ParticipantId, ctx: Context) -> Events:
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


def _revise(state: RoomState, ctx: Context, change: BreakoutsChange, moves: Moves, actor: ParticipantId) -> Events:
    rooms = with_leaders(state, state.breakouts.rooms, moves)
    return revise(state, ctx, change, rearranged(state, moves, rooms), by=actor)
