# SPDX-License-Identifier: Apache-2.0
"""Building revisions: the one event in which rooms and placements change, and what it makes void."""

from __future__ import annotations

from msgspec import Struct

from server.breakouts.problems import is_here
from server.errors import CommandRejected, RejectCode
from server.ids import LOBBY, MAIN, ParticipantId, Placement
from server.rooms.context import Context, Events
from server.rooms.events import BreakoutsChange, BreakoutsRevised, ChangeCancelled
from server.rooms.state import MAX_PENDING, Breakout, PendingChange, PendingKind, RoomState, Timer

Moves = dict[ParticipantId, Placement]


class Arrangement(Struct, frozen=True):
    """What a revision makes of the breakouts. `moves` may name people who are there already or have left."""

    rooms: tuple[Breakout, ...]
    moves: Moves
    timer: Timer | None = None
    prompt: str = ""


def rearranged(state: RoomState, moves: Moves, rooms: tuple[Breakout, ...] | None = None) -> Arrangement:
    """The breakouts as they are, with these moves, and other rooms if given; without rooms they are closed."""
    old = state.breakouts
    rooms = old.rooms if rooms is None else rooms
    return Arrangement(rooms, moves, old.timer, old.prompt) if rooms else Arrangement((), moves)


def revise(
    state: RoomState,
    ctx: Context,
    change: BreakoutsChange,
    arrangement: Arrangement,
    *,
    by: ParticipantId | None,
    fulfils: int | None = None,
) -> Events:
    """One revision, after taking back the announced changes that it makes void."""
    revised = BreakoutsRevised(
        revision=state.breakouts.revision + 1,
        change=change,
        rooms=arrangement.rooms,
        moves=real_moves(state, arrangement.moves),
        timer=arrangement.timer,
        at_ms=ctx.now_ms,
        by=by,
        prompt=arrangement.prompt,
        pending=fulfils,
    )
    others = (announced for announced in state.breakouts.pending if announced.id != fulfils)
    void = [ChangeCancelled(id=announced.id, by=by) for announced in others if _is_void(announced, revised)]
    return (*void, revised)


def _is_void(announced: PendingChange, revised: BreakoutsRevised) -> bool:
    if not revised.rooms:
        return True
    places = {MAIN, *(room.id for room in revised.rooms)}
    return announced.kind is PendingKind.MOVE and not places.issuperset(announced.moves.values())


def real_moves(state: RoomState, moves: Moves) -> Moves:
    """Of these moves those of people who are here, admitted, and not there already."""
    people = state.participants
    return {id_: to for id_, to in moves.items() if is_here(id_, people) and people[id_].placement != to}


def return_moves(state: RoomState) -> Moves:
    """Everyone in a breakout goes to main."""
    away = (person.id for person in state.participants.values() if person.placement not in (MAIN, LOBBY))
    return dict.fromkeys(away, MAIN)


def close_all(
    state: RoomState, ctx: Context, *, by: ParticipantId | None, change: BreakoutsChange = BreakoutsChange.CLOSE
) -> Events:
    """Close every breakout now, bring everyone to main, and take back what was announced; nothing when closed."""
    pending = state.breakouts.pending
    if not state.breakouts.rooms:
        return tuple(ChangeCancelled(id=announced.id, by=by) for announced in pending)
    closing = next((announced.id for announced in pending if announced.kind is PendingKind.CLOSE), None)
    return revise(state, ctx, change, Arrangement((), return_moves(state)), by=by, fulfils=closing)


def require_space_to_announce(state: RoomState) -> None:
    """Refuse with LIMIT_REACHED when too many changes are announced already."""
    if len(state.breakouts.pending) >= MAX_PENDING:
        raise CommandRejected(RejectCode.LIMIT_REACHED)
