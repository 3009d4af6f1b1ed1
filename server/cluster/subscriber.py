# SPDX-License-Identifier: Apache-2.0
"""One pub/sub connection: keeps itself subscribed, and says when something may have been missed."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import Any, Final

from redis.asyncio.connection import AbstractConnection

from server.cluster.calls import FAULTS
from server.cluster.ending import begin, end

BACKOFF_S: Final = (0.02, 0.5)
BATCH: Final = 256
"""Channels in one command."""

Open = Callable[[], AbstractConnection]


class Subscriber:
    """Listens to channels, connecting again for as long as it runs.

    `open_connection`: a new connection, not yet connected; `batch` 1 where channels are of different slots.
    `on_message` gets channel and payload. `on_subscribed` is called when a channel is listened to from now on: what
    came before may have been missed.
    """

    def __init__(
        self,
        open_connection: Open,
        on_message: Callable[[str, bytes], None],
        on_subscribed: Callable[[str], None],
        *,
        sharded: bool,
        batch: int = BATCH,
    ) -> None:
        self._open = open_connection
        self._on_message = on_message
        self._on_subscribed = on_subscribed
        self._prefix = "S" if sharded else ""
        self._kinds = ("smessage", "ssubscribe") if sharded else ("message", "subscribe")
        self._batch = batch
        self._channels: dict[str, bool] = {}
        self._connection: AbstractConnection | None = None
        self._changed = asyncio.Event()
        self._task = begin(self._run())

    @property
    def channels(self) -> frozenset[str]:
        """What it is to listen to."""
        return frozenset(self._channels)

    @property
    def ready(self) -> bool:
        """Whether all channels are listened to."""
        return all(self._channels.values())

    def add(self, channel: str) -> None:
        """Listen to this channel, too."""
        if channel not in self._channels:
            self._channels[channel] = False
            self._changed.set()

    def remove(self, channel: str) -> None:
        """Listen to this channel no longer."""
        if self._channels.pop(channel, None) is not None:
            self._changed.set()

    async def renew(self) -> None:
        """This connection is deaf: take another one."""
        if self._connection is not None:
            await self._connection.disconnect(nowait=True)

    async def close(self) -> None:
        """End."""
        await end(self._task)

    async def _run(self) -> None:
        wait = BACKOFF_S[0]
        while True:
            connection: AbstractConnection | None = None
            try:
                connection = self._open()
                await connection.connect()  # type: ignore[no-untyped-call]
                self._connection = connection
                wait = BACKOFF_S[0]
                await self._serve(connection)
            except FAULTS:
                await asyncio.sleep(wait)
                wait = min(BACKOFF_S[1], 2 * wait)
            finally:
                self._connection = None
                self._channels = dict.fromkeys(self._channels, False)
                if connection is not None:
                    await connection.disconnect(nowait=True)

    async def _serve(self, connection: AbstractConnection) -> None:
        """Until the connection is lost; raises one of FAULTS then."""
        self._changed.set()
        writer = begin(self._write(connection))
        try:
            while True:
                self._take(await connection.read_response(timeout=math.inf))
                if writer.done():
                    writer.result()
        finally:
            await end(writer)

    async def _write(self, connection: AbstractConnection) -> None:
        """Ask for what is wanted and not asked for yet."""
        asked: set[str] = set()
        try:
            while True:
                await self._changed.wait()
                self._changed.clear()
                wanted = set(self._channels)
                await self._send(connection, "UNSUBSCRIBE", asked - wanted)
                await self._send(connection, "SUBSCRIBE", wanted - asked)
                asked = wanted
        except FAULTS:
            await connection.disconnect(nowait=True)

    async def _send(self, connection: AbstractConnection, command: str, channels: set[str]) -> None:
        rest = sorted(channels)
        while rest:
            some, rest = rest[: self._batch], rest[self._batch :]
            await connection.send_command(self._prefix + command, *some, check_health=False)

    def _take(self, reply: Any) -> None:  # noqa: ANN401 - whatever the server sends
        kind, channel, payload = reply[0].decode(), reply[1].decode(), reply[2]
        if kind == self._kinds[0]:
            self._on_message(channel, payload)
        elif kind == self._kinds[1] and channel in self._channels:
            self._channels[channel] = True
            self._on_subscribed(channel)
