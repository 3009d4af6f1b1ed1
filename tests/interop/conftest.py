# SPDX-License-Identifier: Apache-2.0
"""A running server for each module, and a room of its own for each test."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio

from tests.e2e.serving import Server
from tests.interop.meeting import Meeting


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    """As `holdspace serve` runs it."""
    async with Server(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def meeting(server: Server) -> AsyncIterator[Meeting]:
    """Everybody leaves at the end."""
    async with AsyncExitStack() as stack:
        yield Meeting(server, secrets.token_hex(4), stack)
