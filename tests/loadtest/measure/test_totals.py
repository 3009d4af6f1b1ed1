# SPDX-License-Identifier: Apache-2.0
"""Values recorded by several processes become one distribution, and nothing is lost on the way."""

from __future__ import annotations

import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.measure.recorder import Interval, Recorder
from loadtest.measure.summary import decoded
from loadtest.measure.totals import Totals

VALUES = st.lists(st.floats(0.01, 100_000), min_size=1, max_size=60)


@given(st.lists(VALUES, min_size=1, max_size=4))
def test_parts_of_all_processes_add_up(parts: list[list[float]]) -> None:
    """Percentiles of the merged whole are those of all values, to one percent; mean and extremes are exact."""
    totals = Totals()
    for source, values in enumerate(parts):
        recorder = Recorder()
        for value in values:
            recorder.record("move_ms", value)
        totals.add(source % 2, recorder.take(), source)
    everything = sorted(value for values in parts for value in values)
    summary = totals.summary("move_ms", 10)
    assert summary.count == len(everything)
    assert (summary.minimum, summary.maximum) == (everything[0], everything[-1])
    assert summary.mean == pytest.approx(statistics.fmean(everything))
    for rank in (50, 95, 99, 37.5):
        exact = everything[max(0, math.ceil(len(everything) * rank / 100) - 1)]
        assert summary.percentile(rank) == pytest.approx(exact, rel=0.01, abs=0.002)
    assert sum(count for _, count in decoded(summary)) == len(everything)
    assert sum(point.count for point in totals.points("move_ms")) == len(everything)


def test_counters_and_errors_add_up() -> None:
    """Over processes and seconds; an error is counted by its cause as well."""
    totals, recorder = Totals(), Recorder()
    for second in range(3):
        recorder.count("commands", 5)
        recorder.fail("join: timeout")
        totals.add(second, recorder.take())
    assert totals.summary("commands", 3).rate == 5
    assert totals.summary("errors", 3).count == 3
    assert totals.errors == {"join: timeout": 3}
    assert [point.count for point in totals.points("commands", width=2)] == [10, 5]


def test_people_are_added_over_processes() -> None:
    """The one that conducts has none. Until all have told of a second, the last word of the others counts."""
    totals, recorder = Totals(), Recorder()
    recorder.present = 4
    for source in (0, 1, -1):
        totals.add(7, recorder.take(), source)
    assert totals.present() == ((7, 8),)
    totals.add(8, Interval(present=3), source=0)
    assert totals.present_now == 7


def test_a_name_that_is_no_metric_is_an_error_of_ours() -> None:
    """At once, and not when the report is made; a counter is no trend."""
    recorder = Recorder()
    for wrong in ("speed_ms", "errors"):
        with pytest.raises(KeyError):
            recorder.record(wrong, 1)
    with pytest.raises(KeyError):
        recorder.count("move_ms")
