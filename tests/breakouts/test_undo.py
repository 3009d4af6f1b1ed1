# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from server.errors import RejectCode
from server.ids import LOBBY, MAIN
from server.rooms import commands as c
from server.rooms.events import BreakoutsChange, ChangeCancelled
from server.rooms.state import Breakouts, RoomState
from tests.breakouts.world import (
    B1,
    B2,
    B3,
    MINUTE,
    M,
    change,
    changes,
    decide,
    draft,
    join,
    leave,
    open_draft,
    opened,
    pid,
    pids,
    place,
    placements,
    refused,
    revision,
    room,
    run,
    tick,
    where,
)

UNDO = c.UndoBreakouts()
CHANGES: tuple[c.BreakoutCommand, ...] = (
    c.Move(participants=pids("p1 l1"), to=place("b2")),
    c.Move(participants=pids("p1"), to=MAIN),
    c.Swap(first=pid("p1"), second=pid("p5")),
    c.MergeBreakouts(source=B1, target=B2),
    c.SplitBreakout(source=B1, participants=pids("l1 p1"), name="N"),
    c.AddBreakout(name="N"),
    c.RenameBreakout(breakout=B1, name="N"),
    c.CloseBreakout(breakout=B3),
    c.CloseBreakouts(),
)


def three_rooms() -> RoomState:
    """Breakouts for ten minutes, the first one led; one person is in main."""
    return opened("l1 p1 p2 p3", "p4 p5", "p6 p7", minutes=10, participants=8, leaders=1)


def arrangement(breakouts: Breakouts) -> tuple[object, ...]:
    """All of the breakouts that undo restores."""
    return breakouts.rooms, breakouts.timer, breakouts.prompt


@pytest.mark.parametrize("command", CHANGES, ids=lambda command: type(command).__name__)
def test_undo_restores_rooms_timer_and_places(command: c.BreakoutCommand) -> None:
    """Every change: as it was before, by one revision."""
    before = three_rooms()
    changed = run(before, command, now=1000)
    assert changes(decide(changed, UNDO, now=2000)) == [BreakoutsChange.UNDO]
    after = run(changed, UNDO, now=2000)
    assert placements(after) == placements(before)
    assert arrangement(after.breakouts) == arrangement(before.breakouts)


def test_undoing_an_opening_brings_everyone_back_to_main() -> None:
    """Late joiners and visitors too, since their rooms are no more."""
    state = run(join(opened("p1 p2", "p3 p4"), "p11", place("b1")), c.Visit(to=place("b2")))
    state = run(state, UNDO)
    assert where(state, MAIN) == "m p1 p11 p2 p3 p4 p5 p6"
    assert arrangement(state.breakouts) == ((), None, "")


def test_undo_cannot_be_undone() -> None:
    """It is no toggle; the state says that there is nothing to undo."""
    state = run(opened("p1 p2", "p3 p4"), UNDO)
    assert not state.breakouts.undoable
    assert refused(state, UNDO) is RejectCode.NOTHING_TO_UNDO
    assert refused(room(), UNDO) is RejectCode.NOTHING_TO_UNDO


def test_only_the_last_change_is_undone() -> None:
    """Two moves, one undo: the first stays."""
    state = run(opened("p1 p2 p3", "p4 p5"), c.Move(participants=pids("p1"), to=place("b2")))
    state = run(run(state, c.Move(participants=pids("p2"), to=place("b2"))), UNDO)
    assert (where(state, "b1"), where(state, "b2")) == ("p2 p3", "p1 p4 p5")


def test_a_visit_is_not_what_undo_takes_back() -> None:
    """A moderator looks around, then undoes the change of before; and stays where they are."""
    state = run(opened("p1 p2 p3", "p4 p5"), c.Move(participants=pids("p1"), to=place("b2")))
    state = run(state, c.Visit(to=place("b1")))
    assert state.breakouts.undoable
    state = run(state, UNDO)
    assert (where(state, "b1"), where(state, "b2")) == ("m p1 p2 p3", "p4 p5")


def test_who_has_gone_elsewhere_since_is_left_there() -> None:
    """A visitor who was moved by the change and has moved on is not pulled back; nor a leader who went to main."""
    state = run(opened("m p1 p2", "p3 p4"), c.MergeBreakouts(source=B1, target=B2))
    state = run(run(state, c.Visit(to=MAIN)), UNDO)
    assert (where(state, "b1"), where(state, "b2"), where(state, MAIN)) == ("p1 p2", "p3 p4", "m p5 p6")


