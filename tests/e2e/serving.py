# SPDX-License-Identifier: Apache-2.0
"""A real `holdspace serve` process for the browser tests, and what the machine did meanwhile."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from loadtest.serving import free_port

HOLDSPACE = Path(sys.executable).with_name("holdspace")
READY_S = 60.0
"""A loaded machine takes long to import."""


class Server:
    """`async with Server(folder) as server`: the embedded default on a free port, with its own data folder."""

    def __init__(self, folder: Path, *options: str, port: int = 0) -> None:
        self.port = port or free_port()
        self.url = f"http://localhost:{self.port}"
        self._folder = folder
        self._options = options
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def log(self) -> Path:
        """What the server wrote to its standard error."""
        return self._folder / "server.log"

    async def start(self) -> None:
        """Start it and wait until it answers on /readyz."""
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(str(HOLDSPACE), "serve", "--port", str(self.port)),
                *self._options,
                cwd=self._folder,
                stdout=log,
                stderr=log,
            )
        async with asyncio.timeout(READY_S):
            while not await self._ready():
                if self._process.returncode is not None:
                    raise RuntimeError(f"the server ended with {self._process.returncode}:\n{self.log.read_text()}")
                await asyncio.sleep(0.1)

    async def _ready(self) -> bool:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return False
        try:
            writer.write(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            return b" 200 " in await reader.readline()
        except OSError:
            return False
        finally:
            writer.close()

    async def stop(self, *, how: signal.Signals = signal.SIGTERM) -> None:
        """End this process and wait for it."""
        if self._process is None or self._process.returncode is not None:
            return
        self._process.send_signal(how)
        async with asyncio.timeout(15):
            await self._process.wait()

    async def token(self, room: str, role: str, name: str, *options: str) -> dict[str, Any]:
        """What `holdspace token create --json` prints."""
        made = await asyncio.create_subprocess_exec(
            *(str(HOLDSPACE), "token", "create", "--room", room, "--role", role, "--name", name, "--json"),
            *("--port", str(self.port), *options),
            cwd=self._folder,
            stdout=asyncio.subprocess.PIPE,
        )
        out, _ = await made.communicate()
        if made.returncode != 0:
            raise RuntimeError(f"holdspace token create ended with {made.returncode}")
        made_token: dict[str, Any] = json.loads(out)
        return made_token


class Cpu:
    """Share of all cores that was busy since this was made, 0 to 1, from /proc/stat (proc(5))."""

    def __init__(self) -> None:
        self._start = self._read()

    @staticmethod
    def _read() -> tuple[int, int]:
        with Path("/proc/stat").open(encoding="ascii") as stat:
            ticks = [int(n) for n in stat.readline().split()[1:9]]
        return sum(ticks) - ticks[3] - ticks[4], sum(ticks)

    def busy(self) -> float:
        """The share so far."""
        busy, total = self._read()
        return (busy - self._start[0]) / max(1, total - self._start[1])

    @staticmethod
    def cores() -> int:
        """How many there are."""
        return os.cpu_count() or 1
