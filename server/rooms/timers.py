# SPDX-License-Identifier: Apache-2.0
"""Timers of phases and breakouts: when they warn, when they are over, what an extension does.

A timer is marked as `warned` for every warning that can no longer come true: those not shorter than its whole
duration, and after an extension those not shorter than the time that is left.
"""

from __future__ import annotations

from msgspec.structs import replace

from server.rooms.events import TimerOver, TimerScope, TimerWarned
from server.rooms.state import WARNINGS_MS, Timer


def start(now_ms: int, duration_ms: int) -> Timer | None:
    """A timer that runs from now; None when there is no time limit (duration 0)."""
    return _ending(now_ms, now_ms, now_ms + duration_ms) if duration_ms else None


def extend(timer: Timer, now_ms: int, extra_ms: int) -> Timer:
    """The timer with more time; counted from now when it is over already."""
    return _ending(timer.started_ms, now_ms, max(timer.ends_ms, now_ms) + extra_ms)


def _ending(started_ms: int, now_ms: int, ends_ms: int) -> Timer:
    given = tuple(left for left in WARNINGS_MS if left >= ends_ms - now_ms)
    return Timer(started_ms=started_ms, ends_ms=ends_ms, warned=given)


def next_due(timer: Timer | None) -> int | None:
    """When the timer speaks next; None when it has nothing more to say."""
    if timer is None or timer.over:
        return None
    return min(timer.ends_ms - left for left in (*WARNINGS_MS, 0) if left not in timer.warned)


def due(timer: Timer | None, scope: TimerScope, now_ms: int) -> tuple[TimerWarned | TimerOver, ...]:
    """What the timer has to say by now, longest warning first."""
    if timer is None or timer.over:
        return ()
    to_come = [left for left in WARNINGS_MS if left not in timer.warned]
    warnings = tuple(TimerWarned(scope, left) for left in to_come if timer.ends_ms - left <= now_ms)
    return (*warnings, TimerOver(scope)) if timer.ends_ms <= now_ms else warnings


def after(timer: Timer | None, event: TimerWarned | TimerOver) -> Timer | None:
    """The timer after it has spoken."""
    if timer is None:
        return None
    if isinstance(event, TimerOver):
        return replace(timer, over=True)
    return replace(timer, warned=(*timer.warned, event.left_ms))
