# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.media.stage import Stage, staged


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    """A stage for one test."""
    async with staged() as made:
        yield made
