# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from server.media.packet_path import PurePath
from tests.media.paths import Chosen, compiled_path
from tests.media.stage import Stage, staged


@pytest.fixture(params=["pure", "compiled"])
def packet_path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a test on both packet paths: `pytestmark = pytest.mark.usefixtures("packet_path")`."""
    monkeypatch.setattr(Chosen, "make", compiled_path if request.param == "compiled" else PurePath)


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    """A stage for one test."""
    async with staged() as made:
        yield made
