# SPDX-License-Identifier: Apache-2.0
"""A person who does not give up: comes back on any node, repeats what was not answered, and writes everything down."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from aiohttp import ClientSession

from holdspace_client import NotAcknowledged, fresh_command_id
from holdspace_client.protocol.errors import JoinRefused, RejectCode, is_final
from holdspace_client.protocol.ids import CommandId as Id
from holdspace_client.protocol.signaling import messages as m
from holdspace_client.protocol.signaling.messages import ClientCommand, Resume, Welcome
from loadtest.participant import Participant
from server.errors import FIRST_FINAL_DISCONNECT, DisconnectCode
from server.ids import CommandId, ParticipantId
from server.signaling import messages as s
from tests.faults.checker.history import (
    Answered,
    Departed,
    Ended,
    History,
    Opening,
    Record,
    Refused,
    Rested,
    Sent,
    Silent,
    Told,
)
from tests.vocabulary import as_

OPEN_S: Final = 5.0
ANSWER_S: Final = 2.0
"""Whoever is not answered for this long tries another node, as a page does whose server went quiet."""
NOTICED_S: Final = 1.0
FIRST_PAUSE_S: Final = 0.05
LAST_PAUSE_S: Final = 0.8
AGAIN: Final = (RejectCode.BUSY, RejectCode.RATE_LIMITED)


def now_ms() -> int:
    """The one clock of a run."""
    return time.monotonic_ns() // 1_000_000


class Client(Participant):
    """`urls`: where the nodes are; another one is tried after each failure.

    Each connection has a session of its own, so that it can be cut at once, whatever the other side does.
    """

    def __init__(self, urls: tuple[str, ...], token: str, person: ParticipantId, seed: int) -> None:
        super().__init__(ClientSession(), urls[0], token, name=person)
        self.person = person
        self.token = token
        self.random = random.Random(seed)
        self.records: list[Record] = []
        self.staying = True
        self.urls = urls
        self._node = 0
        self._keeper: asyncio.Task[None] | None = None

    @property
    def history(self) -> History:
        """What has been written down so far."""
        return History(self.person, tuple(self.records))

    @property
    def node(self) -> str:
        """Where this person is connected, or tries to be."""
        return self.urls[self._node]

    # -- staying -------------------------------------------------------------------------------------------------------

    async def arrive(self) -> None:
        """Join, and come back by oneself from now on."""
        await self._retry(self.join)
        self.stay()

    def stay(self) -> None:
        """Come back by oneself from now on."""
        self._keeper = asyncio.create_task(self._stay())

    async def rest(self) -> None:
        """Lose the connection, and do not come back until told."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        self.records.append(Rested(now_ms()))
        await self.cut()

    async def resume_from(self, epoch: int, seq: int) -> Welcome:
        """Come back with the right secret and this position."""
        if self._welcome is None:
            raise RuntimeError("never joined")
        return await self._open(Resume(epoch, seq, self._welcome.secret))

    async def depart(self) -> None:
        """Go away on purpose, without leaving."""
        self.staying = False
        self.records.append(Departed(now_ms()))
        await self.end()

    async def end(self) -> None:
        """Stop everything at once, without a word to the server."""
        self.staying = False
        self._media_lost()
        await self.rest()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def cut(self) -> None:
        """The network under this connection is gone; returns when both sides of this client know it."""
        await self._http.close()
        with contextlib.suppress(TimeoutError):
            await self.until_disconnected(NOTICED_S)

    def elsewhere(self) -> None:
        """The next connection goes to the next node."""
        self._node = (self._node + 1) % len(self.urls)

    async def _stay(self) -> None:
        while self.staying:
            await self.until_disconnected(timeout_s=3600)
            if self.goodbye is not None and is_final(self.goodbye):
                self.staying = False
                return
            self.elsewhere()
            await self._retry(self.resume)

    async def _retry(self, way_in: Callable[[], Awaitable[Welcome]]) -> None:
        pause_s = FIRST_PAUSE_S
        while self.staying:
            try:
                await way_in()
            except JoinRefused as refusal:
                if is_final(refusal.code):
                    self.staying = False
                    return
            except (ConnectionError, TimeoutError):
                pass
            else:
                return
            self.elsewhere()
            await asyncio.sleep(pause_s * self.random.uniform(0.5, 1.0))
            pause_s = min(LAST_PAUSE_S, pause_s * 1.6)

    async def _open(self, resume: Resume | None) -> Welcome:
        await self.cut()
        self._http, self._urls = ClientSession(), [self.urls[self._node]]
        self.records.append(Opening(now_ms(), self.urls[self._node], resumes=resume is not None))
        try:
            async with asyncio.timeout(OPEN_S):
                return await super()._open(resume)
        except (JoinRefused, ConnectionError, TimeoutError) as error:
            self.records.append(
                Refused(now_ms(), DisconnectCode(error.code) if isinstance(error, JoinRefused) else None)
            )
            await self.cut()
            self.connected = False
            raise

    # -- acting --------------------------------------------------------------------------------------------------------

    async def insist(self, command: ClientCommand, *, command_id: Id | None = None) -> m.Acknowledgement | None:
        """Send it until it is answered, always with the same id; None: no way back into the room."""
        command_id = command_id or fresh_command_id()
        while self.staying:
            if not self.connected:
                await asyncio.sleep(0.02)
                continue
            try:
                answer = await self.send(command, command_id=command_id)
            except NotAcknowledged:
                await self.cut()
                continue
            if not isinstance(answer, m.Reject) or answer.code not in AGAIN:
                return answer
            await asyncio.sleep((answer.retry_after_ms or 200) / 1000 * self.random.uniform(1.0, 1.5))
        return None

    async def manage(self, command: ClientCommand) -> bool:
        """Insist; whether it was done."""
        return isinstance(await self.insist(command), m.Ok)

    async def send(self, command: ClientCommand, *, command_id: Id | None = None) -> m.Acknowledgement:
        """Send once, and write down what came of it. Raises NotAcknowledged, soon."""
        known = CommandId(command_id or fresh_command_id())
        self.records.append(Sent(now_ms(), known, as_(s.ClientCommand, command)))
        try:
            async with asyncio.timeout(ANSWER_S):
                answer = await super().send(command, command_id=known)
        except (NotAcknowledged, TimeoutError) as error:
            self.records.append(Silent(now_ms(), known))
            raise NotAcknowledged from error
        self.records.append(Answered(now_ms(), known, as_(s.Acknowledgement, answer)))
        return answer

    # -- being told ----------------------------------------------------------------------------------------------------

    def _receive(self, message: m.RoomMessage) -> None:
        self.records.append(Told(now_ms(), as_(s.RoomMessage, message)))
        super()._receive(message)

    def _lost(self) -> None:
        self.records.append(Ended(now_ms(), None if self.goodbye is None else DisconnectCode(self.goodbye)))
        super()._lost()

    def _break(self, error: BaseException) -> None:
        # A request for a snapshot that was cut off is made again; anything else is for the test to see.
        if not isinstance(error, NotAcknowledged):
            super()._break(error)


def resume_ms(history: History) -> list[int]:
    """For each time this client was without a connection: how long, from the first word that was not answered on.

    Who stayed away on purpose is waited for from the first attempt to come back on.
    """
    gaps: list[int] = []
    since: int | None = None
    rests = False
    sent: dict[CommandId, int] = {}
    for record in history.records:
        if isinstance(record, Sent):
            sent[record.id] = record.at_ms
        match record:
            case Rested():
                rests, since = True, None
            case Opening() if rests:
                rests, since = False, record.at_ms
            case Told(message=s.Welcome()) if since is not None:
                gaps.append(record.at_ms - since)
                since = None
            case _ if since is None and not rests:
                since = _lost_ms(record, sent)
    return gaps


def _lost_ms(record: Record, sent: Mapping[CommandId, int]) -> int | None:
    """When the connection was lost, if that is what this record tells."""
    match record:
        case Silent():
            return sent[record.id]
        case Ended(code=code) if not _for_good(code):
            return record.at_ms
        case _:
            return None


def _for_good(code: DisconnectCode | None) -> bool:
    return code is not None and code >= FIRST_FINAL_DISCONNECT
