# SPDX-License-Identifier: Apache-2.0
"""Somebody who appends as a node does, whatever happens to Redis meanwhile."""

from __future__ import annotations

import asyncio
import time

from server.ids import RoomId
from server.ports import Appended, Conflict, Entry, Epoch, EpochChanged, LogUnavailable, RoomLog, Seq
from tests.runner.toys import FIRST

PATIENCE_S = 30.0


class Author:
    """Knows a room up to `seq` of `epoch`; `life` is what has been appended in this epoch."""

    def __init__(self, log: RoomLog, room: RoomId, epoch: Epoch, *life: Entry) -> None:
        self.epoch = epoch
        self.life = list(life)
        self._log = log
        self._room = room

    @property
    def seq(self) -> Seq:
        """Where the room stands."""
        return Seq(len(self.life))

    async def append(self, one: Entry) -> None:
        """Append until it is said to be there; where the log goes on from another history, the room begins anew."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                outcome = await self._log.append(self._room, self.epoch, self.seq, (one,))
                if isinstance(outcome, EpochChanged):
                    await self._begin()
                    continue
            except LogUnavailable:
                assert time.monotonic() < deadline
                await asyncio.sleep(0.1)
            else:
                # What was open is settled by the command's key.
                assert isinstance(outcome, Appended) or outcome == Conflict((one,))
                self.life.append(one)
                return

    async def _begin(self) -> None:
        anew = await self._log.restore(self._room, self.epoch, self.seq, FIRST)
        assert anew is not None
        assert (anew.epoch > self.epoch, anew.entries) == (True, ())
        self.epoch, self.life = anew.epoch, []
