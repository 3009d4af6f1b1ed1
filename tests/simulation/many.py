# SPDX-License-Identifier: Apache-2.0
"""Many seeds, on all cores."""

from __future__ import annotations

import gc
import multiprocessing
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor

from tests.simulation.simulation import Outcome, simulate

CHUNK = 5


def light() -> None:
    """Look for garbage less often, and not among code and tables: that took a sixth of the time."""
    gc.freeze()
    gc.set_threshold(20_000, 10, 10)


def outcomes(seeds: Iterable[int], workers: int | None = None) -> Iterator[Outcome]:
    """What came of each, in order."""
    fresh = multiprocessing.get_context("spawn")  # nothing of the caller's is in the way
    with ProcessPoolExecutor(workers or os.cpu_count() or 1, mp_context=fresh, initializer=light) as pool:
        yield from pool.map(simulate, seeds, chunksize=CHUNK)
