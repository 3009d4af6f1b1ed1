# SPDX-License-Identifier: Apache-2.0
"""Who does what: the schedule of a scenario, dealt out to rooms and generator processes. Pure."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence

from msgspec.structs import replace

from loadtest.drive.orders import Assignment, RoomJob
from loadtest.plan.executors import Schedule, churned
from loadtest.plan.scenario import Family, Scenario
from loadtest.plan.timeline import timeline
from server.ids import RoomId
from server.rooms.state import Role

Sign = Callable[[RoomId, Role], str]
"""Makes the token of an invite for this room and role."""


def planned(scenario: Scenario) -> Schedule:
    """Who comes when, with the coming and going in between."""
    schedule = scenario.schedule()
    if scenario.churn is None:
        return schedule
    return churned(schedule, scenario.churn, random.Random(f"{scenario.seed} churn"), scenario.duration_s)


def jobs_of(scenario: Scenario, schedule: Schedule, run: str, urls: Sequence[str], sign: Sign) -> tuple[RoomJob, ...]:
    """One for each room. Seats are dealt to the rooms in turn, nodes to rooms and their people likewise."""
    families = [family for family in scenario.rooms for _ in range(family.count)]
    seats = _dealt([family.people for family in families])
    chance = random.Random(f"{scenario.seed} network")
    jobs = []
    for number, family in enumerate(families):
        room = RoomId(f"load-{run}-{number}")
        turned = tuple(urls[(number + index) % len(urls)] for index in range(len(urls)))
        local = {seat: index for index, seat in enumerate(seat for seat, of in enumerate(seats) if of == number)}
        visits = tuple(
            replace(visit, seat=local[visit.seat]) for visit in schedule.visits if seats[visit.seat] == number
        )
        moderator, invite = sign(room, Role.MODERATOR), sign(room, Role.PARTICIPANT)
        jobs.append(RoomJob(number, room, family, turned, moderator, invite, visits, _far(scenario, family, chance)))
    return tuple(jobs)


def processes_of(scenario: Scenario, cores: int) -> int:
    """How many generator processes a scenario is given: half of the cores, and for each kind of rooms one."""
    return max(1, cores // 2, len({family.media for family in scenario.rooms}))


def assignments(scenario: Scenario, jobs: Sequence[RoomJob], processes: int) -> tuple[Assignment, ...]:
    """For so many processes at most; a room is never divided.

    Rooms of signaling only have processes of their own if there are two: hundreds of people who are told something at
    the same moment would be heard in the figures of those who listen.
    """
    media, silent = [job for job in jobs if job.family.media], [job for job in jobs if not job.family.media]
    apart = min(len(silent), max(1, processes // 4)) if media and processes > 1 else 0
    dealt = [*_divided(media, processes - apart), *_divided(silent, apart)] if apart else _divided(jobs, processes)
    happenings = timeline(scenario, of_nodes=False)
    profile = scenario.network.profile if scenario.network is not None else "perfect"
    return tuple(
        Assignment(number, tuple(jobs_there), happenings, scenario.duration_s, profile, scenario.seed + number)
        for number, jobs_there in enumerate(dealt)
    )


def _divided(jobs: Sequence[RoomJob], processes: int) -> list[list[RoomJob]]:
    """The heaviest rooms are dealt out first."""
    dealt: list[list[RoomJob]] = [[] for _ in range(min(processes, len(jobs)))]
    for job in sorted(jobs, key=lambda job: -_weight(job)):
        min(dealt, key=lambda jobs_there: sum(_weight(there) for there in jobs_there)).append(job)
    return dealt


def _dealt(sizes: Sequence[int]) -> list[int]:
    """Which room each seat of the schedule is in: in turn, so that all rooms fill at once."""
    left = list(sizes)
    order: list[int] = []
    while any(left):
        for number, more in enumerate(left):
            if more:
                order.append(number)
                left[number] -= 1
    return order


def _weight(job: RoomJob) -> float:
    """About how much work a room is: media is much more than signaling."""
    received = min(job.family.slots, job.family.speakers) * (job.family.people + 1)
    return received * 10 + job.family.people


def _far(scenario: Scenario, family: Family, chance: random.Random) -> frozenset[int]:
    if scenario.network is None:
        return frozenset()
    return frozenset(chance.sample(range(family.people), math.ceil(family.people * scenario.network.share)))
