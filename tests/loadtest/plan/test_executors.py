# SPDX-License-Identifier: Apache-2.0
"""When people come and go, for each way of generating load."""

from __future__ import annotations

import random
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from loadtest.plan.arrivals import ArrivalRate
from loadtest.plan.constant import Constant
from loadtest.plan.executors import Churn, Schedule, Visit, churned
from loadtest.plan.ramping import Ramping, Stage


def overlaps(schedule: Schedule) -> bool:
    """Whether two people sit in one seat at the same time."""
    visits = sorted(schedule.visits, key=lambda visit: (visit.seat, visit.at_s))
    return any(one.seat == next_.seat and one.until_s > next_.at_s for one, next_ in pairwise(visits))


def test_constant_fills_all_seats_at_its_rate_and_keeps_them() -> None:
    """Four a second: the last of ten comes after 2.25 s, and all stay to the end."""
    schedule = Constant(per_second=4).schedule(10, 60)
    assert [visit.at_s for visit in schedule.visits][-1] == 2.25
    assert {visit.until_s for visit in schedule.visits} == {60}
    assert schedule.present(1.0) == 5


def test_constant_leaves_out_whoever_would_come_after_the_end() -> None:
    """One a second for five seconds brings five people."""
    assert len(Constant(per_second=1).schedule(10, 5).visits) == 5


def test_ramping_follows_its_stages_up_and_down() -> None:
    """Up to eight, level, down to two; the last to come is the first to go."""
    stages = (Stage(seconds=8, people=8), Stage(seconds=4, people=8), Stage(seconds=6, people=2))
    schedule = Ramping(stages=stages).schedule(20, 30)
    assert [schedule.present(at_s) for at_s in (0.5, 4.5, 8, 11.9, 15.5, 29)] == [0, 4, 8, 8, 5, 2]
    assert min(visit.until_s for visit in schedule.visits if visit.seat == 7) == 13


def test_ramping_never_takes_more_seats_than_there_are() -> None:
    """More people than seats is the number of seats."""
    assert Ramping(stages=(Stage(seconds=1, people=50),)).schedule(5, 10).present(5) == 5


def test_an_open_load_counts_starts_that_find_no_seat() -> None:
    """Two a second for five seconds into four seats: from the fifth start on somebody must leave first."""
    schedule = ArrivalRate(per_second=2, stay_s=5).schedule(4, 10)
    assert len(schedule.visits) + len(schedule.dropped) == 20
    assert schedule.dropped[0] == 2.0
    assert sum(schedule.dropped_in(second) for second in range(10)) == len(schedule.dropped)
    assert len(schedule.visits) == 8


@given(
    st.floats(0.5, 20), st.floats(0.5, 30), st.integers(1, 20), st.floats(1, 60), st.floats(1, 200), st.integers(0, 9)
)
def test_nobody_ever_shares_a_seat(
    rate: float, stay_s: float, seats: int, duration_s: float, per_minute: float, seed: int
) -> None:
    """Whatever the rates, and with churn on top."""
    schedule = ArrivalRate(per_second=rate, stay_s=stay_s).schedule(seats, duration_s)
    shaken = churned(schedule, Churn(per_minute=per_minute, back_after_s=1), random.Random(seed), duration_s)
    for one in (schedule, shaken):
        assert not overlaps(one)
        assert all(0 <= visit.at_s < visit.until_s <= duration_s for visit in one.visits)
        assert all(0 <= visit.seat < seats for visit in one.visits)


def test_churn_replaces_one_person_at_a_time() -> None:
    """Six a minute: every ten seconds somebody goes, and another comes four seconds later."""
    steady = Schedule(tuple(Visit(seat, 0, 60) for seat in range(3)))
    shaken = churned(steady, Churn(per_minute=6, back_after_s=4), random.Random(1), 60)
    assert [shaken.present(at_s) for at_s in (9, 11, 15, 21, 25)] == [3, 2, 3, 2, 3]
