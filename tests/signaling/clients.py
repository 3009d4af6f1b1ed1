# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: ANN401 - payloads of any kind, also wrong ones
"""A real server on a free port, and people who talk to it through the stock Socket.IO client."""

from __future__ import annotations

import asyncio
import itertools
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import msgspec
import socketio
from aiohttp import ClientSession, ClientWebSocketResponse

from holdspace_client import Mirror, messages
from server.app import Server
from server.config import Config
from server.errors import DisconnectCode
from server.ids import RoomId
from server.rooms.events import Event
from server.rooms.state import Role, RoomState, RoomView
from server.rooms.view import view_of
from server.runner.runner import RoomRunner
from server.signaling.messages import (
    PROTOCOL_VERSION,
    Acknowledgement,
    ClientCommand,
    ConnectRefused,
    Disconnecting,
    Events,
    Notice,
    Ok,
    Reject,
    Resume,
    RoomMessage,
    Snapshot,
    Welcome,
)
from server.signaling.tokens import Claims, TokenKey, sign
from tests.vocabulary import as_

SECRET = "s" * 40
KEY = TokenKey("holdspace", SECRET)
PATIENCE_S = 8.0


def config(folder: Path, **settings: Any) -> Config:
    """Settings of a server under test."""
    facts: dict[str, Any] = {"port": 0, "data_dir": folder, "api_secret": SECRET, "auto_admit": True}
    return Config(**(facts | settings))


def claims(room: RoomId, sub: str | None = "ann", role: Role = Role.PARTICIPANT, **more: Any) -> Claims:
    """What a token says, valid for a minute."""
    facts: dict[str, Any] = {
        "iss": KEY.name,
        "exp": int(time.time()) + 60,
        "room": room,
        "role": role,
        "sub": sub,
        "name": sub or "New",
    }
    return Claims(**(facts | more))


def token(room: RoomId, sub: str | None = "ann", role: Role = Role.PARTICIPANT, **more: Any) -> str:
    """A signed token."""
    return sign(KEY, claims(room, sub, role, **more))


def fresh_room() -> RoomId:
    """A room of its own for each test."""
    return RoomId("room-" + secrets.token_hex(6))


class Refused(Exception):
    """The connection was refused."""

    def __init__(self, refusal: ConnectRefused) -> None:
        super().__init__(refusal.reason)
        self.code = refusal.code


