# SPDX-License-Identifier: Apache-2.0
"""How calls reach Redis: all of one loop turn in one write, on one connection, answered in their order.

redis-py sends one command, waits for its answer, and does both under timers of its own: 0.2 ms of CPU for each.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable
from typing import Final

from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ConnectionError as Disconnected
from redis.exceptions import ResponseError

from server.cluster.calls import CALL_S, FAULTS, Executes, Reply, Word
from server.cluster.ending import begin, end

MAX_CALLS: Final = 128
"""How many calls `Bounded` has on their way at once; more wait, within their deadline."""


class Bounded:
    """Calls through redis-py's own client, which knows where each key of a Cluster is."""

    def __init__(self, client: Executes) -> None:
        self._client = client
        self._calls = asyncio.Semaphore(MAX_CALLS)

    async def execute_command(self, *args: Word) -> Reply:
        """Send a command once. Raises one of FAULTS, TimeoutError after `CALL_S`."""
        async with asyncio.timeout(CALL_S), self._calls:
            return await self._client.execute_command(*args)


class Pipe:
    """Calls to one server. A connection that fails, or leaves a call unanswered, fails all calls on it.

    The next call opens another one. Nothing is ever sent twice.
    """

    def __init__(self, open_connection: Callable[[], AbstractConnection]) -> None:
        self._open = open_connection
        self._line: _Line | None = None
        self._before_s: float | None = None
        """When the line before this one failed."""

    async def execute_command(self, *args: Word) -> Reply:
        """Send a command once. Raises one of FAULTS, TimeoutError after `CALL_S`."""
        if self._line is None or self._line.over_s is not None:
            self._before_s = None if self._line is None else self._line.over_s
            self._line = _Line(self._open())
        return await self._line.call(args)

    @property
    def failed_s(self) -> float | None:
        """When a connection has failed (the loop's clock), if nothing was answered since."""
        if self._line is None:
            return None
        if self._line.over_s is not None:
            return self._line.over_s
        return None if self._line.heard else self._before_s

    async def close(self) -> None:
        """Let what is on its way fail."""
        if self._line is not None:
            await self._line.close()


class _Line:
    """One connection from its first call to its end."""

    def __init__(self, connection: AbstractConnection) -> None:
        # The deadline of each call is ours: redis-py would run a task and two timers for every write.
        connection.socket_timeout = None
        self.over_s: float | None = None
        """When it failed."""
        self.heard = False
        self._connection = connection
        self._loop = asyncio.get_running_loop()
        self._unanswered: deque[tuple[asyncio.Future[Reply], float]] = deque()
        self._unsent: list[bytes] = []
        self._some = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._task = begin(self._run())

    def call(self, args: tuple[Word, ...]) -> asyncio.Future[Reply]:
        """Send this with all else that is called in this turn of the loop."""
        answer: asyncio.Future[Reply] = self._loop.create_future()
        deadline = self._loop.time() + CALL_S
        self._unsent += self._connection.pack_command(*args)
        self._unanswered.append((answer, deadline))
        self._some.set()
        if self._timer is None:
            self._timer = self._loop.call_at(deadline, self._look)
        return answer

    async def close(self) -> None:
        """The end."""
        await end(self._task)

    async def _run(self) -> None:
        reason: Exception = Disconnected("closed")
        try:
            await self._connection.connect()  # type: ignore[no-untyped-call]
            writer = begin(self._write())
            try:
                await self._read()
            finally:
                await end(writer)
        except FAULTS as error:
            reason = error
        finally:
            self._fail(reason)
            await self._connection.disconnect(nowait=True)

    async def _read(self) -> None:
        while True:
            try:
                reply: Reply = await self._connection.read_response(timeout=math.inf)
            except ResponseError as error:
                self._settle(error)
            else:
                self._settle(reply)

    async def _write(self) -> None:
        try:
            while True:
                await self._some.wait()
                self._some.clear()
                unsent, self._unsent = self._unsent, []
                await self._connection.send_packed_command(b"".join(unsent), check_health=False)
        except FAULTS as error:
            self._fail(Disconnected("closed") if isinstance(error, RuntimeError) else error)
            self._task.cancel()

    def _settle(self, reply: Reply | ResponseError) -> None:
        self.heard = True
        answer, _ = self._unanswered.popleft()
        if answer.done():  # whoever called has gone
            return
        if isinstance(reply, ResponseError):
            answer.set_exception(reply)
        else:
            answer.set_result(reply)

    def _look(self) -> None:
        """Whether the call that waits longest has waited too long."""
        self._timer = None
        if not self._unanswered:
            return
        _, deadline = self._unanswered[0]
        if deadline <= self._loop.time():
            self._fail(TimeoutError())
            self._task.cancel()
        else:
            self._timer = self._loop.call_at(deadline, self._look)

    def _fail(self, reason: Exception) -> None:
        if self.over_s is None:
            self.over_s = self._loop.time()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        unanswered, self._unanswered = self._unanswered, deque()
        for answer, _ in unanswered:
            if not answer.done():
                answer.set_exception(reason)
