# SPDX-License-Identifier: Apache-2.0
"""A TCP proxy whose network can be bad: late, deaf in one direction or both, or cut."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Coroutine
from typing import Final, Self

CHUNK: Final = 65_536


class _Link:
    """One connection through the proxy; `subscribes`: it has asked a Redis for pub/sub, `writes`: just now."""

    def __init__(self) -> None:
        self.subscribes = False
        self.writes = False
        self.deaf = False


class Proxy:
    """`async with Proxy(port) as proxy`: whoever connects to `proxy.port` talks to that server.

    While a direction is deaf its bytes wait, as they do when packets are dropped: nobody is told, nothing is refused.
    `lose_every`: of so many replies of a Redis to writes one is lost, and its connection with it; 0: none.
    """

    def __init__(self, port: int, *, window: int = 0) -> None:
        """`window`: how many bytes the kernel may take from the server for us; 0: as many as it likes."""
        self._target = ("127.0.0.1", port)
        self._window = window
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._pumps: set[asyncio.Task[None]] = set()
        self._hearing = {"up": asyncio.Event(), "down": asyncio.Event()}
        self.delay_s = 0.0
        self.refuses = False
        self.lose_every = 0
        self.lost = 0
        self._replies = 0
        self._links: set[_Link] = set()
        for event in self._hearing.values():
            event.set()

    @property
    def port(self) -> int:
        """Where it listens, on the loopback."""
        if self._server is None:
            raise RuntimeError("not open")
        return int(self._server.sockets[0].getsockname()[1])

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
        for pump in self._pumps:
            pump.cancel()
        self.cut()
        await asyncio.gather(*self._pumps, return_exceptions=True)

    def cut(self) -> None:
        """End every connection with a reset."""
        for writer in tuple(self._writers):
            writer.transport.abort()

    def deafen(self, *, up: bool = True, down: bool = True) -> None:
        """Let nothing more through: towards the server (`up`), from it (`down`)."""
        for name, deaf in (("up", up), ("down", down)):
            if deaf:
                self._hearing[name].clear()

    def heal(self) -> None:
        """What waited goes on its way."""
        for event in self._hearing.values():
            event.set()

    def half_open_subscriptions(self) -> None:
        """The pub/sub connections of now stay open, and nothing ever comes through them again."""
        for link in self._links:
            link.deaf = link.deaf or link.subscribes

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.refuses:
            writer.transport.abort()
            return
        try:
            server_reader, server_writer = await self._connect()
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, server_writer}
        link = _Link()
        for pump_of in (self._up(reader, server_writer, link), self._down(server_reader, writer, link)):
            pump = asyncio.get_running_loop().create_task(self._end_both(pump_of, writer, server_writer, link))
            self._pumps.add(pump)
            pump.add_done_callback(self._pumps.discard)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        upstream = socket.socket()
        upstream.setblocking(False)
        if self._window:
            upstream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._window)
        try:
            await asyncio.get_running_loop().sock_connect(upstream, self._target)
        except OSError:
            upstream.close()
            raise
        return await asyncio.open_connection(sock=upstream)

    async def _end_both(
        self, pump: Coroutine[None, None, None], client: asyncio.StreamWriter, server: asyncio.StreamWriter, link: _Link
    ) -> None:
        """When one direction ends, so does the connection."""
        self._links.add(link)
        try:
            await pump
        except OSError:
            pass
        finally:
            self._links.discard(link)
            self._writers -= {client, server}
            client.transport.abort()
            server.transport.abort()

    async def _up(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, link: _Link) -> None:
        while data := await source.read(CHUNK):
            await self._travel("up")
            link.subscribes = link.subscribes or b"SUBSCRIBE" in data
            link.writes = b"EVALSHA" in data or b"PUBLISH" in data
            sink.write(data)
            await sink.drain()

    async def _down(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, link: _Link) -> None:
        while data := await source.read(CHUNK):
            await self._travel("down")
            if self._loses(link):
                return
            if not link.deaf:
                sink.write(data)
                await sink.drain()

    async def _travel(self, direction: str) -> None:
        if self.delay_s:
            await asyncio.sleep(self.delay_s)
        await self._hearing[direction].wait()

    def _loses(self, link: _Link) -> bool:
        if not self.lose_every or not link.writes:
            return False
        self._replies += 1
        lost = self._replies % self.lose_every == 0
        self.lost += lost
        return lost
