# SPDX-License-Identifier: Apache-2.0
"""A seat in a room: taken and given up, its view, and what is done from it."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Coroutine
from typing import Final

from aiohttp import ClientSession
from msgspec import UNSET

from holdspace_client.connection import Connection, NotAcknowledged
from holdspace_client.mirror import EventsMissed, Mirror
from holdspace_client.protocol.errors import DisconnectCode, JoinRefused, is_final
from holdspace_client.protocol.ids import CommandId, ParticipantId, Placement
from holdspace_client.protocol.rooms.commands import Leave
from holdspace_client.protocol.rooms.events import Event
from holdspace_client.protocol.rooms.state import Participant as Person
from holdspace_client.protocol.rooms.state import RoomView
from holdspace_client.protocol.signaling.messages import (
    PROTOCOL_VERSION,
    Acknowledgement,
    ClientCommand,
    CommandFrame,
    Connect,
    Disconnecting,
    MediaNotice,
    Notice,
    Ok,
    ReadOnly,
    Reject,
    Resume,
    Resync,
    RoomMessage,
    Servers,
    Snapshot,
    Welcome,
)

WAIT_S: Final = 10.0


class CommandRefused(Exception):
    """The server refused a command that had to succeed.

    `detail` tells you what to correct, `message` may be shown to the person. `retry_after_ms`: when to try again.
    """

    def __init__(self, reject: Reject) -> None:
        super().__init__(reject.reason)
        self.code = reject.code
        self.message = reject.message
        self.detail = reject.detail
        self.retry_after_ms = reject.retry_after_ms
        if reject.detail:
            self.add_note(reject.detail)


class ProtocolBroken(Exception):
    """The server did not keep to the protocol; what was wrong is the cause."""


class Seat:
    """One person in one room, over the public port only, by one connection at a time.

    `join` takes the seat, `resume` takes it again after the connection was lost, `leave` gives it up. What the room
    looks like to this person is `view`. `single_use`: the token is good for one seat only.
    """

    def __init__(
        self,
        http: ClientSession,
        url: str,
        token: str,
        *,
        name: str = "",
        agreement: int = 0,
        single_use: bool = False,
    ) -> None:
        self._http = http
        self._urls = [url]
        """Where the room can be reached, the present server first."""
        self._token = token
        self._name = name
        self._agreement = agreement
        # Its first use may be one whose Welcome is lost on the way.
        self._claim = secrets.token_urlsafe(24) if single_use else UNSET
        self._mirror = Mirror()
        self._welcome: Welcome | None = None
        self._connection: Connection | None = None
        self._welcomed: asyncio.Future[Welcome] | None = None
        self._changed = asyncio.Event()
        self._broken: BaseException | None = None
        self._resyncing = False
        self._closed = False
        self._tasks: set[asyncio.Future[None]] = set()
        self._retry_after_ms: int | None = None
        self.connected = False
        self.goodbye: DisconnectCode | None = None
        """Why the server ended the last connection, if it said so."""
        self.read_only = False
        """Whether the server says that the room cannot change for now."""
        self.snapshots = 0
        """How many came, that of Welcome included."""
        self.publishing = False
        """Whether this client sends what the room has on record as on; told at each connection."""
        self.on_view: Callable[[], None] = lambda: None
        """Called after each message about the room, when it has been folded."""
        self.on_events: Callable[[tuple[Event, ...]], None] = lambda events: None  # noqa: ARG005
        """Called with each batch of events, after they were folded."""
        self.on_notice: Callable[[Notice], None] = lambda notice: None  # noqa: ARG005

    # -- what one sees -------------------------------------------------------------------------------------------------

    @property
    def view(self) -> RoomView:
        """The room as this person may see it."""
        if self._mirror.view is None:
            raise RuntimeError("not in the room")
        return self._mirror.view

    @property
    def id(self) -> ParticipantId:
        """Given by the server at the first Welcome."""
        if self._welcome is None:
            raise RuntimeError("not in the room")
        return self._welcome.participant

    @property
    def me(self) -> Person | None:
        """Oneself in the roster; None: not in it (any more)."""
        view = self._mirror.view
        return view.participants.get(self.id) if view is not None and self._welcome is not None else None

    @property
    def placement(self) -> Placement | None:
        """Where one is."""
        return self.me.placement if self.me is not None else None

    @property
    def position(self) -> tuple[int, int]:
        """Epoch and seq up to which the view is folded."""
        return self._mirror.epoch, self._mirror.seq

    @property
    def servers(self) -> tuple[str, ...]:
        """Where the room can be reached, as far as is known; the present one first."""
        return tuple(self._urls)

    async def until(self, condition: Callable[[RoomView], bool], timeout_s: float | None = WAIT_S) -> RoomView:
        """Wait until the view fulfils the condition. Raises TimeoutError or ProtocolBroken."""
        await self._until(lambda: self._mirror.view is not None and condition(self._mirror.view), timeout_s)
        return self.view

    async def until_placed(self, placement: Placement, timeout_s: float | None = WAIT_S) -> RoomView:
        """Wait until one is there."""
        return await self.until(lambda _: self.placement == placement, timeout_s)

    @property
    def over(self) -> bool:
        """Whether there is no way back: left, closed, or ended for good by the server. `join` begins anew."""
        return self._closed or (self.goodbye is not None and is_final(self.goodbye))

    async def until_disconnected(self, timeout_s: float | None = WAIT_S) -> DisconnectCode | None:
        """Wait until the connection has ended; returns the reason that the server gave."""
        await self._until(lambda: not self.connected, timeout_s)
        return self.goodbye

    def check(self) -> None:
        """Raises ProtocolBroken once something has not kept to the protocol: the view is not to be trusted any more."""
        if self._broken is not None:
            raise ProtocolBroken from self._broken

    async def _until(self, condition: Callable[[], bool], timeout_s: float | None) -> None:
        async with asyncio.timeout(timeout_s):
            while True:
                self.check()
                if condition():
                    return
                await self._changed.wait()

    # -- the seat ------------------------------------------------------------------------------------------------------

    async def join(self) -> Welcome:
        """Take the seat (or return to it with the same token). Raises JoinRefused, ConnectionError, TimeoutError."""
        self._closed = False
        return await self._open(None)

    async def resume(self) -> Welcome:
        """Come back after the connection was lost, with the secret of the last Welcome. Raises as `join`."""
        if self._welcome is None:
            raise RuntimeError("never joined")
        return await self._open(self._mirror.resume(self._welcome.secret))

    async def drop(self) -> None:
        """Lose the connection without a word: the seat is kept for a while, media goes on."""
        if self._connection is not None:
            await self._connection.close()

    async def leave(self) -> None:
        """Give up the seat and end everything."""
        self._closed = True
        try:
            if self.connected:
                await self.send(Leave())
        finally:
            await self.close()

    async def close(self) -> None:
        """End the connection, without leaving."""
        self._closed = True
        await self.drop()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _open(self, resume: Resume | None) -> Welcome:
        self.goodbye = None
        self._welcomed = welcomed = asyncio.Future[Welcome]()
        self._connection = Connection(
            self._http, on_message=self._receive, on_notice=self._notice, on_lost=self._lost, on_broken=self._break
        )
        me = self.me if self.publishing else None
        connect = Connect(
            token=self._token,
            protocol=PROTOCOL_VERSION,
            name=self._name or UNSET,
            agreement=self._agreement,
            microphone=me is not None and me.microphone,
            camera=me is not None and me.camera,
            resume=resume,
            claim=self._claim,
        )
        try:
            await self._connection.open(self._urls[0], connect)
        except ConnectionError:
            self._turn()
            raise
        self.connected = True
        try:
            async with asyncio.timeout(WAIT_S):
                return await welcomed
        except TimeoutError:
            await self.drop()
            raise

    # -- what one does -------------------------------------------------------------------------------------------------

    async def send(self, command: ClientCommand, *, command_id: CommandId | None = None) -> Acknowledgement:
        """Send a command; a retry carries the same `command_id`. Raises NotAcknowledged."""
        if self._connection is None:
            raise RuntimeError("not connected")
        return await self._connection.call(CommandFrame(id=command_id or fresh_command_id(), command=command))

    async def do(self, command: ClientCommand) -> Ok:
        """Send a command that must succeed. Raises CommandRefused or NotAcknowledged."""
        return done(await self.send(command))

    # -- what the server says ------------------------------------------------------------------------------------------

    def _receive(self, message: RoomMessage) -> None:
        try:
            events = self._mirror.apply(message)
        except EventsMissed:
            self._ask_for_snapshot()
            return
        if isinstance(message, Welcome):
            self._take_seat(message)
        if isinstance(message, Snapshot) or (isinstance(message, Welcome) and message.view is not None):
            self.snapshots += 1
        self.on_view()
        if events:
            self.on_events(events)
        self._tell()

    def _take_seat(self, welcome: Welcome) -> None:
        self._welcome = welcome
        self._urls = [self._urls[0], *welcome.others]
        self.read_only = False
        if self._welcomed is not None and not self._welcomed.done():
            self._welcomed.set_result(welcome)

    def _notice(self, notice: Notice) -> None:
        match notice:
            case ReadOnly():
                self.read_only = notice.on
            case Servers():
                self._urls = [self._urls[0], *notice.others]
            case Disconnecting():
                self.goodbye, self._retry_after_ms = notice.code, notice.retry_after_ms
            case _:
                self._hear(notice)
        self.on_notice(notice)
        self._tell()

    def _hear(self, notice: MediaNotice) -> None:
        """For who has media."""

    def _ask_for_snapshot(self) -> None:
        if not self._resyncing:
            self._resyncing = True
            self._background(self._get_snapshot())

    async def _get_snapshot(self) -> None:
        try:
            await self.do(Resync())
        except NotAcknowledged:
            if self.connected:  # otherwise the next Welcome brings what was missed
                raise
        finally:
            self._resyncing = False

    def _background(self, work: Coroutine[None, None, None]) -> None:
        """Run it on the side; what goes wrong there breaks this session visibly."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._background_done)

    def _background_done(self, task: asyncio.Future[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._break(error)

    def _turn(self) -> None:
        """Try the next server: each one of a system knows every seat."""
        self._urls = [*self._urls[1:], self._urls[0]]

    def _lost(self) -> None:
        self.connected = False
        self._turn()
        if self._welcomed is not None and not self._welcomed.done():
            self._welcomed.set_exception(ConnectionError() if self.goodbye is None else JoinRefused(self.goodbye))
        self._tell()

    def _break(self, error: BaseException) -> None:
        self._broken = error
        self._tell()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


def fresh_command_id() -> CommandId:
    """A command id that nobody else uses."""
    return CommandId(secrets.token_urlsafe(9))


def done(answer: Acknowledgement) -> Ok:
    """The answer of a command that had to succeed. Raises CommandRefused."""
    if isinstance(answer, Reject):
        raise CommandRefused(answer)
    return answer
