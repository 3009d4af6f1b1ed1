# SPDX-License-Identifier: Apache-2.0
"""A `holdspace serve` of our own, in a process of its own: reached through its public port, like any other."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import socket
import sys
import time
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from aiohttp import ClientConnectionError, ClientSession
from msgspec import Struct

from server.ids import ParticipantId, RoomId
from server.rooms.state import Role
from server.signaling.tokens import Claims, TokenKey, fresh_ticket_id, sign

STANDARD_ERROR: Final = 2
START_S: Final = 60.0
STOP_S: Final = 10.0
LOOK_EVERY_S: Final = 0.1
TOKEN_SECONDS: Final = 24 * 3600
NOT_READY: Final = 503


class ServerFailed(RuntimeError):
    """The server did not come up, or went away; why stands on standard error."""


class OwnServer(Struct, frozen=True):
    """A running server and the key that its tokens are signed with."""

    process: Process
    port: int
    key: TokenKey

    @property
    def url(self) -> str:
        """Where it is reached from this machine."""
        return f"http://127.0.0.1:{self.port}"

    def token(self, room: RoomId, role: Role, *, person: ParticipantId | None = None, title: str = "") -> str:
        """A token for one person, or (None) an invite for any number of people."""
        now = int(time.time())
        return sign(
            self.key,
            Claims(
                iss=self.key.name,
                exp=now + TOKEN_SECONDS,
                nbf=now,
                room=room,
                role=role,
                sub=person,
                jti=fresh_ticket_id(),
                title=title,
            ),
        )


@asynccontextmanager
async def own_server(
    port: int, *options: str, key: TokenKey | None = None, output: int = STANDARD_ERROR
) -> AsyncIterator[OwnServer]:
    """Start it with further options of `holdspace serve`, wait until it is ready, end it. Raises ServerFailed.

    What it prints goes to this file descriptor. Servers of one system share a `key`.
    """
    _require_free(port)
    key = key or fresh_key()
    environment = {name: value for name, value in os.environ.items() if name != "HOLDSPACE_API_SECRET_FILE"}
    environment["HOLDSPACE_API_SECRET"] = key.secret
    command = [sys.executable, "-m", "server.cli", "serve", "--port", str(port), "--api-key", key.name, *options]
    # In a session of its own: Ctrl-C reaches us alone, and we end it when everybody has gone.
    process = await asyncio.create_subprocess_exec(
        *command, stdout=output, stderr=output, env=environment, start_new_session=True
    )
    server = OwnServer(process, port, key)
    try:
        await _until_ready(server)
        yield server
    finally:
        await _end(process)


def fresh_key() -> TokenKey:
    """A key that nobody else has."""
    return TokenKey("loadtest", secrets.token_urlsafe(32))


def free_port() -> int:
    """A port that is free for TCP and UDP right now."""
    while True:
        with socket.socket() as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            tcp.bind(("127.0.0.1", 0))
            port = int(tcp.getsockname()[1])
            # The number was chosen for TCP; somebody may have it for UDP.
            with contextlib.suppress(OSError):
                udp.bind(("127.0.0.1", port))
                return port


def _require_free(port: int) -> None:
    # Asked first: whoever has the port would answer in the place of our server.
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            helps = "choose another with --port (with make: PORT=9000)"
            raise ServerFailed(f"port {port} cannot be used: {error.strerror}; {helps}") from error


async def _until_ready(server: OwnServer) -> None:
    async with ClientSession() as http:
        for _ in range(round(START_S / LOOK_EVERY_S)):
            if server.process.returncode is not None:
                raise ServerFailed(f"the server ended with status {server.process.returncode}")
            if await _is_ready(http, server.url):
                return
            await asyncio.sleep(LOOK_EVERY_S)
    raise ServerFailed(f"the server was not ready within {START_S:.0f} s")


async def _is_ready(http: ClientSession, url: str) -> bool:
    try:
        async with http.get(f"{url}/readyz") as answer:
            return answer.status != NOT_READY
    except ClientConnectionError:
        return False


async def _end(process: Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        await asyncio.wait_for(process.wait(), STOP_S)
    except TimeoutError:
        process.kill()
        await process.wait()
