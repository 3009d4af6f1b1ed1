# SPDX-License-Identifier: Apache-2.0
"""The REST API for care platforms: make rooms and links, look at rooms, end them, ask who was there."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Final, TypeVar
from urllib.parse import quote

import jwt
import msgspec
from aiohttp import ClientResponse, ClientSession

from holdspace_client.protocol.api.schema import (
    AttendanceReport,
    CreateInvite,
    CreateLink,
    CreateRoom,
    EndedRoom,
    EndRoom,
    Link,
    ListedRoom,
    Problem,
    Room,
    RoomList,
)
from holdspace_client.protocol.ids import RoomId

TOKEN_SECONDS: Final = 300
T = TypeVar("T")


class PlatformProblem(Exception):
    """The server refused (RFC 9457), or something else has answered (`not_holdspace`).

    `code` is stable; `retry_after_s`: when to ask again, if the server said so.
    """

    def __init__(self, problem: Problem, retry_after_s: float | None = None) -> None:
        super().__init__(f"{problem.code}: {problem.detail}" if problem.detail else problem.code)
        self.code = problem.code
        self.status = problem.status
        self.retry_after_s = retry_after_s


class Platform:
    """Signs its own short-lived tokens; keep `api_secret` on your servers.

    Every method raises PlatformProblem when the server refuses, and aiohttp's ClientError when it is not there.
    """

    def __init__(
        self,
        http: ClientSession,
        url: str,
        *,
        api_key: str,
        api_secret: str,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        self._http = http
        self._base = url.rstrip("/") + "/api/v1"
        self._api_key = api_key
        self._api_secret = api_secret
        self._now_s = now_s

    async def create_room(self, wish: CreateRoom) -> Room:
        """A new room; `room_exists` when there is one of this id."""
        return await self._call("POST", "/rooms", Room, wish)

    async def room(self, room: RoomId) -> Room:
        """How it stands, and who is there; `no_such_room` before anybody came and soon after the end."""
        return await self._call("GET", f"/rooms/{quote(room, safe='')}", Room)

    async def link(self, room: RoomId, wish: CreateLink | None = None) -> Link:
        """A link for one person. The room need not be there yet."""
        return await self._call("POST", f"/rooms/{quote(room, safe='')}/links", Link, wish or CreateLink())

    async def invite(self, room: RoomId, wish: CreateInvite | None = None) -> Link:
        """One link for many people."""
        return await self._call("POST", f"/rooms/{quote(room, safe='')}/invites", Link, wish or CreateInvite())

    async def rooms(self) -> AsyncIterator[ListedRoom]:
        """All rooms of all servers, in no particular order."""
        after: str | None = ""
        while after is not None:
            page = await self._call("GET", f"/rooms?after={quote(after, safe='')}" if after else "/rooms", RoomList)
            for room in page.rooms:
                yield room
            after = page.next

    async def end(self, room: RoomId, wish: EndRoom | None = None) -> EndedRoom:
        """End the session for everybody at once; may be asked again."""
        return await self._call("POST", f"/rooms/{quote(room, safe='')}/end", EndedRoom, wish or EndRoom())

    async def attendance(self, room: RoomId) -> AttendanceReport:
        """Who was there, from when to when; until the room is forgotten, a minute after its end."""
        return await self._call("GET", f"/rooms/{quote(room, safe='')}/attendance", AttendanceReport)

    async def _call(self, method: str, path: str, answer: type[T], wish: msgspec.Struct | None = None) -> T:
        headers = {"Authorization": f"Bearer {self._token()}", "Content-Type": "application/json"}
        body = None if wish is None else msgspec.json.encode(wish)
        async with self._http.request(method, self._base + path, data=body, headers=headers) as response:
            data = await response.read()
            if response.ok:
                with suppress(msgspec.MsgspecError, UnicodeDecodeError):
                    return msgspec.json.decode(data, type=answer)
            raise _problem(response, data)

    def _token(self) -> str:
        claims = {"iss": self._api_key, "aud": "holdspace-api", "exp": int(self._now_s()) + TOKEN_SECONDS}
        return jwt.encode(claims, self._api_secret, algorithm="HS256", headers={"kid": self._api_key})


def _problem(response: ClientResponse, data: bytes) -> PlatformProblem:
    wait = response.headers.get("Retry-After", "")
    try:
        problem = msgspec.json.decode(data, type=Problem)
    except (msgspec.MsgspecError, UnicodeDecodeError):  # something between us and the server has answered
        problem = Problem("about:blank", response.reason or "", response.status, "not_holdspace")
    return PlatformProblem(problem, float(wait) if wait.isdecimal() else None)
