# SPDX-License-Identifier: Apache-2.0
"""A client written from PROTOCOL.md alone: stock python-socketio and aiohttp, plain dictionaries, none of our code."""

from __future__ import annotations

import asyncio
import itertools
import secrets
from collections.abc import Callable
from typing import Any, Self

import socketio
from aiohttp import ClientSession

Message = dict[str, Any]

ANSWER_S = 10.0


class Refused(Exception):
    """A command was rejected: `reason` and, for the author of a client, `detail`."""

    def __init__(self, reject: Message) -> None:
        super().__init__(f"{reject['reason']}: {reject['detail']}")
        self.reason: str = reject["reason"]
        self.detail: str = reject["detail"]


class Stranger:
    """`async with Stranger(url, token, name) as person`: in the room until the end of the block."""

    def __init__(self, url: str, token: str, name: str) -> None:
        self._url = url
        self._token = token
        self._name = name
        self._commands = itertools.count()
        self._offers = itertools.count(secrets.randbelow(1 << 31))
        self._said = asyncio.Condition()
        self._sio: Any = None
        self._http: ClientSession | None = None
        self.welcome: Message = {}
        self.slots: dict[int, str | None] = {}
        self.paused: dict[int, str | None] = {}
        self.notices: list[Message] = []

    async def __aenter__(self) -> Self:
        self._http = ClientSession()
        async with self._http.post(f"{self._url}/api/tickets", json={"token": self._token}) as response:
            ticket = await response.json()
        self._sio = socketio.AsyncClient(serializer="msgpack", reconnection=False, http_session=self._http)
        self._sio.on("event", self._event)
        self._sio.on("notice", self._notice)
        connect = {
            "token": ticket["ticket"],
            "protocol": 1,
            "name": self._name,
            "agreement": ticket["room"]["agreement"]["version"],
        }
        await self._sio.connect(self._url, auth=connect, transports=["websocket"], wait_timeout=ANSWER_S)
        await self.until(lambda: bool(self.welcome))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._sio.disconnect()
        assert self._http is not None
        await self._http.close()

    @property
    def me(self) -> str:
        """One's own participant id."""
        return str(self.welcome["participant"])

    async def until(self, done: Callable[[], bool], seconds: float = ANSWER_S) -> None:
        """Wait until what the server says has made this true."""
        async with asyncio.timeout(seconds), self._said:
            await self._said.wait_for(done)

    async def do(self, kind: str, **fields: object) -> Message:
        """Send one command; returns the Ok, or raises Refused."""
        frame = {"id": f"c{next(self._commands)}", "command": {"type": kind, **fields}}
        answer: Message = await self._sio.call("command", frame, timeout=ANSWER_S)
        if answer["type"] == "reject":
            raise Refused(answer)
        return answer

    async def offer(self, sdp: str) -> str:
        """The server's answer; raises Refused, with the reason of `media_lost` if that comes in its place."""
        number = next(self._offers)
        await self.do("media_offer", offer=number, sdp=sdp)
        await self.until(lambda: any(each.get("offer") == number for each in self.notices))
        said = next(each for each in self.notices if each.get("offer") == number)
        if said["type"] == "media_lost":
            raise Refused({"reason": "media_lost", "detail": said["reason"]})
        return str(said["sdp"])

    async def _event(self, message: Message) -> None:
        async with self._said:
            if message["type"] == "welcome":
                self.welcome = message
            self._said.notify_all()

    async def _notice(self, message: Message) -> None:
        async with self._said:
            self.notices.append(message)
            if message["type"] == "slots":
                self.slots = {slot["index"]: slot["source"] for slot in message["slots"]}
                self.paused = {slot["index"]: slot["paused"] for slot in message["slots"]}
            self._said.notify_all()
