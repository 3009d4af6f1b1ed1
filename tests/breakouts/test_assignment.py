# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.breakouts.assignment import assign, late_placement
from server.ids import ParticipantId
from server.rooms import commands as c
from server.rooms.state import AssignmentStrategy, PlannedRoom, Presence
from tests.breakouts.world import change, join, leave, opened, pid, pids, place, room, run

DEALT = (AssignmentStrategy.EVEN, AssignmentStrategy.RANDOM)

people_and_leaders = st.tuples(st.integers(0, 60), st.integers(0, 12)).map(
    lambda counts: (
        tuple(pid(f"p{n}") for n in range(counts[0])),
        tuple(pid(f"l{n}") for n in range(counts[1])),
    )
)
room_counts = st.integers(1, 50)
seeds = st.integers(0, 2**64 - 1)


def members(rooms: tuple[PlannedRoom, ...]) -> list[ParticipantId]:
    """Everyone in these rooms, one room after the other."""
    return list(chain.from_iterable(planned.members for planned in rooms))


def sizes(rooms: tuple[PlannedRoom, ...]) -> list[int]:
    """How many people are in each room."""
    return [len(planned.members) for planned in rooms]


@given(people_and_leaders, room_counts, st.sampled_from(DEALT), seeds)
def test_everyone_is_dealt_once_and_sizes_differ_by_one_at_most(
    who: tuple[tuple[ParticipantId, ...], tuple[ParticipantId, ...]],
    count: int,
    strategy: AssignmentStrategy,
    seed: int,
) -> None:
    """Even and random plans hold each person exactly once, in as many rooms as asked for, even within one."""
    rooms = assign(strategy, *who, count, seed)
    assert len(rooms) == count
    assert sorted(members(rooms)) == sorted(chain(*who))
    assert max(sizes(rooms)) - min(sizes(rooms)) <= 1


@given(people_and_leaders, room_counts, st.sampled_from(DEALT), seeds)
def test_leaders_are_spread(
    who: tuple[tuple[ParticipantId, ...], tuple[ParticipantId, ...]],
    count: int,
    strategy: AssignmentStrategy,
    seed: int,
) -> None:
    """As many rooms as possible have a leader, who is a member, and leaders too are even within one."""
    rooms = assign(strategy, *who, count, seed)
    led = [planned for planned in rooms if planned.leader is not None]
    assert len(led) == min(count, len(who[1]))
    assert all(planned.leader in planned.members for planned in led)
    leaders = [len(set(planned.members) & set(who[1])) for planned in rooms]
    assert max(leaders) - min(leaders) <= 1


@given(people_and_leaders, room_counts, seeds)
def test_by_leader_makes_one_room_for_each_leader(
    who: tuple[tuple[ParticipantId, ...], tuple[ParticipantId, ...]], count: int, seed: int
) -> None:
    """Each leader leads one room and is in it; everyone is somewhere, even within one."""
    people, leaders = who
    rooms = assign(AssignmentStrategy.BY_LEADER, people, leaders, count, seed)
    assert tuple(planned.leader for planned in rooms) == leaders
    assert all(planned.leader in planned.members for planned in rooms)
    if leaders:
        assert sorted(members(rooms)) == sorted(people + leaders)
        assert max(sizes(rooms)) - min(sizes(rooms)) <= 1


@given(people_and_leaders, room_counts, seeds)
def test_the_same_seed_gives_the_same_plan(
    who: tuple[tuple[ParticipantId, ...], tuple[ParticipantId, ...]], count: int, seed: int
) -> None:
    """A decision that is made again on another node comes out the same."""
    assert assign(AssignmentStrategy.RANDOM, *who, count, seed) == assign(AssignmentStrategy.RANDOM, *who, count, seed)


@given(st.lists(seeds, min_size=2, max_size=2, unique=True))
def test_different_seeds_give_different_plans(two: list[int]) -> None:
    """Forty people in four rooms: the chance of the same plan twice is below 10^-20."""
    people = tuple(pid(f"p{n}") for n in range(40))
    first, second = (assign(AssignmentStrategy.RANDOM, people, (), 4, seed) for seed in two)
    assert [set(planned.members) for planned in first] != [set(planned.members) for planned in second]


