# SPDX-License-Identifier: Apache-2.0
"""Memory of people who have media, and of which nobody says or shows anything: of the server and its media workers."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from aiohttp import ClientSession

from bench.machine import pinned
from loadtest.clip import Signatures, prepared
from loadtest.pacer import Pacer
from loadtest.participant import Participant
from loadtest.peer import Peer
from loadtest.serving import OwnServer, free_port, own_server
from server.ids import ParticipantId, RoomId
from server.rooms.state import Role

ROOMS: Final = 4
PEOPLE: Final = 12
SLOTS: Final = 12


async def kib_with_media(core: int) -> float:
    """KiB for each of the people of all rooms but the first, which warms the server up."""
    with pinned(core):
        starting = own_server(free_port(), "--auto-admit", "--capacity", str(PEOPLE), "--log-level", "warning")
        server = await starting.__aenter__()
    pacer = Pacer()
    people: list[Participant] = []
    try:
        async with ClientSession() as http:
            await _fill(server, http, pacer, people, "warm-up")
            before = _memory_kib(server.process.pid)
            for number in range(1, ROOMS):
                await _fill(server, http, pacer, people, f"room-{number}")
            grown = _memory_kib(server.process.pid) - before
            for person in people:
                await person.close()
    finally:
        pacer.close()
        await starting.__aexit__(None, None, None)
    return grown / (PEOPLE * (ROOMS - 1))


async def _fill(server: OwnServer, http: ClientSession, pacer: Pacer, people: list[Participant], room: str) -> None:
    clip = prepared(0)
    for number in range(PEOPLE):
        token = server.token(RoomId(room), Role.PARTICIPANT, person=ParticipantId(f"person-{number}"))
        person = Participant(http, server.url, token, name=f"Person {number}")
        people.append(person)
        await person.join()
        await person.publish(Peer(clip, pacer, signatures=Signatures((clip,)), slots=SLOTS))


def _memory_kib(pid: int) -> int:
    """Of this process and all that it has started, what is shared counted in parts."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    own = next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
    tasks = Path(f"/proc/{pid}/task").iterdir()
    children = (child for task in tasks for child in (task / "children").read_text().split())
    return own + sum(_memory_kib(int(child)) for child in children)
