# SPDX-License-Identifier: Apache-2.0
"""From what was gathered to a `Run`: verdicts, notes, outcome. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import Struct

from loadtest.measure.growth import settled_from
from loadtest.measure.metrics import METRICS
from loadtest.measure.nodes import QUANTITIES, Moment, NodeFigures, NodePoint, certain_growth, figures_of
from loadtest.measure.summary import Distribution, Summary, of_counter, of_trend
from loadtest.measure.totals import Totals
from loadtest.plan.scenario import OF_NODES, Scenario
from loadtest.plan.thresholds import Requirement, Verdict, judge
from loadtest.report.data import Environment, Outcome, Run

MOST_POINTS: Final = 400
BUSY_PERCENT: Final = 80.0
OTHERS_PERCENT: Final = 20.0
LATE_MS: Final = 20.0


class Facts(Struct, frozen=True):
    """What is known of a run beside its figures.

    `unreachable`: why there was nobody (any more). `stopped`: what ended it before its time.
    """

    name: str
    started: str
    duration_s: float
    command: str
    environment: Environment
    unreachable: str = ""
    stopped: str = ""


def assemble(
    facts: Facts,
    scenario: Scenario,
    totals: Totals,
    requirements: Sequence[Requirement],
    moments: Sequence[Moment],
    nodes: Mapping[str, Sequence[NodePoint]],
) -> Run:
    """All of it."""
    struck = any(step.do in OF_NODES for step in scenario.steps)
    # Where nodes are struck the others take their people over, and grow with them.
    settled_s = math.inf if struck else settled_from(totals.present(), facts.duration_s)
    figures = tuple(figures_of(name, tuple(points), settled_s) for name, points in nodes.items())
    metrics = {**totals.summaries(facts.duration_s), **_growths(figures, facts.duration_s)}
    metrics = {name: metrics[name] for name in METRICS if name in metrics}
    nothing = of_counter(0, facts.duration_s)
    # Of what never began nothing can be said: not even that there were no errors.
    judged = requirements if metrics else ()
    verdicts = tuple(judge(requirement, metrics.get(requirement.metric, nothing)) for requirement in judged)
    outcome, reason = _outcome(facts, verdicts)
    if outcome is Outcome.FAILED and generator_is_bottleneck(metrics):
        reason += "; but the generator was the bottleneck, so it says little about the server"
    width_s = max(1, -(-round(facts.duration_s) // MOST_POINTS))
    return Run(
        name=facts.name,
        outcome=outcome,
        reason=reason,
        started=facts.started,
        duration_s=round(facts.duration_s, 1),
        command=facts.command,
        scenario=scenario,
        environment=facts.environment,
        verdicts=verdicts,
        metrics=metrics,
        series={name: totals.points(name, width_s) for name in metrics},
        width_s=width_s,
        present=totals.present(),
        moments=tuple(sorted(moments, key=lambda moment: moment.at_s)),
        errors=dict(totals.errors.most_common()),
        nodes=figures,
        notes=notes(metrics, facts.environment),
    )


def _growths(nodes: Sequence[NodeFigures], duration_s: float) -> dict[str, Summary]:
    """One value for each node, so that they can be required."""
    found = {}
    for quantity in QUANTITIES:
        values = Distribution()
        for node in nodes:
            if (growth := node.growth.get(quantity.field)) is not None:
                values.record(certain_growth(quantity, growth))
        if values.count:
            found[quantity.metric] = of_trend(values, duration_s)
    return found


def _outcome(facts: Facts, verdicts: Sequence[Verdict]) -> tuple[Outcome, str]:
    failed = [verdict for verdict in verdicts if not verdict.met]
    if facts.unreachable:
        return Outcome.UNREACHABLE, facts.unreachable
    if facts.stopped:
        return Outcome.STOPPED, facts.stopped
    if failed:
        return Outcome.FAILED, f"{len(failed)} of {len(verdicts)} requirements not met"
    if not verdicts:
        return Outcome.PASSED, "nothing was required"
    return Outcome.PASSED, f"all {len(verdicts)} requirements met"


def generator_is_bottleneck(metrics: Mapping[str, Summary]) -> bool:
    """Whether what was measured is mostly its own doing: above 80 % of its core, or late half of the time."""
    cpu, late = metrics.get("generator_cpu_percent"), metrics.get("generator_late_ms")
    busy = 0.0 if cpu is None else cpu.percentile(95) or 0.0
    always = 0.0 if late is None else late.percentile(50) or 0.0
    return busy > BUSY_PERCENT or always > LATE_MS


def notes(metrics: dict[str, Summary], environment: Environment) -> tuple[str, ...]:
    """What a reader must know before believing a figure: above all, what was the generator's own doing."""
    found = []
    cpu = metrics.get("generator_cpu_percent")
    if cpu is not None and (busy := cpu.percentile(95) or 0.0) > BUSY_PERCENT:
        found.append(
            f"A generator process used {busy:.0f} % of its core (95th percentile of seconds): latencies contain "
            "waiting for the generator. Use more --processes, more cores, or fewer people."
        )
    late = metrics.get("generator_late_ms")
    if late is not None and (always := late.percentile(50) or 0.0) > LATE_MS:
        found.append(
            f"The generator was {always:.0f} ms late half of the time: this machine gave it too little. Each message "
            "waits for it several times, so no latency here says anything about the server."
        )
    elif late is not None and (behind := late.percentile(95) or 0.0) > LATE_MS:
        found.append(
            f"The generator was up to {behind:.0f} ms late (95th percentile of seconds). Latencies are counted from "
            "when something was due, so the worst of them contain it."
        )
    others = metrics.get("other_cpu_percent")
    if others is not None and (taken := others.percentile(50) or 0.0) > OTHERS_PERCENT:
        found.append(
            f"Other programs took {taken:.0f} % of a core of this machine (median of seconds): nothing here is what an "
            "idle machine would show."
        )
    dropped = metrics.get("dropped_starts")
    if dropped is not None and dropped.count:
        found.append(f"{dropped.count} people could not start when they were due: the load was less than planned.")
    if environment.own_server and metrics:
        found.append(
            "Server and generator shared this machine and competed for its cores: see CPU of each in the table."
        )
    return tuple(found)
