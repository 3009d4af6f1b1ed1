# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from msgspec.structs import replace

from server.errors import RejectCode
from server.ids import MAIN, BreakoutId
from server.rooms import commands as c
from server.rooms.events import BreakoutsChange, ChangeCancelled
from server.rooms.state import MAX_BREAKOUTS, Breakout, Presence, RoomState
from tests.breakouts.world import (
    B1,
    B2,
    B3,
    M,
    change,
    changes,
    decide,
    leave,
    opened,
    pids,
    place,
    refused,
    revision,
    run,
    where,
)

GHOST = BreakoutId("b9")


def full(state: RoomState) -> RoomState:
    """The state with as many breakouts as there may be."""
    rooms = tuple(Breakout(BreakoutId(f"b{n}"), f"Room {n}") for n in range(1, MAX_BREAKOUTS + 1))
    return replace(state, breakouts=replace(state.breakouts, rooms=rooms))


def test_merging_brings_everyone_over_and_closes_the_source() -> None:
    """One revision; nobody is left behind, neither a visitor nor somebody whose connection is lost."""
    state = run(opened("p1 p2", "p3 p4", minutes=10), c.Visit(to=place("b1")))
    state = change(state, "p1", presence=Presence.LOST)
    events = decide(state, c.MergeBreakouts(source=B1, target=B2))
    assert changes(events) == [BreakoutsChange.MERGE]
    assert revision(events).timer == state.breakouts.timer
    state = run(state, c.MergeBreakouts(source=B1, target=B2))
    assert [breakout.id for breakout in state.breakouts.rooms] == [B2]
    assert where(state, "b2") == "m p1 p2 p3 p4"


@pytest.mark.parametrize(
    ("source", "target", "leader"), [("l1 p1", "p2 p3", "l1"), ("l1 p1", "l2 p3", "l2"), ("p1 p2", "l2 p3", "l2")]
)
def test_a_merged_room_has_a_leader_if_there_is_one(source: str, target: str, leader: str) -> None:
    """The target's own one first."""
    state = run(opened(source, target, leaders=2), c.MergeBreakouts(source=B1, target=B2))
    assert state.breakouts.rooms[0].leader == leader


def test_merging_a_room_into_itself_is_no_event() -> None:
    """Nothing would change."""
    assert decide(opened("p1 p2", "p3 p4"), c.MergeBreakouts(source=B1, target=B1)) == ()


def test_a_split_opens_one_more_room_with_these_people() -> None:
    """One revision; the others stay where they are."""
    state = opened("p1 p2 p3 p4", "p5 p6")
    split = c.SplitBreakout(source=B1, participants=pids("p3 p4"), name=" Calm ")
    assert changes(decide(state, split)) == [BreakoutsChange.SPLIT]
    state = run(state, split)
    assert state.breakouts.rooms[-1] == Breakout(B3, "Calm")
    assert (where(state, "b1"), where(state, "b2"), where(state, "b3")) == ("p1 p2", "p5 p6", "p3 p4")


def test_a_leader_who_is_split_off_leads_the_new_room() -> None:
    """And the old one no more; another peer leader among those who go leads, too."""
    state = opened("l1 p1 p2 l2", "p3 p4", leaders=2)
    for who in ("l1", "l2"):
        after = run(state, c.SplitBreakout(source=B1, participants=pids(f"p1 {who}"), name="N"))
        assert after.breakouts.rooms[-1].leader == who
        assert after.breakouts.rooms[0].leader == (None if who == "l1" else "l1")


@pytest.mark.parametrize(
    ("source", "names", "code"),
    [
        (GHOST, "p1", RejectCode.NOT_HERE),
        (B1, "p3", RejectCode.NOT_HERE),
        (B1, "p1 p3", RejectCode.NOT_HERE),
        (B1, "ghost", RejectCode.NOT_HERE),
        (B1, "ghost p3", RejectCode.NOT_HERE),
        (B1, "p1 p2", RejectCode.PLAN_INFEASIBLE),
    ],
)
def test_a_senseless_split_is_refused(source: BreakoutId, names: str, code: RejectCode) -> None:
    """An unknown room, people who are elsewhere, or everyone, who would leave an empty room behind."""
    split = c.SplitBreakout(source=source, participants=pids(names), name="N")
    assert refused(opened("p1 p2", "p3 p4"), split) is code


