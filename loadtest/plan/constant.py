# SPDX-License-Identifier: Apache-2.0
"""Everybody comes at one rate and stays to the end: a closed load of a fixed size. Pure."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from loadtest.plan.executors import Schedule, Visit


class Constant(Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="constant"):
    """All seats are taken, `per_second` of them each second."""

    per_second: Annotated[float, Meta(gt=0, le=200)] = 5.0

    def schedule(self, seats: int, duration_s: float) -> Schedule:
        """Whoever would come after the end does not come."""
        times = ((seat, seat / self.per_second) for seat in range(seats))
        return Schedule(tuple(Visit(seat, at_s, duration_s) for seat, at_s in times if at_s < duration_s))
