# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from server.errors import RejectCode
from server.ids import LOBBY
from server.rooms import commands as c
from server.rooms.events import PlanChanged
from server.rooms.state import AssignmentStrategy, PlannedRoom, Role
from tests.breakouts.world import (
    M,
    change,
    decide,
    draft,
    hand_plan,
    leave,
    only,
    open_draft,
    opened,
    pid,
    pids,
    plan_of,
    refused,
    room,
    run,
)


def edit(version: int, *rooms: PlannedRoom) -> c.EditPlan:
    """An edit of the draft of this version."""
    return c.EditPlan(version=version, rooms=rooms, duration_ms=300_000, prompt="New")


def planned(name: str, members: str, leader: str | None = None) -> PlannedRoom:
    """A room of "p1 p2"."""
    return PlannedRoom(name=name, members=pids(members), leader=None if leader is None else pid(leader))


def test_a_draft_is_for_admitted_people_who_are_not_moderators() -> None:
    """Moderators and the lobby are left out; the order is that of joining."""
    state = change(room(4, leaders=1, lobby="p9"), "p4", joined_ms=-1)
    plan = plan_of(draft(state, 2, minutes=5))
    assert plan.version == 1
    assert plan.rooms == (planned("Room 1", "l1 p1 p3", "l1"), planned("Room 2", "p4 p2"))
    assert (plan.duration_ms, plan.prompt) == (300_000, "Why?")


def test_a_draft_names_its_author() -> None:
    """The event carries who changed the plan."""
    command = c.DraftPlan(strategy=AssignmentStrategy.EVEN, rooms=2, duration_ms=0)
    assert only(decide(room(), command), PlanChanged).by == M


def test_rooms_are_called_as_the_moderator_calls_them() -> None:
    """In the sender's language; a room without a name gets a number, names too many are left over."""
    command = c.DraftPlan(strategy=AssignmentStrategy.EVEN, rooms=2, duration_ms=0, names=(" Sala 1 ",))
    plan = only(decide(room(), command), PlanChanged).plan
    assert plan is not None
    assert [planned.name for planned in plan.rooms] == ["Sala 1", "Room 2"]
    unseen = c.DraftPlan(strategy=AssignmentStrategy.EVEN, rooms=2, duration_ms=0, names=("\u200b",))
    assert refused(room(), unseen) is RejectCode.NAME_INVALID


def test_a_random_draft_follows_the_seed() -> None:
    """The same seed gives the same draft, another one another."""
    one, again, other = (draft(room(12), 3, AssignmentStrategy.RANDOM, seed=seed) for seed in (1, 1, 2))
    assert plan_of(one).rooms == plan_of(again).rooms
    assert plan_of(one).rooms != plan_of(other).rooms


def test_a_draft_while_breakouts_are_open_holds_everyone() -> None:
    """The next round can be prepared while people are away."""
    state = draft(opened("p1 p2", "p3 p4"), 3)
    assert [len(room.members) for room in plan_of(state).rooms] == [2, 2, 2]


@pytest.mark.parametrize(
    ("strategy", "rooms"),
    [(AssignmentStrategy.EVEN, 7), (AssignmentStrategy.RANDOM, 7), (AssignmentStrategy.BY_LEADER, 2)],
)
def test_a_draft_that_cannot_be_filled_is_refused(strategy: AssignmentStrategy, rooms: int) -> None:
    """Seven rooms for six people, or rooms by leader without a leader."""
    command = c.DraftPlan(strategy=strategy, rooms=rooms, duration_ms=0)
    assert refused(room(6), command) is RejectCode.PLAN_INFEASIBLE


def test_a_draft_by_leader_is_bounded() -> None:
    """Fifty-one leaders would need fifty-one rooms."""
    command = c.DraftPlan(strategy=AssignmentStrategy.BY_LEADER, rooms=1, duration_ms=0)
    assert refused(room(0, leaders=51), command) is RejectCode.LIMIT_REACHED
    assert len(plan_of(run(room(0, leaders=50), command)).rooms) == 50


def test_versions_are_never_used_twice() -> None:
    """A draft after a discarded or opened one goes on counting, so that a stale edit never matches."""
    state = draft(run(draft(room()), c.DiscardPlan()))
    assert plan_of(state).version == 2
    assert plan_of(draft(open_draft(state))).version == 3


