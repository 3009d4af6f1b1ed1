# SPDX-License-Identifier: Apache-2.0
"""Undo: take back an announced change, else the last change of rooms."""

from __future__ import annotations

from server.breakouts.revisions import Arrangement, Moves, revise
from server.errors import CommandRejected, RejectCode
from server.ids import LOBBY, MAIN, ParticipantId, Placement
from server.rooms import timers
from server.rooms.context import Context, Events
from server.rooms.events import BreakoutsChange, ChangeCancelled, TimerScope
from server.rooms.state import BreakoutsMemo, Participant, RoomState, Timer


def decide_undo(state: RoomState, actor: ParticipantId, ctx: Context) -> Events:
    """Cancel what was announced last, else restore rooms and placements. Raises NOTHING_TO_UNDO."""
    if state.breakouts.pending:
        return (ChangeCancelled(id=state.breakouts.pending[-1].id, by=actor),)
    if state.memo is None:
        raise CommandRejected(RejectCode.NOTHING_TO_UNDO)
    memo = state.memo
    arrangement = Arrangement(memo.rooms, _moves(state, memo), _timer(state, memo, ctx.now_ms), memo.prompt)
    return revise(state, ctx, BreakoutsChange.UNDO, arrangement, by=actor)


def _moves(state: RoomState, memo: BreakoutsMemo) -> Moves:
    places = {MAIN, *(Placement(room.id) for room in memo.rooms)}
    people = (person for person in state.participants.values() if person.placement != LOBBY)
    return {person.id: _back(person, memo, places) for person in people}


def _back(person: Participant, memo: BreakoutsMemo, places: set[Placement]) -> Placement:
    """Where the change took them from, if they are still where it put them; main if their room is no more."""
    before, after = memo.moves.get(person.id, (person.placement, person.placement))
    place = before if person.placement == after else person.placement
    return place if place in places else MAIN


def _timer(state: RoomState, memo: BreakoutsMemo, now_ms: int) -> Timer | None:
    """A timer that runs now goes on, with what was added to it; one that was ended with the rooms comes back.

    What that one would have said meanwhile is taken as said: rooms that are opened again do not close at once.
    """
    if state.breakouts.rooms and memo.rooms:
        return state.breakouts.timer
    timer = memo.timer
    for event in timers.due(timer, TimerScope.BREAKOUTS, now_ms):
        timer = timers.after(timer, event)
    return timer
