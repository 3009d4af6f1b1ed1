# SPDX-License-Identifier: Apache-2.0
"""What is measured beside the people: happenings on the time axis, and each node of the target. Pure."""

from __future__ import annotations

from msgspec import Struct


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


class NodeFigures(Struct, frozen=True):
    """One node over the whole run. `unanswered`: seconds without an answer to the health check."""

    name: str
    cpu_mean: float | None
    cpu_max: float | None
    rss_max: float | None
    health_p95: float | None
    unanswered: int
    points: tuple[NodePoint, ...] = ()


def figures_of(name: str, points: tuple[NodePoint, ...]) -> NodeFigures:
    """Sum a node up."""
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
    )
