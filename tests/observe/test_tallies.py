# SPDX-License-Identifier: Apache-2.0
"""What is counted in plain numbers is shown as prometheus_client itself would show it."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from server.observe.tallies import Spread, Tally

BOUNDS = (0.001, 0.25, 1.0)
SAMPLES = (0.0005, 0.001, 0.2, 0.25, 0.9, 7.0)


def _shown(registry: CollectorRegistry) -> list[str]:
    """All but when it began, which plain numbers do not know."""
    return [line for line in generate_latest(registry).decode().splitlines() if "_created" not in line]


def test_a_tally_is_shown_as_a_counter() -> None:
    """Also before anything was counted, where there are no labels."""
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    plain, labelled = Tally("a", "All."), Tally("b", "Some.", "kind", "outcome")
    ours.register(plain)
    ours.register(labelled)
    Counter("a", "All.", registry=theirs)
    counter = Counter("b", "Some.", ("kind", "outcome"), registry=theirs)
    for kind, outcome, count in (("chat", "ok", 1), ("chat", "busy", 3), ("chat", "ok", 2)):
        labelled.add(kind, outcome, count=count)
        counter.labels(kind, outcome).inc(count)
    assert _shown(ours) == _shown(theirs)


def test_a_spread_is_shown_as_a_histogram() -> None:
    """Samples on a bound and beyond all bounds included."""
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    plain, labelled = Spread("a_seconds", "All.", BOUNDS), Spread("b_seconds", "Some.", BOUNDS, "call")
    ours.register(plain)
    ours.register(labelled)
    histogram = Histogram("a_seconds", "All.", buckets=BOUNDS, registry=theirs)
    parted = Histogram("b_seconds", "Some.", ("call",), buckets=BOUNDS, registry=theirs)
    assert _shown(ours) == _shown(theirs)
    for sample in SAMPLES:
        plain.add(sample)
        histogram.observe(sample)
        labelled.add(sample, "append")
        parted.labels("append").observe(sample)
    assert _shown(ours) == _shown(theirs)
