# SPDX-License-Identifier: Apache-2.0
"""What the clock brings to breakouts: announced changes, warnings, and the return when time is up."""

from __future__ import annotations

from typing import assert_never

from server.breakouts.moving import move_announced
from server.breakouts.opening import open_announced
from server.breakouts.revisions import close_all
from server.rooms import timers
from server.rooms.context import Context, Events
from server.rooms.events import BreakoutsChange, TimerOver, TimerScope
from server.rooms.evolve import fold
from server.rooms.state import Breakouts, PendingChange, PendingKind, RoomState


def next_timeout(state: RoomState) -> int | None:
    """When to ask next, in ms of log time; None: nothing will happen by itself."""
    moments = [change.at_ms for change in state.breakouts.pending]
    timer = timers.next_due(state.breakouts.timer)
    return min(moments if timer is None else [*moments, timer], default=None)


def decide_timeout(state: RoomState, ctx: Context) -> Events:
    """Everything that is due by now, in the order in which it became due; nothing when asked too early."""
    events: Events = ()
    for change in sorted(state.breakouts.pending, key=lambda pending: (pending.at_ms, pending.id)):
        if change.at_ms > ctx.now_ms or _is_over(state.breakouts, change.at_ms):
            break
        if change in state.breakouts.pending:
            due = _fulfil(state, ctx, change)
            state = fold(state, due)
            events += due
    return events + _timer(state, ctx)


def _is_over(breakouts: Breakouts, at_ms: int) -> bool:
    timer = breakouts.timer
    return timer is not None and not timer.over and timer.ends_ms <= at_ms


def _fulfil(state: RoomState, ctx: Context, change: PendingChange) -> Events:
    match change.kind:
        case PendingKind.OPEN:
            return open_announced(state, ctx, change)
        case PendingKind.MOVE:
            return move_announced(state, ctx, change)
        case PendingKind.CLOSE:
            return close_all(state, ctx, by=None)
    assert_never(change.kind)


def _timer(state: RoomState, ctx: Context) -> Events:
    said = timers.due(state.breakouts.timer, TimerScope.BREAKOUTS, ctx.now_ms)
    if not any(isinstance(event, TimerOver) for event in said):
        return said
    return said + close_all(state, ctx, by=None, change=BreakoutsChange.TIME_OVER)
