# SPDX-License-Identifier: Apache-2.0
"""An open load: people come at a rate that does not ask how the server is. Pure."""

from __future__ import annotations

import heapq
from typing import Annotated

from msgspec import Meta, Struct

from loadtest.plan.executors import Schedule, Visit


class ArrivalRate(Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="arrival-rate"):
    """`per_second` people start, each stays `stay_s`. A start that finds every seat taken is dropped and counted."""

    per_second: Annotated[float, Meta(gt=0, le=200)]
    stay_s: Annotated[float, Meta(gt=0)]

    def schedule(self, seats: int, duration_s: float) -> Schedule:
        """Starts at even distances; the seat that is free for the longest time is taken."""
        free = [(0.0, seat) for seat in range(seats)]
        visits: list[Visit] = []
        dropped: list[float] = []
        for number in range(int(duration_s * self.per_second)):
            at_s = number / self.per_second
            if free[0][0] > at_s:
                dropped.append(at_s)
                continue
            _, seat = free[0]
            until_s = min(at_s + self.stay_s, duration_s)
            heapq.heapreplace(free, (until_s, seat))
            visits.append(Visit(seat, at_s, until_s))
        return Schedule(tuple(visits), tuple(dropped))
