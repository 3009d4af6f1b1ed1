# SPDX-License-Identifier: Apache-2.0
"""What a load test takes from a server's /metrics: lateness of its loop, what it holds. Pure: text in, figures out."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final

from msgspec import Struct
from prometheus_client.parser import text_string_to_metric_families

LAG: Final = "holdspace_loop_lag_seconds_bucket"
LAG_SUM: Final = "holdspace_loop_lag_seconds_sum"
LAG_COUNT: Final = "holdspace_loop_lag_seconds_count"
CPU: Final = "process_cpu_seconds_total"
MEMORY: Final = "process_resident_memory_bytes"
FILES: Final = "process_open_fds"
TASKS: Final = "holdspace_tasks"
STARTED: Final = "process_start_time_seconds"
_WANTED: Final = tuple(name.encode() for name in (LAG, LAG_SUM, LAG_COUNT, CPU, MEMORY, FILES, TASKS, STARTED))


class Page(Struct, frozen=True):
    """One scrape. `lag`: how many looks at the loop found it at most so late (s), for each edge.

    `lag_s`: lateness of all looks together, of which there were `looks`.
    """

    lag: dict[float, float]
    cpu_s: float | None
    rss_bytes: float | None
    open_files: float | None
    tasks: float | None
    lag_s: float
    looks: float
    started_s: float | None
    """When the process began, in Unix time."""


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
    return Page(
        lag,
        plain.get(CPU),
        plain.get(MEMORY),
        plain.get(FILES),
        plain.get(TASKS),
        plain.get(LAG_SUM, 0.0),
        plain.get(LAG_COUNT, 0.0),
        plain.get(STARTED),
    )


def mean_lag_ms(before: Page, now: Page) -> float | None:
    """How late the loop was on average between two scrapes; None: nobody looked, or the server has started anew."""
    looks = now.looks - before.looks
    return 1_000 * (now.lag_s - before.lag_s) / looks if looks > 0 else None


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
