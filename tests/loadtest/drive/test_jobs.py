# SPDX-License-Identifier: Apache-2.0
"""Who does what: rooms dealt out to generator processes."""

from __future__ import annotations

import pytest

from loadtest.drive.jobs import assignments, jobs_of, planned, processes_of
from loadtest.drive.orders import Assignment
from loadtest.plan.library import scenario_of


def divided(name: str, processes: int) -> tuple[Assignment, ...]:
    """The rooms of a scenario for so many processes."""
    scenario = scenario_of(name)
    jobs = jobs_of(scenario, planned(scenario), "test", ["http://127.0.0.1"], lambda room, role: f"{room} {role}")
    return assignments(scenario, jobs, processes)


@pytest.mark.parametrize(("name", "processes", "alike"), [("splitstorm", 2, 2), ("reconnect", 8, 4), ("circle", 5, 2)])
def test_rooms_without_media_have_processes_of_their_own(name: str, processes: int, alike: int) -> None:
    """Every room is in one process, and no process has rooms of both kinds."""
    made = divided(name, processes)
    assert len(made) == alike
    assert [assignment.number for assignment in made] == list(range(alike))
    assert all(len({job.family.media for job in assignment.jobs}) == 1 for assignment in made)
    rooms = [job.number for assignment in made for job in assignment.jobs]
    assert sorted(rooms) == list(range(sum(family.count for family in scenario_of(name).rooms)))


def test_a_single_process_has_all_rooms() -> None:
    """As was asked for with --processes 1."""
    (one,) = divided("splitstorm", 1)
    assert {job.family.media for job in one.jobs} == {True, False}


def test_each_kind_of_rooms_is_given_a_process() -> None:
    """On two cores one is enough for rooms that are all alike."""
    assert [processes_of(scenario_of(name), 2) for name in ("circle", "splitstorm", "reconnect")] == [1, 2, 2]
    assert processes_of(scenario_of("splitstorm"), 16) == 8
