# SPDX-License-Identifier: Apache-2.0
"""Carries news from the log to the care platform: in order for each room, again and again until it is taken.

A node carries the news of its share of the partitions. When shares change, two nodes may carry the same piece: it has
the same id, and what follows it goes after it.
"""

from __future__ import annotations

import asyncio
import random
import secrets
import time
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

import msgspec
import structlog
from aiohttp import ClientError, ClientSession, ClientTimeout, DummyCookieJar, TCPConnector
from msgspec import Struct

from server.ids import RoomId
from server.logs import digest
from server.observing import Tracer
from server.ports import LogUnavailable
from server.webhooks.ports import NewsStand, Waiting
from server.webhooks.schedule import is_too_old, wait_ms
from server.webhooks.signature import WebhookKey, signature

LOOK_S: Final = 1.0
REST_S: Final = 0.05
"""Between two looks, however much is put there."""
LOOK_ANEW: Final = 30
"""Of so many looks one begins from the start: a failover of Redis may have put something behind us."""
MAX_HELD: Final = 2_000
AT_ONCE: Final = 8
TIMEOUT_S: Final = 10.0
CONNECT_S: Final = 5.0
GOODBYE_S: Final = 2.0
CONTENT_TYPE: Final = "application/webhook+json"
_SUCCESS: Final = range(200, 300)
_MS: Final = 0.001

log = structlog.get_logger()


class Meter(Protocol):
    """What is counted of webhooks."""

    def webhook(self, outcome: str, count: int = 1) -> None:
        """So many were sent, failed (and are sent again), or dropped for good."""

    def webhooks_waiting(self, count: int, oldest_s: float) -> None:
        """So many wait in this node's share; the oldest of those that it has read, for so long."""


class Receiver(Struct, frozen=True):
    """The care platform."""

    url: str
    key: WebhookKey

    def __repr__(self) -> str:
        return "Receiver(...)"


class _Head(Struct, frozen=True):
    """What the courier reads of a piece of news."""

    room: RoomId
    at_ms: int


class _Piece(Struct, frozen=True):
    waiting: Waiting
    at_ms: int

    @property
    def place(self) -> tuple[int, str]:
        return self.waiting.partition, self.waiting.id


_HEAD: Final = msgspec.json.Decoder(_Head)


class _Line:
    """The news of one room, in order, and who carries it."""

    def __init__(self, partition: int) -> None:
        self.partition = partition
        self.pieces: deque[_Piece] = deque()
        self.task: asyncio.Task[None] | None = None