def test_discarding_forgets_the_draft() -> None:
    """Discarding twice is no error and no event."""
    state = run(draft(room()), c.DiscardPlan())
    assert state.breakouts.plan is None
    assert decide(state, c.DiscardPlan()) == ()


def test_an_edit_replaces_the_draft() -> None:
    """Names are tidied; an unfinished plan is fine."""
    state = run(draft(room(4, leaders=1)), edit(1, planned("  Calm   room ", "l1 p1", "l1"), planned("B", "")))
    plan = plan_of(state)
    assert plan.version == 2
    assert plan.rooms == (planned("Calm room", "l1 p1", "l1"), planned("B", ""))
    assert (plan.duration_ms, plan.prompt) == (300_000, "New")


@pytest.mark.parametrize(
    ("rooms", "code"),
    [
        ((planned("A", "ghost"),), RejectCode.PLAN_INFEASIBLE),
        ((planned("A", "p9"),), RejectCode.PLAN_INFEASIBLE),
        ((planned("A", "p1 p2"), planned("B", "p1")), RejectCode.PLAN_INFEASIBLE),
        ((planned("A", "p1 p2", "p1"),), RejectCode.PLAN_INFEASIBLE),
        ((planned(" ", "p1 p2"),), RejectCode.NAME_INVALID),
        ((planned("x" * 41, "p1 p2"),), RejectCode.NAME_INVALID),
    ],
)
def test_a_senseless_edit_is_refused(rooms: tuple[PlannedRoom, ...], code: RejectCode) -> None:
    """Strangers, people of the lobby, people twice, a leader who is none, a name that is none."""
    assert refused(draft(room(4, lobby="p9")), edit(1, *rooms)) is code


@pytest.mark.parametrize("version", [0, 1, 3])
def test_an_edit_of_another_version_is_refused(version: int) -> None:
    """Two moderators at once: the second looks again."""
    state = draft(draft(room()))
    assert refused(state, edit(version, planned("A", "p1 p2"))) is RejectCode.STALE_VERSION
    assert refused(room(), edit(version, planned("A", "p1 p2"))) is RejectCode.STALE_VERSION


def test_people_who_left_do_not_spoil_an_edit() -> None:
    """Who was in the draft and has gone is dropped, as member and as leader."""
    state = leave(leave(draft(room(4, leaders=1)), "p1"), "l1")
    state = run(state, edit(1, planned("A", "l1 p3", "l1"), planned("B", "p1 p2 p4")))
    assert plan_of(state).rooms == (planned("A", "p3"), planned("B", "p2 p4"))


def test_a_leader_who_was_demoted_does_not_spoil_an_edit() -> None:
    """They stay in their room, which has no leader any more."""
    state = change(draft(room(4, leaders=1)), "l1", role=Role.PARTICIPANT)
    state = run(state, edit(1, planned("A", "l1 p1", "l1"), planned("B", "p2 p3 p4")))
    assert plan_of(state).rooms[0] == planned("A", "l1 p1")


def test_somebody_sent_back_to_the_lobby_does_not_spoil_an_edit() -> None:
    """Only admitted people are planned for."""
    state = change(draft(room(4)), "p1", placement=LOBBY)
    assert plan_of(run(state, edit(1, planned("A", "p1 p2 p3 p4")))).rooms == (planned("A", "p2 p3 p4"),)


def test_leaving_somebody_out_makes_it_a_plan_by_hand() -> None:
    """Moving people between rooms does not; taking one out is a decision about who stays."""
    state = draft(room(4))
    moved = run(state, edit(1, planned("A", "p1 p2"), planned("B", "p3 p4")))
    assert plan_of(moved).strategy is AssignmentStrategy.EVEN
    left_out = run(state, edit(1, planned("A", "p1 p2"), planned("B", "p3")))
    assert plan_of(left_out).strategy is AssignmentStrategy.BY_HAND
    by_hand = hand_plan(room(4), "p1 p2", "p3 p4")
    assert plan_of(by_hand).strategy is AssignmentStrategy.BY_HAND
