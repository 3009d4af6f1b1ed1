# SPDX-License-Identifier: Apache-2.0
"""What grows is told from what comes and goes."""

from __future__ import annotations

import random

import pytest
from msgspec.structs import replace

from loadtest.measure.growth import growth_of, settled_from
from loadtest.measure.nodes import QUANTITIES, NodePoint, certain_growth, figures_of


def noisy(slope: float, seconds: int = 600, noise: float = 3.0) -> list[tuple[float, float]]:
    """100 at first, so much more each second, and what comes and goes."""
    chance = random.Random(5)
    return [(second, 100 + slope * second + chance.gauss(0, noise)) for second in range(seconds)]


@pytest.mark.parametrize("slope", [0.01, 0.1])
def test_what_grows_is_seen_through_the_noise(slope: float) -> None:
    """The true slope is in the interval, and all of that above zero."""
    growth = growth_of(noisy(slope))
    assert growth is not None
    assert 0 < growth.low <= 3600 * slope <= growth.high
    assert growth.last - growth.first == pytest.approx(600 * slope, rel=0.4)
    assert 0 < growth.certain < 600 * slope * 1.2


def test_what_stays_or_shrinks_has_not_grown() -> None:
    """No leak is cried where there is only noise."""
    for slope in (0.0, -0.05):
        growth = growth_of(noisy(slope))
        assert growth is not None
        assert growth.certain == growth.certain_percent == 0


def test_a_constant_has_an_interval_of_no_width() -> None:
    """Most numbers of files are like that."""
    growth = growth_of([(second, 40.0) for second in range(100)])
    assert growth is not None
    assert (growth.first, growth.last, growth.low, growth.high) == (40, 40, 0, 0)


def test_one_outburst_is_no_trend() -> None:
    """A tenth of the time of anything does not move the line."""
    points = [(float(second), 900.0 if 500 < second < 560 else 100.0) for second in range(600)]
    growth = growth_of(points)
    assert growth is not None
    assert growth.certain == 0
    assert growth.per_hour == 0


def test_nothing_is_said_of_too_little() -> None:
    """Less than a minute, or a handful of values."""
    assert growth_of([]) is None
    assert growth_of(noisy(1, seconds=50)) is None
    assert growth_of([(0, 1.0), (300, 2.0), (600, 3.0)]) is None


def test_it_counts_from_when_everybody_was_there() -> None:
    """Arriving people are no leak; but half of the time is looked at in any case."""
    present = tuple((second, min(50, second)) for second in range(200))
    assert settled_from(present, 100) == 48
    assert settled_from(present, 1000) == 250
    assert settled_from(tuple((second, second) for second in range(200)), 200) == 100
    assert settled_from((), 100) == 25


def point(second: int, health_ms: float | None = 1.0) -> NodePoint:
    """A node that gathers tasks and becomes late."""
    return NodePoint(second, 5.0, 100.0, health_ms, 40.0, 10.0 + second / 10, 1.0 + second / 100)


def test_each_quantity_of_a_node_is_looked_at() -> None:
    """Tasks in percent of what they were at first, lateness in milliseconds; only what is known."""
    node = figures_of("a", tuple(map(point, range(301))), settled_s=100)
    certain = {each.field: certain_growth(each, node.growth[each.field]) for each in QUANTITIES}
    assert certain["rss_mib"] == certain["open_files"] == 0
    assert certain["tasks"] == pytest.approx(100, rel=0.1)
    assert certain["lag_ms"] == pytest.approx(2, rel=0.1)
    unknown = figures_of("b", tuple(NodePoint(second, None, None, 1.0) for second in range(301)))
    assert unknown.growth == {}


def test_a_node_that_was_away_began_anew() -> None:
    """What it holds afterwards says nothing about what it held before."""
    points = [point(second, None if second == 200 else 1.0) for second in range(301)]
    assert figures_of("a", tuple(points), settled_s=100).growth == {}
    again = [replace(each, health_ms=1.0, started_s=9.0 if each.second < 200 else 77.0) for each in points]
    assert figures_of("a", tuple(again), settled_s=100).growth == {}


def test_a_slow_answer_is_no_new_beginning() -> None:
    """One health check that timed out in an hour does not excuse a node that is known to be the same process."""
    points = [replace(point(second, None if second == 200 else 1.0), started_s=9.0) for second in range(301)]
    assert figures_of("a", tuple(points), settled_s=100).growth["tasks"].certain > 0
