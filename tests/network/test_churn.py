# SPDX-License-Identifier: Apache-2.0
"""Nobody's picture gets stuck, whatever people and networks do."""

from __future__ import annotations

import pytest

from tests.network.churn import churn

pytestmark = pytest.mark.alone


async def test_a_little_churn_leaves_no_stuck_tile() -> None:
    """At every look, a quarter of a second apart."""
    watchman = await churn(18.0, seed=1)
    assert watchman.looked > 200
    assert watchman.stuck == []


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_ten_minutes_of_churn_leave_no_stuck_tile() -> None:
    """As above, for longer and with another seed."""
    watchman = await churn(600.0, seed=2)
    assert watchman.looked > 10_000
    assert watchman.stuck == []
