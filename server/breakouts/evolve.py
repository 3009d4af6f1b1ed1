# SPDX-License-Identifier: Apache-2.0
"""The fold of the events about breakouts. Never refuses: an event is a fact."""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

from msgspec.structs import replace

from server.ids import BreakoutId, ParticipantId
from server.rooms.events import (
    BreakoutsChange,
    BreakoutsExtended,
    BreakoutsRevised,
    ChangeAnnounced,
    ChangeCancelled,
    PlanChanged,
)
from server.rooms.state import Breakout, BreakoutsMemo, Participant, PendingChange, RoomState

BreakoutsEvent = PlanChanged | ChangeAnnounced | ChangeCancelled | BreakoutsRevised | BreakoutsExtended


def evolve_breakouts(state: RoomState, event: BreakoutsEvent) -> RoomState:
    """The state after this event."""
    match event:
        case PlanChanged():
            return plan_changed(state, event)
        case ChangeAnnounced():
            return change_announced(state, event)
        case ChangeCancelled():
            return change_cancelled(state, event)
        case BreakoutsRevised():
            return breakouts_revised(state, event)
        case BreakoutsExtended():
            return breakouts_extended(state, event)
    assert_never(event)


def plan_changed(state: RoomState, event: PlanChanged) -> RoomState:
    """The draft is another one, or none; no version is ever used twice."""
    next_plan = state.next_plan if event.plan is None else max(state.next_plan, event.plan.version + 1)
    return replace(state, breakouts=replace(state.breakouts, plan=event.plan), next_plan=next_plan)


def change_announced(state: RoomState, event: ChangeAnnounced) -> RoomState:
    """One more announced change; the ids of its coming rooms are taken from now on."""
    pending = (*state.breakouts.pending, event.change)
    return replace(
        state,
        breakouts=replace(state.breakouts, pending=pending),
        next_pending=max(state.next_pending, event.change.id + 1),
        next_breakout=_next_breakout(state.next_breakout, event.change.rooms),
    )


def change_cancelled(state: RoomState, event: ChangeCancelled) -> RoomState:
    """The announced change is off."""
    pending = _without(state.breakouts.pending, event.id)
    return replace(state, breakouts=replace(state.breakouts, pending=pending))


def breakouts_revised(state: RoomState, event: BreakoutsRevised) -> RoomState:
    """Rooms, timer and placements are these; what they were is kept for undo, except by an undo itself.

    A visit is not something to undo: the change before it stays the last one.
    """
    old = state.breakouts
    memo, undoable = _memo_after(state, event)
    breakouts = replace(
        old,
        revision=event.revision,
        rooms=event.rooms,
        timer=event.timer,
        prompt=event.prompt,
        pending=_without(old.pending, event.pending),
        plan=None if event.change is BreakoutsChange.OPEN else old.plan,
        undoable=undoable,
    )
    return replace(
        state,
        participants=_moved(state.participants, event),
        breakouts=breakouts,
        memo=memo,
        next_breakout=_next_breakout(state.next_breakout, event.rooms),
    )


def breakouts_extended(state: RoomState, event: BreakoutsExtended) -> RoomState:
    """Another timer."""
    return replace(state, breakouts=replace(state.breakouts, timer=event.timer))


def _moved(people: dict[ParticipantId, Participant], event: BreakoutsRevised) -> dict[ParticipantId, Participant]:
    moved = {id_: replace(people[id_], placement=to) for id_, to in event.moves.items() if id_ in people}
    return people | moved


def _memo_after(state: RoomState, event: BreakoutsRevised) -> tuple[BreakoutsMemo | None, bool]:
    if event.change is BreakoutsChange.VISIT:
        return state.memo, state.breakouts.undoable
    if event.change is BreakoutsChange.UNDO:
        return None, False
    people = state.participants
    memo = BreakoutsMemo(
        rooms=state.breakouts.rooms,
        timer=state.breakouts.timer,
        moves={id_: (people[id_].placement, to) for id_, to in event.moves.items() if id_ in people},
        prompt=state.breakouts.prompt,
    )
    return memo, True


def _without(pending: tuple[PendingChange, ...], id_: int | None) -> tuple[PendingChange, ...]:
    return tuple(change for change in pending if change.id != id_)


def _next_breakout(current: int, rooms: Iterable[Breakout]) -> int:
    return max((current, *(breakout_number(room.id) + 1 for room in rooms)))


def breakout_id(number: int) -> BreakoutId:
    """Breakouts are called "b1", "b2", ... in the order of opening."""
    return BreakoutId(f"b{number}")


def breakout_number(id_: BreakoutId) -> int:
    """The number in a breakout's id."""
    return int(id_.removeprefix("b"))
