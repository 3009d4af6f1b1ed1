# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from server.breakouts.timeouts import next_timeout
from server.errors import RejectCode
from server.ids import LOBBY, MAIN
from server.rooms import commands as c
from server.rooms.events import (
    BreakoutsChange,
    BreakoutsExtended,
    BreakoutsRevised,
    ChangeCancelled,
    TimerOver,
    TimerScope,
    TimerWarned,
)
from server.rooms.state import Presence, RoomState
from tests.breakouts.world import (
    MINUTE,
    M,
    change,
    changes,
    decide,
    decide_clock,
    draft,
    join,
    only,
    open_draft,
    opened,
    pids,
    place,
    refused,
    revision,
    room,
    run,
    tick,
    where,
)


def warnings(state: RoomState, now: int) -> list[int]:
    """For how much time left there is a warning at this time."""
    return [event.left_ms for event in decide_clock(state, now) if isinstance(event, TimerWarned)]


def test_nothing_is_due_without_a_timer() -> None:
    """Closed, or open without an end."""
    assert next_timeout(room()) is None
    assert next_timeout(opened("p1 p2", "p3 p4")) is None
    assert decide_clock(opened("p1 p2", "p3 p4"), 10**9) == ()


def test_the_clock_is_asked_at_each_warning_and_at_the_end() -> None:
    """Ten minutes: at five minutes, one minute and 15 seconds before the end, then never again."""
    state = opened("p1 p2", "p3 p4", minutes=10)
    asked = []
    while (when := next_timeout(state)) is not None:
        assert decide_clock(state, when - 1) == ()
        asked.append(when)
        state = tick(state, when)
    assert asked == [5 * MINUTE, 9 * MINUTE, 10 * MINUTE - 15_000, 10 * MINUTE]
    assert (state.breakouts.rooms, where(state, MAIN)) == ((), "m p1 p2 p3 p4 p5 p6")


def test_warnings_are_said_once() -> None:
    """Asking again brings nothing."""
    state = opened("p1 p2", "p3 p4", minutes=10)
    assert decide_clock(state, 5 * MINUTE) == (TimerWarned(TimerScope.BREAKOUTS, 5 * MINUTE),)
    assert decide_clock(tick(state, 5 * MINUTE), 5 * MINUTE) == ()


def test_a_warning_as_long_as_the_whole_is_not_given() -> None:
    """Five minutes are not announced at the start of five minutes."""
    state = opened("p1 p2", "p3 p4", minutes=5)
    assert decide_clock(state, 0) == ()
    assert next_timeout(state) == 4 * MINUTE


def test_the_end_brings_everyone_back_in_one_commit() -> None:
    """TimerOver and the return together: also who lost their connection, visitors and late joiners; not the lobby."""
    state = run(opened("p1 p2", "p3 p4", minutes=10), c.Visit(to=place("b1")))
    state = change(join(join(state, "p11", place("b2")), "p9", LOBBY), "p1", presence=Presence.LOST)
    events = decide_clock(tick(state, 10 * MINUTE - 1), 10 * MINUTE)
    assert events[0] == TimerOver(TimerScope.BREAKOUTS)
    back = revision(events)
    assert (back.change, back.by, back.rooms, back.timer) == (BreakoutsChange.TIME_OVER, None, (), None)
    assert back.moves == dict.fromkeys(pids("m p1 p2 p3 p4 p11"), MAIN)


def test_a_late_clock_says_everything_in_order() -> None:
    """A node that took over late warns, ends and brings back in one go."""
    events = decide_clock(opened("p1 p2", "p3 p4", minutes=10), 12 * MINUTE)
    assert [type(event) for event in events] == [TimerWarned, TimerWarned, TimerWarned, TimerOver, BreakoutsRevised]
    assert warnings(opened("p1 p2", "p3 p4", minutes=10), 12 * MINUTE) == [5 * MINUTE, MINUTE, 15_000]


def test_an_extension_replaces_the_timer() -> None:
    """For all rooms; no revision, nothing to undo."""
    state = opened("p1 p2", "p3 p4", minutes=10)
    event = only(decide(state, c.ExtendBreakouts(extra_ms=2 * MINUTE), now=3 * MINUTE), BreakoutsExtended)
    assert (event.by, event.timer.started_ms, event.timer.ends_ms) == (M, 0, 12 * MINUTE)


def test_an_extension_gives_warnings_again() -> None:
    """One minute before the old end was announced; after an extension it is announced before the new end."""
    state = tick(opened("p1 p2", "p3 p4", minutes=10), 9 * MINUTE)
    state = run(state, c.ExtendBreakouts(extra_ms=2 * MINUTE), now=9 * MINUTE + 30_000)
    assert next_timeout(state) == 11 * MINUTE
    assert warnings(state, 11 * MINUTE) == [MINUTE]