class Person:
    """One connection. Every message is decoded strictly, and folded into a mirror as a real client does."""

    def __init__(self, url: str, room: RoomId, *, ssl_verify: bool = True) -> None:
        self.url = url
        self.room = room
        self.mirror = Mirror()
        self._seen: tuple[object, Any] = None, None
        self.messages: list[RoomMessage] = []
        self.events: list[Event] = []
        self.notices: list[Notice] = []
        self.faults: list[Exception] = []
        self.gone = False
        self.refusal: ConnectRefused | None = None
        self._numbers = itertools.count(1)
        self._changed = asyncio.Event()
        self._sio: Any = socketio.AsyncClient(
            serializer="msgpack", reconnection=False, handle_sigint=False, ssl_verify=ssl_verify
        )
        self._sio.on("event", self._on_event)
        self._sio.on("notice", self._on_notice)
        self._sio.on("connect_error", self._on_refusal)
        self._sio.on("disconnect", self._on_disconnect)

    async def connect(self, **auth: Any) -> Self:
        """Open the connection and wait for the Welcome; raises Refused."""
        try:
            await self._sio.connect(
                self.url,
                transports=["websocket"],
                auth={"protocol": PROTOCOL_VERSION} | auth,
                wait_timeout=PATIENCE_S,
            )
        except socketio.exceptions.ConnectionError:
            await self._sio.disconnect()
            if self.refusal is None:
                raise
            raise Refused(self.refusal) from None
        await self.until(lambda: bool(self.messages) or self.gone)
        return self

    async def join(self, sub: str, role: Role = Role.PARTICIPANT, **auth: Any) -> Self:
        """Connect with a token of one's own."""
        return await self.connect(token=token(self.room, sub, role), **auth)

    async def close(self) -> None:
        """Drop the connection."""
        await self._sio.disconnect()

    @property
    def welcome(self) -> Welcome:
        """The first message."""
        first = self.messages[0]
        assert isinstance(first, Welcome)
        return first

    @property
    def view(self) -> RoomView:
        """The room as this person sees it."""
        seen = self.mirror.view
        assert seen is not None
        if seen is not self._seen[0]:
            self._seen = seen, as_(RoomView, seen)
        view: RoomView = self._seen[1]
        return view

    @property
    def snapshots(self) -> int:
        """How often the whole view was sent, the Welcome's included."""
        return sum(isinstance(message, Snapshot) or bool(_view(message)) for message in self.messages)

    @property
    def disconnecting(self) -> DisconnectCode | None:
        """Why the server has ended the connection, if it has said so."""
        return next((notice.code for notice in self.notices if isinstance(notice, Disconnecting)), None)

    def resume(self) -> Resume:
        """What opens the seat again."""
        resume: Resume = as_(Resume, self.mirror.resume(self.welcome.secret))
        return resume

    async def send(self, command: ClientCommand, command_id: str | None = None) -> Acknowledgement:
        """Send a command and wait for its answer."""
        frame = {"id": command_id or str(next(self._numbers)), "command": msgspec.to_builtins(command)}
        return await self.raw(frame)

    async def do(self, command: ClientCommand) -> Ok:
        """Send a command that must succeed."""
        answer = await self.send(command)
        assert isinstance(answer, Ok), answer
        return answer

    async def raw(self, payload: object) -> Acknowledgement:
        """Send anything as `command`."""
        answer = await self._sio.call("command", payload, timeout=PATIENCE_S)
        acknowledgement: Acknowledgement = msgspec.convert(answer, Acknowledgement)
        return acknowledgement

    async def emit(self, event: str, payload: object) -> None:
        """Send anything without asking for an answer."""
        await self._sio.emit(event, payload)

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until something is true."""
        async with asyncio.timeout(PATIENCE_S):
            while not holds():
                self._changed.clear()
                await self._changed.wait()

    async def caught_up(self, runner: RoomRunner) -> None:
        """Wait until this view is what the room shows this person."""
        await self.until(lambda: comparable(self.view) == comparable(view_of(runner.state, self.welcome.participant)))

    def _on_event(self, data: object) -> None:
        message = msgspec.convert(data, RoomMessage)
        self.messages.append(message)
        try:
            self.events += as_(tuple[Event, ...], self.mirror.apply(msgspec.convert(data, messages.RoomMessage)))
        except Exception as fault:  # noqa: BLE001 - shown by the test, not by the client's task
            self.faults.append(fault)
        self._changed.set()

    def _on_notice(self, data: object) -> None:
        self.notices.append(msgspec.convert(data, Notice))
        self._changed.set()

    def _on_refusal(self, data: Any) -> None:
        if isinstance(data, dict) and "data" in data:
            self.refusal = msgspec.convert(data["data"], ConnectRefused)
        self._changed.set()

    def _on_disconnect(self, *_: object) -> None:
        self.gone = True
        self._changed.set()


def _view(message: RoomMessage) -> RoomView | None:
    return message.view if isinstance(message, Welcome) else None


def comparable(view: RoomView) -> dict[str, object]:
    """The fields of a view: a mirror holds them in a state."""
    return {name: getattr(view, name) for name in RoomView.__struct_fields__}


def code_of(answer: Acknowledgement) -> int:
    """The number of a refusal."""
    assert isinstance(answer, Reject), answer
    assert answer.reason
    assert answer.message
    return int(answer.code)


class Venue:
    """A server and the people of one test in it; all are gone at its end."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.room = fresh_room()
        self.people: list[Person] = []

    @property
    def url(self) -> str:
        """Where the server listens."""
        return f"http://127.0.0.1:{self.server.port}"

    @property
    def runner(self) -> RoomRunner:
        """The room's runner."""
        runner = self.server.rooms.get(self.room)
        assert runner is not None
        return runner

    @property
    def state(self) -> RoomState:
        """The committed truth."""
        return self.runner.state

    def person(self, earlier: Person | None = None) -> Person:
        """Somebody who has not connected yet; or somebody from before, who knows what they knew."""
        person = Person(self.url, self.room)
        if earlier is not None:
            person.mirror = earlier.mirror
        self.people.append(person)
        return person

    async def back(self, earlier: Person, **auth: Any) -> Person:
        """Somebody who comes back with their secret; needs their token."""
        return await self.person(earlier).connect(resume=plain(earlier.resume()), **auth)

    async def join(self, sub: str, role: Role = Role.PARTICIPANT, **auth: Any) -> Person:
        """Somebody in the room."""
        return await self.person().join(sub, role, **auth)

    async def refused(self, **auth: Any) -> DisconnectCode:
        """The number with which this connection is refused."""
        try:
            await self.person().connect(**auth)
        except Refused as refusal:
            return refusal.code
        raise AssertionError("not refused")

    async def close(self) -> None:
        """Everybody leaves; nobody may have seen a message that did not fit."""
        for person in self.people:
            await person.close()
        assert [fault for person in self.people for fault in person.faults] == []


class RawSocket:
    """A WebSocket that speaks Engine.IO by hand."""

    def __init__(self, websocket: ClientWebSocketResponse) -> None:
        self.websocket = websocket

    @classmethod
    async def open(cls, session: ClientSession, url: str, **headers: str) -> Self:
        """Past the Engine.IO handshake."""
        websocket = await session.ws_connect(f"{url}/socket.io/?EIO=4&transport=websocket", headers=headers)
        opening = await websocket.receive_str()
        assert opening.startswith("0{")
        return cls(websocket)

    async def send(self, packet: object) -> None:
        """One Socket.IO packet in MessagePack."""
        await self.websocket.send_bytes(msgspec.msgpack.encode(packet))

    async def connect(self, **auth: Any) -> None:
        """Connect and read up to the Welcome."""
        await self.send({"type": 0, "nsp": "/", "data": {"protocol": PROTOCOL_VERSION} | auth})
        while (await self.receive())["type"] != 2:
            pass

    async def receive(self) -> dict[str, Any]:
        """The next Socket.IO packet."""
        async with asyncio.timeout(PATIENCE_S):
            while isinstance(data := (await self.websocket.receive()).data, str):
                pass
        assert isinstance(data, bytes), data
        packet: dict[str, Any] = msgspec.msgpack.decode(data)
        return packet

    async def goodbye(self) -> int | None:
        """Read to the end; the number of the `disconnecting` notice, or None."""
        code = None
        async with asyncio.timeout(PATIENCE_S):
            async for message in self.websocket:
                if isinstance(message.data, bytes):
                    packet = msgspec.msgpack.decode(message.data)
                    if packet.get("data") and packet["data"][0] == "notice":
                        code = packet["data"][1].get("code", code)
        return code


def events_of(message: RoomMessage) -> tuple[Event, ...]:
    """The events a message carries."""
    return message.events if isinstance(message, Events) else ()


def plain(resume: Resume) -> dict[str, Any]:
    """As a client would send it."""
    return {"epoch": resume.epoch, "seq": resume.seq, "secret": resume.secret}
