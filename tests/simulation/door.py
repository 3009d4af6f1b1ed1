# SPDX-License-Identifier: Apache-2.0
"""Where people come in: the transport's part of a node, and the client's part of a connection, over simulated wires.

The gateway, its links and outboxes are the real ones; only Socket.IO and the sockets are not there.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final, Literal

import msgspec
from msgspec import Raw, Struct

from holdspace_client import JoinRefused as Refused
from holdspace_client import NotAcknowledged
from holdspace_client.connection import ACKNOWLEDGE_TIMEOUT_S
from holdspace_client.protocol.errors import DisconnectCode as Code
from holdspace_client.protocol.signaling.messages import Acknowledgement, CommandFrame, Connect, Notice, RoomMessage
from server.errors import DisconnectCode, JoinRefused
from server.ids import ConnectionId
from server.signaling.codec import PacketType, read_packet
from server.signaling.gateway import Gateway
from server.signaling.link import Link
from server.signaling.outbox import Outbox
from server.signaling.transport import PING_INTERVAL_S, PING_TIMEOUT_S
from tests.simulation.loop import SimLoop
from tests.simulation.network import Net, Place, Wire

PING: Final = b"2"
PONG: Final = b"3"
OPENED: Final = b"opened"
CONNECTED: Final = b"connected"


class Socket:
    """The asyncio transport under an outbox."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._unread: list[bytes] = []
        self._since_s = 0.0
        self._loop = asyncio.get_running_loop()
        self.stalled = False

    def get_extra_info(self, name: str) -> None:
        """There is no socket."""

    def is_closing(self) -> bool:
        """Whether nothing can be sent any more."""
        return self._wire.over[1]

    def write(self, frame: bytes) -> None:
        """Send it, or keep it for a client that does not read."""
        if self.stalled:
            self._since_s = self._since_s or self._loop.time()
            self._unread.append(frame)
        else:
            self._wire.send(1, frame)

    def get_write_buffer_size(self) -> int:
        """What the client has not read."""
        return sum(map(len, self._unread))

    def stall(self) -> None:
        """The client reads nothing any more."""
        self.stalled = True

    def unread_s(self) -> float:
        """Since when something waits to be read."""
        return self._loop.time() - self._since_s if self._unread else 0.0

    def read(self) -> None:
        """It reads again."""
        self.stalled, self._since_s = False, 0.0
        unread, self._unread = self._unread, []
        for frame in unread:
            self._wire.send(1, frame)

    def close(self) -> None:
        """End the connection."""
        self._wire.close(1)

    def abort(self) -> None:
        """End it at once."""
        self._wire.close(1)


class _Visitor:
    """A connection as the node has it."""

    def __init__(self, door: Door, wire: Wire) -> None:
        self.link = Link()
        self.socket = Socket(wire)
        self.messages: deque[bytes] = deque()
        self.gone = False
        self.person = wire.places[0].name
        self._door, self._wire = door, wire
        self._waiter: asyncio.Future[None] | None = None
        wire.ends[1] = self

    def take(self, message: bytes) -> None:
        self.messages.append(message)
        self._wake()

    def closed(self) -> None:
        self.gone = True
        self._wire.close(1)
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def _next(self) -> bytes | None:
        while not self.messages and not self.gone and not self._wire.over[1]:
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                async with asyncio.timeout(PING_INTERVAL_S + PING_TIMEOUT_S):
                    await self._waiter
            except TimeoutError:
                self.link.end(DisconnectCode.CONNECTION_LOST)
                return None
        return self.messages.popleft() if self.messages else None

    async def serve(self, name: ConnectionId) -> None:
        """From the first message to the end."""
        gateway, link = self._door.gateway, self.link
        outbox = Outbox(self.socket, partial(link.give_up, DisconnectCode.SLOW_CLIENT))  # type: ignore[arg-type] # the part of a transport that it uses
        link.open(outbox)
        self._wire.send(1, OPENED)
        try:
            auth = await self._next()
            if auth is None:
                return
            link.id = name
            await gateway.connect(link, Raw(auth))
            self._wire.send(1, CONNECTED)
            gateway.welcome(link)
            while (message := await self._next()) is not None:
                if message == PONG:
                    self._wire.send(1, PING)
                    continue
                await link.idle()
                if not link.over:
                    gateway.command(link, read_packet(message))
        except JoinRefused as refusal:
            self._wire.send(1, refusal.code)
        finally:
            link.lost()
            outbox.release()
            self._wire.close(1)
            await gateway.disconnect(link)
            self._door.visitors.pop(self, None)


