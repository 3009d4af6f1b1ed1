# SPDX-License-Identifier: Apache-2.0
"""`holdspace serve` as a process: its start, its end, and what it writes meanwhile."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from server.errors import DisconnectCode
from server.rooms.commands import Rename, SendChat, SetGoal
from server.rooms.state import Role
from server.signaling.messages import MediaOffer
from tests.signaling.clients import SECRET, Person, fresh_room, token

HOLDSPACE = Path(sys.executable).with_name("holdspace")
CANARY = "canaryword"


class Process:
    """A running server."""

    def __init__(self, process: asyncio.subprocess.Process, url: str, log: Path) -> None:
        self.process = process
        self.url = url
        self.log = log

    async def end(self, number: signal.Signals) -> int:
        """Send a signal and wait."""
        self.process.send_signal(number)
        async with asyncio.timeout(30):
            return await self.process.wait()


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[Process]:
    """Started, and killed in the end if it is still there."""
    log = folder / "log"
    with log.open("wb") as stderr:
        process = await asyncio.create_subprocess_exec(
            *(HOLDSPACE, "serve", "--port", "0", "--json", "--log-level", "debug", "--api-secret", SECRET),
            stdout=asyncio.subprocess.PIPE,
            stderr=stderr,
            cwd=folder,
        )
    assert process.stdout is not None
    async with asyncio.timeout(60):
        ready = json.loads(await process.stdout.readline())
    try:
        yield Process(process, f"http://127.0.0.1:{ready['port']}", log)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_sigterm_tells_everybody_and_ends_well(tmp_path: Path) -> None:
    """People hear why, the status is 0, and nothing they wrote is in the log."""
    async with serving(tmp_path) as server:
        room = fresh_room()
        ann = await Person(server.url, room).join(f"ann-{CANARY}", Role.MODERATOR, name=CANARY)
        await ann.do(SendChat(f"{CANARY} in chat"))
        await ann.do(SetGoal(f"{CANARY} as goal"))
        await ann.do(Rename(f"{CANARY} 2"))
        await ann.send(MediaOffer(1, f"v=0\r\ns={CANARY}\r\n"))
        await ann.raw({"id": "x", "command": {"type": CANARY}})
        await _strangers(server.url)
        await ann.until(lambda: True)
        assert await server.end(signal.SIGTERM) == 0
        await ann.until(lambda: ann.gone)
        assert ann.disconnecting == DisconnectCode.SERVER_RESTARTING
        await ann.close()
        written = server.log.read_text()
    assert '"event": "listening"' in written
    assert '"event": "welcome"' in written
    for secret in (CANARY, room, token(room)[:60], SECRET, ann.welcome.secret, "evil.example"):
        assert secret not in written


async def _strangers(url: str) -> None:
    """Requests whose every part is unwelcome in a log."""
    async with aiohttp.ClientSession() as http:
        for path in (f"/{CANARY}", f"/?token={CANARY}", f"/socket.io/?EIO=4&transport=polling&sid={CANARY}"):
            async with http.get(url + path, headers={"Origin": f"https://{CANARY}.evil.example"}):
                pass
        async with http.post(f"{url}/api/tickets", json={"token": CANARY}):
            pass
        async with http.ws_connect(f"{url}/socket.io/?EIO=4&transport=websocket") as websocket:
            await websocket.send_bytes(CANARY.encode())
            await websocket.close()


async def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    """Status 2 and one sentence, for TCP and for UDP."""
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(type=kind) as taken:
            taken.bind(("127.0.0.1", 0))
            if kind is socket.SOCK_STREAM:
                taken.listen()
            port = taken.getsockname()[1]
            process = await asyncio.create_subprocess_exec(
                *(HOLDSPACE, "serve", "--port", str(port)), stderr=asyncio.subprocess.PIPE, cwd=tmp_path
            )
            async with asyncio.timeout(30):
                _, written = await process.communicate()
        assert process.returncode == 2
        assert str(port).encode() in written
        assert b"Traceback" not in written


async def test_a_second_signal_ends_at_once(tmp_path: Path) -> None:
    """While the first one waits for people to hear it."""
    async with serving(tmp_path) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(server.url.rpartition(":")[2]))
        writer.write(
            b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        await reader.readuntil(b'"maxPayload"')
        server.process.send_signal(signal.SIGTERM)
        while '"event": "stopping"' not in server.log.read_text():  # noqa: ASYNC110 - another process writes it
            await asyncio.sleep(0.02)
        assert await server.end(signal.SIGTERM) == -signal.SIGTERM
        writer.close()
