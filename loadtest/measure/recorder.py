# SPDX-License-Identifier: Apache-2.0
"""What one generator process notes down, and hands on once a second. Pure."""

from __future__ import annotations

from collections import Counter

from msgspec import Struct

from loadtest.measure.metrics import METRICS, Kind
from loadtest.measure.summary import Distribution, Trend


class Interval(Struct, frozen=True):
    """What was noted down since the last one. Trends add up to the whole."""

    trends: dict[str, Trend] = {}
    counters: dict[str, int] = {}
    errors: dict[str, int] = {}
    present: int = 0


class Recorder:
    """Values are recorded where they are seen; a name that is no metric raises KeyError at once."""

    def __init__(self) -> None:
        self._trends: dict[str, Distribution] = {}
        self._counters: Counter[str] = Counter()
        self._errors: Counter[str] = Counter()
        self.present = 0
        """How many people are in their rooms."""

    def record(self, name: str, value: float) -> None:
        """One value of a trend."""
        values = self._trends.get(name)
        if values is None:
            if METRICS[name].kind is not Kind.TREND:
                raise KeyError(name)
            values = self._trends[name] = Distribution()
        values.record(value)

    def count(self, name: str, more: int = 1) -> None:
        """So many more of a counter."""
        if METRICS[name].kind is not Kind.COUNTER:
            raise KeyError(name)
        if more:
            self._counters[name] += more

    def fail(self, cause: str) -> None:
        """Something went wrong; the same words for the same cause."""
        self._errors[cause] += 1
        self._counters["errors"] += 1

    def take(self) -> Interval:
        """All since the last call."""
        trends = {name: values.trend() for name, values in self._trends.items()}
        taken = Interval(trends, dict(self._counters), dict(self._errors), self.present)
        self._trends.clear()
        self._counters.clear()
        self._errors.clear()
        return taken
