# SPDX-License-Identifier: Apache-2.0
"""An event loop of its own: no sockets, no threads, no real time. Time passes only when nobody has anything to do.

Whatever runs belongs to a process (a node, Redis) or to nobody; processes can be stopped for a while and killed.
"""

from __future__ import annotations

import asyncio
import heapq
from asyncio import events
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextvars import Context, ContextVar, copy_context
from enum import Enum, auto
from typing import Any, Final, TypeVar, TypeVarTuple, cast

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class Restless(Exception):
    """So much happens that it will never come to an end."""


class Life(Enum):
    """What a process does."""

    RUNNING = auto()
    PAUSED = auto()
    """Stopped (SIGSTOP, a long collection of garbage): everything waits, nothing is lost."""
    DEAD = auto()


class Process:
    """Something that can be paused and killed as a whole. Whatever its code starts belongs to it, too."""

    def __init__(self, name: str, loop: SimLoop) -> None:
        self.name: Final = name
        self.life = Life.RUNNING
        self.slept = False
        """Whether it was ever paused."""
        self.context: Final = copy_context()
        self.context.run(PROCESS.set, self)
        self.kept: list[Handle] = []
        """What would have run while it could not."""
        self._loop = loop

    def pause(self) -> None:
        """Let nothing of it run."""
        if self.life is Life.RUNNING:
            self.life = Life.PAUSED
            self.slept = True

    def resume(self) -> None:
        """Let it run again, beginning with what is overdue."""
        if self.life is Life.PAUSED:
            self.life = Life.RUNNING
            self._loop.ready.extend(self.kept)
            self.kept.clear()

    def kill(self) -> None:
        """Let nothing of it ever run again, not even a `finally`."""
        self.life = Life.DEAD

    def bury(self) -> None:
        """At the very end: let its coroutines end, now that nothing they do matters."""
        self.life = Life.PAUSED
        self.resume()

    def run(self, function: Callable[..., object], *args: object) -> None:
        """Let it do something as soon as it can."""
        self._loop.call_soon(function, *args, context=self.context)


PROCESS: Final[ContextVar[Process | None]] = ContextVar("process", default=None)


class Handle(asyncio.TimerHandle):
    """A callback and whose it is."""

    __slots__ = ("process",)

    def __init__(self, when: float, callback: Callable[[*Ts], object], args: tuple[*Ts], context: Context) -> None:
        # Not the base class's: it asks the loop several questions for each callback.
        self._when, self._callback, self._args = when, callback, args
        self._context = context
        self._cancelled = False
        self.process = context.get(PROCESS)

    def cancel(self) -> None:
        self._cancelled = True
        self._args = ()

    def cancelled(self) -> bool:
        return self._cancelled

    def when(self) -> float:
        return self._when

    def call(self) -> None:
        """Run it."""
        self._context.run(self._callback, *self._args)


class SimLoop(asyncio.BaseEventLoop):
    """What asyncio's tasks, futures and time-outs need of a loop."""

    def __init__(self) -> None:
        super().__init__()
        self.ready: deque[Handle] = deque()
        self.faults: list[dict[str, Any]] = []
        """What was reported as a fault."""
        self.tasks: list[asyncio.Task[Any]] = []
        self._timers: list[tuple[float, int, Handle]] = []
        self._number = 0
        self._now = 0.0
        self._left = MANY_CALLS

    def time(self) -> float:
        return self._now

    def run_until_complete(self, future: Generator[Any, None, T] | Awaitable[T]) -> T:
        events._set_running_loop(self)  # noqa: SLF001 - documented for those who implement loops
        try:
            task: asyncio.Future[T] = asyncio.ensure_future(cast("Awaitable[T]", future), loop=self)
            while not task.done():
                self.step()
            return task.result()
        finally:
            events._set_running_loop(None)  # noqa: SLF001

    def end(self) -> None:
        """Cancel every task until none is left."""
        self._left = MANY_CALLS
        events._set_running_loop(self)  # noqa: SLF001
        try:
            while left := [task for task in self.tasks if not task.done()]:
                for task in left:
                    task.cancel()
                self.step()
        finally:
            events._set_running_loop(None)  # noqa: SLF001
            self.close()

    def step(self) -> None:
        """Run what is ready; if nothing is, let time pass to what comes next."""
        timers, ready = self._timers, self.ready
        if not ready:
            if not timers:
                raise RuntimeError("nothing will ever happen")
            self._now = max(self._now, timers[0][0])
        while timers and timers[0][0] <= self._now:
            ready.append(heapq.heappop(timers)[2])
        self._left -= len(ready)
        if self._left < 0:
            raise Restless
        for _ in range(len(ready)):
            handle = ready.popleft()
            if not handle._cancelled:  # noqa: SLF001 - ours
                self._run(handle)

    def _run(self, handle: Handle) -> None:
        process = handle.process
        if process is not None and process.life is not Life.RUNNING:
            process.kept.append(handle)
            return
        try:
            handle.call()
        except Exception as error:  # noqa: BLE001 - as every loop does
            self.call_exception_handler({"message": "fault in a callback", "exception": error})

    def call_soon(self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None) -> Handle:
        handle = Handle(self._now, callback, args, copy_context() if context is None else context)
        self.ready.append(handle)
        return handle

    def call_later(
        self, delay: float, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> Handle:
        return self.call_at(self._now + delay, callback, *args, context=context)

    def call_at(
        self, when: float, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> Handle:
        when = max(when, self._now + TICK_S)
        handle = Handle(when, callback, args, copy_context() if context is None else context)
        self._number += 1
        heapq.heappush(self._timers, (when, self._number, handle))
        return handle

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(
        self,
        coro: Generator[Any, None, T] | Coroutine[Any, Any, T],
        *,
        name: object = None,
        context: Context | None = None,
    ) -> asyncio.Task[T]:
        # A name of our own: asyncio counts tasks over all loops of a process.
        task = asyncio.Task[T](coro, loop=self, name=str(name or "task"), context=context)
        self.tasks.append(task)
        if len(self.tasks) > MANY_TASKS and len(self.tasks) > 2 * self._kept_tasks:
            self.tasks = [known for known in self.tasks if not known.done()]
            self._kept_tasks = len(self.tasks)
        return task

    _kept_tasks = 0

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        self.faults.append(context)

    def get_debug(self) -> bool:
        return False

    def close(self) -> None:
        self._closed = True


TICK_S: Final = 1e-6
"""Whoever waits at all waits so long: time goes on for somebody who looks again and again."""
MANY_TASKS: Final = 500
MANY_CALLS: Final = 200_000
"""Ten times what a run needs."""
