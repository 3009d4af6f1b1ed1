# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from server.errors import RejectCode
from server.ids import LOBBY, MAIN
from server.rooms import commands as c
from server.rooms.events import BreakoutsChange, ChangeAnnounced, ChangeCancelled
from server.rooms.state import AssignmentStrategy, Breakout, PendingKind, Presence, Role, Timer
from tests.breakouts.world import (
    B1,
    B2,
    B3,
    MINUTE,
    M,
    change,
    decide,
    decide_clock,
    draft,
    hand_plan,
    join,
    leave,
    only,
    open_draft,
    opened,
    plan_of,
    refused,
    revision,
    room,
    run,
    tick,
    where,
)


def test_opening_is_one_event_with_the_whole_assignment() -> None:
    """Rooms, everyone's new place, timer and prompt come together."""
    events = decide(draft(room(4), minutes=10), c.OpenBreakouts(version=1), now=7)
    (event,) = events
    assert event == revision(events)
    assert revision(events).change is BreakoutsChange.OPEN
    assert revision(events).rooms == (Breakout(B1, "Room 1"), Breakout(B2, "Room 2"))
    assert revision(events).moves == {"p1": "b1", "p3": "b1", "p2": "b2", "p4": "b2"}
    assert revision(events).timer == Timer(started_ms=7, ends_ms=7 + 10 * MINUTE)
    assert (revision(events).prompt, revision(events).by, revision(events).at_ms) == ("Why?", M, 7)


def test_opening_consumes_the_draft() -> None:
    """The state afterwards: rooms open, no draft, something to undo."""
    state = open_draft(draft(room(4), minutes=10))
    assert state.breakouts.plan is None
    assert state.breakouts.undoable
    assert (state.breakouts.revision, state.breakouts.prompt) == (1, "Why?")
    assert (where(state, "b1"), where(state, "b2"), where(state, MAIN)) == ("p1 p3", "p2 p4", "m")


def test_without_a_duration_there_is_no_timer() -> None:
    """Open end."""
    assert open_draft(draft(room(4))).breakouts.timer is None


def test_ids_of_breakouts_are_never_used_twice() -> None:
    """A message for an old b1 can never reach a new one."""
    state = run(open_draft(draft(room(4))), c.CloseBreakouts())
    state = open_draft(draft(state))
    assert [breakout.id for breakout in state.breakouts.rooms] == ["b3", "b4"]


def test_ids_of_announced_rooms_are_taken() -> None:
    """Also when the announcement was called off."""
    state = run(open_draft(draft(room(4)), lead=5000), c.UndoBreakouts())
    assert [breakout.id for breakout in open_draft(state).breakouts.rooms] == ["b3", "b4"]


@pytest.mark.parametrize("version", [0, 2])
def test_another_version_than_the_one_seen_is_refused(version: int) -> None:
    """Nobody opens a plan that they have not looked at."""
    assert refused(draft(room()), c.OpenBreakouts(version=version)) is RejectCode.STALE_VERSION
    assert refused(room(), c.OpenBreakouts(version=version)) is RejectCode.STALE_VERSION


def test_a_room_without_people_is_refused() -> None:
    """An unfinished plan, or one whose people have left."""
    assert refused(hand_plan(room(), "p1 p2", ""), c.OpenBreakouts(version=2)) is RejectCode.PLAN_INFEASIBLE
    state = leave(leave(hand_plan(room(), "p1 p2", "p3 p4"), "p3"), "p4")
    assert refused(state, c.OpenBreakouts(version=2, allow_alone=True)) is RejectCode.PLAN_INFEASIBLE


@pytest.mark.parametrize("alone", ["p3", "p3 m"])
def test_a_person_alone_is_refused_unless_allowed(alone: str) -> None:
    """A moderator is no company; with `allow_alone` it is the moderator's word."""
    state = hand_plan(room(), "p1 p2", alone)
    assert refused(state, c.OpenBreakouts(version=2)) is RejectCode.PERSON_ALONE
    assert where(open_draft(state, alone=True), "b2") == " ".join(sorted(alone.split()))


def test_people_who_left_since_the_draft_are_left_out() -> None:
    """The plan is opened for those who are here."""
    state = leave(hand_plan(room(), "p1 p2 p3", "p4 p5"), "p1")
    assert where(open_draft(state), "b1") == "p2 p3"


def test_people_who_came_since_an_even_draft_go_to_the_least_full_room() -> None:
    """Nobody is forgotten in main."""
    state = join(join(draft(room(5)), "p11"), "p12")
    state = open_draft(state)
    assert (where(state, "b1"), where(state, "b2"), where(state, MAIN)) == ("p1 p12 p3 p5", "p11 p2 p4", "m")


def test_company_may_come_with_a_newcomer() -> None:
    """Who would be alone after a departure is not, when somebody new joins them."""
    state = leave(draft(room(4)), "p4")
    assert refused(state, c.OpenBreakouts(version=1)) is RejectCode.PERSON_ALONE
    assert where(open_draft(join(state, "p11")), "b2") == "p11 p2"


def test_who_is_in_no_room_of_a_plan_by_hand_stays_in_main() -> None:
    """The moderator has decided so; also with lead time."""
    state = hand_plan(room(5), "p1 p2", "p3 p4")
    assert where(open_draft(state), MAIN) == "m p5"
    assert where(tick(open_draft(state, lead=5000), 5000), MAIN) == "m p5"


