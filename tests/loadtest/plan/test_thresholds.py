# SPDX-License-Identifier: Apache-2.0
"""What is required, and whether it is met."""

from __future__ import annotations

import pytest

from loadtest.measure.summary import Distribution, Summary, of_counter, of_trend
from loadtest.plan.thresholds import BadRequirement, judge, parse


def hundred() -> Summary:
    """1 to 100 ms in ten seconds."""
    values = Distribution()
    for value in range(1, 101):
        values.record(value)
    return of_trend(values, 10)


@pytest.mark.parametrize(
    ("text", "met"),
    [
        ("move_ms p95<300", True),
        ("move_ms p95 < 95", False),
        ("move_ms p50<=51", True),
        ("move_ms p99.9 > 99", True),
        ("move_ms min==1", True),
        ("move_ms max != 100", False),
        ("move_ms mean<50.6", True),
        ("move_ms count>=100", True),
        ("move_ms rate>10", False),
    ],
)
def test_a_requirement_is_met_or_not(text: str, met: bool) -> None:
    """Every statistic and every operator."""
    assert judge(parse(text), hundred()).met is met


@pytest.mark.parametrize("text", ["errors count==0", "errors rate<0.1"])
def test_counters_are_counted(text: str) -> None:
    """A counter has a number and a rate."""
    assert judge(parse(text), of_counter(0, 10)).met
    assert not judge(parse(text), of_counter(5, 10)).met


def test_what_was_not_measured_is_not_met() -> None:
    """A latency of which there is no value did not keep to its bound."""
    verdict = judge(parse("move_ms p95<300"), of_counter(0, 10))
    assert (verdict.value, verdict.met) == (None, False)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("move_ms p95", "is not a requirement"),
        ("move_ms p95<", "is not a requirement"),
        ("move_ms p95<300ms", "is not a requirement"),
        ("mvoe_ms p95<300", "did you mean move_ms?"),
        ("xyz p95<300", "there are join_ms"),
        ("errors p95<3", "is a counter"),
        ("move_ms p101<3", "at most p100"),
    ],
)
def test_a_wrong_requirement_is_refused_in_words(text: str, complaint: str) -> None:
    """Syntax, unknown metrics, statistics that a metric does not have."""
    with pytest.raises(BadRequirement) as refusal:
        parse(text)
    assert complaint in str(refusal.value)