def test_who_left_is_not_missed_and_who_is_in_the_lobby_not_fetched() -> None:
    """Undo concerns those who are here."""
    state = run(opened("p1 p2 p3", "p4 p5"), c.MergeBreakouts(source=B1, target=B2))
    state = change(leave(state, "p1"), "p2", placement=LOBBY)
    event = revision(decide(state, UNDO))
    assert event.moves == {"p3": "b1"}


def test_late_joiners_of_a_merged_room_stay_there() -> None:
    """They were not moved by the merge, and the room is still there."""
    state = run(opened("p1 p2", "p3 p4"), c.MergeBreakouts(source=B1, target=B2))
    state = run(join(state, "p11", place("b2")), UNDO)
    assert (where(state, "b1"), where(state, "b2")) == ("p1 p2", "p11 p3 p4")


@pytest.mark.parametrize("lead", [c.Move(participants=pids("p1"), to=MAIN, lead_ms=9), c.CloseBreakouts(lead_ms=9)])
def test_an_announced_change_is_taken_back_first(lead: c.BreakoutCommand) -> None:
    """Nothing moves; a second undo takes back the change before."""
    state = run(opened("p1 p2", "p3 p4"), lead)
    assert decide(state, UNDO) == (ChangeCancelled(id=1, by=M),)
    state = run(state, UNDO)
    assert (state.breakouts.pending, where(state, "b1")) == ((), "p1 p2")
    assert run(state, UNDO).breakouts.rooms == ()


def test_of_two_announced_changes_the_last_one_is_taken_back() -> None:
    """Whichever comes first in time."""
    state = opened("p1 p2", "p3 p4")
    for lead_ms in (9000, 1000):
        state = run(state, c.Move(participants=pids("p1"), to=MAIN, lead_ms=lead_ms))
    assert decide(state, UNDO) == (ChangeCancelled(id=2, by=M),)


def test_taking_back_an_announced_opening_keeps_the_draft() -> None:
    """It can be edited and opened again."""
    state = run(open_draft(draft(room()), lead=5000), UNDO)
    assert state.breakouts.plan == draft(room()).breakouts.plan


def test_added_time_survives_undo() -> None:
    """Undo of a move does not take away minutes that were promised since."""
    state = run(three_rooms(), c.Move(participants=pids("p1"), to=place("b2")))
    state = run(state, c.ExtendBreakouts(extra_ms=MINUTE), now=1000)
    timer = state.breakouts.timer
    state = run(state, UNDO, now=2000)
    assert timer is not None
    assert state.breakouts.timer == timer
    assert timer.ends_ms == 11 * MINUTE


def test_undoing_a_closing_whose_time_has_run_out_keeps_the_rooms_open() -> None:
    """What the timer would have said meanwhile is taken as said, and nobody is called back at once."""
    state = run(three_rooms(), c.CloseBreakouts(), now=2 * MINUTE)
    state = run(state, UNDO, now=20 * MINUTE)
    assert state.breakouts.timer is not None
    assert state.breakouts.timer.over
    assert tick(state, 21 * MINUTE) == state


def test_undoing_a_closing_does_not_repeat_old_warnings() -> None:
    """Seven of ten minutes have passed: one minute will be announced, five will not."""
    state = run(run(three_rooms(), c.CloseBreakouts(), now=2 * MINUTE), UNDO, now=7 * MINUTE)
    assert state.breakouts.timer is not None
    assert 5 * MINUTE in state.breakouts.timer.warned
    assert MINUTE not in state.breakouts.timer.warned


def test_undoing_the_end_of_time_gives_the_rooms_back() -> None:
    """Open until somebody closes them, or adds time that runs from now."""
    state = run(tick(three_rooms(), 10 * MINUTE), UNDO, now=11 * MINUTE)
    assert where(state, "b2") == "p4 p5"
    assert tick(state, 60 * MINUTE) == state
    state = run(state, c.ExtendBreakouts(extra_ms=3 * MINUTE), now=12 * MINUTE)
    assert state.breakouts.timer is not None
    assert state.breakouts.timer.ends_ms == 15 * MINUTE
    assert tick(state, 15 * MINUTE).breakouts.rooms == ()
