# SPDX-License-Identifier: Apache-2.0
"""Nodes: `holdspace serve` processes that are killed, paused, drained and started again."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import sys
import time
from asyncio.subprocess import Process
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from aiohttp import ClientConnectionError, ClientSession

from loadtest.serving import free_port
from server.ids import ParticipantId, RoomId
from server.rooms.state import Role
from server.signaling.tokens import Claims, TokenKey, fresh_ticket_id, sign

START_S: Final = 150.0
"""A service manager would not wait that long; a machine that runs ten test suites beside this one makes it so."""
START_ATTEMPTS: Final = 3
STOP_S: Final = 15.0
PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")
SOURCE: Final = Path(__file__).parents[2]
PROGRAM: Final = ("-m", "server.cli")


def fresh_key() -> TokenKey:
    """A key that all nodes of one scene share."""
    return TokenKey("faults", secrets.token_urlsafe(32))


def token(key: TokenKey, room: RoomId, person: ParticipantId, role: Role) -> str:
    """A link's token for one person."""
    now = int(time.time())
    claims = Claims(
        iss=key.name, exp=now + 3600, nbf=now, room=room, role=role, sub=person, jti=fresh_ticket_id(), title=""
    )
    return sign(key, claims)


class Node:
    """One server process on a port of its own, which it keeps when it is started again."""

    def __init__(
        self,
        name: str,
        key: TokenKey,
        folder: Path,
        *options: str,
        program: tuple[str, ...] = PROGRAM,
        source: Path = SOURCE,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """`source`: where its code is; `environment`: what it sees beside ours."""
        self.name = name
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / f"{name}.log"
        own = ("--port", str(self.port), "--node-url", self.url, "--api-key", key.name)
        self._command = (sys.executable, *program, "serve", *own, *options)
        self._folder = folder
        self._environment = {n: v for n, v in os.environ.items() if not n.startswith("HOLDSPACE_")}
        self._environment |= {"HOLDSPACE_API_SECRET": key.secret, "PYTHONPATH": str(source), **(environment or {})}
        self._process: Process | None = None

    @property
    def process(self) -> Process:
        """The process that was started last."""
        if self._process is None:
            raise RuntimeError(f"{self.name} was never started")
        return self._process

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._process is not None and self._process.returncode is None

    async def start(self) -> None:
        """Start it, again if it does not come up, as service managers do; return when it is ready for clients."""
        for _ in range(START_ATTEMPTS):
            if await self._started():
                return
        raise RuntimeError(f"{self.name} does not start:\n{self.log.read_text()[-3000:]}")

    async def _started(self) -> bool:
        with self.log.open("ab") as log:
            # It ends with this process, however that ends.
            self._process = await asyncio.create_subprocess_exec(
                *("setpriv", "--pdeathsig", "KILL", *self._command),
                cwd=self._folder,
                env=self._environment,
                stdout=log,
                stderr=log,
            )
        async with asyncio.timeout(START_S), ClientSession() as http:
            while self._process.returncode is None:
                if await self._ready(http):
                    return True
                await asyncio.sleep(0.05)
        return False

    async def _ready(self, http: ClientSession) -> bool:
        try:
            async with http.get(f"{self.url}/readyz") as answer:
                return answer.ok
        except ClientConnectionError:
            return False

    def take(self, source: Path) -> None:
        """From the next start on its code is there."""
        self._environment["PYTHONPATH"] = str(source)

    async def kill(self) -> None:
        """End it at once (SIGKILL)."""
        self.process.kill()
        await self.process.wait()

    def pause(self) -> None:
        """Freeze it; its connections stay open (SIGSTOP)."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on as if nothing had been (SIGCONT)."""
        self.process.send_signal(signal.SIGCONT)

    async def drain(self) -> None:
        """Ask it to go (SIGTERM), and wait until it has."""
        self.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(STOP_S):
            await self.process.wait()

    async def close(self) -> None:
        """End it, whatever state it is in."""
        if self.running:
            self.process.send_signal(signal.SIGCONT)
            await self.kill()

    def workers(self) -> tuple[int, ...]:
        """The processes of its media workers (proc(5), children)."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text(encoding="ascii")
        return tuple(map(int, children.split()))

    # -- what it uses --------------------------------------------------------------------------------------------------

    def memory_bytes(self) -> int:
        """Resident memory of the process itself (proc(5), statm)."""
        resident = Path(f"/proc/{self.process.pid}/statm").read_text(encoding="ascii").split()[1]
        return int(resident) * PAGE_BYTES

    def sockets(self) -> int:
        """How many sockets it holds."""
        links = (str(link.readlink()) for link in Path(f"/proc/{self.process.pid}/fd").iterdir())
        return sum(link.startswith("socket:") for link in links)
