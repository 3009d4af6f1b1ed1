# SPDX-License-Identifier: Apache-2.0
"""The log of several nodes: `RoomLog` on Redis or Valkey. Each call is one script, executed once or not at all."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Iterable
from typing import Final, TypeVar

from redis.asyncio import Redis
from redis.exceptions import NoScriptError

from server.cluster.availability import Availability
from server.cluster.calls import FAULTS, Executes, Reply, Word
from server.cluster.codec import FIELD, UnknownFormat, hint_head, pack_entry, pack_hint, pack_state
from server.cluster.connect import Client, sharded
from server.cluster.hints import Hints
from server.cluster.keys import PARTITIONS, Keys
from server.cluster.news_stand import KEPT_NEWS, NEWS_MS, RedisNews
from server.cluster.pipe import Bounded, Pipe
from server.cluster.positions import Position
from server.cluster.primaries import PrimaryPipes
from server.cluster.replicas import Replicas
from server.cluster.replies import (
    UnknownReply,
    append_of,
    history_of,
    loaded_of,
    lost_news_of,
    number,
    over_of,
    read_of,
    rooms_of,
)
from server.cluster.scripts import APPEND, CREATE, DUE, FORGET, LOAD, POSITIONS, READ, RESTORE, ROOMS, Script
from server.cluster.shards import shards_of
from server.ids import RoomId
from server.ports import (
    Appended,
    AppendOutcome,
    Entry,
    Epoch,
    Hint,
    Loaded,
    LogUnavailable,
    ReadOutcome,
    Seq,
)
from server.rooms.state import RoomState

KEPT_MS: Final = 24 * 3_600_000
"""How long a room is kept after its last append; at most so long overdue is what `due` tells."""
COMMANDS_MS: Final = 5 * 60_000
ENDED_MS: Final = 3_600_000
"""How long it is said of a room that its session is over."""
TOMBSTONE_MS: Final = KEPT_MS + ENDED_MS
"""For so long nobody who has not heard of the end can bring the room back; with older news nobody can at all."""
KEPT_ENTRIES: Final = 512
KEPT_COMMANDS: Final = 2048
ROOMS_AT_ONCE: Final = 128
"""Calls of a Cluster for a list of rooms, each for one partition."""
MAX_KEYS: Final = 512
"""Keys in one command."""

T = TypeVar("T")


class RedisLog:
    """`RoomLog` that all nodes with the same Redis and `prefix` share. Hints come once `start` was awaited."""

    def __init__(self, client: Client, prefix: str = "hs") -> None:
        self._client = client
        self._keys = Keys(prefix)
        self._origin = secrets.token_bytes(6)
        self._shards = shards_of(client)
        self._publish = "SPUBLISH"
        self._look_again = pack_hint(self._origin, Epoch(0), Seq(1))
        self._caller: Executes = client if isinstance(client, PrimaryPipes) else Bounded(client)
        self._pipe: Pipe | None = None
        self._replicas = Replicas(client)
        self._histories: dict[str | None, bytes] = {}
        """Of writes, that of each server when it was asked for a room last."""
        self.news_stand: Final = RedisNews(self._keys, self._evaluate, self._together)
        self._hints = Hints(client, self._shards, self._keys, self._origin, self.positions)
        self._availability = Availability(client, self._shards, f"{prefix}:%s:probe:{self._origin.hex()}")

    # -- life ----------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Begin to listen for hints, and to watch whether Redis answers. Raises LogUnavailable."""
        try:
            known = await sharded(self._client)
        except FAULTS as error:
            raise LogUnavailable from error
        self._publish = "SPUBLISH" if known else "PUBLISH"
        if isinstance(self._client, Redis):
            self._caller = self._pipe = Pipe(lambda: self._shards.connection(""))
        self._hints.start(sharded=known)
        self._availability.start()

    async def close(self) -> None:
        """End that; the client stays open."""
        if self._pipe is not None:
            await self._pipe.close()
        await self._availability.close()
        await self._hints.close()

    @property
    def away(self) -> bool:
        """Whether Redis does not answer, or takes nothing; of a Cluster: none of its primaries."""
        return self._availability.away

    def away_for(self, room: RoomId) -> bool:
        """Whether the server that keeps this room is away."""
        owner = self._owner(room)
        return owner is None or owner in self._availability.gone

    def on_away(self, callback: Callable[[bool], None]) -> None:
        """Call with True within 2 s after Redis, or a part of it, is away, with False when all is back."""
        self._availability.on_change(callback)

    @property
    def missed(self) -> tuple[int, int]:
        """How many hints did not come and were made up for; how many connections delivered nothing."""
        return self._hints.gaps, self._hints.deaf

    async def ready(self) -> None:
        """Return when hints of all rooms that were subscribed to can come."""
        await self._hints.ready()

    # -- RoomLog -------------------------------------------------------------------------------------------------------

    async def create(self, room: RoomId, snapshot: RoomState, *, wake_ms: int | None = None) -> Loaded:
        owner = self._owner(room)
        if owner is not None and not await self._availability.keeps(owner):
            raise LogUnavailable
        known = self._histories.get(owner, b"")
        reply = await self._run(CREATE, room, room, pack_state(snapshot), _or_none(wake_ms), KEPT_MS, known)
        loaded = self._told(room, reply)
        if loaded is None:
            raise LogUnavailable
        return loaded

    async def load(self, room: RoomId) -> Loaded | None:
        return self._told(room, await self._run(LOAD, room, TOMBSTONE_MS - ENDED_MS))

    async def restore(
        self, room: RoomId, epoch: Epoch, seq: Seq, state: RoomState, *, wake_ms: int | None = None, at_ms: int = 0
    ) -> Loaded | None:
        what = (room, epoch, seq, pack_state(state), _or_none(wake_ms), KEPT_MS)
        reply = await self._run(RESTORE, room, *what, self._publish, self._look_again, at_ms, TOMBSTONE_MS)
        return self._told(room, reply)

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
        first = Seq(expected_seq + 1)
        state = b"" if snapshot is None else pack_state(snapshot)
        words: list[Word] = [room, epoch, expected_seq, state, _or_none(wake_ms), KEPT_MS, COMMANDS_MS, self._publish]
        words += [hint_head(self._origin, epoch, first, len(entries)), FIELD, KEPT_ENTRIES, KEPT_COMMANDS]
        words += [KEPT_NEWS, NEWS_MS, len(news), *news]
        for entry in entries:
            words += [entry.command, entry.at_ms, pack_entry(entry)]
        reply = await self._run(APPEND, room, *words)
        outcome = _decoded(append_of, reply)
        if isinstance(outcome, Appended) and news:
            self.news_stand.put(room, _decoded(lost_news_of, reply))
        if isinstance(outcome, Appended) and entries:
            self._hints.positions.tell(room, epoch, expected_seq + len(entries))
            self._hints.tell(room, epoch, first, entries)
            if hard and not await self._replicas.have(self._keys.key(room, "room"), KEPT_MS):
                return Appended(safe=False)
        return outcome

    async def read(self, room: RoomId, epoch: Epoch, after: Seq) -> ReadOutcome:
        outcome = _decoded(read_of, await self._run(READ, room, epoch, after))
        if isinstance(outcome, tuple):
            self._hints.positions.tell(room, epoch, after + len(outcome))
        return outcome

    def subscribe(self, room: RoomId, hint: Hint) -> Callable[[], None]:
        return self._hints.subscribe(room, hint)

    async def forget(self, room: RoomId, epoch: Epoch, *, over: bool = True) -> None:
        await self._run(FORGET, room, room, epoch, TOMBSTONE_MS if over else 0, self._publish, self._look_again)
        self._hints.tell(room, Epoch(0), Seq(1), ())

    async def ended(self, room: RoomId) -> bool:
        reply = await self._run(LOAD, room, TOMBSTONE_MS - ENDED_MS)
        self._follow(room, _decoded(history_of, reply))
        return _decoded(over_of, reply)

    async def due(self, now_ms: int, limit: int, share: tuple[int, int] = (0, 1)) -> list[RoomId]:
        part, parts = share
        keys = [self._keys.due(partition) for partition in range(part, PARTITIONS, parts)]
        asked = [self._evaluate(DUE, some, now_ms, limit, now_ms - KEPT_MS) for some in self._together(keys)]
        rooms = [room for reply in await _what_comes(asked) for room in _decoded(rooms_of, reply)]
        return rooms[:limit]

    async def rooms(self, limit: int, after: RoomId | None = None) -> list[RoomId]:
        first = 0 if after is None else self._keys.partition(after)
        found = [] if after is None else [room for room in await self._rooms_in(limit, [first]) if room > after]
        if len(found) < limit:
            rest = range(first if after is None else first + 1, PARTITIONS)
            found += await self._rooms_in(limit - len(found), rest)
        return found[:limit]

    async def _rooms_in(self, limit: int, partitions: Iterable[int]) -> list[RoomId]:
        """Rooms of these partitions, in their order, and sorted within each; `limit` of them, or some more."""
        groups = list(self._together(map(self._keys.rooms, partitions)))
        found: list[RoomId] = []
        while groups and len(found) < limit:
            some, groups = groups[:ROOMS_AT_ONCE], groups[ROOMS_AT_ONCE:]
            asked = (self._evaluate(ROOMS, keys, limit, KEPT_MS) for keys in some)
            found += [room for reply in await asyncio.gather(*asked) for room in _decoded(rooms_of, reply)]
        return sorted(found, key=lambda room: (self._keys.partition(room), room))

    async def positions(self, rooms: Iterable[RoomId]) -> dict[RoomId, Position]:
        """Where the logs of these rooms stand; epoch 0: there is none. Raises LogUnavailable if that of one is away."""
        by_key = {self._keys.key(room, "room"): room for room in sorted(rooms)}
        groups = list(self._together(by_key))
        found: dict[RoomId, Position] = {}
        for keys, numbers in zip(groups, await asyncio.gather(*map(self._positions, groups)), strict=True):
            for key, epoch, seq in zip(keys, numbers[::2], numbers[1::2], strict=True):
                found[by_key[key]] = Position(Epoch(number(epoch)), Seq(number(seq)))
        return found

    # -- calling -------------------------------------------------------------------------------------------------------

    def _owner(self, room: RoomId) -> str | None:
        return self._shards.owner(self._keys.key(room, "room"))

    def _follow(self, room: RoomId, history: bytes) -> None:
        """Another history than before: the server was gone between two probes, and may have lost what it had."""
        owner = self._owner(room)
        before, self._histories[owner] = self._histories.get(owner, history), history
        if before != history:
            self._availability.tell()

    def _told(self, room: RoomId, reply: Reply) -> Loaded | None:
        self._follow(room, _decoded(history_of, reply))
        loaded = _decoded(loaded_of, reply)
        if loaded is not None:
            self._hints.positions.tell(room, loaded.epoch, loaded.snapshot_seq + len(loaded.entries), anew=True)
        return loaded

    async def _positions(self, keys: list[str]) -> list[Reply]:
        numbers = await self._evaluate(POSITIONS, keys)
        if not isinstance(numbers, list):
            raise LogUnavailable
        return numbers

    def _together(self, keys: Iterable[str]) -> Iterable[list[str]]:
        """The keys in lists that one command may have."""
        groups: dict[str, list[str]] = {}
        for key in keys:
            groups.setdefault(key.split("}")[0] if self._shards.spread else "", []).append(key)
        for group in groups.values():
            for start in range(0, len(group), MAX_KEYS):
                yield group[start : start + MAX_KEYS]

    async def _run(self, script: Script, room: RoomId, *arguments: Word) -> Reply:
        return await self._evaluate(script, self._keys.of(room).all(), *arguments)

    async def _evaluate(self, script: Script, keys: Iterable[str], *arguments: Word) -> Reply:
        names = tuple(keys)
        words = (len(names), *names, *arguments)
        try:
            try:
                return await self._caller.execute_command("EVALSHA", script.sha, *words)
            except NoScriptError:
                return await self._caller.execute_command("EVAL", script.source, *words)
        except FAULTS as error:
            self._availability.refused(error)
            raise LogUnavailable from error


async def _what_comes(calls: Iterable[Awaitable[Reply]]) -> list[Reply]:
    """The replies of those servers that are there. Raises LogUnavailable if none is."""
    replies = await asyncio.gather(*calls, return_exceptions=True)
    well = [reply for reply in replies if not isinstance(reply, BaseException)]
    for reply in replies:
        if isinstance(reply, BaseException) and (not well or not isinstance(reply, LogUnavailable)):
            raise reply
    return well


def _or_none(when: int | None) -> int | str:
    return "" if when is None else when


def _decoded(decode: Callable[[Reply], T], reply: Reply) -> T:
    try:
        return decode(reply)
    except (UnknownFormat, UnknownReply) as error:
        raise LogUnavailable from error
