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
from contextlib import AsyncExitStack
from itertools import zip_longest
from typing import Annotated, Final

from aiohttp import ClientSession
from cyclopts import Parameter
from cyclopts.validators import Number

from holdspace_client.protocol.errors import DisconnectCode
from loadtest.clip import Signatures, prepared
from loadtest.embedded import redis_at
from loadtest.pacer import Pacer
from loadtest.person import Stage, SyntheticPerson
from loadtest.serving import OwnServer, ServerFailed, free_port, fresh_key, own_server
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
Nodes = Annotated[int, Parameter(help="How many servers, on ports counted up.", validator=Number(gte=1, lte=16))]
Redis = Annotated[
    str, Parameter(help="What several servers share: an address, or 'embedded' for a Valkey of their own.")
]
People = Annotated[int, Parameter(help="How many synthetic people.", validator=Number(gte=1, lte=len(NAMES)))]


async def demo(*, port: Port = 8080, people: People = 5, nodes: Nodes = 1, redis: Redis = "") -> None:
    """Run a server with a room full of synthetic people; prints a moderator's and a participant's link.

    With several servers the links, and the people, are spread over them.
    """
    if nodes > 1 and not redis:
        text = "several servers need --redis, such as --redis embedded (with make: REDIS=embedded)"
        print(f"holdspace demo: {text}", file=sys.stderr)
        sys.exit(2)
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # The servers, in sessions of their own, would outlive a terminal that is closed. With `nohup` all live on.
        if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
    ports = tuple(range(port, port + nodes)) if port else tuple(free_port() for _ in range(nodes))
    running = asyncio.create_task(_run(ports, people, redis))
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


async def _run(ports: tuple[int, ...], people: int, redis: str) -> None:
    """Until cancelled, or until all servers have gone away."""
    clips = await asyncio.to_thread(lambda: tuple(prepared(number) for number in range(people)))
    async with AsyncExitStack() as stack:
        shared = ["--redis", await stack.enter_async_context(redis_at(redis))] if redis else []
        key = fresh_key()
        servers = [
            await stack.enter_async_context(own_server(port, *options_of(port, shared), key=key)) for port in ports
        ]
        http = await stack.enter_async_context(ClientSession())
        pacer = Pacer()
        stack.callback(pacer.close)
        stages = [Stage(http, server.url, pacer, clips, Signatures(clips), SLOTS) for server in servers]
        sessions = asyncio.create_task(_sessions(servers, stages))
        gone = asyncio.create_task(_all_gone(servers))
        try:
            await asyncio.wait([sessions, gone], return_when=asyncio.FIRST_COMPLETED)
            if sessions.done():
                sessions.result()
            raise ServerFailed(f"the server ended with status {servers[0].process.returncode}")
        finally:
            sessions.cancel()
            gone.cancel()
            await asyncio.gather(sessions, gone, return_exceptions=True)


async def _all_gone(servers: list[OwnServer]) -> None:
    """One of several may go: its people come back at another one."""
    await asyncio.gather(*(server.process.wait() for server in servers))


def options_of(port: int, shared: list[str]) -> list[str]:
    """Of one server; `shared`: of each that is one of several."""
    url = f"http://localhost:{port}"
    options = ["--host", "127.0.0.1", "--public-url", url, "--room-title", TITLE, "--agreement", AGREEMENT]
    options += ["--auto-admit", "--log-level", "warning"]
    # Each media worker takes the next port, which is that of the next server.
    return [*options, *shared, "--node-url", url, "--media-workers", "1"] if shared else options


async def _sessions(servers: list[OwnServer], stages: list[Stage]) -> None:
    """One after the other."""
    while True:
        await _session(servers, stages)
        print(f"A new room follows in {PAUSE_S:.0f} s.", file=sys.stderr)
        await asyncio.sleep(PAUSE_S)


async def _session(servers: list[OwnServer], stages: list[Stage]) -> None:
    """Fill a room, print its links, and take part until all synthetic people have been sent away."""
    room = RoomId(f"demo-{secrets.token_hex(4)}")
    people = len(stages[0].clips)
    present: list[SyntheticPerson] = []
    try:
        for number, name in enumerate(NAMES[:people]):
            leads = people > 1 and number % PEOPLE_PER_LEADER == 0
            token = servers[0].token(room, Role.LEADER if leads else Role.PARTICIPANT, title=TITLE)
            stage = stages[number % len(stages)]
            present.append(await SyntheticPerson.arrive(stage, number, token, f"{name} (demo)"))
        for role, server in zip_longest((Role.MODERATOR, Role.PARTICIPANT), servers, fillvalue=None):
            _print_link(room, role or Role.PARTICIPANT, server or servers[0])
        print("Open a link in a browser. Ctrl-C ends the demo.", file=sys.stderr)
        reasons = await asyncio.gather(*(person.live() for person in present))
        over = DisconnectCode.SESSION_OVER in reasons
        print("The session is over." if over else "All synthetic people have been sent away.", file=sys.stderr)
    finally:
        await asyncio.gather(*(person.close() for person in present))


def _print_link(room: RoomId, role: Role, server: OwnServer) -> None:
    print(f"{role.value}: http://localhost:{server.port}/#{server.token(room, role, title=TITLE)}", flush=True)
