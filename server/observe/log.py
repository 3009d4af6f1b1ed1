# SPDX-License-Identifier: Apache-2.0
"""A log that counts what it is asked; what it is asked goes to the real one unchanged."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from msgspec.structs import replace

from server.ids import RoomId
from server.observe.metrics import Metrics, kind_of
from server.observing import Tracer
from server.ports import (
    Appended,
    AppendOutcome,
    Entry,
    Epoch,
    Hint,
    Loaded,
    ReadOutcome,
    RoomLog,
    Seq,
)
from server.rooms.state import RoomState

T = TypeVar("T")

UNKNOWN: Final = "unknown"
"""The log did not answer: open whether it was stored."""


class MeteredLog:
    """`RoomLog` over another one."""

    def __init__(self, log: RoomLog, metrics: Metrics, tracer: Tracer | None = None) -> None:
        self._tracer = tracer
        self._log = log
        self._metrics = metrics

    async def create(self, room: RoomId, snapshot: RoomState, *, wake_ms: int | None = None) -> Loaded:
        return await self._timed("create", self._log.create(room, snapshot, wake_ms=wake_ms))

    async def load(self, room: RoomId) -> Loaded | None:
        return await self._timed("load", self._log.load(room))

    async def append(  # noqa: PLR0913 - as the port has it
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
        span = None
        if self._tracer is not None:
            keys = [entry.command for entry in entries]
            span, traces = self._tracer.append(keys), self._tracer.carried(keys)
            entries = tuple(_traced(entry, traces) for entry in entries) if traces else entries
        what, begun = UNKNOWN, time.perf_counter()
        try:
            outcome = await self._log.append(
                room, epoch, expected_seq, entries, snapshot, wake_ms=wake_ms, hard=hard, news=news
            )
            what = kind_of(type(outcome))
        finally:
            self._metrics.called("append", time.perf_counter() - begun)
            self._metrics.appended(what)
            if span is not None:
                span.end(what)
        if isinstance(outcome, Appended):
            self._metrics.stored(len(entries), (event for entry in entries for event in entry.events))
        return outcome

    async def restore(
        self, room: RoomId, epoch: Epoch, seq: Seq, state: RoomState, *, wake_ms: int | None = None, at_ms: int = 0
    ) -> Loaded | None:
        return await self._timed("restore", self._log.restore(room, epoch, seq, state, wake_ms=wake_ms, at_ms=at_ms))

    async def due(self, now_ms: int, limit: int, share: tuple[int, int] = (0, 1)) -> list[RoomId]:
        return await self._timed("due", self._log.due(now_ms, limit, share))

    async def rooms(self, limit: int, after: RoomId | None = None) -> list[RoomId]:
        return await self._timed("rooms", self._log.rooms(limit, after))

    async def read(self, room: RoomId, epoch: Epoch, after: Seq) -> ReadOutcome:
        return await self._timed("read", self._log.read(room, epoch, after))

    def subscribe(self, room: RoomId, hint: Hint) -> Callable[[], None]:
        return self._log.subscribe(room, hint)

    async def forget(self, room: RoomId, epoch: Epoch, *, over: bool = True) -> None:
        await self._timed("forget", self._log.forget(room, epoch, over=over))

    async def ended(self, room: RoomId) -> bool:
        return await self._timed("ended", self._log.ended(room))

    async def _timed(self, call: str, answer: Awaitable[T]) -> T:
        begun = time.perf_counter()
        try:
            return await answer
        finally:
            self._metrics.called(call, time.perf_counter() - begun)


def _traced(entry: Entry, traces: dict[str, str]) -> Entry:
    trace = traces.get(entry.command)
    return entry if trace is None else replace(entry, trace=trace)