def test_leaders_lead_the_room_they_are_in() -> None:
    """By plan, and in a plan by hand the first peer leader of a room without one; never somebody who has left."""
    state = open_draft(draft(room(4, leaders=2), strategy=AssignmentStrategy.BY_LEADER))
    assert [breakout.leader for breakout in state.breakouts.rooms] == ["l1", "l2"]
    assert [breakout.leader for breakout in opened("p1 l2 l1", "p2 p3", leaders=2).breakouts.rooms] == ["l2", None]
    gone = leave(draft(room(4, leaders=2), strategy=AssignmentStrategy.BY_LEADER), "l1")
    assert [breakout.leader for breakout in open_draft(gone, alone=True).breakouts.rooms] == [None, "l2"]


def test_a_leader_who_is_one_no_more_does_not_lead() -> None:
    """A role that was taken away since the draft counts no more, and does not block the plan."""
    state = change(draft(room(4, leaders=1)), "l1", role=Role.PARTICIPANT)
    assert open_draft(state).breakouts.rooms[0].leader is None


def test_somebody_whose_connection_is_lost_is_moved_too() -> None:
    """They come back to where the others are."""
    state = change(draft(room(4)), "p1", presence=Presence.LOST)
    assert where(open_draft(state), "b1") == "p1 p3"


def test_an_announcement_moves_nobody_yet() -> None:
    """People are told where, with whom and when; draft and main stay as they are."""
    state = draft(room(4), minutes=10)
    announced = only(decide(state, c.OpenBreakouts(version=1, lead_ms=5000), now=100), ChangeAnnounced)
    assert announced.by == M
    assert (announced.change.kind, announced.change.at_ms) == (PendingKind.OPEN, 5100)
    assert announced.change.moves == {"p1": "b1", "p3": "b1", "p2": "b2", "p4": "b2"}
    assert [breakout.name for breakout in announced.change.rooms] == ["Room 1", "Room 2"]
    state = open_draft(state, 100, lead=5000)
    assert where(state, MAIN) == "m p1 p2 p3 p4"
    assert plan_of(state).version == 1
    assert state.breakouts.rooms == ()


def test_what_was_announced_happens_when_due() -> None:
    """One revision that fulfils the announcement; the time in the rooms begins then."""
    state = open_draft(draft(room(4), minutes=10), 100, lead=5000)
    assert decide_clock(state, 5099) == ()
    event = revision(decide_clock(state, 5200))
    assert (event.pending, event.by, event.change) == (1, None, BreakoutsChange.OPEN)
    assert event.timer == Timer(started_ms=5200, ends_ms=5200 + 10 * MINUTE)
    state = tick(state, 5200)
    assert state.breakouts.pending == ()
    assert state.breakouts.plan is None
    assert (where(state, "b1"), where(state, "b2"), state.breakouts.prompt) == ("p1 p3", "p2 p4", "Why?")


@pytest.mark.parametrize("strategy", [AssignmentStrategy.EVEN, AssignmentStrategy.BY_HAND])
def test_who_comes_during_the_announcement_goes_to_the_least_full_room(strategy: AssignmentStrategy) -> None:
    """Whatever the plan, unassigned 0; people in the lobby and moderators are left alone."""
    even = draft(room(5))
    state = even if strategy is AssignmentStrategy.EVEN else hand_plan(even, "p1 p3 p5", "p2 p4")
    state = open_draft(state, lead=5000)
    for name in ("p11", "p12", "m2"):
        state = join(state, name)
    state = tick(join(state, "p13", LOBBY), 5000)
    assert (where(state, "b1"), where(state, "b2")) == ("p1 p12 p3 p5", "p11 p2 p4")
    assert (where(state, MAIN), where(state, LOBBY)) == ("m m2", "p13")


def test_newcomers_stay_when_only_moderators_go() -> None:
    """No participant is sent into a room where only staff meet."""
    state = tick(join(open_draft(hand_plan(room(2), "m"), lead=5000), "p11"), 5000)
    assert (where(state, "b1"), where(state, MAIN)) == ("m", "p1 p11 p2")


def test_who_leaves_during_the_announcement_is_left_out() -> None:
    """Somebody whose company has left goes where they were told; the moderator sees it and decides."""
    state = leave(leave(open_draft(draft(room(4)), lead=5000), "p1"), "p2")
    state = tick(state, 5000)
    assert (where(state, "b1"), where(state, "b2")) == ("p3", "p4")


def test_who_left_and_came_back_during_the_announcement_goes_where_they_were_told() -> None:
    """A second arrival is not a stranger."""
    state = join(leave(open_draft(draft(room(4)), lead=5000), "p1"), "p1")
    assert where(tick(state, 5000), "b1") == "p1 p3"


def test_when_everyone_has_gone_the_opening_is_called_off() -> None:
    """No rooms are opened for nobody."""
    state = open_draft(draft(room(2), 1), lead=5000)
    state = leave(leave(state, "p1"), "p2")
    assert only(decide_clock(state, 5000), ChangeCancelled).id == 1
    assert tick(state, 5000).breakouts.pending == ()


def test_three_rooms_keep_their_names() -> None:
    """What was drafted is what is opened."""
    state = open_draft(draft(room(6), 3))
    assert [(breakout.id, breakout.name) for breakout in state.breakouts.rooms] == [
        (B1, "Room 1"),
        (B2, "Room 2"),
        (B3, "Room 3"),
    ]
