# SPDX-License-Identifier: Apache-2.0
"""People without a browser, in a process of their own that goes before all others.

Real people send from their own machines: browsers that keep this one busy do not make their packets late. What it
does to be punctual, and how late it was nevertheless, is part of what a test reports.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Final

from aiohttp import ClientSession

from loadtest.clip import Clip, Signatures, prepared
from loadtest.pacer import Pacer
from loadtest.participant import Participant
from loadtest.peer import Peer
from loadtest.sender import Voice
from server.ids import Placement
from tests.e2e.serving import Server

CLIPS: Final = {Placement("b1"): prepared(10), Placement("b2"): prepared(4)}
"""What is sent in each breakout: far apart in colour (0.18 and 0.47 of the circle) and tone (880 and 367 Hz)."""

_SLOTS: Final = 12


class Extras:
    """The test's end of that process. `priority` says in words how it is scheduled."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.priority = ""

    async def arrive(self, server: Server, count: int) -> None:
        """So many join, without media."""
        tokens = [(await server.token("moves", "participant", f"Extra {n}"))["token"] for n in range(count)]
        self.priority = await self._do("arrive", [server.url, tokens])

    async def on_air(self) -> None:
        """Each sends the picture and the tone of the breakout that they have come to."""
        await self._do("on_air")

    async def on_time(self) -> None:
        """Forget how late packets were sent so far."""
        await self._do("on_time")

    async def latest_ms(self) -> float:
        """By how much a packet was sent too late at most: jitter of ours, not of the server's."""
        return float(await self._do("latest_ms"))

    async def close(self) -> None:
        """Everybody goes."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        async with asyncio.timeout(20):
            await self._process.wait()

    async def _do(self, what: str, given: Any = None) -> Any:  # noqa: ANN401 - JSON
        pipe_in, pipe_out = self._process.stdin, self._process.stdout
        assert pipe_in is not None
        assert pipe_out is not None
        pipe_in.write(json.dumps([what, given]).encode() + b"\n")
        answer = await pipe_out.readline()
        if not answer:
            raise RuntimeError(f"the prepared people ended with {await self._process.wait()}")
        return json.loads(answer)


@asynccontextmanager
async def extras(server: Server, count: int) -> AsyncIterator[Extras]:
    """So many of them, joined."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", __name__), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    people = Extras(process)
    try:
        await people.arrive(server, count)
        yield people
    finally:
        await people.close()


# -- in the process --------------------------------------------------------------------------------------------------


class _Company:
    """What the process does for the test."""

    def __init__(self, http: ClientSession) -> None:
        self._http = http
        self._pacer = Pacer()
        self._signatures = Signatures(CLIPS.values())
        self._people: list[Participant] = []
        self.works: dict[str, Callable[[Any], Coroutine[Any, Any, Any]]] = {
            "arrive": self._arrive,
            "on_air": self._on_air,
            "on_time": self._on_time,
            "latest_ms": self._latest_ms,
        }

    async def close(self) -> None:
        for person in self._people:
            await person.close()
        self._pacer.close()

    async def _arrive(self, given: tuple[str, list[str]]) -> str:
        url, tokens = given
        for number, token in enumerate(tokens):
            person = Participant(self._http, url, token, name=f"Extra {number}")
            await person.join()
            self._people.append(person)
        return _go_first()

    async def _on_air(self, _: None) -> None:
        for person in self._people:
            await person.until(lambda _, one=person: one.placement in CLIPS)  # type: ignore[misc]
            clip: Clip = CLIPS[Placement(person.placement or "")]
            await person.publish(Peer(clip, self._pacer, signatures=self._signatures, slots=_SLOTS))
            await person.set_microphone(on=True, voice=Voice.STEADY)
            await person.set_camera(on=True)
        # What is measured is sent here: no pauses for garbage.
        gc.collect()
        gc.disable()

    async def _on_time(self, _: None) -> None:
        self._pacer.latest_s = 0.0

    async def _latest_ms(self, _: None) -> float:
        return 1_000 * self._pacer.latest_s


def _go_first() -> str:
    """Ask the kernel to run this process before others; says what came of it.

    Niceness would only count among the processes of one session (sched(7), autogroups), and browsers have their own.
    """
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    except PermissionError:
        return "NOT favoured over the browsers"
    return "in a real-time process"


async def _main() -> None:
    reader = asyncio.StreamReader(limit=1 << 20)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    async with ClientSession() as http:
        company = _Company(http)
        try:
            while line := await reader.readline():
                what, given = json.loads(line)
                print(json.dumps(await company.works[what](given)), flush=True)
        finally:
            await company.close()


if __name__ == "__main__":
    asyncio.run(_main())
