# SPDX-License-Identifier: Apache-2.0
"""A care platform that takes webhooks over real HTTP: it checks each signature, fails, hangs, redirects, comes back."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, Final, Self

import jwt
import msgspec
from aiohttp import web

SECRET: Final = "a secret that only the platform knows"
PATH: Final = "/hooks"
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


def checked(authorization: str, body: bytes, secret: str = SECRET) -> dict[str, Any]:
    """The claims, if the body is what was signed; raises otherwise. As docs/platforms.md has it."""
    claims: dict[str, Any] = jwt.decode(
        authorization,
        secret,
        algorithms=["HS256"],
        audience="holdspace-webhook",
        options={"require": ["exp", "sha256"]},
    )
    assert claims["sha256"] == base64.b64encode(hashlib.sha256(body).digest()).decode()
    return claims


class Platform:
    """Listens on a free port. `taken`: what it has confirmed, in order; `seen`: how often each id came."""

    def __init__(self) -> None:
        self.taken: list[dict[str, Any]] = []
        self.bodies: dict[str, bytes] = {}
        self.seen: Counter[str] = Counter()
        self.others: list[str] = []
        self.answer: Answer | None = None
        """What it does instead of taking it."""
        self._changed = asyncio.Event()
        app = web.Application()
        app.router.add_post(PATH, self._hook)
        app.router.add_route("*", "/{other:.*}", self._other)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        self.port = 0

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    @property
    def url(self) -> str:
        """Where webhooks go."""
        return f"http://127.0.0.1:{self.port}{PATH}"

    @property
    def events(self) -> list[str]:
        """What was taken, by kind."""
        return [each["event"] for each in self.taken]

    async def until(self, holds: Callable[[], bool], within_s: float = 20.0) -> None:
        """Wait for something that comes."""
        async with asyncio.timeout(within_s):
            while not holds():
                self._changed.clear()
                await self._changed.wait()

    async def _hook(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        checked(request.headers["Authorization"], body)
        assert request.content_type == "application/webhook+json"
        said = msgspec.json.decode(body)
        self.seen[said["id"]] += 1
        assert self.bodies.setdefault(said["id"], body) == body
        self._changed.set()
        try:
            if self.answer is not None:
                return await self.answer(request)
            self.taken.append(said)
            return web.Response(status=204)
        finally:
            self._changed.set()

    async def _other(self, request: web.Request) -> web.Response:
        self.others.append(request.path)
        return web.Response()


async def broken(_request: web.Request) -> web.Response:
    """It fails."""
    return web.Response(status=500, text="no")


async def elsewhere(_request: web.Request) -> web.Response:
    """It sends whoever calls to another place."""
    return web.Response(status=307, headers={"Location": "/elsewhere"})


async def hanging(_request: web.Request) -> web.Response:
    """It takes for ever."""
    await asyncio.sleep(3600)
    return web.Response()


async def endless(request: web.Request) -> web.StreamResponse:
    """It fails, and never ends saying so."""
    answer = web.StreamResponse(status=503)
    await answer.prepare(request)
    try:
        while True:
            await answer.write(b"x" * 65_536)
    except ConnectionError:
        return answer
