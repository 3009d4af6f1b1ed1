# SPDX-License-Identifier: Apache-2.0
"""The log of a single node: a dict. The embedded default, and the twin of the Redis log in tests."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import count, islice
from typing import Final
from zlib import crc32

from server.ids import RoomId
from server.ports import (
    Appended,
    AppendOutcome,
    Clock,
    Conflict,
    Duplicates,
    Entry,
    Epoch,
    EpochChanged,
    Hint,
    Loaded,
    LogUnavailable,
    ReadOutcome,
    Seq,
    Trimmed,
)
from server.rooms.state import RoomState
from server.webhooks.ports import Notices, Waiting

KEPT_ENTRIES: Final = 512
"""How many entries before the snapshot are kept for readers that lag."""
KEPT_COMMANDS: Final = 2048
MAX_NEWS: Final = 10_000
"""Older news gives way to newer."""
MAX_ENDED: Final = 10_000
"""Rooms whose end is remembered; of all that is forgotten, that alone stays, and the oldest goes first."""
NO_ROOM: Final = EpochChanged(Epoch(0))


class _Room:
    """The log of one room; `entries` begin after position `trimmed`."""

    __slots__ = ("commands", "entries", "epoch", "snapshot", "snapshot_ms", "snapshot_seq", "trimmed", "wake_ms")

    def __init__(self, epoch: Epoch, snapshot: RoomState, wake_ms: int | None) -> None:
        self.epoch = epoch
        self.wake_ms = wake_ms
        self.snapshot = snapshot
        self.snapshot_seq = Seq(0)
        self.snapshot_ms = 0
        self.trimmed = 0
        self.entries: list[Entry] = []
        self.commands: dict[str, Seq] = {}

    @property
    def seq(self) -> Seq:
        return Seq(self.trimmed + len(self.entries))

    @property
    def at_ms(self) -> int:
        return self.entries[-1].at_ms if self.entries else self.snapshot_ms

    def after(self, seq: int) -> tuple[Entry, ...]:
        return tuple(self.entries[seq - self.trimmed :])

    def loaded(self) -> Loaded:
        return Loaded(self.epoch, self.snapshot_seq, self.snapshot, self.after(self.snapshot_seq), self.snapshot_ms)

    def read(self, epoch: Epoch, after: Seq) -> ReadOutcome:
        if epoch != self.epoch:
            return EpochChanged(self.epoch)
        return self.after(after) if self.trimmed <= after <= self.seq else Trimmed()

    def append(
        self, epoch: Epoch, expected_seq: Seq, entries: tuple[Entry, ...], snapshot: RoomState | None
    ) -> AppendOutcome:
        if epoch != self.epoch:
            return EpochChanged(self.epoch)
        if expected_seq != self.seq:
            return Conflict(() if expected_seq < self.trimmed else self.after(expected_seq))
        seqs = [self.commands.get(entry.command) for entry in entries]
        if seqs.count(None) < len(seqs):
            return Duplicates(tuple(seqs))
        at_ms = self.at_ms
        for entry in entries:
            if entry.at_ms < at_ms:
                raise LogUnavailable
            at_ms = entry.at_ms
        self._store(entries)
        if snapshot is not None:
            self._replace(snapshot)
        return Appended()

    def _store(self, entries: tuple[Entry, ...]) -> None:
        for entry in entries:
            self.entries.append(entry)
            self.commands[entry.command] = self.seq
        excess = len(self.commands) - KEPT_COMMANDS
        if excess > 0:
            for command in tuple(islice(self.commands, excess)):
                del self.commands[command]

    def _replace(self, snapshot: RoomState) -> None:
        self.snapshot = snapshot
        self.snapshot_seq = self.seq
        self.snapshot_ms = self.at_ms
        excess = max(0, len(self.entries) - KEPT_ENTRIES)
        del self.entries[:excess]
        self.trimmed += excess


class MemoryNews:
    """`NewsStand` in this process; all of it is one partition."""

    def __init__(self) -> None:
        self.partitions = 1
        self.lost = 0
        self._waiting: dict[str, Waiting] = {}
        self._numbers = count(1)
        self._tell: Callable[[int], None] | None = None

    def on_news(self, callback: Callable[[int], None]) -> None:
        self._tell = callback

    def put(self, news: tuple[bytes, ...]) -> None:
        """There is something to tell, as a rule nothing."""
        if not news:
            return
        for body in news:
            number = str(next(self._numbers))
            self._waiting[number] = Waiting(0, number, body)
        excess = tuple(islice(self._waiting, max(0, len(self._waiting) - MAX_NEWS)))
        for oldest in excess:
            del self._waiting[oldest]
        self.lost += len(excess)
        if self._tell is not None:
            self._tell(0)

    async def news(self, limit: int, after: Mapping[int, str], partitions: Sequence[int]) -> Notices:
        del partitions  # there is but one
        seen = int(after.get(0, "0"))
        fresh = (waiting for number, waiting in self._waiting.items() if int(number) > seen)
        return Notices(len(self._waiting), tuple(islice(fresh, limit)))

    async def told(self, news: Iterable[Waiting]) -> None:
        for each in news:
            self._waiting.pop(each.id, None)


class MemoryLog:
    """`RoomLog` in this process. A room's log ends with the process. Hints come before the reply of the append."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._rooms: dict[RoomId, _Room] = {}
        self._hints: dict[RoomId, list[Hint]] = {}
        self._over: dict[RoomId, None] = {}
        self._epoch = Epoch(0)
        self.news_stand: Final = MemoryNews()

    async def create(self, room: RoomId, snapshot: RoomState, *, wake_ms: int | None = None) -> Loaded:
        known = self._rooms.get(room)
        return (self._begin(room, snapshot, wake_ms) if known is None else known).loaded()

    async def load(self, room: RoomId) -> Loaded | None:
        known = self._rooms.get(room)
        return None if known is None else known.loaded()

    async def restore(
        self, room: RoomId, epoch: Epoch, seq: Seq, state: RoomState, *, wake_ms: int | None = None, at_ms: int = 0
    ) -> Loaded | None:
        del epoch, seq, state, wake_ms, at_ms  # what is not here was forgotten, not lost: that comes with the process
        return await self.load(room)

    async def append(  # noqa: PLR0913 - the port's
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
        del hard  # there is nothing else that could keep it
        known = self._rooms.get(room)
        if known is None:
            return NO_ROOM
        outcome = known.append(epoch, expected_seq, entries, snapshot)
        if isinstance(outcome, Appended):
            known.wake_ms = wake_ms
            self.news_stand.put(news)
            if entries:
                self._tell(room, epoch, Seq(expected_seq + 1), entries)
        return outcome

    async def due(self, now_ms: int, limit: int, share: tuple[int, int] = (0, 1)) -> list[RoomId]:
        part, parts = share
        waiting = ((known.wake_ms, room) for room, known in self._rooms.items() if known.wake_ms is not None)
        due = sorted((wake_ms, room) for wake_ms, room in waiting if wake_ms <= now_ms)
        return [room for _, room in due if crc32(room.encode()) % parts == part][:limit]

    async def rooms(self, limit: int, after: RoomId | None = None) -> list[RoomId]:
        return sorted(room for room in self._rooms if after is None or room > after)[:limit]

    async def read(self, room: RoomId, epoch: Epoch, after: Seq) -> ReadOutcome:
        known = self._rooms.get(room)
        return NO_ROOM if known is None else known.read(epoch, after)

    def subscribe(self, room: RoomId, hint: Hint) -> Callable[[], None]:
        self._hints.setdefault(room, []).append(hint)

        def unsubscribe() -> None:
            hints = self._hints.get(room, [])
            if hint in hints:
                hints.remove(hint)
            if not hints:
                self._hints.pop(room, None)

        return unsubscribe

    async def forget(self, room: RoomId, epoch: Epoch, *, over: bool = True) -> None:
        known = self._rooms.get(room)
        if known is not None and known.epoch == epoch:
            del self._rooms[room]
            if over:
                self._over[room] = None
                for oldest in tuple(islice(self._over, max(0, len(self._over) - MAX_ENDED))):
                    del self._over[oldest]
            self._tell(room, Epoch(0), Seq(1), ())

    async def ended(self, room: RoomId) -> bool:
        return room in self._over

    def _begin(self, room: RoomId, snapshot: RoomState, wake_ms: int | None) -> _Room:
        self._epoch = Epoch(max(self._epoch + 1, self._clock.now_ms()))
        self._over.pop(room, None)
        self._rooms[room] = begun = _Room(self._epoch, snapshot, wake_ms)
        return begun

    def _tell(self, room: RoomId, epoch: Epoch, first: Seq, entries: tuple[Entry, ...]) -> None:
        for hint in tuple(self._hints.get(room, ())):
            hint(epoch, first, entries)
