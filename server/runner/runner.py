# SPDX-License-Identifier: Apache-2.0
"""One room on this node: the asyncio shell around the commit pipeline.

There is no task while a room is idle. When something waits, one task asks the log until nothing waits any more; all
commands that have come meanwhile go into one append.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from itertools import count
from typing import Final, assert_never

from server.errors import CommandRejected, DisconnectCode, JoinRefused, RejectCode
from server.ids import CommandId, ConnectionId, ParticipantId, RoomId
from server.ports import Entry, Epoch, Loaded, LogUnavailable, Seq
from server.rooms.commands import Command
from server.rooms.state import RoomState
from server.runner.listeners import Listener, Listeners
from server.runner.pipeline import Pipeline
from server.runner.settings import Environment
from server.runner.steps import (
    Acknowledged,
    Append,
    Committed,
    Faulted,
    Load,
    Read,
    Refused,
    Request,
    Reset,
    Submission,
    Unanswered,
    key_of,
)
from server.runner.within import within

_MS: Final = 0.001
Answer = Callable[[Acknowledged | Exception], None]
"""Called once: with the position of a command in the log, or with why it has none. Must not raise."""


class RoomRunner:
    """Takes commands for a room, commits them, and tells listeners what was committed, by whichever node."""

    def __init__(self, room: RoomId, loaded: Loaded, environment: Environment) -> None:
        self.room: Final = room
        self._env = environment
        self._pipeline = Pipeline(environment.rules, loaded, environment.settings.limits)
        self._loop = asyncio.get_running_loop()
        self._listeners = Listeners(self._report)
        self._answers: dict[int, Answer] = {}
        self._tickets = count()
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_ms: int | None = None
        self._closed: Exception | None = None
        self._unsubscribe = environment.log.subscribe(room, self._hinted)
        self._pump()

    @property
    def state(self) -> RoomState:
        """The committed state."""
        return self._pipeline.state

    @property
    def epoch(self) -> Epoch:
        """The life of the log that `seq` belongs to."""
        return self._pipeline.epoch

    @property
    def seq(self) -> Seq:
        """How many entries of this epoch `state` holds."""
        return self._pipeline.seq

    @property
    def idle(self) -> bool:
        """Whether nothing waits for the log."""
        return self._task is None and self._pipeline.backlog == 0

    @property
    def closed(self) -> bool:
        """Whether this runner has ended; the room itself may go on elsewhere."""
        return self._closed is not None

    async def submit(self, command: Command, actor: ParticipantId | None, command_id: CommandId) -> Seq:
        """Commit a command; returns where it is in the log. Raises what `enqueue` raises or gives its future."""
        return await self.enqueue(command, actor, command_id)

    def enqueue(self, command: Command, actor: ParticipantId | None, command_id: CommandId) -> asyncio.Future[Seq]:
        """As `post`, with a future for the answer."""
        future: asyncio.Future[Seq] = self._loop.create_future()
        self.post(command, actor, command_id, partial(_settle, future))
        return future

    def post(
        self,
        command: Command,
        actor: ParticipantId | None,
        command_id: CommandId,
        answer: Answer,
        connection: ConnectionId | None = None,
    ) -> None:
        """Put a command into the mailbox; it is answered after listeners have seen its commit.

        The answer is CommandRejected or JoinRefused as the room decides, CommandRejected BUSY if the log does not
        answer (open whether it takes effect; the same id may be sent again), or the error of `close`.
        Raises CommandRejected BUSY if the mailbox is full, and the error of `close` after that.
        """
        if self._closed is not None:
            raise self._closed
        mailbox = self._env.settings.mailbox * (1 if actor is not None else 2)
        if self._pipeline.backlog >= mailbox:
            raise self._busy()
        ticket = next(self._tickets)
        self._answers[ticket] = answer
        seed, now_ms = self._env.seeds(), self._env.clock.now_ms()
        key = key_of(actor, command_id)
        self._pipeline.submit(Submission(ticket, key, command, actor, seed, now_ms, connection))
        self._pump()

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Tell this listener from now on; the returned function ends that."""
        return self._listeners.add(listener)

    def catch_up(self) -> None:
        """Read the log, as something may have been missed."""
        self._pipeline.catch_up()
        self._pump()

    def give_up(self) -> None:
        """The log is away: answer BUSY to all that waits. What is on its way may still take effect."""
        self._pipeline.expire(self._env.clock.now_ms() + 1)
        self._publish()

    def close(self, error: Exception) -> None:
        """End this runner. What waits for an answer gets this error; what is on its way may still be committed."""
        if self._closed is not None:
            return
        self._closed = error
        self._unsubscribe()
        self._disarm()
        if self._task is not None and self._task is not asyncio.current_task():
            self._task.cancel()
        for ticket in tuple(self._answers):
            self._answer(ticket, error)
        self._listeners.tell_closed(error)

    # -- asking the log ------------------------------------------------------------------------------------------------

    def _pump(self) -> None:
        if self._task is None and self._closed is None:
            self._task = self._loop.create_task(self._drain())

    async def _drain(self) -> None:
        try:
            failures = 0
            while (request := self._next()) is not None:
                failures = 0 if await self._perform(request) else failures + 1
                self._publish()
                if failures:
                    await asyncio.sleep(self._backoff(failures) * _MS)
                elif self._pipeline.at_rest:
                    break
                elif self._pipeline.backlog:
                    await asyncio.sleep(0)  # a log that never waits must not hold up the other rooms
            self._arm()
        except Exception as error:  # noqa: BLE001 - without its task the room must end and say so, rather than hang
            self._break(error)
        finally:
            self._task = None

    def _next(self) -> Request | None:
        if self._closed is not None:
            return None
        self._pipeline.advance(self._env.clock.now_ms(), self._env.seeds())
        request = self._pipeline.request()
        self._publish()
        return request

    async def _perform(self, request: Request) -> bool:
        """Ask the log and tell the pipeline what it said; False: it did not answer."""
        settings = self._env.settings
        try:
            await within(settings.call_ms * _MS, self._ask(request))
        except (LogUnavailable, TimeoutError):
            self._pipeline.failed()
            self._pipeline.expire(self._env.clock.now_ms() - settings.answer_ms)
            return False
        return True

    async def _ask(self, request: Request) -> None:
        log, room, pipeline = self._env.log, self.room, self._pipeline
        match request:
            case Append(epoch, seq, entries, snapshot, wake_ms, hard, news):
                outcome = await log.append(room, epoch, seq, entries, snapshot, wake_ms=wake_ms, hard=hard, news=news)
                pipeline.appended(outcome)
            case Read(epoch, after):
                pipeline.tail(await log.read(room, epoch, after))
            case Load(epoch, seq, state, wake_ms, at_ms):
                pipeline.reloaded(await log.restore(room, epoch, seq, state, wake_ms=wake_ms, at_ms=at_ms))
            case _:
                assert_never(request)

    def _backoff(self, failures: int) -> int:
        first, longest = self._env.settings.backoff_ms
        return min(longest, first << min(failures - 1, 10))

    def _hinted(self, epoch: Epoch, first: Seq, entries: tuple[Entry, ...]) -> None:
        try:
            self._pipeline.hint(epoch, first, entries)
            self._publish()
        except Exception as error:  # noqa: BLE001 - this node cannot follow the log; whoever appended is not to blame
            self._break(error)
        self._pump()

    # -- time-outs -----------------------------------------------------------------------------------------------------

    def _arm(self) -> None:
        """See to it that the room looks at its next time-out when that is due."""
        when = None if self._closed is not None else self._pipeline.wake_ms
        if when != self._timer_ms:
            self._disarm()
            if when is not None:
                delay_ms = max(0, when - self._env.clock.now_ms()) + self._env.defer_ms(self.room)
                self._timer_ms = when
                self._timer = self._loop.call_later(delay_ms * _MS, self._ring)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._timer_ms = None

    def _ring(self) -> None:
        self._timer = self._timer_ms = None
        self._pump()

    # -- telling what happened -----------------------------------------------------------------------------------------

    def _publish(self) -> None:
        """Tell listeners of commits, entries in a row at once; after that, authors of their verdicts."""
        run: list[Committed] = []
        for output in self._pipeline.outputs():
            if type(output) is Committed:
                run.append(output)
                continue
            if run:
                self._listeners.tell_run(run)
                run = []
            if type(output) is Acknowledged:
                self._answer(output.ticket, output)
            else:
                self._tell(output)
        if run:
            self._listeners.tell_run(run)
        if self._pipeline.gone:
            self.close(JoinRefused(DisconnectCode.SESSION_OVER))

    def _tell(self, output: Reset | Refused | Unanswered | Faulted) -> None:
        match output:
            case Reset():
                self._listeners.tell_reset(output)
            case Refused(ticket, error):
                self._answer(ticket, error)
            case Unanswered(ticket):
                self._answer(ticket, self._busy())
            case Faulted(error):
                self._report(error)
            case _:
                assert_never(output)

    def _answer(self, ticket: int, outcome: Acknowledged | Exception) -> None:
        answer = self._answers.pop(ticket, None)
        if answer is not None:
            answer(outcome)

    def _busy(self) -> CommandRejected:
        return CommandRejected(RejectCode.BUSY, retry_after_ms=self._env.settings.backoff_ms[1])

    def _break(self, error: Exception) -> None:
        self._report(error)
        self.close(error)

    def _report(self, error: Exception) -> None:
        self._loop.call_exception_handler({"message": f"fault in a room: {type(error).__name__}", "exception": error})


def _settle(future: asyncio.Future[Seq], outcome: Acknowledged | Exception) -> None:
    if future.done():  # whoever waited has gone
        return
    if isinstance(outcome, Exception):
        future.set_exception(outcome)
    else:
        future.set_result(outcome.seq)