def test_random_pairs_are_all_about_equally_likely() -> None:
    """Over 3,000 seeds each of five possible partners of p1 in pairs comes up 600 times, within six deviations."""
    people = pids("p1 p2 p3 p4 p5 p6")
    partners = dict.fromkeys(people[1:], 0)
    for seed in range(3000):
        for planned in assign(AssignmentStrategy.RANDOM, people, (), 3, seed):
            if people[0] in planned.members:
                (partner,) = set(planned.members) - {people[0]}
                partners[partner] += 1
    assert sum(partners.values()) == 3000
    assert all(abs(count - 600) < 6 * 22 for count in partners.values()), partners


def test_even_keeps_the_order_given() -> None:
    """An even plan is the same every time: one after the other."""
    rooms = assign(AssignmentStrategy.EVEN, pids("p1 p2 p3"), pids("l1"), 2, 7)
    assert rooms == (
        PlannedRoom(name="Room 1", members=pids("l1 p2"), leader=pid("l1")),
        PlannedRoom(name="Room 2", members=pids("p1 p3")),
    )


def test_by_hand_is_empty() -> None:
    """A plan by hand begins with rooms and nobody in them."""
    rooms = assign(AssignmentStrategy.BY_HAND, pids("p1 p2"), pids("l1"), 2, 0)
    assert rooms == (PlannedRoom(name="Room 1"), PlannedRoom(name="Room 2"))


def test_late_joiners_go_to_the_least_full_room() -> None:
    """Newcomers even out the rooms, the first of equals first."""
    state = opened("p1 p2 p3", "p4 p5", "p6 p7", participants=7)
    for name, expected in (("p11", "b2"), ("p12", "b3"), ("p13", "b1"), ("p14", "b2")):
        assert late_placement(state) == expected
        state = join(state, name, late_placement(state))


def test_nobody_is_sent_into_an_empty_room() -> None:
    """A room that has just been added, or holds only a moderator, is no company for a newcomer."""
    state = run(opened("p1 p2", "p3 p4"), c.AddBreakout(name="Quiet"))
    assert late_placement(state) == "b1"
    state = run(state, c.Visit(to=place("b3")))
    assert late_placement(state) == "b1"


def test_nobody_is_sent_into_a_private_word() -> None:
    """A moderator alone with one person is left alone with them, also when it is the only breakout."""
    state = run(opened("p1 p2", "p3"), c.Visit(to=place("b2")))
    assert late_placement(state) == "b1"
    state = run(run(room(), c.AddBreakout(name="Quiet")), c.Visit(to=place("b1")))
    state = run(state, c.Move(participants=pids("p1"), to=place("b1")))
    assert late_placement(state) == "main"


def test_a_lost_connection_counts_in_fullness() -> None:
    """The place of somebody who is reconnecting is not given away."""
    state = change(opened("p1 p2", "p3 p4"), "p1", presence=Presence.LOST)
    assert late_placement(leave(state, "p4")) == "b2"
    assert late_placement(leave(state, "p2")) == "b1"


@pytest.mark.parametrize("lead_ms", [0, 5000])
def test_newcomers_stay_in_main_when_breakouts_are_closed_or_closing(lead_ms: int) -> None:
    """Nobody is sent to a room for its last seconds."""
    state = run(opened("p1 p2", "p3 p4"), c.CloseBreakouts(lead_ms=lead_ms))
    assert late_placement(state) == "main"
    assert late_placement(room()) == "main"


def test_newcomers_stay_in_main_when_every_breakout_is_empty() -> None:
    """When everyone has been called back one by one, that is where a newcomer finds them."""
    state = opened("p1 p2", "p3 p4")
    state = run(state, c.Move(participants=pids("p1 p2 p3 p4"), to=place("main")))
    assert late_placement(state) == "main"
