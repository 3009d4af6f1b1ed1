# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from server.app import Server
from tests.signaling.clients import Venue, config


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shared_server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    """One real server, media worker included, for all tests that do not need their own."""
    async with Server(config(tmp_path_factory.mktemp("server"))) as server:
        yield server


@pytest_asyncio.fixture(loop_scope="session")
async def venue(shared_server: Server) -> AsyncIterator[Venue]:
    """A room of one's own in the shared server."""
    venue = Venue(shared_server)
    yield venue
    await venue.close()
