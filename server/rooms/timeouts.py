# SPDX-License-Identifier: Apache-2.0
"""What the passing of time brings: warnings, seats that were kept long enough, announced and overdue moves."""

from __future__ import annotations

from server.breakouts import timeouts as breakouts
from server.rooms import timers
from server.rooms.admission import timed_out
from server.rooms.context import Context, Events
from server.rooms.decide import with_follow_ups
from server.rooms.events import TimerScope
from server.rooms.evolve import fold
from server.rooms.state import SEAT_GRACE_MS, RoomState


def next_timeout(state: RoomState) -> int | None:
    """When to ask `decide_timeout`; None: never, as things stand."""
    kept = [seat.lost_ms + SEAT_GRACE_MS for seat in state.seats.values() if seat.lost_ms is not None]
    dues = [timers.next_due(state.agenda.timer), breakouts.next_timeout(state), *kept]
    return min((due for due in dues if due is not None), default=None)


def timed(state: RoomState) -> tuple[object, ...]:
    """All that `next_timeout` looks at; states share what an event does not touch."""
    return (state.seats, state.agenda, state.breakouts)


def decide_timeout(state: RoomState, ctx: Context) -> Events:
    """All that is due by now, however late it is asked; nothing when asked too early.

    Seats end first, so that nobody is moved who is no longer there.
    """
    expired = tuple(
        timed_out(state, participant, ctx)
        for participant, seat in state.seats.items()
        if seat.lost_ms is not None and seat.lost_ms + SEAT_GRACE_MS <= ctx.now_ms
    )
    rest = fold(state, expired)
    spoken = timers.due(rest.agenda.timer, TimerScope.PHASE, ctx.now_ms)
    events = (*expired, *spoken, *breakouts.decide_timeout(rest, ctx))
    return with_follow_ups(state, events, ctx)
