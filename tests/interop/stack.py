# SPDX-License-Identifier: Apache-2.0
"""What every WebRTC stack is asked to do here, and how one is asked that runs as a program of its own."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any, NamedTuple, Protocol

DRIVERS = Path(__file__).parent / "drivers"
ANSWER_S = 40.0


class Received(NamedTuple):
    """What came in one line that receives, in the order of the offer; `frames` were decoded, where the stack can."""

    kind: str
    packets: int
    frames: int


class Stack(Protocol):
    """One RTCPeerConnection that sends a voice and a picture, and has pairs of lines to receive."""

    async def offer(self, *, restart: bool = False) -> str:
        """A complete offer, set as the local description; `restart`: with new ICE credentials."""

    async def answer(self, sdp: str) -> None:
        """Take the answer to the last offer."""

    async def state(self) -> str:
        """`RTCPeerConnectionState`, in the words of that."""

    async def received(self) -> list[Received]:
        """What has come so far."""

    async def close(self) -> None:
        """End the connection, as a client that leaves in order."""


class Program:
    """A stack in another process, which reads a request and writes an answer in each line."""

    def __init__(self, *command: str) -> None:
        self._command = command
        self._process: asyncio.subprocess.Process | None = None

    async def offer(self, *, restart: bool = False) -> str:
        return str((await self._ask(do="offer", restart=restart))["sdp"])

    async def answer(self, sdp: str) -> None:
        await self._ask(do="answer", sdp=sdp)

    async def state(self) -> str:
        return str((await self._ask(do="stats"))["state"])

    async def received(self) -> list[Received]:
        return [Received(**each) for each in (await self._ask(do="stats"))["received"]]

    async def close(self) -> None:
        if self._process is None:
            return
        try:
            async with asyncio.timeout(10):
                await self._ask(do="close")
                await self._process.wait()
        finally:
            process, self._process = self._process, None
            if process.returncode is None:
                process.kill()
                await process.wait()

    async def _ask(self, **request: object) -> dict[str, Any]:
        if self._process is None:
            self._process = await asyncio.create_subprocess_exec(
                *self._command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=1 << 20
            )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request).encode() + b"\n")
        async with asyncio.timeout(ANSWER_S):
            line = await self._process.stdout.readline()
            while line and not line.startswith(b"{"):  # some stacks write to the standard output of their program
                line = await self._process.stdout.readline()
        answer: dict[str, Any] = json.loads(line or b'{"error": "the program has ended"}')
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer
