# SPDX-License-Identifier: Apache-2.0
"""Each fault strikes once for each seed."""

from __future__ import annotations

import pytest

from tests.faults.seeds import SEEDS


@pytest.fixture(params=SEEDS, ids="seed {}".format)
def seed(request: pytest.FixtureRequest) -> int:
    """What people do, when they retry, and which server keeps the log."""
    number: int = request.param
    return number