def test_who_has_left_does_not_hold_up_a_split() -> None:
    """The others get their room."""
    state = leave(opened("p1 p2 p3", "p4 p5"), "p1")
    state = run(state, c.SplitBreakout(source=B1, participants=pids("p1 p2"), name="N"))
    assert (where(state, "b1"), where(state, "b3")) == ("p3", "p2")


def test_an_added_room_is_empty() -> None:
    """One revision that moves nobody."""
    event = revision(decide(opened("p1 p2", "p3 p4"), c.AddBreakout(name="Quiet")))
    assert (event.change, event.moves, event.rooms[-1]) == (BreakoutsChange.ADD, {}, Breakout(B3, "Quiet"))


def test_rooms_are_bounded() -> None:
    """Neither adding nor splitting goes beyond the limit."""
    state = full(opened("p1 p2", "p3 p4"))
    assert refused(state, c.AddBreakout(name="N")) is RejectCode.LIMIT_REACHED
    split = c.SplitBreakout(source=B1, participants=pids("p1"), name="N")
    assert refused(state, split) is RejectCode.LIMIT_REACHED


def test_a_room_can_be_renamed() -> None:
    """One revision; the same name again is no event."""
    state = opened("p1 p2", "p3 p4")
    event = revision(decide(state, c.RenameBreakout(breakout=B2, name="Garden")))
    assert (event.change, event.moves) == (BreakoutsChange.RENAME, {})
    assert event.rooms == (Breakout(B1, "Room 1"), Breakout(B2, "Garden"))
    assert decide(state, c.RenameBreakout(breakout=B2, name=" Room  2 ")) == ()


@pytest.mark.parametrize("name", ["", "   ", "x" * 41, "a\x00b"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    """For every command that names a room."""
    state = opened("p1 p2", "p3 p4")
    for command in (
        c.AddBreakout(name=name),
        c.RenameBreakout(breakout=B1, name=name),
        c.SplitBreakout(source=B1, participants=pids("p1"), name=name),
    ):
        assert refused(state, command) is RejectCode.NAME_INVALID


def test_closing_one_room_brings_its_people_to_main() -> None:
    """The others go on."""
    state = opened("p1 p2", "p3 p4", minutes=10)
    event = revision(decide(state, c.CloseBreakout(breakout=B1)))
    assert (event.change, event.moves) == (BreakoutsChange.CLOSE_ONE, {"p1": MAIN, "p2": MAIN})
    assert (event.rooms, event.timer) == ((Breakout(B2, "Room 2"),), state.breakouts.timer)


def test_with_the_last_room_the_breakouts_are_closed() -> None:
    """No timer goes on without rooms."""
    state = run(opened("p1 p2", "p3 p4", minutes=10), c.CloseBreakout(breakout=B1))
    state = run(state, c.CloseBreakout(breakout=B2))
    assert (state.breakouts.rooms, state.breakouts.timer, where(state, MAIN)) == ((), None, "m p1 p2 p3 p4 p5 p6")


@pytest.mark.parametrize(
    "command",
    [
        c.MergeBreakouts(source=GHOST, target=B1),
        c.MergeBreakouts(source=B1, target=GHOST),
        c.RenameBreakout(breakout=GHOST, name="N"),
        c.CloseBreakout(breakout=GHOST),
    ],
)
def test_a_room_that_is_not_there_is_refused(command: c.BreakoutCommand) -> None:
    """NOT_HERE, whoever closed it first."""
    assert refused(opened("p1 p2", "p3 p4"), command) is RejectCode.NOT_HERE


def test_an_announced_move_into_a_room_that_closes_is_called_off() -> None:
    """In the same commit, before the revision; announced moves to other places stay."""
    state = opened("p1 p2", "p3 p4", "p5 p6")
    state = run(state, c.Move(participants=pids("p3"), to=place("b1"), lead_ms=5000))
    state = run(state, c.Move(participants=pids("p4"), to=MAIN, lead_ms=5000))
    events = decide(state, c.CloseBreakout(breakout=B1))
    assert events[0] == ChangeCancelled(id=1, by=M)
    assert [announced.id for announced in run(state, c.CloseBreakout(breakout=B1)).breakouts.pending] == [2]
