# SPDX-License-Identifier: Apache-2.0
"""This run beside an older one: what has become worse. Pure."""

from __future__ import annotations

from typing import Final

from loadtest.measure.metrics import METRICS, Kind
from loadtest.measure.summary import Summary
from loadtest.report.data import Regression

COMPARED: Final = ("p50", "p95", "p99")
TOLERATED: Final = 0.2
"""A fifth more is noise on a machine that does other things, too."""
LEAST: Final = 2.0
"""So many units (ms, %, MiB) more are nothing, however small the figure was."""
ENOUGH: Final = 5
"""Figures of fewer values are not compared."""


def regressions(before: dict[str, Summary], now: dict[str, Summary]) -> tuple[Regression, ...]:
    """Every trend of both runs but the generator's own, the worse ones first; for every trend, larger is worse."""
    found = []
    for name in METRICS:
        old, new = before.get(name), now.get(name)
        if (
            METRICS[name].kind is not Kind.TREND
            or name.startswith("generator")
            or old is None
            or new is None
            or min(old.count, new.count) < ENOUGH
        ):
            continue
        for statistic in COMPARED:
            was, is_ = old.statistic(statistic), new.statistic(statistic)
            if was is not None and is_ is not None:
                worse = is_ > was * (1 + TOLERATED) and is_ > was + LEAST
                found.append(Regression(name, statistic, was, is_, worse))
    return tuple(sorted(found, key=lambda regression: not regression.worse))