class Door:
    """Lets people in. `name` makes the id of a connection."""

    def __init__(self, gateway: Gateway, name: Callable[[], ConnectionId]) -> None:
        self.gateway = gateway
        self.visitors: dict[_Visitor, None] = {}
        self._name = name
        self._tasks: set[asyncio.Task[None]] = set()

    def accept(self, wire: Wire) -> None:
        """Somebody has connected; called in the node's process."""
        visitor = _Visitor(self, wire)
        self.visitors[visitor] = None
        task = asyncio.get_running_loop().create_task(visitor.serve(self._name()))
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def end_all(self, code: DisconnectCode) -> None:
        """Send everybody away."""
        for visitor in tuple(self.visitors):
            visitor.link.end(code)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            task.get_loop().call_exception_handler({"message": "fault at the door", "exception": error})


# -- the client's side -------------------------------------------------------------------------------------------------


class _Incoming(Struct, frozen=True):
    type: PacketType
    data: Raw = Raw()
    id: int | None = None


_packet: Final = msgspec.msgpack.Decoder(_Incoming).decode
_named: Final = msgspec.msgpack.Decoder(tuple[str, Raw]).decode
_event: Final = msgspec.msgpack.Decoder(tuple[Literal["event"], RoomMessage]).decode
_notice: Final = msgspec.msgpack.Decoder(tuple[Literal["notice"], Notice]).decode
_answer: Final = msgspec.msgpack.Decoder(tuple[Acknowledgement]).decode
_encode: Final = msgspec.msgpack.Encoder().encode
_SHORT: Final = 126


def frames_of(data: bytes) -> Iterator[bytes]:
    """The WebSocket frames in what was written at once."""
    while data:
        short = data[1]
        head = 2 if short < _SHORT else 4 if short == _SHORT else 10
        size = short if head == 2 else int.from_bytes(data[2:head])
        yield data[: head + size]
        data = data[head + size :]


def packet_of(frame: bytes) -> _Incoming | None:
    """The packet of a WebSocket frame of the server; None for its goodbye."""
    if frame[0] & 0x0F != 2:
        return None
    short = frame[1]
    return _packet(frame[2 if short < _SHORT else 4 if short == _SHORT else 10 :])


class Street:
    """How people get to nodes. `doors`: by URL, with where they are; None: nobody is there."""

    def __init__(self, loop: SimLoop, net: Net, note: Callable[[str, str], None]) -> None:
        self.loop, self.net, self.note = loop, net, note
        self.doors: dict[str, tuple[Place, Door | None]] = {}
        self.places: dict[str, Place] = {}
        self._read: dict[bytes, tuple[str, Any]] = {}

    def place(self, name: str) -> Place:
        """Where a person is."""
        return self.places.setdefault(name, Place(name))

    def read(self, frame: bytes) -> tuple[str, Any]:
        """What kind of message this is, and the message; the same frame is decoded once for all who get it."""
        known = self._read.get(frame)
        if known is None:
            known = self._read[frame] = _read(frame)
        return known


def _read(frame: bytes) -> tuple[str, Any]:
    packet = packet_of(frame)
    if packet is None or packet.type is PacketType.DISCONNECT:
        return "over", None
    if packet.type is PacketType.ACK:
        return "answer", (packet.id, _answer(packet.data)[0])
    if _named(packet.data)[0] == "event":
        return "event", _event(packet.data)[1]
    return "notice", _notice(packet.data)[1]


class SimSession:
    """Stands for aiohttp's session of one connection: closing it takes the network away from under that."""

    def __init__(self) -> None:
        self.port: Port | None = None

    async def close(self) -> None:
        """Gone."""
        if self.port is not None:
            self.port.cut()


