# SPDX-License-Identifier: Apache-2.0
"""The log itself, read from Redis beside the nodes, entry by entry, through every epoch."""

from __future__ import annotations

import asyncio
from typing import Final

from server.cluster.connect import Client, connect, disconnect
from server.cluster.redis_log import RedisLog
from server.ids import RoomId
from server.ports import Entry, Epoch, EpochChanged, LogUnavailable, Seq, Trimmed
from server.rooms.state import RoomState
from tests.faults.checker.history import Life

EVERY_S: Final = 0.1
BACK_S: Final = 30.0
"""How long a failover may take."""


class _Growing:
    """A life that is still going on."""

    def __init__(self, epoch: Epoch, start: Seq, snapshot: RoomState) -> None:
        self.epoch, self.start, self.snapshot = epoch, start, snapshot
        self.entries: list[Entry] = []

    @property
    def seq(self) -> Seq:
        return Seq(self.start + len(self.entries))

    def frozen(self) -> Life:
        return Life(self.epoch, self.start, self.snapshot, tuple(self.entries))


class Truth:
    """Reads what is new ten times a second, so that nothing is trimmed before it was seen."""

    def __init__(self, url: str, room: RoomId) -> None:
        self._url = url
        self._room = room
        self._client: Client | None = None
        self._log: RedisLog | None = None
        self._lives: list[_Growing] = []
        self._reading: asyncio.Task[None] | None = None
        self._turn = asyncio.Lock()

    async def start(self) -> None:
        """Begin to read."""
        self._client = await connect(self._url)
        self._log = RedisLog(self._client)
        await self._log.start()
        self._reading = asyncio.create_task(self._read())

    async def close(self) -> None:
        """Stop."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
        if self._log is not None:
            await self._log.close()
        if self._client is not None:
            await disconnect(self._client)

    async def lives(self) -> tuple[Life, ...]:
        """Everything until now; once there is a Redis that tells."""
        async with asyncio.timeout(BACK_S):
            while not await self._looked():  # noqa: ASYNC110 - of another process
                await asyncio.sleep(EVERY_S)
        return tuple(life.frozen() for life in self._lives)

    async def _read(self) -> None:
        while True:
            await self._looked()
            await asyncio.sleep(EVERY_S)

    async def _looked(self) -> bool:
        """Whether that could be done."""
        try:
            async with self._turn:
                await self._look()
        except (LogUnavailable, TimeoutError):
            return False
        return True

    async def _look(self) -> None:
        if self._log is None:
            raise RuntimeError("not started")
        if self._lives:
            life = self._lives[-1]
            news = await self._log.read(self._room, life.epoch, life.seq)
            if not isinstance(news, Trimmed | EpochChanged):
                life.entries += news
                return
        loaded = await self._log.load(self._room)
        if loaded is not None and (not self._lives or loaded.epoch > self._lives[-1].epoch):
            life = _Growing(loaded.epoch, loaded.snapshot_seq, loaded.snapshot)
            life.entries += loaded.entries
            self._lives.append(life)
