# SPDX-License-Identifier: Apache-2.0
"""This run beside an older one: what has become worse. Pure."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from loadtest.measure.metrics import METRICS, Kind
from loadtest.measure.summary import Summary
from loadtest.plan.thresholds import Verdict
from loadtest.report.data import Outcome, Regression, Run

COMPARED: Final = ("p50", "p95", "p99")
TOLERATED: Final = 20
"""Percent. A fifth more is noise on a machine that does other things, too."""
MACHINE: Final = ("Processor", "Cores")
LEAST: Final = 2.0
"""So many units (ms, %, MiB) more are nothing, however small the figure was."""
NOT_OURS: Final = ("generator_", "other_")
"""What makes figures doubtful, and says nothing of the target itself."""
ENOUGH: Final = 5
"""Figures of fewer values are not compared."""


def beside(run: Run, before: Run, *, tolerated: int = TOLERATED, must_hold: bool = False) -> Run:
    """The run with what has become of each figure. `must_hold`: a figure that is worse is a requirement not met."""
    found = regressions(before.metrics, run.metrics, tolerated)
    run = replace(run, regressions=found, notes=(*run.notes, *_differences(before, run)))
    if not must_hold:
        return run
    worse = sum(regression.worse for regression in found)
    verdict = Verdict(f"no figure more than {tolerated} % worse than the baseline", float(worse), worse == 0)
    run = replace(run, verdicts=(*run.verdicts, verdict))
    if worse == 0 or run.outcome not in (Outcome.PASSED, Outcome.FAILED):
        return run
    reason = f"{worse} figures are worse than in the baseline"
    if run.outcome is Outcome.FAILED:
        reason = f"{run.reason}; {reason}"
    return replace(run, outcome=Outcome.FAILED, reason=reason)


def _differences(before: Run, run: Run) -> tuple[str, ...]:
    """What makes two runs hard to compare."""
    found = []
    loads = [replace(each.scenario, require=(), seed=0) for each in (before, run)]
    if loads[0] != loads[1]:
        found.append(f"The baseline is of another load ({loads[0].name}): its figures say little about this one.")
    machines = [{name: facts.environment.facts.get(name) for name in MACHINE} for facts in (before, run)]
    if machines[0] != machines[1]:
        found.append("The baseline was taken on another machine: its figures say little about this one.")
    return tuple(found)


def regressions(
    before: dict[str, Summary], now: dict[str, Summary], tolerated: int = TOLERATED
) -> tuple[Regression, ...]:
    """Every trend of both runs that is about the target, the worse ones first; for every trend, larger is worse."""
    found = []
    for name in METRICS:
        old, new = before.get(name), now.get(name)
        if (
            METRICS[name].kind is not Kind.TREND
            or name.startswith(NOT_OURS)
            or old is None
            or new is None
            or min(old.count, new.count) < ENOUGH
        ):
            continue
        for statistic in COMPARED:
            was, is_ = old.statistic(statistic), new.statistic(statistic)
            if was is not None and is_ is not None:
                worse = is_ > was * (1 + tolerated / 100) and is_ > was + LEAST
                found.append(Regression(name, statistic, was, is_, worse))
    return tuple(sorted(found, key=lambda regression: not regression.worse))
