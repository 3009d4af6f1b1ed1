# SPDX-License-Identifier: Apache-2.0
"""Rows of the matrix with what they must reach: counts and ratios; the quick ones run with `make test`."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from tests.network.matrix import Result, measure, table
from tests.network.namespaces import needs_namespaces
from tests.network.rows import FIVE_PERCENT, NARROW, ROWS, Row

pytestmark = pytest.mark.alone


async def measured(row: Row) -> Result:
    """The row, with its line in the output."""
    result = await measure(row)
    print("\n" + table([result]))
    return result


async def test_five_percent_of_loss_each_way_is_repaired() -> None:
    """On both hops: at least 95 % of the frames, less than 3 % of the sound concealed, the largest layer."""
    found = (await measured(replace(FIVE_PERCENT, warm_s=3.0, seconds=5.0))).before
    assert found.frames >= 0.95
    assert found.concealed < 0.03
    assert set(found.heights) == {540}


async def test_a_narrow_link_keeps_the_voice() -> None:
    """300 kbit/s for three people: sound goes on, and the link is not flooded."""
    result = await measured(replace(NARROW, warm_s=4.0, seconds=4.0))
    assert result.before.concealed < 0.05
    assert result.utilisation is not None
    assert result.utilisation <= 1.01
    assert result.queue_ms is not None
    assert result.queue_ms < 150


@pytest.mark.slow
@needs_namespaces
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
async def test_the_whole_matrix(row: Row) -> None:
    """The voice goes on; with 300 kbit/s and up to 5 % of loss pictures do; a link that drops is found within 5 s.

    Beside a TCP download of the kernel both get their share.
    """
    result = await measured(row)
    end = result.after if result.after is not None and not row.rival else result.before
    lossy = max(row.link.down.loss, row.link.up.loss)
    assert end.concealed < (0.03 if lossy <= 0.05 else 0.10)
    if lossy <= 0.05 and not 0 < row.link.down.rate_bps < 300_000:
        assert end.heights
        assert end.frames >= 0.9
    if row.rival:
        assert result.after is not None
        assert result.rival_bps is not None
        # Neither drowns; the queue that TCP fills costs the voice something.
        assert result.after.received_bps > 0.15 * row.link.down.rate_bps
        assert result.rival_bps > 0.15 * row.link.down.rate_bps
        assert result.after.concealed < 0.10
    if row.change is not None:
        assert result.recovered_s is not None
        assert result.recovered_s <= 5.0
