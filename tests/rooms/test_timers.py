# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from server.rooms import commands as c
from server.rooms import timers
from server.rooms.context import Context
from server.rooms.events import (
    BreakoutsChange,
    BreakoutsRevised,
    ParticipantLeft,
    TimerOver,
    TimerScope,
    TimerWarned,
)
from server.rooms.state import SEAT_GRACE_MS, WARNINGS_MS, AssignmentStrategy, Timer
from server.rooms.timeouts import decide_timeout, next_timeout
from tests.rooms.builders import ANA, BEN, MINUTE, MOD, circle

PHASE = TimerScope.PHASE


def told(duration_ms: int) -> list[tuple[int, str]]:
    """When a timer of this length says what, asked whenever it wants to be."""
    timer = timers.start(0, duration_ms)
    heard: list[tuple[int, str]] = []
    while (now_ms := timers.next_due(timer)) is not None:
        for event in timers.due(timer, PHASE, now_ms):
            assert isinstance(event, TimerWarned | TimerOver)
            heard.append((now_ms, "over" if isinstance(event, TimerOver) else f"{event.left_ms // 1000} s"))
            timer = timers.after(timer, event)
    return heard


@pytest.mark.parametrize(
    ("duration_ms", "expected"),
    [
        (0, []),
        (10_000, [(10_000, "over")]),
        (15_000, [(15_000, "over")]),
        (15_001, [(1, "15 s"), (15_001, "over")]),
        (MINUTE, [(45_000, "15 s"), (60_000, "over")]),
        (10 * MINUTE, [(300_000, "300 s"), (540_000, "60 s"), (585_000, "15 s"), (600_000, "over")]),
    ],
)
def test_a_timer_warns_of_what_is_shorter_than_itself(duration_ms: int, expected: list[tuple[int, str]]) -> None:
    """At 5 min, 1 min and 15 s before the end, then at the end, then never again."""
    assert told(duration_ms) == expected


def test_a_timer_that_is_asked_late_says_everything_at_once() -> None:
    """Warnings first: nobody is told of the end without them."""
    timer = timers.start(0, 10 * MINUTE)
    events = timers.due(timer, PHASE, 20 * MINUTE)
    assert events == (*(TimerWarned(PHASE, left) for left in WARNINGS_MS), TimerOver(PHASE))
    assert timers.due(timer, PHASE, 0) == ()
    assert timers.due(None, PHASE, 0) == ()


def test_an_extension_warns_again_of_what_is_still_to_come() -> None:
    """After the 15 s warning and one more minute, the 1 min warning comes again, the 5 min warning does not."""
    timer = Timer(0, 10 * MINUTE, warned=WARNINGS_MS)
    extended = timers.extend(timer, 10 * MINUTE - 10_000, MINUTE)
    assert extended == Timer(0, 11 * MINUTE, warned=(300_000,))
    assert timers.next_due(extended) == 10 * MINUTE


def test_a_timer_that_is_over_is_extended_from_now() -> None:
    """Its time is not spent before it is given."""
    extended = timers.extend(Timer(0, MINUTE, over=True), 5 * MINUTE, MINUTE)
    assert extended == Timer(0, 6 * MINUTE, warned=(300_000, 60_000))


def test_a_timer_that_is_not_there_has_nothing_to_remember() -> None:
    """An event about it changes nothing."""
    assert timers.after(None, TimerOver(PHASE)) is None


@given(st.integers(1, 10**7), st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)), max_size=6))
def test_a_timer_never_asks_for_the_past(duration_ms: int, steps: list[tuple[int, int]]) -> None:
    """Whatever extensions and delays there were: after it has spoken, its next moment lies ahead."""
    timer, now_ms = timers.start(0, duration_ms), 0
    for wait_ms, extra_ms in steps:
        now_ms += wait_ms
        for event in timers.due(timer, PHASE, now_ms):
            assert isinstance(event, TimerWarned | TimerOver)
            timer = timers.after(timer, event)
        due_ms = timers.next_due(timer)
        assert due_ms is None or due_ms > now_ms
        if extra_ms and timer is not None:
            timer = timers.extend(timer, now_ms, extra_ms)
            due_ms = timers.next_due(timer)
            assert due_ms is not None
            assert now_ms < due_ms <= timer.ends_ms


def test_a_phase_does_not_end_by_itself() -> None:
    """Its timer informs, and that is all."""
    session = circle(ANA)
    session.do(MOD, c.NextPhase())
    session.do(MOD, c.NextPhase())
    phase = session.state.agenda.current
    assert session.pass_time(60 * MINUTE) == (
        TimerWarned(PHASE, 60_000),
        TimerWarned(PHASE, 15_000),
        TimerOver(PHASE),
    )
    assert session.state.agenda.current == phase
    assert next_timeout(session.state) is None


def test_breakouts_bring_everyone_back_when_time_is_up() -> None:
    """With their warnings before."""
    session = circle(ANA, BEN)
    session.do(MOD, c.DraftPlan(AssignmentStrategy.EVEN, 1, 2 * MINUTE))
    session.do(MOD, c.OpenBreakouts(1))
    *said, revised = session.pass_time(3 * MINUTE)
    scope = TimerScope.BREAKOUTS
    assert said == [TimerWarned(scope, 60_000), TimerWarned(scope, 15_000), TimerOver(scope)]
    assert isinstance(revised, BreakoutsRevised)
    assert (revised.change, revised.by) == (BreakoutsChange.TIME_OVER, None)
    assert {person.placement for person in session.state.participants.values()} == {"main"}


def test_a_time_out_may_be_asked_early_or_late() -> None:
    """Early: nothing. Late: everything, and then nothing more; whoever timed out is not moved."""
    session = circle(ANA, BEN)
    assert next_timeout(session.state) is None
    session.do(MOD, c.DraftPlan(AssignmentStrategy.EVEN, 1, 2 * MINUTE))
    session.do(MOD, c.OpenBreakouts(1))
    session.lose(ANA)
    assert decide_timeout(session.state, session.context) == ()
    events = decide_timeout(session.state, Context(now_ms=session.now_ms + SEAT_GRACE_MS + 10 * MINUTE))
    assert isinstance(events[0], ParticipantLeft)
    (revised,) = (event for event in events if isinstance(event, BreakoutsRevised))
    assert ANA not in revised.moves


def test_follow_ups_come_with_time_outs_too() -> None:
    """When the speaker's seat runs out, the next one is called."""
    session = circle(ANA, BEN)
    session.do(MOD, c.StartRound())
    session.lose(ANA)
    session.pass_time(SEAT_GRACE_MS)
    assert session.state.rounds[session.person(BEN).placement].current == BEN


def test_a_room_without_anything_due_has_no_time_out() -> None:
    """Also an ended one."""
    session = circle(ANA)
    session.state = replace(session.state, agenda=replace(session.state.agenda, timer=Timer(0, 1, over=True)))
    assert next_timeout(session.state) is None
