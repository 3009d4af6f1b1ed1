# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from server.breakouts.problems import Problem, ProblemKind, problems_of
from server.rooms.state import PlannedRoom
from tests.breakouts.world import pid, pids, room

PEOPLE = room(4, leaders=1, lobby="p9").participants


def planned(members: str, leader: str | None = None) -> PlannedRoom:
    """A room of "p1 p2"."""
    return PlannedRoom(name="A", members=pids(members), leader=None if leader is None else pid(leader))


def test_a_good_plan_has_no_problems() -> None:
    """Everyone once, nobody alone, the leader in their room."""
    assert problems_of([planned("l1 p1 p2", "l1"), planned("m p3 p4", "m")], PEOPLE) == ()


@pytest.mark.parametrize(
    ("rooms", "problem"),
    [
        ([], Problem(ProblemKind.NO_LEADER)),
        ([planned("p1 p2"), planned("")], Problem(ProblemKind.EMPTY_ROOM, 1)),
        ([planned("p1")], Problem(ProblemKind.PERSON_ALONE, 0, pid("p1"))),
        ([planned("p1 m")], Problem(ProblemKind.PERSON_ALONE, 0, pid("p1"))),
        ([planned("p1 p2 ghost")], Problem(ProblemKind.UNKNOWN_PERSON, 0, pid("ghost"))),
        ([planned("p1 p2 p9")], Problem(ProblemKind.UNKNOWN_PERSON, 0, pid("p9"))),
        ([planned("p1 p2"), planned("p3 p1")], Problem(ProblemKind.PERSON_TWICE, None, pid("p1"))),
        ([planned("p1 p2", "l1")], Problem(ProblemKind.NO_LEADER, 0, pid("l1"))),
        ([planned("p1 p2", "p1")], Problem(ProblemKind.NO_LEADER, 0, pid("p1"))),
    ],
)
def test_each_problem_is_named_with_its_place(rooms: list[PlannedRoom], problem: Problem) -> None:
    """A client can say what is wrong, in which room, and with whom."""
    assert problems_of(rooms, PEOPLE) == (problem,)


def test_all_problems_are_found_at_once() -> None:
    """Nobody has to repair a plan one refusal after the other."""
    found = problems_of([planned("p1 ghost", "ghost"), planned(""), planned("p1 p1")], PEOPLE)
    assert [problem.kind for problem in found] == [
        ProblemKind.UNKNOWN_PERSON,
        ProblemKind.PERSON_ALONE,
        ProblemKind.NO_LEADER,
        ProblemKind.EMPTY_ROOM,
        ProblemKind.PERSON_TWICE,
    ]
