# SPDX-License-Identifier: Apache-2.0
"""`holdspace demo`: a server with a room full of synthetic people, for one newcomer who wants to try everything.

The server runs in a process of its own, as `holdspace serve`; the synthetic people use its public port only. The room
lets everybody in at once (a newcomer alone would otherwise wait in a lobby that nobody looks after); a moderator can
switch the lobby on to try that, too. Both links may be opened as often as one likes. When the session has been ended,
a new room with new links follows.
"""

from __future__ import annotations

import asyncio
import secrets
import signal
import sys
from typing import Annotated, Final

from aiohttp import ClientSession
from cyclopts import Parameter
from cyclopts.validators import Number

from loadtest.clip import Signatures, prepared
from loadtest.pacer import Pacer
from loadtest.person import Stage, SyntheticPerson
from loadtest.serving import OwnServer, ServerFailed, free_port, own_server
from server.errors import DisconnectCode
from server.ids import RoomId
from server.rooms.state import Role

NAMES: Final = ("Ana", "Ben", "Chloe", "Dev", "Elif", "Femi", "Grace", "Hugo", "Ines", "Jonas", "Kei", "Lena")
PEOPLE_PER_LEADER: Final = 3
TITLE: Final = "Demo group"
AGREEMENT: Final = (
    "What is said here stays here. We listen, and give advice only to those who ask for it. "
    "Everyone may pass at any time. This is a demo: the people marked (demo) are synthetic."
)
SLOTS: Final = 2
"""Synthetic people watch little, so that the newcomer's machine has time for the browser."""

PAUSE_S: Final = 5.0

Port = Annotated[int, Parameter(help="Port of the server; 0: any free one.", validator=Number(gte=0, lte=65_535))]
People = Annotated[int, Parameter(help="How many synthetic people.", validator=Number(gte=1, lte=len(NAMES)))]


async def demo(*, port: Port = 8080, people: People = 5) -> None:
    """Run a server with a room full of synthetic people; prints a moderator's and a participant's link."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    running = asyncio.create_task(_run(port or free_port(), people))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait([running, stopping], return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    running.cancel()
    try:
        await running
    except asyncio.CancelledError:
        return
    except ServerFailed as error:
        print(f"holdspace demo: {error}", file=sys.stderr)
        sys.exit(1)


async def _run(port: int, people: int) -> None:
    """Until cancelled, or until the server goes away."""
    clips = await asyncio.to_thread(lambda: tuple(prepared(number) for number in range(people)))
    url = f"http://localhost:{port}"
    options = ["--host", "127.0.0.1", "--public-url", url, "--room-title", TITLE, "--agreement", AGREEMENT]
    options += ["--auto-admit", "--log-level", "warning"]
    async with own_server(port, *options) as server, ClientSession() as http:
        pacer = Pacer()
        stage = Stage(http, server.url, pacer, clips, Signatures(clips), SLOTS)
        sessions = asyncio.create_task(_sessions(server, stage, url))
        gone = asyncio.create_task(server.process.wait())
        try:
            await asyncio.wait([sessions, gone], return_when=asyncio.FIRST_COMPLETED)
            if sessions.done():
                sessions.result()
            raise ServerFailed(f"the server ended with status {server.process.returncode}")
        finally:
            for task in (sessions, gone):
                task.cancel()
            await asyncio.gather(sessions, gone, return_exceptions=True)
            pacer.close()


async def _sessions(server: OwnServer, stage: Stage, url: str) -> None:
    """One after the other."""
    while True:
        await _session(server, stage, url)
        print(f"A new room follows in {PAUSE_S:.0f} s.", file=sys.stderr)
        await asyncio.sleep(PAUSE_S)


async def _session(server: OwnServer, stage: Stage, url: str) -> None:
    """Fill a room, print its links, and take part until all synthetic people have been sent away."""
    room = RoomId(f"demo-{secrets.token_hex(4)}")
    people = len(stage.clips)
    present: list[SyntheticPerson] = []
    try:
        for number, name in enumerate(NAMES[:people]):
            leads = people > 1 and number % PEOPLE_PER_LEADER == 0
            token = server.token(room, Role.LEADER if leads else Role.PARTICIPANT, title=TITLE)
            present.append(await SyntheticPerson.arrive(stage, number, token, f"{name} (demo)"))
        for role in (Role.MODERATOR, Role.PARTICIPANT):
            print(f"{role.value}: {url}/#{server.token(room, role, title=TITLE)}", flush=True)
        reasons = await asyncio.gather(*(person.live() for person in present))
        over = DisconnectCode.SESSION_OVER in reasons
        print("The session is over." if over else "All synthetic people have been sent away.", file=sys.stderr)
    finally:
        await asyncio.gather(*(person.close() for person in present))
