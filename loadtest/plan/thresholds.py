# SPDX-License-Identifier: Apache-2.0
"""What is required of a run, such as `move_ms p95<300`. Pure.

    requirement = METRIC STATISTIC OPERATOR NUMBER
    STATISTIC   = "p" NUMBER | "min" | "mean" | "max" | "count" | "rate"
    OPERATOR    = "<" | "<=" | ">" | ">=" | "==" | "!="

`count` is how many values were recorded, `rate` how many each second. A metric of which nothing was recorded meets no
requirement but one on its count: what was not measured was not good.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from difflib import get_close_matches
from typing import Final

from msgspec import Struct

from loadtest.measure.metrics import METRICS, Kind
from loadtest.measure.summary import Summary

_GRAMMAR: Final = re.compile(
    r"\s*(?P<metric>[a-z][a-z0-9_]*)\s+(?P<statistic>p\d+(?:\.\d+)?|min|mean|max|count|rate)"
    r"\s*(?P<operator><=|>=|==|!=|<|>)\s*(?P<limit>-?\d+(?:\.\d+)?)\s*"
)
_OPERATORS: Final[dict[str, Callable[[float, float], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
_OF_COUNTERS: Final = ("count", "rate")
_WHOLE: Final = 100.0


class BadRequirement(ValueError):
    """Not a requirement, or one on something that is never measured."""


class Requirement(Struct, frozen=True):
    """One of them, as it was written and as it was understood."""

    text: str
    metric: str
    statistic: str
    operator: str
    limit: float


class Verdict(Struct, frozen=True):
    """What became of a requirement; `value` None: nothing was recorded."""

    requirement: str
    value: float | None
    met: bool


def parse(text: str) -> Requirement:
    """Understand it. Raises BadRequirement, with the nearest name for an unknown metric."""
    found = _GRAMMAR.fullmatch(text)
    if found is None:
        raise BadRequirement(f"{text!r} is not a requirement such as 'move_ms p95<300'")
    metric, statistic = found["metric"], found["statistic"]
    if metric not in METRICS:
        near = get_close_matches(metric, METRICS, 1)
        hint = f"; did you mean {near[0]}?" if near else f"; there are {', '.join(METRICS)}"
        raise BadRequirement(f"{text!r}: there is no metric {metric}{hint}")
    if METRICS[metric].kind is Kind.COUNTER and statistic not in _OF_COUNTERS:
        raise BadRequirement(f"{text!r}: {metric} is a counter, which has count and rate only")
    if statistic.startswith("p") and float(statistic[1:]) > _WHOLE:
        raise BadRequirement(f"{text!r}: a percentile is at most p100")
    return Requirement(text.strip(), metric, statistic, found["operator"], float(found["limit"]))


def judge(requirement: Requirement, summary: Summary) -> Verdict:
    """Whether the run met it."""
    value = summary.statistic(requirement.statistic)
    met = value is not None and _OPERATORS[requirement.operator](value, requirement.limit)
    return Verdict(requirement.text, value, met)
