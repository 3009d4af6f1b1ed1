# SPDX-License-Identifier: Apache-2.0
"""The steps of a scenario as single happenings in time, and how a run is cut short or stretched. Pure."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from loadtest.plan.scenario import OF_NODES, BadScenario, Scenario, Step


class Happening(Struct, frozen=True):
    """One step at one time (s after the start)."""

    at_s: float
    step: Step


def timeline(scenario: Scenario, *, of_nodes: bool) -> tuple[Happening, ...]:
    """Everything that happens, in order: what nodes suffer, or what rooms do."""
    found = [
        Happening(at_s, step)
        for step in scenario.steps
        if (step.do in OF_NODES) is of_nodes
        for at_s in _times(step, scenario.duration_s)
    ]
    return tuple(sorted(found, key=lambda happening: happening.at_s))


def _times(step: Step, duration_s: float) -> list[float]:
    if step.every_s is None:
        return [step.at_s]
    end_s = min(duration_s, step.until_s)
    return [step.at_s + number * step.every_s for number in range(int(max(0.0, end_s - step.at_s) / step.every_s) + 1)]


def resized(
    scenario: Scenario, *, duration_s: float | None = None, rooms: int | None = None, people: int | None = None
) -> Scenario:
    """The same scenario for another time, or another number of rooms or people.

    A longer or shorter run keeps its steps where they are; those after the end do not happen.
    Raises BadScenario if there is more than one kind of room, and it is not clear which is meant.
    """
    if (rooms or people) and len(scenario.rooms) > 1:
        raise BadScenario(f"{scenario.name} has several kinds of rooms: change a copy of it instead")
    families = tuple(
        replace(family, count=rooms or family.count, people=people or family.people) for family in scenario.rooms
    )
    end_s = scenario.duration_s if duration_s is None else duration_s
    steps = tuple(step for step in scenario.steps if step.at_s <= end_s)
    return replace(scenario, rooms=families, duration_s=end_s, steps=steps)
