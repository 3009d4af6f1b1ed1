# SPDX-License-Identifier: Apache-2.0
"""Hints on the nodes: who asked for hints of which room, and what makes up for hints that do not come.

Pub/sub promises nothing. Three things find what it loses: a look at where the log stands as soon as a channel is
listened to (again), the same look at all followed rooms every `CHECK_S`, and a canary that finds a deaf connection.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import Final

import structlog

from server.cluster.calls import Executes, call
from server.cluster.canary import Canary
from server.cluster.codec import UnknownFormat, hint_origin, unpack_hint
from server.cluster.ending import begin, end
from server.cluster.keys import Keys
from server.cluster.positions import Position, Positions
from server.cluster.shards import Shards
from server.cluster.subscriber import BATCH, Subscriber
from server.ids import RoomId
from server.ports import Entry, Epoch, Hint, LogUnavailable, Seq

CHECK_S: Final = 1.5
CANARY_S: Final = 0.5

Look = Callable[[Iterable[RoomId]], Awaitable[dict[RoomId, Position]]]
_log: Final = structlog.get_logger("holdspace.redis")


class _Ear:
    """What listens at one server, its canary, and which rooms are to be looked at there."""

    def __init__(self, channel: str) -> None:
        self.channel: Final = channel
        self.canary: Final = Canary()
        self.unseen: set[RoomId] = set()
        self.wake: Final = asyncio.Event()
        self.tasks: tuple[asyncio.Task[None], ...] = ()
        self.subscriber: Subscriber

    async def close(self) -> None:
        """End."""
        await end(*self.tasks)
        await self.subscriber.close()


class Hints:
    """Subscriptions of this node. `look` tells where logs stand; `origin`: hints that begin so are our own."""

    def __init__(self, client: Executes, shards: Shards, keys: Keys, origin: bytes, look: Look) -> None:
        self._client = client
        self._shards = shards
        self._keys = keys
        self._own = hint_origin(origin)
        self._name = origin.hex()
        self._look = look
        self._hints: dict[RoomId, list[Hint]] = {}
        self._rooms: dict[str, RoomId] = {}
        self._ears: dict[str, _Ear] = {}
        self._task: asyncio.Task[None] | None = None
        self._publish = "PUBLISH"
        self.positions: Final = Positions()
        self.gaps = 0
        """How often a look found what no hint had told."""
        self.deaf = 0
        """How many connections delivered nothing and were replaced."""

    # -- for the log ---------------------------------------------------------------------------------------------------

    def start(self, *, sharded: bool) -> None:
        """Begin to listen."""
        self._publish = "SPUBLISH" if sharded else "PUBLISH"
        self._task = begin(self._listen())

    async def close(self) -> None:
        """End all connections."""
        await end(self._task)
        for ear in self._ears.values():
            await ear.close()

    def subscribe(self, room: RoomId, hint: Hint) -> Callable[[], None]:
        """Tell `hint` of this room; the returned function ends that."""
        hints = self._hints.setdefault(room, [])
        hints.append(hint)
        channel = self._keys.key(room, "hints")
        self._rooms[channel] = room
        self.positions.follow(room)
        ear = self._ears.get(self._shards.owner(channel) or "")
        if ear is not None:
            ear.subscriber.add(channel)

        def unsubscribe() -> None:
            if hint in hints:
                hints.remove(hint)
            if not hints and self._hints.get(room) is hints:
                self._leave(room)

        return unsubscribe

    def tell(self, room: RoomId, epoch: Epoch, first: Seq, entries: tuple[Entry, ...]) -> None:
        """Tell all who asked."""
        for hint in tuple(self._hints.get(room, ())):
            hint(epoch, first, entries)

    async def ready(self) -> None:
        """Return when each followed room is listened to."""
        while not self._listening():  # noqa: ASYNC110 - for tests: many things change it
            await asyncio.sleep(0.005)

    # -- listening -----------------------------------------------------------------------------------------------------

    def _listening(self) -> bool:
        heard = {channel for ear in self._ears.values() for channel in ear.subscriber.channels}
        return heard >= set(self._rooms) and all(ear.subscriber.ready for ear in self._ears.values())

    def _leave(self, room: RoomId) -> None:
        channel = self._keys.key(room, "hints")
        del self._hints[room], self._rooms[channel]
        self.positions.leave(room)
        for ear in self._ears.values():
            ear.unseen.discard(room)
            ear.subscriber.remove(channel)

    def _place(self) -> None:
        """Let each channel be heard at the server that has it."""
        wanted: dict[str, set[str]] = {name: set() for name in self._ears}
        for channel in self._rooms:
            owner = self._shards.owner(channel)
            if owner in wanted:
                wanted[owner].add(channel)
        for name, channels in wanted.items():
            ear = self._ears[name]
            for channel in sorted(ear.subscriber.channels - channels - {ear.channel}):
                ear.subscriber.remove(channel)
            for channel in sorted(channels - ear.subscriber.channels):
                ear.subscriber.add(channel)

    def _heard(self, channel: str, payload: bytes) -> None:
        room = self._rooms.get(channel)
        if room is None:
            for ear in self._ears.values():
                if ear.channel == channel:
                    with suppress(ValueError):  # no number: not of ours
                        ear.canary.heard(int(payload))
        elif not payload.startswith(self._own):
            self._hint(room, payload)

    def _hint(self, room: RoomId, payload: bytes) -> None:
        try:
            hinted = unpack_hint(payload)
        except UnknownFormat:
            _log.warning("redis_unknown_hint", problem="a hint that this version cannot read")
            return
        if hinted.entries:
            self.positions.tell(room, hinted.epoch, hinted.first + len(hinted.entries) - 1)
        self.tell(room, hinted.epoch, hinted.first, hinted.entries)

    def _subscribed(self, ear: _Ear, channel: str) -> None:
        room = self._rooms.get(channel)
        if room is not None:
            ear.unseen.add(room)
            ear.wake.set()

    async def _listen(self) -> None:
        """Keep an ear at each server. Each is tried by itself: one that is away keeps nobody waiting."""
        while True:
            tags = self._shards.names()
            for name in self._ears.keys() - tags.keys():
                await self._ears.pop(name).close()
            for name in tags.keys() - self._ears.keys():
                self._ears[name] = self._open(name, tags[name])
            self._place()
            await asyncio.sleep(CANARY_S)

    def _open(self, name: str, tag: str) -> _Ear:
        batch = 1 if self._shards.spread else BATCH
        sharded = self._publish == "SPUBLISH"
        ear = _Ear(f"{self._keys.prefix}:{tag}:canary:{self._name}")
        subscribed = partial(self._subscribed, ear)
        ear.subscriber = Subscriber(
            lambda: self._shards.connection(name), self._heard, subscribed, sharded=sharded, batch=batch
        )
        ear.subscriber.add(ear.channel)
        ear.tasks = begin(self._try_on(ear)), begin(self._check(ear))
        return ear

    async def _try_on(self, ear: _Ear) -> None:
        while True:
            await self._try(ear)
            await asyncio.sleep(CANARY_S)

    async def _try(self, ear: _Ear) -> None:
        if not ear.subscriber.ready:
            ear.canary.restart()
            return
        if ear.canary.silent():
            ear.canary.restart()
            self.deaf += 1
            _log.warning("redis_deaf", problem="a pub/sub connection delivers nothing: a new one is opened")
            await ear.subscriber.renew()
            return
        number = ear.canary.send()
        try:
            await call(self._client, self._publish, ear.channel, number)
        except LogUnavailable:
            ear.canary.unsent(number)

    # -- looking -------------------------------------------------------------------------------------------------------

    async def _check(self, ear: _Ear) -> None:
        """Look where the logs at this server stand: at once after a subscription, and of all now and then."""
        due = time.monotonic() + CHECK_S
        while True:
            try:
                async with asyncio.timeout(max(0, due - time.monotonic())):
                    await ear.wake.wait()
                rooms, ear.unseen = ear.unseen, set()
            except TimeoutError:
                rooms, due = self._followed(ear), time.monotonic() + CHECK_S
            ear.wake.clear()
            try:
                await self.check(rooms)
            except LogUnavailable:
                ear.unseen |= rooms & self._followed(ear)

    def _followed(self, ear: _Ear) -> set[RoomId]:
        return {self._rooms[channel] for channel in ear.subscriber.channels if channel in self._rooms}

    async def check(self, rooms: Iterable[RoomId]) -> None:
        """Tell those who follow a room whose log stands elsewhere than they were told. Raises LogUnavailable."""
        asked = self.positions.snapshot()
        for room, found in (await self._look(rooms)).items():
            if room in asked and self.positions.strays(room, asked[room], found):
                self.gaps += 1
                self.positions.tell(room, found.epoch, found.seq, anew=True)
                self.tell(room, found.epoch, Seq(found.seq + 1), ())
