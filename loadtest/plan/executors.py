# SPDX-License-Identifier: Apache-2.0
"""What every way of generating load gives: who sits where from when until when. Pure."""

from __future__ import annotations

import random
from typing import Annotated

from msgspec import Meta, Struct


class Visit(Struct, frozen=True):
    """One person's stay in one seat, in seconds after the start."""

    seat: int
    at_s: float
    until_s: float


class Schedule(Struct, frozen=True):
    """`dropped`: starts that found no free seat, by their time. An open load counts them; it never waits."""

    visits: tuple[Visit, ...]
    dropped: tuple[float, ...] = ()

    def present(self, at_s: float) -> int:
        """How many people should be there at this time."""
        return sum(visit.at_s <= at_s < visit.until_s for visit in self.visits)

    def dropped_in(self, second: int) -> int:
        """How many starts were dropped in this second."""
        return sum(int(at_s) == second for at_s in self.dropped)


class Churn(Struct, frozen=True, forbid_unknown_fields=True):
    """People who go, and whose seats somebody else takes after a while."""

    per_minute: Annotated[float, Meta(gt=0, le=600)]
    back_after_s: Annotated[float, Meta(ge=0)] = 4.0


def churned(schedule: Schedule, churn: Churn, chance: random.Random, duration_s: float) -> Schedule:
    """The same schedule with this coming and going, at even times; the seats are drawn by `chance`."""
    visits = list(schedule.visits)
    every_s = 60.0 / churn.per_minute
    for number in range(1, int(duration_s / every_s) + 1):
        at_s = number * every_s
        here = [visit for visit in visits if visit.at_s + churn.back_after_s < at_s < visit.until_s]
        if not here:
            continue
        leaving = chance.choice(here)
        visits.remove(leaving)
        visits.append(Visit(leaving.seat, leaving.at_s, at_s))
        if at_s + churn.back_after_s < leaving.until_s:
            visits.append(Visit(leaving.seat, at_s + churn.back_after_s, leaving.until_s))
    return Schedule(tuple(sorted(visits, key=_order)), schedule.dropped)


def _order(visit: Visit) -> tuple[float, int]:
    return visit.at_s, visit.seat
