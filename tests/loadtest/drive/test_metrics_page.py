# SPDX-License-Identifier: Apache-2.0
"""What is taken from /metrics, as the server's own registry writes them."""

from __future__ import annotations

import time

from loadtest.drive.metrics_page import lags_ms, read_page
from server.observe.metrics import Metrics, exposition


def scraped(metrics: Metrics) -> bytes:
    """The page."""
    return exposition(metrics.registry)("")[0]


def test_loop_lag_between_two_scrapes() -> None:
    """Only what is new, by the upper edges of the buckets."""
    metrics = Metrics()
    metrics.late(0.0004)
    before = read_page(scraped(metrics))
    for seconds in (0.0004, 0.004, 0.004, 9.0):
        metrics.late(seconds)
    assert list(lags_ms(before, read_page(scraped(metrics)))) == [(1.0, 1), (5.0, 2), (1000.0, 1)]


def test_a_server_that_started_anew_begins_at_zero() -> None:
    """Its counts are smaller than those before."""
    old, new = Metrics(), Metrics()
    for _ in range(5):
        old.late(0.004)
    new.late(0.004)
    assert list(lags_ms(read_page(scraped(old)), read_page(scraped(new)))) == [(5.0, 1)]


def test_cpu_and_memory_are_those_of_the_process() -> None:
    """As the standard collector of Prometheus names them, with when it began."""
    page = read_page(scraped(Metrics()))
    assert page.cpu_s is not None
    assert page.rss_bytes is not None
    assert page.rss_bytes > 1_000_000
    assert page.started_s is not None
    assert 0 < page.started_s <= time.time()
