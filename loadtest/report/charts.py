# SPDX-License-Identifier: Apache-2.0
"""What the charts of a report show, as data: over time on one axis, and the distribution of each metric. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby
from typing import Final

from msgspec import Struct

from loadtest.measure.growth import Growth
from loadtest.measure.metrics import METRICS, Kind
from loadtest.measure.nodes import NodeFigures
from loadtest.measure.summary import Summary, decoded
from loadtest.report.data import Run

PER_DECADE: Final = 20
"""Bars of a distribution for each factor of ten."""
ENOUGH: Final = 5
"""Values that make a distribution worth a picture."""


class Line(Struct, frozen=True):
    """One value for each x; None: nothing then."""

    label: str
    values: tuple[float | None, ...]


class Chart(Struct, frozen=True):
    """`about`: what one sees, in words."""

    id: str
    kind: str
    title: str
    about: str
    x: tuple[float, ...]
    unit: str
    logarithmic: bool
    lines: tuple[Line, ...]


class _Plan(Struct, frozen=True):
    id: str
    title: str
    about: str
    metrics: tuple[str, ...]
    unit: str
    logarithmic: bool = False


_PLANS: Final = (
    _Plan(
        "latency-moves",
        "Moves, joins and returns",
        "95th percentile of each stretch of time; logarithmic.",
        ("join_ms", "split_ms", "merge_ms", "move_frame_ms", "resume_ms", "media_back_ms"),
        "ms",
        logarithmic=True,
    ),
    _Plan(
        "latency-signaling",
        "Signaling",
        "95th percentile of each stretch of time; logarithmic.",
        ("signal_ms", "fanout_ms", "health_ms", "server_loop_lag_ms"),
        "ms",
        logarithmic=True,
    ),
    _Plan("media", "Sound", "95th percentile of each stretch of time.", ("jitter_ms", "audio_gap_ms"), "ms"),
    _Plan("loss", "Packet loss", "95th percentile over people.", ("loss_percent",), "%"),
)


class _Held(Struct, frozen=True):
    id: str
    title: str
    about: str
    field: str
    what: str
    unit: str


_HELD: Final = (
    _Held("memory", "Memory of servers", "Resident memory, media workers included.", "rss_mib", "memory", "MiB"),
    _Held("files", "Open files of servers", "With sockets, media workers included.", "open_files", "files", "number"),
    _Held("tasks", "Tasks of servers", "asyncio tasks of each node, as it tells them.", "tasks", "tasks", "number"),
    _Held("lag", "Lateness of loops", "Mean of each second, as each node tells it.", "lag_ms", "loop lag", "ms"),
)


def over_time(run: Run) -> tuple[Chart, ...]:
    """All charts with the time of the test below them."""
    return (_people(run), *(chart for plan in _PLANS if (chart := _trends(run, plan)) is not None), *_costs(run))


def distributions(run: Run) -> tuple[Chart, ...]:
    """One for each trend of enough values."""
    return tuple(
        _distribution(name, summary)
        for name, summary in run.metrics.items()
        if METRICS[name].kind is Kind.TREND and summary.count >= ENOUGH
    )


def _people(run: Run) -> Chart:
    errors = {point.second: float(point.count) for point in run.series.get("errors", ())}
    seconds = tuple(float(second) for second, _ in run.present)
    lines = [Line("People in their rooms", tuple(float(people) for _, people in run.present))]
    if errors:
        lines.append(Line("Errors", tuple(errors.get(round(second), 0.0) for second in seconds)))
    about = "How many people were in their rooms, and how many errors there were."
    return Chart("people", "time", "People and errors", about, seconds, "number", logarithmic=False, lines=tuple(lines))


def _trends(run: Run, plan: _Plan) -> Chart | None:
    named = [name for name in plan.metrics if run.series.get(name)]
    x = sorted({point.second for name in named for point in run.series[name]})
    if not x:
        return None
    lines = []
    for name in named:
        high = {point.second: point.p95 for point in run.series[name]}
        # A logarithmic axis has no zero.
        least = 0.01 if plan.logarithmic else 0.0
        values = (high.get(second) for second in x)
        lines.append(Line(METRICS[name].title, tuple(None if v is None else max(least, v) for v in values)))
    seconds = tuple(float(second) for second in x)
    return Chart(plan.id, "time", plan.title, plan.about, seconds, plan.unit, plan.logarithmic, tuple(lines))


def _costs(run: Run) -> list[Chart]:
    """CPU of servers and generator side by side; what servers hold, with the line along which it grows."""
    x = sorted({point.second for node in run.nodes for point in node.points})
    if not x:
        return []
    seconds = tuple(float(second) for second in x)
    generator = {point.second: point.p95 for point in run.series.get("generator_cpu_percent", ())}
    cpu = [_of_node(node, "cpu_percent", x, "CPU") for node in run.nodes]
    cpu.append(Line("Generator (busiest process)", tuple(generator.get(second) for second in x)))
    if others := {point.second: point.p95 for point in run.series.get("other_cpu_percent", ())}:
        cpu.append(Line("Other programs on this machine", tuple(others.get(second) for second in x)))
    charts = [
        Chart(
            "cpu",
            "time",
            "CPU of servers and generator",
            "100 % is one core; a node counts with its media workers.",
            seconds,
            "%",
            logarithmic=False,
            lines=tuple(line for line in cpu if any(value is not None for value in line.values)),
        ),
        *(_held(run.nodes, held, x) for held in _HELD),
    ]
    return [chart for chart in charts if chart.lines]


def _held(nodes: Sequence[NodeFigures], held: _Held, x: list[int]) -> Chart:
    lines = []
    for node in nodes:
        lines.append(_of_node(node, held.field, x, held.what))
        if (growth := node.growth.get(held.field)) is not None:
            lines.append(Line(f"{node.name} {held.what}, trend", _ends(growth, x)))
    return Chart(
        held.id,
        "time",
        held.title,
        held.about,
        tuple(float(second) for second in x),
        held.unit,
        logarithmic=False,
        lines=tuple(line for line in lines if any(value is not None for value in line.values)),
    )


def _ends(growth: Growth, x: list[int]) -> tuple[float | None, ...]:
    """Where its line begins and where it ends; what is between them is drawn."""
    ends = {round(growth.since_s): growth.first, round(growth.until_s): growth.last}
    return tuple(ends.get(second) for second in x)


def _of_node(node: NodeFigures, attribute: str, x: list[int], what: str) -> Line:
    values: dict[int, float | None] = {point.second: getattr(point, attribute) for point in node.points}
    return Line(f"{node.name} {what}", tuple(values.get(second) for second in x))


def _distribution(name: str, summary: Summary) -> Chart:
    """Counts in bars of equal width on a logarithmic axis; the first one holds everything below 0.1."""
    metric = METRICS[name]
    bars = [
        (bar, sum(count for _, count in of)) for bar, of in groupby(decoded(summary), key=lambda item: _bar(item[0]))
    ]
    x = tuple(round(10 ** (bar / PER_DECADE), 4) for bar, _ in bars)
    lines = (Line("Values", tuple(float(count) for _, count in bars)),)
    about = f"{metric.about} How often each value was seen ({summary.count:,} in all)."
    return Chart(f"distribution-{name}", "bars", metric.title, about, x, metric.unit, logarithmic=False, lines=lines)


def _bar(value: float) -> int:
    return math.floor(PER_DECADE * math.log10(max(0.1, value)))
