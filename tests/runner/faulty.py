# SPDX-License-Identifier: Apache-2.0
"""A log behind a bad network, and a listener that keeps what it hears."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from enum import Enum, auto
from typing import TypeVar

from server.cluster.memory import MemoryLog, MemoryNews
from server.ids import RoomId
from server.ports import AppendOutcome, Entry, Epoch, Hint, Loaded, LogUnavailable, ReadOutcome, RoomLog, Seq
from server.rooms.state import RoomState
from server.runner import Commit

T = TypeVar("T")


class Fault(Enum):
    """What happens to one call."""

    NOTHING = auto()
    REQUEST_LOST = auto()
    REPLY_LOST = auto()
    LATE = auto()
    """No answer in time, and it is carried out only afterwards."""
    HANGS = auto()
    BROKEN = auto()


class FaultyLog:
    """`RoomLog` over another one. `faults` are met by the next calls; `down`: no call arrives; `delay_s` for each."""

    def __init__(self, log: RoomLog) -> None:
        self.log = log
        self.news_stand = log.news_stand if isinstance(log, MemoryLog) else MemoryNews()
        self.faults: deque[Fault] = deque()
        self.down = False
        self.mute = False
        self.delay_s = 0.0
        self.late: list[Callable[[], Awaitable[object]]] = []
        self.calls: Counter[str] = Counter()
        self.batches: list[int] = []

    async def create(self, room: RoomId, snapshot: RoomState, *, wake_ms: int | None = None) -> Loaded:
        return await self._call("create", lambda: self.log.create(room, snapshot, wake_ms=wake_ms))

    async def load(self, room: RoomId) -> Loaded | None:
        return await self._call("load", lambda: self.log.load(room))

    async def append(
        self,
        room: RoomId,
        epoch: Epoch,
        expected_seq: Seq,
        entries: tuple[Entry, ...],
        snapshot: RoomState | None = None,
        *,
        wake_ms: int | None = None,
        hard: bool = False,
        news: tuple[bytes, ...] = (),
    ) -> AppendOutcome:
        self.batches.append(len(entries))

        def append() -> Awaitable[AppendOutcome]:
            return self.log.append(room, epoch, expected_seq, entries, snapshot, wake_ms=wake_ms, hard=hard, news=news)

        return await self._call("append", append)

    async def restore(
        self, room: RoomId, epoch: Epoch, seq: Seq, state: RoomState, *, wake_ms: int | None = None, at_ms: int = 0
    ) -> Loaded | None:
        return await self._call(
            "restore", lambda: self.log.restore(room, epoch, seq, state, wake_ms=wake_ms, at_ms=at_ms)
        )

    async def due(self, now_ms: int, limit: int, share: tuple[int, int] = (0, 1)) -> list[RoomId]:
        return await self._call("due", lambda: self.log.due(now_ms, limit, share))

    async def rooms(self, limit: int, after: RoomId | None = None) -> list[RoomId]:
        return await self._call("rooms", lambda: self.log.rooms(limit, after))

    async def read(self, room: RoomId, epoch: Epoch, after: Seq) -> ReadOutcome:
        return await self._call("read", lambda: self.log.read(room, epoch, after))

    def subscribe(self, room: RoomId, hint: Hint) -> Callable[[], None]:
        return self.log.subscribe(room, lambda *what: None if self.mute else hint(*what))

    async def forget(self, room: RoomId, epoch: Epoch, *, over: bool = True) -> None:
        await self._call("forget", lambda: self.log.forget(room, epoch, over=over))

    async def ended(self, room: RoomId) -> bool:
        return await self._call("ended", lambda: self.log.ended(room))

    async def _call(self, name: str, run: Callable[[], Awaitable[T]]) -> T:
        self.calls[name] += 1
        if self.delay_s:
            await asyncio.sleep(self.delay_s)
        fault = Fault.REQUEST_LOST if self.down else self.faults.popleft() if self.faults else Fault.NOTHING
        if fault is Fault.LATE:
            self.late.append(run)
        elif fault is Fault.HANGS:
            await asyncio.Event().wait()
        elif fault is Fault.BROKEN:
            raise ValueError("not what a log raises")
        elif fault is not Fault.REQUEST_LOST:
            outcome = await run()
            if fault is Fault.NOTHING:
                return outcome
        raise LogUnavailable


class Recorder:
    """A listener."""

    def __init__(self) -> None:
        self.commits: list[Commit] = []
        self.resets: list[tuple[RoomState, Epoch, Seq]] = []
        self.error: Exception | None = None

    def committed(self, commit: Commit) -> None:
        assert not self.commits or commit.first == self.commits[-1].last + 1
        assert not self.commits or commit.before is self.commits[-1].after
        self.commits.append(commit)

    def reset(self, state: RoomState, epoch: Epoch, seq: Seq) -> None:
        self.resets.append((state, epoch, seq))

    def closed(self, error: Exception) -> None:
        self.error = error
