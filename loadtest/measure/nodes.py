# SPDX-License-Identifier: Apache-2.0
"""What is measured beside the people: happenings on the time axis, and each node of the target. Pure."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from loadtest.measure.growth import Growth, growth_of


class Moment(Struct, frozen=True):
    """Something on the time axis."""

    at_s: float
    text: str


class NodePoint(Struct, frozen=True):
    """One second of one node; None: not known, or it did not answer."""

    second: int
    cpu_percent: float | None
    rss_mib: float | None
    health_ms: float | None
    open_files: float | None = None
    tasks: float | None = None
    lag_ms: float | None = None
    """Mean lateness of the loop."""
    started_s: float | None = None
    """When its process began; another time is another process."""


class Quantity(Struct, frozen=True):
    """Something that a server should not gather: `field` of a `NodePoint`. `metric`: what a requirement calls it."""

    field: str
    title: str
    unit: str
    metric: str


QUANTITIES: Final = (
    Quantity("rss_mib", "Memory", "MiB", "rss_growth_percent"),
    Quantity("open_files", "Open files", "", "files_growth_percent"),
    Quantity("tasks", "Tasks", "", "tasks_growth_percent"),
    Quantity("lag_ms", "Loop lag, mean", "ms", "lag_growth_ms"),
)


class NodeFigures(Struct, frozen=True):
    """One node over the whole run. `unanswered`: seconds without an answer to the health check.

    `growth`: by the field of each quantity that was looked at long enough.
    """

    name: str
    cpu_mean: float | None
    cpu_max: float | None
    rss_max: float | None
    health_p95: float | None
    unanswered: int
    points: tuple[NodePoint, ...] = ()
    growth: dict[str, Growth] = {}


def figures_of(name: str, points: tuple[NodePoint, ...], settled_s: float = 0.0) -> NodeFigures:
    """Sum a node up; it has grown by what it has more of than at `settled_s`."""
    cpu = [point.cpu_percent for point in points if point.cpu_percent is not None]
    rss = [point.rss_mib for point in points if point.rss_mib is not None]
    health = sorted(point.health_ms for point in points if point.health_ms is not None)
    return NodeFigures(
        name,
        sum(cpu) / len(cpu) if cpu else None,
        max(cpu, default=None),
        max(rss, default=None),
        health[min(len(health) - 1, int(0.95 * len(health)))] if health else None,
        len(points) - len(health),
        points,
        _growth([point for point in points if point.second >= settled_s]),
    )


def certain_growth(quantity: Quantity, growth: Growth) -> float:
    """What is required of: lateness in its unit, all else in percent of what it was at first."""
    return growth.certain if quantity.unit == "ms" else growth.certain_percent


def _growth(points: list[NodePoint]) -> dict[str, Growth]:
    """Not of a node that was started again meanwhile, or that may have been: another process is another beginning."""
    began = {point.started_s for point in points if point.started_s is not None}
    if len(began) > 1 or (not began and any(point.health_ms is None for point in points)):
        return {}
    found = {}
    for quantity in QUANTITIES:
        values = ((point.second, getattr(point, quantity.field)) for point in points)
        grown = growth_of([(float(second), value) for second, value in values if value is not None])
        if grown is not None:
            found[quantity.field] = grown
    return found
