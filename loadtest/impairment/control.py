# SPDX-License-Identifier: Apache-2.0
"""A process of its own for rigs, and the messages that drive it: one JSON value a line, requests in, replies out."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, assert_never

import msgspec
from msgspec import Struct

from loadtest.impairment.profile import Link
from loadtest.impairment.rig import Address, Report, Rig


class Open(Struct, frozen=True, tag=True, kw_only=True):
    """A new rig in front of this server."""

    to: Address
    link: Link
    seed: int
    listen: Address = ("127.0.0.1", 0)
    shared: bool = False


class Change(Struct, frozen=True, tag=True):
    """Another link for all clients of a rig."""

    rig: int
    link: Link


class Rebind(Struct, frozen=True, tag=True):
    """New source ports for all clients of a rig."""

    rig: int


class Ask(Struct, frozen=True, tag=True):
    """How is it going? Replied to with a Report."""

    rig: int


class Close(Struct, frozen=True, tag=True):
    """End a rig. Replied to with its last Report."""

    rig: int


class Opened(Struct, frozen=True, tag=True):
    """Reply to Open."""

    rig: int
    address: Address


class Done(Struct, frozen=True, tag=True):
    """Reply to Change and Rebind."""


class Reported(Struct, frozen=True, tag=True):
    """Reply to Ask and Close."""

    report: Report


Request = Open | Change | Rebind | Ask | Close
Reply = Opened | Done | Reported

END_S: Final = 5.0


class Rigs:
    """All rigs of this process."""

    def __init__(self) -> None:
        self._rigs: dict[int, Rig] = {}
        self._opened = 0

    def apply(self, request: Request) -> Reply:
        """Do it. Raises KeyError for a rig that is not there, OSError for an address that cannot be had."""
        match request:
            case Open():
                rig = Rig(request.to, request.link, seed=request.seed, listen=request.listen, shared=request.shared)
                self._opened += 1
                self._rigs[self._opened] = rig
                return Opened(self._opened, rig.address)
            case Change(rig=number, link=link):
                self._rigs[number].change(link)
                return Done()
            case Rebind(rig=number):
                self._rigs[number].rebind()
                return Done()
            case Ask(rig=number):
                return Reported(self._rigs[number].report())
            case Close(rig=number):
                gone = self._rigs.pop(number)
                gone.close()
                return Reported(gone.report())
            case _:
                assert_never(request)


async def obey() -> None:
    """Requests from standard input until it ends; a wrong one ends the process with its error."""
    rigs, loop = Rigs(), asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    decoder = msgspec.json.Decoder(Request)
    while line := await reader.readline():
        reply = rigs.apply(decoder.decode(line))
        sys.stdout.buffer.write(msgspec.json.encode(reply) + b"\n")
        sys.stdout.buffer.flush()


class RemoteRig:
    """A rig in another process."""

    def __init__(self, process: RigProcess, number: int, address: Address) -> None:
        self._process = process
        self._number = number
        self.address = address

    async def change(self, link: Link) -> None:
        """As `Rig.change`."""
        await self._process.ask(Change(self._number, link))

    async def rebind(self) -> None:
        """As `Rig.rebind`."""
        await self._process.ask(Rebind(self._number))

    async def report(self) -> Report:
        """As `Rig.report`."""
        return _report(await self._process.ask(Ask(self._number)))

    async def close(self) -> Report:
        """End it; what it did."""
        return _report(await self._process.ask(Close(self._number)))


class RigProcess:
    """Speaks to a process that runs `obey`."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._turn = asyncio.Lock()
        self._decoder = msgspec.json.Decoder(Reply)

    async def open(self, to: Address, link: Link, *, seed: int, shared: bool = False) -> RemoteRig:
        """A rig on a free port of loopback."""
        opened = await self.ask(Open(to=to, link=link, seed=seed, shared=shared))
        if not isinstance(opened, Opened):
            raise TypeError(opened)
        return RemoteRig(self, opened.rig, opened.address)

    async def ask(self, request: Request) -> Reply:
        """One request, one reply. Raises EOFError when the process is gone."""
        async with self._turn:
            if self._process.stdin is None or self._process.stdout is None:
                raise EOFError
            self._process.stdin.write(msgspec.json.encode(request) + b"\n")
            await self._process.stdin.drain()
            line = await self._process.stdout.readline()
        if not line:
            raise EOFError("the impairment process has ended")
        reply: Reply = self._decoder.decode(line)
        return reply


@asynccontextmanager
async def rig_process() -> AsyncIterator[RigProcess]:
    """Start it, end it."""
    command = [sys.executable, "-m", "loadtest.impairment", "obey"]
    process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE)
    try:
        yield RigProcess(process)
    finally:
        if process.stdin is not None:
            process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), END_S)
        except TimeoutError:
            process.kill()
            await process.wait()


def _report(reply: Reply) -> Report:
    if not isinstance(reply, Reported):
        raise TypeError(reply)
    return reply.report