class Courier:
    """`share`: which part of all partitions is this node's; None: none as yet. `now_ms`: log time."""

    def __init__(
        self,
        stand: NewsStand,
        receiver: Receiver,
        meter: Meter,
        *,
        share: Callable[[], tuple[int, int] | None],
        now_ms: Callable[[], int],
        tracer: Tracer | None = None,
    ) -> None:
        self._tracer = tracer
        self._stand = stand
        self._receiver = receiver
        self._meter = meter
        self._share = share
        self._now_ms = now_ms
        self._mine: tuple[int, int] | None = None
        self._lines: dict[RoomId, _Line] = {}
        self._held: set[tuple[int, str]] = set()
        self._behind: dict[int, str] = {}
        self._looks = 0
        self._lost = 0
        self._waiting = 0
        self._some = asyncio.Event()
        self._heard: set[int] = set()
        self._look_s = 0.0
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._task: asyncio.Task[None] | None = None
        self._http: ClientSession | None = None

    def start(self) -> None:
        """Begin, in the running loop."""
        self._http = ClientSession(
            timeout=ClientTimeout(TIMEOUT_S, connect=CONNECT_S),
            connector=TCPConnector(limit=AT_ONCE),
            cookie_jar=DummyCookieJar(),
        )
        self._stand.on_news(self._hear)
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def close(self) -> None:
        """Send what can be sent in a moment, and end; the rest waits in the log for another node."""
        if self._task is None or self._http is None:
            return
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._look_s = 0.0
        try:
            await self.look()
        except LogUnavailable:
            log.debug("no_news")
        carrying = [line.task for line in self._lines.values() if line.task is not None]
        if carrying:
            await asyncio.wait(carrying, timeout=GOODBYE_S)
        for task in carrying:
            task.cancel()
        await asyncio.gather(*carrying, return_exceptions=True)
        await self._http.close()

    # -- looking -------------------------------------------------------------------------------------------------------

    def _hear(self, partition: int) -> None:
        """There is something new here."""
        if self._mine is not None and partition % self._mine[1] == self._mine[0]:
            self._heard.add(partition)
            self._some.set()

    async def _run(self) -> None:
        while True:
            try:
                await self.look()
            except LogUnavailable:
                log.debug("no_news")
            except Exception as error:  # noqa: BLE001 - reported; without its task nobody would be told any more
                _report(error)
            self._tell()
            await asyncio.sleep(REST_S)
            try:
                async with asyncio.timeout(LOOK_S):
                    await self._some.wait()
            except TimeoutError:
                continue

    async def look(self) -> None:
        """Take over what there is to carry, now and then of all partitions. Raises LogUnavailable."""
        self._some.clear()
        self._take(self._share())
        if self._mine is None:
            return
        partitions = self._where(*self._mine)
        notices = await self._stand.news(MAX_HELD - len(self._held), self._behind, partitions)
        if isinstance(partitions, range):
            self._waiting = notices.count
        for waiting in notices.some:
            self._behind[waiting.partition] = waiting.id
            if (waiting.partition, waiting.id) not in self._held:
                await self._line_up(waiting)
        for room, line in self._lines.items():
            if line.task is None or line.task.done():
                line.task = asyncio.get_running_loop().create_task(self._carry(room, line))
                line.task.add_done_callback(_ended)

    def _where(self, part: int, parts: int) -> range | list[int]:
        """All partitions of this node's once in `LOOK_S`; between that, those where it has put something itself."""
        heard, self._heard = sorted(self._heard), set()
        if time.monotonic() < self._look_s:
            return heard
        self._look_s = time.monotonic() + LOOK_S
        self._looks += 1
        if self._looks % LOOK_ANEW == 0:
            self._behind.clear()
        return range(part, self._stand.partitions, parts)

    def _take(self, share: tuple[int, int] | None) -> None:
        """What is in another node's share from now on is let go."""
        if share == self._mine:
            return
        self._mine, self._look_s = share, 0.0
        self._behind.clear()
        for room, line in tuple(self._lines.items()):
            if share is None or line.partition % share[1] != share[0]:
                if line.task is not None:
                    line.task.cancel()
                self._held.difference_update(piece.place for piece in line.pieces)
                del self._lines[room]

    async def _line_up(self, waiting: Waiting) -> None:
        try:
            head = _HEAD.decode(waiting.body)
        except msgspec.MsgspecError:
            log.warning("webhook_unreadable")
            self._meter.webhook("dropped")
            await self._stand.told((waiting,))
            return
        piece = _Piece(waiting, head.at_ms)
        self._held.add(piece.place)
        self._lines.setdefault(head.room, _Line(waiting.partition)).pieces.append(piece)

    def _tell(self) -> None:
        if self._stand.lost > self._lost:
            self._meter.webhook("dropped", self._stand.lost - self._lost)
            self._lost = self._stand.lost
        oldest_ms = min((line.pieces[0].at_ms for line in self._lines.values() if line.pieces), default=None)
        age_s = 0.0 if oldest_ms is None else max(0, self._now_ms() - oldest_ms) * _MS
        self._meter.webhooks_waiting(self._waiting, age_s)

    # -- carrying ------------------------------------------------------------------------------------------------------

    async def _carry(self, room: RoomId, line: _Line) -> None:
        failures = 0
        while line.pieces:
            piece = line.pieces[0]
            if is_too_old(piece.at_ms, self._now_ms()):
                log.warning("webhook_dropped", room=digest(room))
                self._meter.webhook("dropped")
            elif not await self._sent(room, piece.waiting.body):
                failures += 1
                await asyncio.sleep(wait_ms(failures, random.random()) * _MS)  # noqa: S311 - jitter
                continue
            failures = 0
            await self._forget(piece)
            line.pieces.popleft()
            self._held.discard(piece.place)
        if self._lines.get(room) is line:
            del self._lines[room]
        self._hear(line.partition)

    async def _forget(self, piece: _Piece) -> None:
        """While Redis is away it is not sent again for that."""
        failures = 0
        while True:
            try:
                return await self._stand.told((piece.waiting,))
            except LogUnavailable:
                failures += 1
                await asyncio.sleep(wait_ms(failures, random.random()) * _MS)  # noqa: S311 - jitter

    async def _sent(self, room: RoomId, body: bytes) -> bool:
        """Whether it was taken: nothing but 2xx is, a redirect neither; what is answered is not read."""
        request = secrets.token_hex(8)
        span = None if self._tracer is None else self._tracer.begin("webhook", request)
        carried = {"X-Request-Id": request} | ({} if span is None else span.carried())
        async with self._slots:
            status, error = await self._post(body, carried)
        taken = status in _SUCCESS
        outcome = "sent" if taken else "failed"
        self._meter.webhook(outcome)
        if span is not None:
            span.end(outcome)
        if not taken:
            log.info("webhook_failed", request=request, room=digest(room), status=status, error=error)
        return taken

    async def _post(self, body: bytes, carried: dict[str, str]) -> tuple[int, str]:
        if self._http is None:
            return 0, "closed"
        signed = signature(self._receiver.key, body, int(time.time()))
        headers = {"Authorization": signed, "Content-Type": CONTENT_TYPE} | carried
        try:
            async with self._http.post(self._receiver.url, data=body, headers=headers, allow_redirects=False) as answer:
                return answer.status, ""
        except (ClientError, TimeoutError, OSError, ValueError) as failure:
            return 0, type(failure).__name__


def _ended(task: asyncio.Task[None]) -> None:
    """A fault in carrying; the next look begins anew."""
    if not task.cancelled() and (error := task.exception()) is not None:
        _report(error)


def _report(error: BaseException) -> None:
    message = f"fault in telling platforms: {type(error).__name__}"
    asyncio.get_running_loop().call_exception_handler({"message": message, "exception": error})
