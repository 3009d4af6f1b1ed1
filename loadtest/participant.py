# SPDX-License-Identifier: Apache-2.0
"""A virtual participant: the second client of the protocol. One object is one person; it keeps nothing elsewhere."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Coroutine
from typing import Final, assert_never

import msgspec
from aiohttp import ClientSession
from msgspec import UNSET

from loadtest.connection import Connection, NotAcknowledged
from loadtest.mirror import EventsMissed, Mirror
from loadtest.peer import Peer
from loadtest.sender import Voice
from server.errors import DisconnectCode, JoinRefused
from server.ids import CommandId, ParticipantId, Placement
from server.rooms import commands as c
from server.rooms.events import Event
from server.rooms.state import Participant as Person
from server.rooms.state import RoomView
from server.signaling.messages import (
    PROTOCOL_VERSION,
    Acknowledgement,
    ClientCommand,
    CommandFrame,
    Connect,
    ConnectionQuality,
    Disconnecting,
    IceServers,
    MediaAnswer,
    MediaLost,
    MediaNotice,
    MediaOffer,
    Notice,
    Ok,
    PeerSaid,
    ReadOnly,
    Reject,
    Resume,
    Resync,
    RoomMessage,
    Servers,
    Slots,
    Snapshot,
    Voices,
    Welcome,
)

WAIT_S: Final = 10.0


class CommandRefused(Exception):
    """The server refused a command that had to succeed."""

    def __init__(self, reject: Reject) -> None:
        super().__init__(reject.reason)
        self.code = reject.code


class ProtocolBroken(Exception):
    """The server did not keep to the protocol; what was wrong is the cause."""


class Participant:
    """One person in one room, over the public port only.

    `join` takes the seat, `resume` takes it again after the connection was lost, `leave` gives it up. What the room
    looks like to this person is `view`. `on_events` is called with each batch of events, after they were folded.
    """

    def __init__(self, http: ClientSession, url: str, token: str, *, name: str = "", agreement: int = 0) -> None:
        self._http = http
        self._urls = [url]
        """Where the room can be reached, the present server first."""
        self._token = token
        self._name = name
        self._agreement = agreement
        self._mirror = Mirror()
        self._welcome: Welcome | None = None
        self._connection: Connection | None = None
        self._welcomed: asyncio.Future[Welcome] | None = None
        self._changed = asyncio.Event()
        self._broken: BaseException | None = None
        self._resyncing = False
        self._tasks: set[asyncio.Future[None]] = set()
        self._offers = 0
        self._answer: asyncio.Future[str] | None = None
        """Of the last offer, while its peer is being connected."""
        self._patience: asyncio.Timeout | None = None
        self.connected = False
        self.goodbye: DisconnectCode | None = None
        """Why the server ended the last connection, if it said so."""
        self.read_only = False
        """Whether the server says that the room cannot change for now."""
        self.snapshots = 0
        """How many came, that of Welcome included."""
        self.slots = Slots(revision=0, slots=())
        self.slots_s = 0.0
        """When the slot map came, by the event loop's clock."""
        self.voices = Voices(levels=())
        self.peer: Peer | None = None
        self.on_events: Callable[[tuple[Event, ...]], None] = lambda events: None  # noqa: ARG005

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

    async def until(self, condition: Callable[[RoomView], bool], timeout_s: float = WAIT_S) -> RoomView:
        """Wait until the view fulfils the condition. Raises TimeoutError or ProtocolBroken."""
        await self._until(lambda: self._mirror.view is not None and condition(self._mirror.view), timeout_s)
        return self.view

    async def until_placed(self, placement: Placement, timeout_s: float = WAIT_S) -> RoomView:
        """Wait until one is there."""
        return await self.until(lambda _: self.placement == placement, timeout_s)

    async def until_disconnected(self, timeout_s: float = WAIT_S) -> DisconnectCode | None:
        """Wait until the connection has ended; returns the reason that the server gave."""
        await self._until(lambda: not self.connected, timeout_s)
        return self.goodbye

    def check(self) -> None:
        """Raises ProtocolBroken once something has not kept to the protocol: the view is not to be trusted any more."""
        if self._broken is not None:
            raise ProtocolBroken from self._broken

    async def _until(self, condition: Callable[[], bool], timeout_s: float) -> None:
        async with asyncio.timeout(timeout_s):
            while True:
                self.check()
                if condition():
                    return
                await self._changed.wait()

    # -- what one does -------------------------------------------------------------------------------------------------

    async def join(self) -> Welcome:
        """Take the seat (or return to it with the same token). Raises JoinRefused, ConnectionError, TimeoutError."""
        return await self._open(None)

    async def resume(self) -> Welcome:
        """Come back after the connection was lost, with the secret of the last Welcome."""
        if self._welcome is None:
            raise RuntimeError("never joined")
        return await self._open(self._mirror.resume(self._welcome.secret))

    async def send(self, command: ClientCommand, *, command_id: CommandId | None = None) -> Acknowledgement:
        """Send a command; a retry carries the same `command_id`. Raises NotAcknowledged."""
        if self._connection is None:
            raise RuntimeError("not connected")
        return await self._connection.call(CommandFrame(id=command_id or fresh_command_id(), command=command))

    async def do(self, command: ClientCommand) -> Ok:
        """Send a command that must succeed. Raises CommandRefused or NotAcknowledged."""
        answer = await self.send(command)
        if isinstance(answer, Reject):
            raise CommandRefused(answer)
        return answer

    async def publish(self, peer: Peer) -> None:
        """Connect this peer in place of an earlier one. Raises TimeoutError, also once the server has given it up."""
        self._media_lost()
        try:
            async with asyncio.timeout(None) as self._patience:
                await peer.connect(await self._negotiate(peer.offer()))
        except BaseException:
            await peer.close()
            raise
        finally:
            self._patience = self._answer = None
        peer.on_lost = lambda: self._media_lost(peer)
        self.peer = peer

    async def watch(self, others: int, height: int) -> Ok:
        """Say for how many others there is room, and how high their pictures are shown (0: as small as there is)."""
        wish = {"type": "watch", "tiles": (), "others": others, "others_height": height}
        return await self.do(msgspec.convert(wish, ClientCommand))

    async def _negotiate(self, offer: str) -> str:
        self._offers += 1
        self._answer = answer = asyncio.Future[str]()
        await self.do(MediaOffer(offer=self._offers, sdp=offer))
        async with asyncio.timeout(WAIT_S):
            return await answer

    async def set_microphone(self, *, on: bool, voice: Voice = Voice.SPEECH) -> None:
        """Press the microphone. What is sent never goes beyond what the room has on record."""
        await self.do(c.SetMicrophone(on=on))
        await self.until(lambda _: self.me is not None and self.me.microphone == on)
        if self.peer is not None:
            self.peer.speak(voice if on else None)

    async def set_camera(self, *, on: bool) -> None:
        """Press the camera."""
        await self.do(c.SetCamera(on=on))
        await self.until(lambda _: self.me is not None and self.me.camera == on)
        if self.peer is not None:
            self.peer.show(on=on)

    async def drop(self) -> None:
        """Lose the connection without a word: the seat is kept for a while, media goes on."""
        if self._connection is not None:
            await self._connection.close()

    async def leave(self) -> None:
        """Give up the seat and end everything."""
        try:
            if self.connected:
                await self.send(c.Leave())
        finally:
            await self.close()

    async def close(self) -> None:
        """End connection and media, without leaving."""
        self._media_lost()
        await self.drop()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _open(self, resume: Resume | None) -> Welcome:
        self.goodbye = None
        self._welcomed = welcomed = asyncio.Future[Welcome]()
        self._connection = Connection(
            self._http, on_message=self._receive, on_notice=self._notice, on_lost=self._lost, on_broken=self._break
        )
        me = self.me if self.peer is not None else None
        connect = Connect(
            token=self._token,
            protocol=PROTOCOL_VERSION,
            name=self._name or UNSET,
            agreement=self._agreement,
            microphone=me is not None and me.microphone,
            camera=me is not None and me.camera,
            resume=resume,
        )
        try:
            await self._connection.open(self._urls[0], connect)
        except ConnectionError:
            self._turn()
            raise
        self.connected = True
        async with asyncio.timeout(WAIT_S):
            return await welcomed

    # -- what the server says ------------------------------------------------------------------------------------------

    def _receive(self, message: RoomMessage) -> None:
        try:
            events = self._mirror.apply(message)
        except EventsMissed:
            self._ask_for_snapshot()
            return
        if isinstance(message, Welcome):
            self._welcome = message
            self._urls = [self._urls[0], *message.others]
            self.read_only = False
            if self._welcomed is not None and not self._welcomed.done():
                self._welcomed.set_result(message)
        if isinstance(message, Snapshot) or (isinstance(message, Welcome) and message.view is not None):
            self.snapshots += 1
        self._obey()
        if events:
            self.on_events(events)
        self._tell()

    def _notice(self, notice: Notice) -> None:
        match notice:
            case ReadOnly():
                self.read_only = notice.on
            case Servers():
                self._urls = [self._urls[0], *notice.others]
            case Disconnecting():
                self.goodbye = notice.code
            case _:
                self._hear(notice)
        self._tell()

    def _hear(self, notice: MediaNotice) -> None:
        match notice:
            case MediaAnswer():
                answer = self._answer
                if notice.offer == self._offers and answer is not None and not answer.done():
                    answer.set_result(notice.sdp)
            case MediaLost():
                self._media_ended(notice.offer)
            case Slots():
                self.slots, self.slots_s = notice, asyncio.get_running_loop().time()
            case Voices():
                self.voices = notice
            case IceServers() | ConnectionQuality() | PeerSaid():
                pass  # we check the server's own addresses only, and have no display
            case _:
                assert_never(notice)

    def _obey(self) -> None:
        """A moderator's mute or camera off holds for what is sent, too; nothing is ever turned on here."""
        me = self.me
        if self.peer is not None and me is not None:
            if not me.microphone:
                self.peer.speak(None)
            if not me.camera:
                self.peer.show(on=False)

    def _media_ended(self, offer: int) -> None:
        """The server has no peer for this offer (0: for whichever it has answered) any more."""
        unanswered = self._answer is not None and not self._answer.done()
        if offer != self._offers and (offer != 0 or unanswered):
            return
        if self._patience is not None:
            self._patience.reschedule(0.0)
        self._media_lost()

    def _media_lost(self, gone: Peer | None = None) -> None:
        """The peer (this one, if it still is the present one) is gone; whoever drives this person publishes anew."""
        peer = self.peer
        if peer is not None and gone in (None, peer):
            self.peer = None
            self._background(peer.close())

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
        """Run it on the side; what goes wrong there breaks this participant visibly."""
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
        if self._answer is not None and not self._answer.done():
            self._media_ended(self._offers)  # nobody can tell the answer any more
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
