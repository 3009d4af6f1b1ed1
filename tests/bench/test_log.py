# SPDX-License-Identifier: Apache-2.0
"""The benchmark of the log: that every call is counted, on each kind of log, and that nothing is refused."""

from __future__ import annotations

import pytest

from bench.log.command import lines
from bench.log.measure import BATCH, measure, target
from bench.machine import two_cores
from bench.stores import Kind


@pytest.mark.parametrize("kind", [None, "redis", "valkey"])
async def test_each_log_is_measured(kind: Kind | None) -> None:
    """Counts are those that were asked for; a store costs something, the log in memory nothing elsewhere."""
    async with target(kind, two_cores().server) as at:
        costs = await measure(at, rooms=4, calls=64)
    assert (costs.create.calls, costs.alone.calls, costs.append.calls) == (4, 64, 64)
    assert costs.batched.calls == 4 * 2 * BATCH
    assert costs.read.calls == 64
    assert (costs.append.store_us > 0) is (kind is not None)
    assert len(lines("it", costs)) == 5
