# SPDX-License-Identifier: Apache-2.0
"""The rooms that this node has loaded."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from server.errors import DisconnectCode, JoinRefused
from server.ids import RoomId
from server.ports import Epoch, Loaded, LogUnavailable, Seq
from server.rooms.phases import SessionStatus
from server.rooms.state import RoomState
from server.runner.listeners import Commit
from server.runner.runner import RoomRunner
from server.runner.settings import Environment, RunnerSettings

_MS: Final = 0.001
T = TypeVar("T")


def kept_ms(state: RoomState, settings: RunnerSettings) -> int | None:
    """How long a room in this state is kept if nothing happens; None: without end."""
    if state.status is SessionStatus.ENDED:
        return settings.ended_ms
    return None if state.participants else settings.empty_ms


class Rooms:
    """Opens rooms once, finds them, and forgets those whose session is over or that nobody came to."""

    def __init__(self, environment: Environment) -> None:
        self._env = environment
        self._runners: dict[RoomId, RoomRunner] = {}
        self._opening: dict[RoomId, asyncio.Task[RoomRunner | None]] = {}
        self._forgetting: set[asyncio.Task[None]] = set()
        self._closed = False
        self._doubt_until_ms = 0

    @property
    def settings(self) -> RunnerSettings:
        """Bounds that hold for all of them."""
        return self._env.settings

    def get(self, room: RoomId) -> RoomRunner | None:
        """The runner, if this node has loaded the room and its session is not forgotten."""
        runner = self._runners.get(room)
        return None if runner is None or runner.closed else runner

    async def has_ended(self, room: RoomId) -> bool:
        """Whether a session of this room is over, and no new one has begun. Raises JoinRefused SERVER_BUSY."""
        return await self._asked(self._env.log.ended(room))

    async def open(self, room: RoomId, first: RoomState) -> RoomRunner:
        """The runner of a room, which begins in the state `first` unless it exists already, here or elsewhere.

        Raises JoinRefused SERVER_BUSY if the log does not answer, or may have lost the room; SERVER_RESTARTING after
        `close`.
        """
        if self._env.clock.now_ms() < self._doubt_until_ms:
            if (known := await self.find(room)) is None:
                raise JoinRefused(DisconnectCode.SERVER_BUSY)
            return known
        while True:
            runner = await self._load(room, lambda: self._env.log.create(room, first))
            if runner is not None:  # else somebody was just looking for it, and it was not there
                return runner

    async def find(self, room: RoomId) -> RoomRunner | None:
        """The runner of a room that exists here or elsewhere; None if there is none. Raises as `open`."""
        return await self._load(room, lambda: self._env.log.load(room))

    async def peek(self, room: RoomId) -> RoomState | None:
        """How a room stands, without loading it; None if there is none. Raises as `open`."""
        if (runner := self.get(room)) is not None:
            return runner.state
        loaded = await self._asked(self._env.log.load(room))
        if loaded is None:
            return None
        state = loaded.snapshot
        for seq, entry in enumerate(loaded.entries, loaded.snapshot_seq + 1):
            state = self._env.rules.fold(state, entry, seq)
        return state

    async def listed(self, limit: int, after: RoomId | None) -> list[RoomId]:
        """The first `limit` rooms behind `after`, wherever they are loaded. Raises as `open`."""
        return await self._asked(self._env.log.rooms(limit, after))

    async def _asked(self, answer: Awaitable[T]) -> T:
        try:
            async with asyncio.timeout(self._env.settings.call_ms * _MS):
                return await answer
        except (LogUnavailable, TimeoutError):
            raise JoinRefused(DisconnectCode.SERVER_BUSY) from None

    async def note(self, room: RoomId) -> None:
        """Somebody is about to take a seat here. Raises JoinRefused SERVER_BUSY if that cannot be noted."""
        try:
            await self._env.note(room)
        except LogUnavailable:
            raise JoinRefused(DisconnectCode.SERVER_BUSY) from None

    def all(self) -> tuple[RoomRunner, ...]:
        """Every room that this node has loaded."""
        return tuple(runner for runner in self._runners.values() if not runner.closed)

    def log_changed(self, away: Callable[[RoomId], bool]) -> None:
        """The log, or the part with some rooms, has gone away or is there again: what was missed is read.

        It may be there again with nothing: until other nodes have had time to bring their rooms back, none is begun.
        """
        self._doubt_until_ms = self._env.clock.now_ms() + self._env.settings.reseed_ms
        for runner in self.all():
            if not away(runner.room):
                runner.catch_up()

    def unload(self, runner: RoomRunner) -> None:
        """Forget the room here only; whoever still needs it loads it again."""
        runner.close(JoinRefused(DisconnectCode.SERVER_RESTARTING))

    async def close(self) -> None:
        """End all runners; those who wait are told that the server restarts. The log keeps the rooms."""
        self._closed = True
        for runner in tuple(self._runners.values()):
            runner.close(JoinRefused(DisconnectCode.SERVER_RESTARTING))
        for task in self._forgetting:
            task.cancel()
        await asyncio.gather(*self._opening.values(), *self._forgetting, return_exceptions=True)
        await asyncio.sleep(0)  # the cancelled tasks of runners end

    async def _load(self, room: RoomId, ask: Callable[[], Awaitable[Loaded | None]]) -> RoomRunner | None:
        """The runner, made of what the log answers; for all who ask meanwhile it is asked once."""
        if self._closed:
            raise JoinRefused(DisconnectCode.SERVER_RESTARTING)
        if (runner := self.get(room)) is not None:
            return runner
        task = self._opening.get(room)
        if task is None:
            task = self._opening[room] = asyncio.get_running_loop().create_task(self._begin(room, ask))
        return await asyncio.shield(task)

    async def _begin(self, room: RoomId, ask: Callable[[], Awaitable[Loaded | None]]) -> RoomRunner | None:
        try:
            async with asyncio.timeout(self._env.settings.call_ms * _MS):
                loaded = await ask()
        except (LogUnavailable, TimeoutError):
            raise JoinRefused(DisconnectCode.SERVER_BUSY) from None
        finally:
            # Not by a callback: those who ask again at once would get the same answer for ever.
            self._opening.pop(room, None)
        if self._closed:
            raise JoinRefused(DisconnectCode.SERVER_RESTARTING)
        if loaded is None:
            return None
        runner = self._runners[room] = RoomRunner(room, loaded, self._env)
        keeper = _Keeper(self, runner, self._env.settings)
        runner.subscribe(keeper)
        keeper.look(runner.state)
        return runner

    def forget(self, runner: RoomRunner) -> None:
        """Erase the room here and in the log. That its session is over is remembered."""
        runner.close(JoinRefused(DisconnectCode.SESSION_OVER))
        task = asyncio.get_running_loop().create_task(self._forget(runner))
        self._forgetting.add(task)
        task.add_done_callback(self._forgetting.discard)

    def drop(self, runner: RoomRunner) -> None:
        """This runner has ended."""
        if self._runners.get(runner.room) is runner:
            del self._runners[runner.room]

    async def _forget(self, runner: RoomRunner) -> None:
        over = runner.state.status is SessionStatus.ENDED
        while True:
            try:
                async with asyncio.timeout(self._env.settings.call_ms * _MS):
                    await self._env.log.forget(runner.room, runner.epoch, over=over)
            except (LogUnavailable, TimeoutError):
                await asyncio.sleep(self._env.settings.backoff_ms[-1] * _MS)
            else:
                return


class _Keeper:
    """Listens to one room, to forget it in time."""

    def __init__(self, rooms: Rooms, runner: RoomRunner, settings: RunnerSettings) -> None:
        self._rooms = rooms
        self._runner = runner
        self._settings = settings
        self._kept_ms: int | None = None
        self._timer: asyncio.TimerHandle | None = None

    def committed(self, commit: Commit) -> None:
        self.look(commit.after)

    def reset(self, state: RoomState, epoch: Epoch, seq: Seq) -> None:
        del epoch, seq
        self.look(state)

    def closed(self, error: Exception) -> None:
        del error
        self._wait(None)
        self._rooms.drop(self._runner)

    def look(self, state: RoomState) -> None:
        kept = kept_ms(state, self._settings)
        if kept != self._kept_ms:
            self._wait(kept)

    def _wait(self, kept: int | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._kept_ms, self._timer = kept, None
        if kept is not None:
            self._timer = asyncio.get_running_loop().call_later(kept * _MS, self._rooms.forget, self._runner)