def test_breakouts_without_an_end_cannot_be_extended() -> None:
    """There is nothing to add to."""
    assert refused(opened("p1 p2", "p3 p4"), c.ExtendBreakouts(extra_ms=MINUTE)) is RejectCode.NOT_NOW


def test_an_announced_closing_happens_when_due() -> None:
    """One revision that fulfils it, also for who came meanwhile or lost their connection; the lobby is not named."""
    state = join(opened("p1 p2", "p3 p4"), "p9", LOBBY)
    state = run(state, c.CloseBreakouts(lead_ms=5000), now=100)
    (announced,) = state.breakouts.pending
    assert announced.moves == dict.fromkeys(pids("p1 p2 p3 p4"), MAIN)
    assert next_timeout(state) == 5100
    state = change(join(state, "p11", place("b1")), "p1", presence=Presence.LOST)
    event = revision(decide_clock(state, 5100))
    assert (event.change, event.pending, event.by) == (BreakoutsChange.CLOSE, 1, None)
    state = tick(state, 5100)
    assert (where(state, MAIN), state.breakouts.pending) == ("m p1 p11 p2 p3 p4 p5 p6", ())


def test_closing_twice_with_lead_time_announces_once() -> None:
    """The second wish is fulfilled already; without lead time it closes now and fulfils what was announced."""
    state = run(opened("p1 p2", "p3 p4"), c.CloseBreakouts(lead_ms=5000))
    assert decide(state, c.CloseBreakouts(lead_ms=9000)) == ()
    assert revision(decide(state, c.CloseBreakouts())).pending == 1


def test_closing_what_is_closed_is_no_event() -> None:
    """Leaving the phase closes whatever is open; with nothing open there is nothing to say."""
    assert decide(room(), c.CloseBreakouts()) == ()
    assert decide(room(), c.CloseBreakouts(lead_ms=5000)) == ()


def test_closing_takes_back_announced_moves() -> None:
    """Nobody is told to go to a room that is no more."""
    state = run(opened("p1 p2", "p3 p4"), c.Move(participants=pids("p1"), to=place("b2"), lead_ms=9000))
    events = decide(state, c.CloseBreakouts())
    assert events[0] == ChangeCancelled(id=1, by=M)
    assert run(state, c.CloseBreakouts()).breakouts.pending == ()


def test_closing_an_announced_opening_calls_it_off() -> None:
    """People stay where they are."""
    state = open_draft(draft(room()), lead=5000)
    assert decide(state, c.CloseBreakouts()) == (ChangeCancelled(id=1, by=M),)


def test_the_end_of_time_takes_back_what_was_announced_for_later() -> None:
    """A closing or a move that would come after the end is moot."""
    state = opened("p1 p2", "p3 p4", minutes=1)
    state = run(state, c.Move(participants=pids("p1"), to=place("b2"), lead_ms=30_000), now=50_000)
    state = run(state, c.CloseBreakouts(lead_ms=30_000), now=50_000)
    events = decide_clock(state, MINUTE)
    assert changes(events) == [BreakoutsChange.TIME_OVER]
    assert [event.id for event in events if isinstance(event, ChangeCancelled)] == [1]
    assert revision(events).pending == 2
    assert tick(state, MINUTE).breakouts.pending == ()


@pytest.mark.parametrize(("lead", "expected"), [(5000, BreakoutsChange.CLOSE), (20_000, BreakoutsChange.TIME_OVER)])
def test_a_late_clock_keeps_the_order_in_which_things_became_due(lead: int, expected: BreakoutsChange) -> None:
    """What came first decides, however late the clock is asked."""
    state = opened("p1 p2", "p3 p4", minutes=1)
    state = run(state, c.CloseBreakouts(lead_ms=lead), now=50_000)
    assert changes(decide_clock(state, 5 * MINUTE)) == [expected]


def test_announced_changes_are_made_in_the_order_of_their_time() -> None:
    """A move, then the closing, which takes back a later move."""
    state = opened("p1 p2", "p3 p4")
    state = run(state, c.Move(participants=pids("p2"), to=place("b2"), lead_ms=3000))
    state = run(state, c.Move(participants=pids("p1"), to=place("b2"), lead_ms=1000))
    state = run(state, c.CloseBreakouts(lead_ms=2000))
    events = decide_clock(state, 10_000)
    assert changes(events) == [BreakoutsChange.MOVE, BreakoutsChange.CLOSE]
    assert [event.id for event in events if isinstance(event, ChangeCancelled)] == [1]
    assert where(tick(state, 10_000), MAIN) == "m p1 p2 p3 p4 p5 p6"


def test_an_opening_asked_for_late_starts_its_time_then() -> None:
    """Nobody loses minutes of their breakout to a slow node."""
    state = tick(open_draft(draft(room(4), minutes=10), lead=5000), 3 * MINUTE)
    assert next_timeout(state) == 8 * MINUTE
