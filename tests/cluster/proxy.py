# SPDX-License-Identifier: Apache-2.0
"""A TCP proxy before a server, for what networks do to replies."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from enum import Enum, auto

from tests.cluster.servers import HOST


class Weather(Enum):
    """What happens to bytes from now on."""

    FINE = auto()
    NO_REPLIES = auto()
    """Requests arrive; what the server answers is lost, the connection stays."""
    CUT_REPLIES = auto()
    """Requests arrive; the answer finds the connection closed."""
    SILENT = auto()
    """Nothing arrives, nothing is refused."""


class Proxy:
    """Listens on `port`; `weather` may change at any time. `requests`: chunks of bytes that reached the server."""

    def __init__(self, target: int) -> None:
        self._target = target
        self.port = 0
        self.weather = Weather.FINE
        self.requests = 0
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """Where clients find it."""
        return f"redis://{HOST}:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        target_reader, target_writer = await asyncio.open_connection(HOST, self._target)
        try:
            await asyncio.gather(self._requests(reader, target_writer), self._replies(target_reader, writer))
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            for end in (writer, target_writer):
                end.close()

    async def _requests(self, reader: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            if self.weather is not Weather.SILENT:
                self.requests += 1
                target.write(data)
                await target.drain()
        raise ConnectionResetError

    async def _replies(self, target: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await target.read(65_536):
            if self.weather is Weather.CUT_REPLIES:
                raise ConnectionResetError
            if self.weather is Weather.FINE:
                writer.write(data)
                await writer.drain()
        raise ConnectionResetError

    async def close(self) -> None:
        """End all connections."""
        for task in tuple(self._tasks):
            task.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.gather(*self._tasks, return_exceptions=True)


@asynccontextmanager
async def proxied(target: int) -> AsyncIterator[Proxy]:
    """A proxy before the server on this port."""
    proxy = Proxy(target)
    server = await asyncio.start_server(proxy.serve, HOST, 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        await proxy.close()
        await server.wait_closed()
