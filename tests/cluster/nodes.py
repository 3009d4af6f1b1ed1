# SPDX-License-Identifier: Apache-2.0
"""Several nodes' logs over one Redis, as the contract wants them."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from server.cluster.connect import Client, client_of, disconnect
from server.cluster.redis_log import RedisLog


class Nodes:
    """A new log over a new client for each call; all with the same keys, which nobody else has."""

    def __init__(self, url: str) -> None:
        self.prefix = f"test-{secrets.token_hex(6)}"
        self.clients: list[Client] = []
        self.logs: list[RedisLog] = []
        self._url = url
        self._started = 0

    def __call__(self) -> RedisLog:
        """One more node; it hears hints after `settle`."""
        client = client_of(self._url)
        log = RedisLog(client, self.prefix)
        self.clients.append(client)
        self.logs.append(log)
        return log

    async def settle(self) -> None:
        """Return when hints can come."""
        for log in self.logs[self._started :]:
            await log.start()
        self._started = len(self.logs)
        async with asyncio.timeout(5):
            for log in self.logs:
                await log.ready()

    async def close(self) -> None:
        """End all."""
        for log in self.logs:
            await log.close()
        for client in self.clients:
            await disconnect(client)


@asynccontextmanager
async def joined(url: str) -> AsyncIterator[Nodes]:
    """Nodes that end with the test."""
    nodes = Nodes(url)
    try:
        yield nodes
    finally:
        await nodes.close()
