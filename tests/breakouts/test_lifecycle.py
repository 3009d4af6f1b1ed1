# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import get_args

import pytest

from server.breakouts.lifecycle import POSSIBLE, BreakoutsStatus, status_of
from server.errors import RejectCode
from server.rooms import commands as c
from server.rooms.state import AssignmentStrategy, PlannedRoom, RoomState
from tests.breakouts.world import B1, B2, draft, open_draft, opened, pid, pids, place, refused, room, run, tick

STATES: dict[BreakoutsStatus, RoomState] = {
    BreakoutsStatus.CLOSED: draft(room()),
    BreakoutsStatus.OPENING: open_draft(draft(room()), lead=5000),
    BreakoutsStatus.OPEN: opened("p1 p2", "p3 p4", minutes=10),
    BreakoutsStatus.CLOSING: run(opened("p1 p2", "p3 p4", minutes=10), c.CloseBreakouts(lead_ms=5000)),
}
ONE_OF_EACH: tuple[c.BreakoutCommand | c.PlanCommand, ...] = (
    c.DraftPlan(strategy=AssignmentStrategy.EVEN, rooms=2, duration_ms=0),
    c.EditPlan(version=1, rooms=(PlannedRoom(name="A"),), duration_ms=0),
    c.DiscardPlan(),
    c.OpenBreakouts(version=1),
    c.Move(participants=pids("p1"), to=place("b2")),
    c.Swap(first=pid("p1"), second=pid("p3")),
    c.MergeBreakouts(source=B1, target=B2),
    c.SplitBreakout(source=B1, participants=pids("p1"), name="N"),
    c.AddBreakout(name="N"),
    c.RenameBreakout(breakout=B1, name="N"),
    c.CloseBreakout(breakout=B1),
    c.CloseBreakouts(),
    c.ExtendBreakouts(extra_ms=60_000),
    c.UndoBreakouts(),
    c.Visit(to=place("b1")),
)


def test_every_command_is_in_the_table() -> None:
    """Each command about breakouts is possible in some state, and this file tries each."""
    every = set(get_args(c.BreakoutCommand)) | set(get_args(c.PlanCommand))
    assert {type(command) for command in ONE_OF_EACH} == every
    assert set().union(*POSSIBLE.values()) == every


@pytest.mark.parametrize("status", BreakoutsStatus)
def test_the_states_are_told_apart(status: BreakoutsStatus) -> None:
    """Rooms and announced changes alone tell where in their life breakouts are."""
    assert status_of(STATES[status].breakouts) is status


@pytest.mark.parametrize("command", ONE_OF_EACH, ids=lambda command: type(command).__name__)
@pytest.mark.parametrize("status", BreakoutsStatus)
def test_what_the_table_does_not_list_is_refused(
    status: BreakoutsStatus, command: c.BreakoutCommand | c.PlanCommand
) -> None:
    """NOT_NOW exactly where the table has no entry."""
    if type(command) not in POSSIBLE[status]:
        assert refused(STATES[status], command) is RejectCode.NOT_NOW


@pytest.mark.parametrize(
    ("before", "command", "now", "after"),
    [
        (BreakoutsStatus.CLOSED, c.OpenBreakouts(version=1), None, BreakoutsStatus.OPEN),
        (BreakoutsStatus.CLOSED, c.OpenBreakouts(version=1, lead_ms=1), None, BreakoutsStatus.OPENING),
        (BreakoutsStatus.CLOSED, c.AddBreakout(name="Quiet"), None, BreakoutsStatus.OPEN),
        (BreakoutsStatus.CLOSED, c.CloseBreakouts(), None, BreakoutsStatus.CLOSED),
        (BreakoutsStatus.OPENING, None, 5000, BreakoutsStatus.OPEN),
        (BreakoutsStatus.OPENING, c.UndoBreakouts(), None, BreakoutsStatus.CLOSED),
        (BreakoutsStatus.OPENING, c.CloseBreakouts(), None, BreakoutsStatus.CLOSED),
        (BreakoutsStatus.OPENING, c.CloseBreakouts(lead_ms=1), None, BreakoutsStatus.CLOSED),
        (BreakoutsStatus.OPEN, c.CloseBreakouts(), None, BreakoutsStatus.CLOSED),
        (BreakoutsStatus.OPEN, c.CloseBreakouts(lead_ms=1), None, BreakoutsStatus.CLOSING),
        (BreakoutsStatus.OPEN, c.UndoBreakouts(), None, BreakoutsStatus.CLOSED),
        (BreakoutsStatus.OPEN, None, 600_000, BreakoutsStatus.CLOSED),
        (BreakoutsStatus.CLOSING, c.UndoBreakouts(), None, BreakoutsStatus.OPEN),
        (BreakoutsStatus.CLOSING, c.CloseBreakouts(), None, BreakoutsStatus.CLOSED),
        (BreakoutsStatus.CLOSING, c.CloseBreakouts(lead_ms=1), None, BreakoutsStatus.CLOSING),
        (BreakoutsStatus.CLOSING, None, 5000, BreakoutsStatus.CLOSED),
    ],
)
def test_life_of_breakouts(
    before: BreakoutsStatus, command: c.BreakoutCommand | None, now: int | None, after: BreakoutsStatus
) -> None:
    """The picture in the file header, one line after the other."""
    state = STATES[before]
    state = tick(state, now or 0) if command is None else run(state, command)
    assert status_of(state.breakouts) is after
