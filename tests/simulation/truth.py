# SPDX-License-Identifier: Apache-2.0
"""What Redis has really held: every life of every room, entry by entry, as it was written."""

from __future__ import annotations

from typing import Final

import msgspec

from server.cluster.codec import unpack_entry, unpack_state
from server.cluster.keys import Keys
from server.ids import RoomId
from server.ports import Entry, Epoch, Seq
from server.rooms.state import RoomState
from server.runner.core import ROOM_RULES
from server.webhooks.news import News, news_of
from tests.faults.checker.history import Life
from tests.simulation.store import Store

_NEWS: Final = msgspec.json.Decoder(News)


class _Growing:
    """A life that may still go on."""

    def __init__(self, epoch: int, snapshot: RoomState) -> None:
        self.epoch = epoch
        self.snapshot = snapshot
        self.entries: list[Entry] = []
        self._folded = 0
        self._state = snapshot

    def add(self, entry: Entry) -> list[str]:
        """One more entry; returns the ids of the news that belongs to it."""
        if self._folded != len(self.entries):  # some were undone
            self._state = self.snapshot
            for seq, known in enumerate(self.entries, 1):
                self._state = ROOM_RULES.fold(self._state, known, seq)
        self.entries.append(entry)
        self._folded = len(self.entries)
        before, self._state = self._state, ROOM_RULES.fold(self._state, entry, self._folded)
        bodies = news_of(before, self._state, entry, self.epoch, self._folded)
        return [_NEWS.decode(body).id for body in bodies]


class Truth:
    """Watches the writes of the log's scripts."""

    def __init__(self, rooms: tuple[RoomId, ...], prefix: str = "hs") -> None:
        keys = Keys(prefix)
        self._by_room: Final = {keys.key(room, "room").encode(): room for room in rooms}
        self._by_entries: Final = {keys.key(room, "entries").encode(): room for room in rooms}
        self._lives: dict[RoomId, list[_Growing]] = {room: [] for room in rooms}
        self.undone: dict[RoomId, set[tuple[int, str]]] = {room: set() for room in rooms}
        """Epoch and command of entries that Redis had, and has lost."""
        self._news: Final = {keys.of(room).news.encode() for room in rooms}
        self._due: dict[RoomId, list[str]] = {room: [] for room in rooms}
        self._told: dict[RoomId, list[str]] = {room: [] for room in rooms}

    def wrote(self, words: list[bytes]) -> None:
        """A script has executed this."""
        if words[0] == b"XADD":
            room = self._by_entries.get(words[1])
            if room is not None:
                self._due[room] += self._lives[room][-1].add(unpack_entry(words[3], words[4]))
            elif words[1] in self._news:
                told = _NEWS.decode(words[4])
                self._told[told.room].append(told.id)
        elif b"born" in words:
            fields = dict(zip(words[2::2], words[3::2], strict=True))
            room = self._by_room.get(words[1])
            if room is not None:
                life = _Growing(int(fields[b"epoch"]), unpack_state(fields[b"snapshot"]))
                self._lives[room].append(life)

    def untold(self) -> list[str]:
        """Rooms whose news is not that of all entries that were ever written, each once, in their order."""
        return [
            f"{room}: news does not tell what happened" for room in self._due if self._due[room] != self._told[room]
        ]

    def position(self, room: RoomId) -> tuple[int, int]:
        """Where the newest life stands."""
        lives = self._lives[room]
        return (lives[-1].epoch, len(lives[-1].entries)) if lives else (0, 0)

    def cut(self, room: RoomId, kept: int) -> int:
        """The newest life has lost what came after this position; returns how many entries that is."""
        if not self._lives[room]:
            return 0
        life = self._lives[room][-1]
        gone = life.entries[kept:]
        del life.entries[kept:]
        self.undone[room].update((life.epoch, entry.command) for entry in gone)
        return len(gone)

    def held_by(self, store: Store, room: RoomId) -> tuple[int, int]:
        """Where this room stands in a store."""
        key = next(key for key, known in self._by_room.items() if known == room)
        epoch, seq = store.hmget(key, b"epoch", b"seq")
        return (int(epoch or 0), int(seq or 0))

    def lives(self, room: RoomId) -> tuple[Life, ...]:
        """All of them."""
        return tuple(Life(Epoch(life.epoch), Seq(0), life.snapshot, tuple(life.entries)) for life in self._lives[room])