class Port:
    """Stands for `holdspace_client.connection.Connection`."""

    street: Street

    def __init__(
        self,
        http: SimSession,
        *,
        on_message: Callable[[RoomMessage], None],
        on_notice: Callable[[Notice], None],
        on_lost: Callable[[], None],
        on_broken: Callable[[Exception], None],
    ) -> None:
        http.port = self
        self._on_message, self._on_notice, self._on_lost, self._on_broken = on_message, on_notice, on_lost, on_broken
        self._wire: Wire | None = None
        self._opening: asyncio.Future[None] | None = None
        self._answers: dict[int, asyncio.Future[Acknowledgement]] = {}
        self._name = ""
        self._connect = b""
        self._heard_s = 0.0
        self._up = False

    async def open(self, url: str, connect: Connect) -> None:
        """Connect. Raises JoinRefused or ConnectionError."""
        street, loop = self.street, self.street.loop
        node, person = url.split("#")
        here, (there, door) = street.place(person), street.doors[node]
        self._name = person
        if street.net.is_cut(here, there) or street.net.is_cut(there, here):
            await asyncio.sleep(OPEN_S)
            raise ConnectionError
        await asyncio.sleep(2 * street.net.delay_s(here, there))
        there, door = street.doors[node]
        if door is None:
            raise ConnectionError
        wire = self._wire = street.net.wire(here, there)
        wire.ends[0] = self
        self._opening = loop.create_future()
        loop.call_soon(door.accept, wire, context=there.context)
        self._connect = _encode(connect)
        try:
            await self._opening
        except BaseException:
            wire.close(0)
            raise
        if wire.over[0]:
            raise ConnectionError
        self._up = True
        self._pong()

    async def call(self, frame: CommandFrame) -> Acknowledgement:
        """Send a command and wait for its answer. Raises NotAcknowledged."""
        if self._wire is None or self._wire.over[0]:
            raise NotAcknowledged
        number = len(self._answers)
        answer = self._answers[number] = self.street.loop.create_future()
        packet = {"type": PacketType.EVENT, "nsp": "/", "data": ("command", frame), "id": number}
        self._wire.send(0, _encode(packet))
        async with asyncio.timeout(ACKNOWLEDGE_TIMEOUT_S):
            outcome: Acknowledgement = await answer
            return outcome

    async def close(self) -> None:
        """Say goodbye."""
        self.cut()

    def cut(self) -> None:
        """No network any more."""
        if self._wire is not None and not self._wire.over[0]:
            self._wire.close(0)
            self.closed()

    # -- what comes ----------------------------------------------------------------------------------------------------

    def take(self, message: bytes | DisconnectCode) -> None:
        self._heard_s = self.street.loop.time()
        if isinstance(message, DisconnectCode):
            self._opened(Refused(Code(message)))
        elif message == OPENED and self._wire is not None:
            self._wire.send(0, self._connect)
        elif message == CONNECTED:
            self._opened(None)
        elif message != PING:
            for frame in frames_of(message):
                self._hear(*self.street.read(frame))

    def closed(self) -> None:
        self._opened(ConnectionError())
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(NotAcknowledged())
                answer.exception()
        if self._up:
            self._up = False
            self._on_lost()

    def _opened(self, error: Exception | None) -> None:
        if self._opening is None or self._opening.done():
            return
        if error is None:
            self._opening.set_result(None)
        else:
            self._opening.set_exception(error)

    def _hear(self, kind: str, message: Any) -> None:  # noqa: ANN401
        match kind:
            case "event":
                self.street.note(self._name, f"told {type(message).__name__} {message.epoch}")
                self._on_message(message)
            case "notice":
                self._on_notice(message)
            case "answer":
                number, answer = message
                if not self._answers[number].done():
                    self._answers[number].set_result(answer)
            case _:
                self.cut()

    def _pong(self) -> None:
        if self.street.loop.time() - self._heard_s > PING_INTERVAL_S + PING_TIMEOUT_S:
            self.cut()
        elif self._wire is not None and not self._wire.over[0]:
            self._wire.send(0, PONG)
            self.street.loop.call_later(PING_INTERVAL_S, self._pong)


OPEN_S: Final = 5.0
