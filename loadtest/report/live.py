# SPDX-License-Identifier: Apache-2.0
"""The running test on the terminal: one table that keeps itself up to date, or plain lines for logs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from loadtest.drive.conductor import Progress
from loadtest.measure.metrics import METRICS, Kind
from loadtest.measure.summary import Summary
from loadtest.plan.thresholds import Requirement, judge
from loadtest.report.data import Outcome, Run
from loadtest.report.growth import lines as growth_lines
from loadtest.report.numbers import shown, was

LAST_MARKS: Final = 4
PLAIN: Final = ("join_ms", "signal_ms", "fanout_ms", "move_ms", "move_frame_ms", "resume_ms")


def screen(progress: Progress, requirements: Sequence[Requirement]) -> RenderableType:
    """The whole view, now."""
    elapsed_s, scenario = progress.elapsed_s, progress.scenario
    head = Table.grid(expand=True)
    head.add_column()
    head.add_column(justify="right")
    head.add_row(
        Text(f"{scenario.name}: {progress.stage}", style="bold"),
        f"{min(elapsed_s, scenario.duration_s):.0f} of {scenario.duration_s:.0f} s",
    )
    head.add_row(_people(progress), "  ".join(_nodes(progress)))
    bar = Table.grid(expand=True)  # the bar alone would not end its line
    bar.add_row(ProgressBar(total=scenario.duration_s, completed=min(elapsed_s, scenario.duration_s)))
    metrics = progress.totals.summaries(max(1.0, elapsed_s), whole=False)
    parts: list[RenderableType] = [head, bar, figures(metrics)]
    if requirements:
        parts.append(_requirements(requirements, metrics))
    parts += [Text(f"  {mark.at_s:6.1f} s  {mark.text}", style="cyan") for mark in progress.marks[-LAST_MARKS:]]
    parts += [
        Text(f"  {count:5} x  {cause}", style="red") for cause, count in progress.totals.errors.most_common(LAST_MARKS)
    ]
    return Panel(Group(*parts), title="holdspace loadtest", title_align="left")


def line(progress: Progress) -> str:
    """One line for a log."""
    metrics = progress.totals.summaries(max(1.0, progress.elapsed_s), whole=False)
    parts = [f"{progress.elapsed_s:5.0f} s", _people(progress)]
    parts += [
        f"{name} n={summary.count} p95={shown(summary.percentile(95))}"
        for name in PLAIN
        if (summary := metrics.get(name)) is not None
    ]
    parts += [*_nodes(progress), f"errors={sum(progress.totals.errors.values())}"]
    return "  ".join(parts)


def figures(metrics: dict[str, Summary]) -> Table:
    """The percentile table."""
    table = Table(box=None, padding=(0, 1), header_style="bold")
    table.add_column("")
    for title in ("n", "per s", "p50", "p95", "p99", "max"):
        table.add_column(title, justify="right")
    table.add_column("")
    for name, summary in metrics.items():
        metric = METRICS[name]
        if metric.kind is Kind.COUNTER:
            table.add_row(name, f"{summary.count:,}", shown(summary.rate), "", "", "", "")
        else:
            ranks = (shown(summary.percentile(rank)) for rank in (50, 95, 99))
            table.add_row(name, f"{summary.count:,}", shown(summary.rate), *ranks, shown(summary.maximum), metric.unit)
    return table


def ending(run: Run) -> RenderableType:
    """Verdict, requirements, errors and notes, when it is over."""
    good = run.outcome is Outcome.PASSED
    parts: list[RenderableType] = [figures(run.metrics), Text("")] if run.metrics else []
    for verdict in run.verdicts:
        mark, style = ("met    ", "green") if verdict.met else ("NOT MET", "bold red")
        parts.append(Text(f"  {mark}  {verdict.requirement}   ({was(verdict.value)})", style=style))
    parts += [Text(f"  {count:6} x  {cause}", style="red") for cause, count in run.errors.items()]
    parts += [Text(f"  {text}") for text in growth_lines(run.nodes)]
    worse = [regression for regression in run.regressions if regression.worse]
    parts += [
        Text(f"  WORSE    {item.metric} {item.statistic}: {shown(item.before)} -> {shown(item.now)}", style="bold red")
        for item in worse
    ]
    parts += [Text(f"Note: {note}", style="yellow") for note in run.notes]
    parts.append(Text(f"{run.outcome.value.upper()}: {run.reason}", style="bold green" if good else "bold red"))
    return Group(*parts)


def _people(progress: Progress) -> str:
    return f"people {progress.totals.present_now} of {progress.scenario.people}"


def _nodes(progress: Progress) -> list[str]:
    """What each node and the generator cost in the last second."""
    parts = []
    for number, samples in enumerate(progress.nodes.values()):
        last = samples[-1] if samples else None
        if last is None or last.health_ms is None:
            parts.append(f"node {number} down")
        elif last.cpu_percent is not None:
            parts.append(f"node {number} {last.cpu_percent:.0f} % CPU")
        else:
            parts.append(f"node {number} up")
    generator = progress.totals.summary("generator_cpu_percent", 1.0, whole=False)
    if generator.count:
        parts.append(f"generator {generator.percentile(50):.0f} % CPU")
    return parts


def _requirements(requirements: Sequence[Requirement], metrics: dict[str, Summary]) -> RenderableType:
    text = Text("Required: ")
    for requirement in requirements:
        verdict = judge(requirement, metrics.get(requirement.metric, Summary(0, 0.0)))
        style = "green" if verdict.met else "dim" if verdict.value is None else "red"
        text.append(f" {requirement.text} ", style=style)
        text.append(" ")
    return text
