# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from msgspec.structs import replace

from server.breakouts.evolve import breakout_number, evolve_breakouts
from server.rooms.events import BreakoutsChange, BreakoutsExtended, BreakoutsRevised, ChangeCancelled
from server.rooms.state import Breakout, BreakoutsMemo, Timer
from tests.breakouts.world import B1, B2, M, draft, opened, pid, pids, place, placements, room


def test_a_revision_is_applied_as_it_stands() -> None:
    """The fold decides nothing: rooms, places, timer and prompt are those of the event; what was is kept for undo."""
    state = opened("p1 p2", "p3 p4", minutes=10)
    timer = Timer(started_ms=1, ends_ms=2)
    event = BreakoutsRevised(
        revision=9,
        change=BreakoutsChange.MERGE,
        rooms=(Breakout(B2, "One"),),
        moves=dict.fromkeys(pids("p1 p2"), place("b2")),
        timer=timer,
        at_ms=5,
        by=M,
        prompt="How?",
    )
    after = evolve_breakouts(state, event)
    assert (after.breakouts.revision, after.breakouts.rooms, after.breakouts.timer) == (9, event.rooms, timer)
    assert (after.breakouts.prompt, after.breakouts.undoable) == ("How?", True)
    assert placements(after) == placements(state) | event.moves
    assert after.memo == BreakoutsMemo(
        rooms=state.breakouts.rooms,
        timer=state.breakouts.timer,
        moves=dict.fromkeys(pids("p1 p2"), (place("b1"), place("b2"))),
        prompt="Why?",
    )


def test_a_revision_about_people_who_are_not_there_moves_the_others() -> None:
    """A view in which somebody is missing folds the rest."""
    event = BreakoutsRevised(
        revision=1,
        change=BreakoutsChange.OPEN,
        rooms=(Breakout(B1, "One"),),
        moves=dict.fromkeys(pids("p1 ghost"), place("b1")),
        timer=None,
        at_ms=0,
        by=M,
    )
    after = evolve_breakouts(room(), event)
    assert after.participants[pid("p1")].placement == "b1"
    assert pid("ghost") not in after.participants
    assert after.memo is not None
    assert after.memo.moves.keys() == {"p1"}


def test_only_opening_consumes_the_draft() -> None:
    """A draft made while breakouts are open outlives the other changes."""
    state = draft(opened("p1 p2", "p3 p4"))
    event = BreakoutsRevised(revision=2, change=BreakoutsChange.CLOSE, rooms=(), moves={}, timer=None, at_ms=0, by=None)
    assert evolve_breakouts(state, event).breakouts.plan == state.breakouts.plan
    opening = replace(event, change=BreakoutsChange.OPEN)
    assert evolve_breakouts(state, opening).breakouts.plan is None


def test_an_unknown_announcement_is_cancelled_without_harm() -> None:
    """The fold is total."""
    state = opened("p1 p2", "p3 p4")
    assert evolve_breakouts(state, ChangeCancelled(id=7, by=None)) == state


def test_an_extension_changes_the_timer_alone() -> None:
    """Everything else stays."""
    state = opened("p1 p2", "p3 p4", minutes=10)
    timer = Timer(started_ms=0, ends_ms=99)
    after = evolve_breakouts(state, BreakoutsExtended(timer=timer, by=M))
    assert after == replace(state, breakouts=replace(state.breakouts, timer=timer))


def test_numbers_of_breakouts() -> None:
    """The number is in the id."""
    assert [breakout_number(id_) for id_ in (B1, B2)] == [1, 2]
