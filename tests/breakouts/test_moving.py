# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from msgspec.structs import replace

from server.errors import RejectCode
from server.ids import LOBBY, MAIN
from server.rooms import commands as c
from server.rooms.events import BreakoutsChange, ChangeAnnounced, ChangeCancelled
from server.rooms.state import MAX_PENDING, PendingChange, PendingKind, PlannedRoom, Presence, Role, RoomState
from tests.breakouts.world import (
    M,
    change,
    changes,
    decide,
    decide_clock,
    hand_plan,
    join,
    leave,
    only,
    open_draft,
    opened,
    pid,
    pids,
    place,
    plan_of,
    refused,
    revision,
    room,
    run,
    tick,
    where,
)


def move(names: str, to: str, lead: int = 0) -> c.Move:
    """A move of "p1 p2"."""
    return c.Move(participants=pids(names), to=place(to), lead_ms=lead)


def leaders(state: RoomState) -> list[str | None]:
    """Who leads each breakout."""
    return [breakout.leader for breakout in state.breakouts.rooms]


def test_a_move_is_one_revision() -> None:
    """Only those who change place are named; rooms, timer and prompt stay."""
    state = opened("p1 p2 p3", "p4 p5", minutes=10)
    event = revision(decide(state, move("p1 p2 p4 p1", "b2"), now=9))
    assert event.moves == {"p1": "b2", "p2": "b2"}
    assert (event.change, event.by, event.revision, event.at_ms) == (BreakoutsChange.MOVE, M, 2, 9)
    assert (event.rooms, event.timer, event.prompt) == (state.breakouts.rooms, state.breakouts.timer, "Why?")


@pytest.mark.parametrize("to", ["main", "b1", "b2"])
def test_people_arrive(to: str) -> None:
    """Into any open room, and to main."""
    assert "p1" in where(run(opened("p1 p2", "p3 p4"), move("p1", to)), to)


def test_who_has_left_does_not_hold_up_the_others() -> None:
    """A departure a moment ago is no reason to refuse a move of many."""
    state = leave(opened("p1 p2", "p3 p4"), "p1")
    assert where(run(state, move("p1 p2", "b2")), "b2") == "p2 p3 p4"


def test_moving_people_to_where_they_are_is_no_event() -> None:
    """The wish is fulfilled already."""
    assert decide(opened("p1 p2", "p3 p4"), move("p1 p2", "b1")) == ()


@pytest.mark.parametrize(
    ("names", "to", "code"),
    [
        ("ghost", "b1", RejectCode.NOT_HERE),
        ("p1 p9", "b2", RejectCode.NOT_NOW),
        ("p1", "b3", RejectCode.NOT_HERE),
        ("p1", "lobby", RejectCode.NOT_HERE),
        ("p1", "everywhere", RejectCode.NOT_HERE),
    ],
)
def test_a_move_that_cannot_be_made_is_refused_as_a_whole(names: str, to: str, code: RejectCode) -> None:
    """Nobody is moved when all have left, one of them is in the lobby, or there is no such place."""
    state = join(opened("p1 p2", "p3 p4"), "p9", LOBBY)
    assert refused(state, move(names, to)) is code


def test_an_announced_move_happens_when_due() -> None:
    """People are told first; then one revision by the clock."""
    state = opened("p1 p2", "p3 p4")
    announced = only(decide(state, move("p1 p3", "b2", lead=5000), now=10), ChangeAnnounced)
    assert announced.change == PendingChange(id=1, kind=PendingKind.MOVE, at_ms=5010, moves={pid("p1"): place("b2")})
    state = run(state, move("p1 p3", "b2", lead=5000), now=10)
    assert (where(state, "b1"), decide_clock(state, 5009)) == ("p1 p2", ())
    event = revision(decide_clock(state, 5010))
    assert (event.change, event.by, event.pending) == (BreakoutsChange.MOVE, None, 1)
    state = tick(state, 5010)
    assert (where(state, "b2"), state.breakouts.pending) == ("p1 p3 p4", ())


@pytest.mark.parametrize("gone", ["left", "there already", "in the lobby"])
def test_an_announced_move_of_nobody_is_called_off(gone: str) -> None:
    """No empty revision."""
    state = run(opened("p1 p2", "p3 p4"), move("p1", "b2", lead=5000))
    match gone:
        case "left":
            state = leave(state, "p1")
        case "there already":
            state = run(state, move("p1", "b2"))
        case _:
            state = change(state, "p1", placement=LOBBY)
    assert decide_clock(state, 5000) == (ChangeCancelled(id=1, by=None),)


def test_a_lost_connection_is_moved_by_an_announced_move() -> None:
    """They come back to where they were told to go."""
    state = change(run(opened("p1 p2", "p3 p4"), move("p1", "b2", lead=5000)), "p1", presence=Presence.LOST)
    assert where(tick(state, 5000), "b2") == "p1 p3 p4"


def test_announced_moves_are_bounded() -> None:
    """One more than the list holds is refused."""
    state = opened("p1 p2", "p3 p4")
    waiting = PendingChange(id=1, kind=PendingKind.MOVE, at_ms=9, moves={pid("p1"): place("b2")})
    full = replace(state, breakouts=replace(state.breakouts, pending=(waiting,) * MAX_PENDING))
    assert refused(full, move("p1", "b2", lead=5000)) is RejectCode.LIMIT_REACHED
    assert refused(full, c.CloseBreakouts(lead_ms=5000)) is RejectCode.LIMIT_REACHED
    assert changes(decide(full, move("p1", "b2"))) == [BreakoutsChange.MOVE]


