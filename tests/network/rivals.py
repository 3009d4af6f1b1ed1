# SPDX-License-Identifier: Apache-2.0
"""A TCP download that takes what it can get of a shared link."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from tests.network.namespaces import End

_BLOCK = bytes(1 << 16)


class Download:
    """From the far end of a cable to the near one, with the kernel's own congestion control."""

    def __init__(self, sender: socket.socket, receiver: socket.socket) -> None:
        self._sender = sender
        self._receiver = receiver
        self._tasks: list[asyncio.Task[None]] = []
        self._received = 0
        self._started_s = 0.0

    def start(self) -> None:
        """Download from now on."""
        self._started_s = time.monotonic()
        self._tasks = [asyncio.create_task(self._send()), asyncio.create_task(self._receive())]

    def stop(self) -> float:
        """End it; how fast it was, in bit/s."""
        for task in self._tasks:
            task.cancel()
        return self._received * 8 / (time.monotonic() - self._started_s)

    async def close(self) -> None:
        """Give the sockets back."""
        for task in self._tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        self._sender.close()
        self._receiver.close()

    async def _send(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await loop.sock_sendall(self._sender, _BLOCK)

    async def _receive(self) -> None:
        loop = asyncio.get_running_loop()
        while data := await loop.sock_recv(self._receiver, 1 << 16):
            self._received += len(data)


@asynccontextmanager
async def rival_download(near: End, far: End) -> AsyncIterator[Download]:
    """Connected, and not begun."""
    with socket.socket() as listener:
        listener.bind((far.address, 0))
        listener.listen(1)
        receiver = near.inside(lambda: socket.create_connection(listener.getsockname()))
        sender, _ = listener.accept()
    for one in (sender, receiver):
        one.setblocking(False)
    made = Download(sender, receiver)
    try:
        yield made
    finally:
        await made.close()
