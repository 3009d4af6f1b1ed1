# SPDX-License-Identifier: Apache-2.0
"""The number of people follows a line through given points: up, level, and down again. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from msgspec import Meta, Struct

from loadtest.plan.executors import Schedule, Visit


class Stage(Struct, frozen=True, forbid_unknown_fields=True):
    """So many people are there at the end of it; on the way there the number changes evenly."""

    seconds: Annotated[float, Meta(gt=0)]
    people: Annotated[int, Meta(ge=0)]


class Ramping(Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="ramping"):
    """Stages one after the other, from nobody on; the last number is kept to the end. The last to come goes first."""

    stages: Annotated[tuple[Stage, ...], Meta(min_length=1, max_length=50)]

    def schedule(self, seats: int, duration_s: float) -> Schedule:
        """More people than there are seats is the number of seats."""
        began: list[tuple[int, float]] = []
        visits: list[Visit] = []
        for at_s, change in self._changes(seats):
            if at_s >= duration_s:
                break
            if change > 0:
                began.append((len(began), at_s))
            else:
                seat, since_s = began.pop()
                visits.append(Visit(seat, since_s, at_s))
        visits.extend(Visit(seat, since_s, duration_s) for seat, since_s in began)
        return Schedule(tuple(sorted(visits, key=lambda visit: (visit.at_s, visit.seat))))

    def _changes(self, seats: int) -> Iterator[tuple[float, int]]:
        """When somebody comes (1) or goes (-1)."""
        at_s, people = 0.0, 0
        for stage in self.stages:
            wanted = min(stage.people, seats)
            steps = abs(wanted - people)
            for number in range(steps):
                yield at_s + stage.seconds * (number + 1) / steps, 1 if wanted > people else -1
            at_s, people = at_s + stage.seconds, wanted