def test_a_swap_exchanges_two_places() -> None:
    """One revision; also between a breakout and main."""
    state = opened("p1 p2", "p3 p4")
    event = revision(decide(state, c.Swap(first=pid("p1"), second=pid("p3"))))
    assert (event.moves, event.change) == ({"p1": "b2", "p3": "b1"}, BreakoutsChange.SWAP)
    state = run(state, c.Swap(first=pid("p5"), second=pid("p1")))
    assert (where(state, "b1"), where(state, MAIN)) == ("p2 p5", "m p1 p6")


@pytest.mark.parametrize("second", ["p1", "p2"])
def test_a_swap_within_one_place_is_no_event(second: str) -> None:
    """Nothing would change."""
    assert decide(opened("p1 p2", "p3 p4"), c.Swap(first=pid("p1"), second=pid(second))) == ()


@pytest.mark.parametrize(("name", "code"), [("ghost", RejectCode.NOT_HERE), ("p9", RejectCode.NOT_NOW)])
def test_a_swap_needs_two_admitted_people(name: str, code: RejectCode) -> None:
    """On either side."""
    state = join(opened("p1 p2", "p3 p4"), "p9", LOBBY)
    assert refused(state, c.Swap(first=pid("p1"), second=pid(name))) is code
    assert refused(state, c.Swap(first=pid(name), second=pid("p1"))) is code


def test_a_leader_taken_to_another_breakout_leads_there_if_nobody_does() -> None:
    """The room they left has none; on the way over main they keep theirs."""
    state = opened("l1 p1", "p2 p3", "l2 p4", leaders=2)
    assert leaders(state) == ["l1", None, "l2"]
    assert leaders(run(state, move("l1", "b2"))) == [None, "l1", "l2"]
    assert leaders(run(state, move("l1", "b3"))) == [None, None, "l2"]
    assert leaders(run(state, move("l1", "main"))) == ["l1", None, "l2"]
    assert leaders(run(state, c.Swap(first=pid("l1"), second=pid("l2")))) == ["l2", None, "l1"]
    assert leaders(tick(run(state, move("l1", "b2", lead=1)), 1)) == [None, "l1", "l2"]


def test_the_place_of_a_leader_who_left_is_free() -> None:
    """The next peer leader who comes leads; the same when the role was taken away."""
    state = opened("l1 p1", "l2 p2", leaders=2)
    for free in (leave(state, "l1"), change(state, "l1", role=Role.PARTICIPANT)):
        assert leaders(run(free, move("l2", "b1"))) == ["l2", None]


def test_a_moderator_who_leads_a_room_goes_on_leading_it() -> None:
    """Named by the plan; a peer leader who comes is a guest."""
    state = hand_plan(room(4, leaders=1), "m p1", "l1 p2 p3")
    plan = plan_of(state)
    led = (PlannedRoom(plan.rooms[0].name, plan.rooms[0].members, M), plan.rooms[1])
    state = run(state, c.EditPlan(version=plan.version, rooms=led, duration_ms=0))
    state = open_draft(state, alone=True)
    assert leaders(run(state, move("l1", "b1"))) == ["m", None]


@pytest.mark.parametrize("to", ["b1", "b2", "main"])
def test_moderators_visit_any_place(to: str) -> None:
    """Themselves, at once, shown as a visit; being there already is no event."""
    state = opened("p1 p2", "p3 p4")
    state = run(state, c.Visit(to=place("b2" if to == "main" else "main")))
    event = revision(decide(state, c.Visit(to=place(to))))
    assert (event.change, event.moves, event.by) == (BreakoutsChange.VISIT, {M: to}, M)
    assert decide(run(state, c.Visit(to=place(to))), c.Visit(to=place(to))) == ()


def test_peer_leaders_go_between_main_and_their_own_room() -> None:
    """Nowhere else, and not out of a room in which they were placed as a guest."""
    state = opened("l1 p1", "l2 p2", leaders=2)
    away = run(state, c.Visit(to=MAIN), actor="l1")
    assert where(away, MAIN) == "l1 m p3 p4 p5 p6"
    assert where(run(away, c.Visit(to=place("b1")), actor="l1"), "b1") == "l1 p1"
    assert refused(away, c.Visit(to=place("b2")), actor="l1") is RejectCode.NOT_ALLOWED
    guest = run(state, move("l1", "b2"))
    assert refused(guest, c.Visit(to=MAIN), actor="l1") is RejectCode.NOT_ALLOWED


def test_others_do_not_visit() -> None:
    """A participant cannot change place on their own, even one who led a moment ago."""
    demoted = change(opened("l1 p1", "p2 p3", leaders=1), "l1", role=Role.PARTICIPANT)
    assert refused(demoted, c.Visit(to=MAIN), actor="l1") is RejectCode.NOT_ALLOWED
    assert refused(opened("p1 p2", "p3 p4"), c.Visit(to=MAIN), actor="p1") is RejectCode.NOT_ALLOWED
    assert refused(opened("p1 p2", "p3 p4"), c.Visit(to=place("b9"))) is RejectCode.NOT_HERE
