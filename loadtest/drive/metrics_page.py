# SPDX-License-Identifier: Apache-2.0
"""What a load test takes from a server's /metrics: lateness of its loop, CPU, memory. Pure: text in, figures out."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final

from msgspec import Struct
from prometheus_client.parser import text_string_to_metric_families

LAG: Final = "holdspace_loop_lag_seconds_bucket"
CPU: Final = "process_cpu_seconds_total"
MEMORY: Final = "process_resident_memory_bytes"
_WANTED: Final = tuple(name.encode() for name in (LAG, CPU, MEMORY))


class Page(Struct, frozen=True):
    """One scrape. `lag`: how many looks at the loop found it at most so late (s), for each edge."""

    lag: dict[float, float]
    cpu_s: float | None
    rss_bytes: float | None


def read_page(body: bytes) -> Page:
    """Only the lines that are wanted are parsed. Raises ValueError for what is no metrics page."""
    lines = [line for line in body.splitlines() if line.startswith(_WANTED)]
    lag: dict[float, float] = {}
    plain: dict[str, float] = {}
    for family in text_string_to_metric_families((b"\n".join(lines) + b"\n").decode()):
        for sample in family.samples:
            if sample.name == LAG:
                lag[float(sample.labels["le"])] = sample.value
            else:
                plain[sample.name] = sample.value
    return Page(lag, plain.get(CPU), plain.get(MEMORY))


def lags_ms(before: Page, now: Page) -> Iterable[tuple[float, int]]:
    """How often the loop was so late between two scrapes: upper edges (ms) of the server's buckets, and counts.

    What is beyond the last edge counts as that edge. A server that has started anew begins at zero.
    """
    last = 0.0
    finite = max((edge for edge in now.lag if math.isfinite(edge)), default=0.0)
    anew = any(now.lag[edge] < before.lag.get(edge, 0.0) for edge in now.lag)
    for edge in sorted(now.lag):
        below = now.lag[edge] - (0.0 if anew else before.lag.get(edge, 0.0))
        if below > last:
            yield 1_000 * min(edge, finite), round(below - last)
        last = below
