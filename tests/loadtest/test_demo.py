# SPDX-License-Identifier: Apache-2.0
"""`holdspace demo` as a newcomer meets it: two links, a room of people who follow what the moderator does."""

from __future__ import annotations

import asyncio
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import ClientSession

from holdspace_client import swap_for_ticket
from holdspace_client.protocol.errors import DisconnectCode
from holdspace_client.protocol.rooms import commands as c
from holdspace_client.protocol.rooms.state import AssignmentStrategy, Role, RoomView
from loadtest.clip import Signatures, prepared
from loadtest.pacer import Pacer
from loadtest.participant import Participant
from loadtest.peer import Peer
from loadtest.receiver import Kind
from loadtest.serving import STOP_S, free_port
from server.ids import MAIN
from tests.loadtest.terminal import AS_A_TERMINAL

PEOPLE = 4
CLIPS = tuple(prepared(number) for number in range(PEOPLE + 1))


@asynccontextmanager
async def running_demo(*options: str) -> AsyncIterator[Process]:
    """The command in a process of its own, ended as Ctrl-C does."""
    program = Path(sys.executable).with_name("holdspace")
    process = await asyncio.create_subprocess_exec(*AS_A_TERMINAL, program, "demo", *options, stdout=PIPE, stderr=PIPE)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
            async with asyncio.timeout(20):
                await process.communicate()


async def read_link(process: Process, role: str) -> str:
    """The next line on standard output, which must be the link for this role."""
    assert process.stdout is not None
    async with asyncio.timeout(40):
        line = (await process.stdout.readline()).decode().strip()
    assert line.startswith(f"{role}: http://localhost:")
    return line.partition(": ")[2]


async def open_link(http: ClientSession, link: str, name: str) -> Participant:
    """What the page does with a link: swap, accept the agreement, join."""
    url, _, token = link.partition("/#")
    ticket = await swap_for_ticket(http, url, token)
    assert ticket.room.agreement.text
    participant = Participant(http, url, ticket.ticket, name=name, agreement=ticket.room.agreement.version)
    await participant.join()
    return participant


def synthetic(view: RoomView) -> list[str]:
    """Names of those who are marked, in the order in which they came."""
    return [person.name for person in view.participants.values() if person.name.endswith(" (demo)")]


def in_main(view: RoomView) -> int:
    """How many synthetic people are in main."""
    return sum(person.placement == MAIN and person.name.endswith(" (demo)") for person in view.participants.values())


async def check_in(mod: Participant) -> None:
    """The first round: people with their cameras on take turns, and are seen and heard."""
    await mod.until(lambda view: all(one.camera for one in view.participants.values() if "(demo)" in one.name), 30)
    await mod.do(c.NextPhase())
    await mod.until(lambda view: MAIN in view.rounds)
    await mod.until(lambda view: bool(view.rounds[MAIN].done or view.rounds[MAIN].later), timeout_s=40)
    assert mod.peer is not None
    assert mod.peer.reception.clips(Kind.VIDEO) == set(range(PEOPLE))
    assert mod.peer.reception.clips(Kind.AUDIO) <= set(range(PEOPLE))
    assert mod.peer.reception.clips(Kind.AUDIO)
    assert sum(line.lost for line in mod.peer.reception.lines.values()) == 0
    await mod.do(c.EndRound())


async def split_and_merge(mod: Participant) -> None:
    """Everybody follows into two rooms, into one, and back."""
    await mod.do(c.DraftPlan(strategy=AssignmentStrategy.BY_LEADER, rooms=2, duration_ms=600_000))
    await mod.until(lambda view: view.breakouts.plan is not None)
    plan = mod.view.breakouts.plan
    assert plan is not None
    await mod.do(c.OpenBreakouts(version=plan.version, allow_alone=True))
    await mod.until(lambda view: len(view.breakouts.rooms) == 2 and in_main(view) == 0)
    first, second = (room.id for room in mod.view.breakouts.rooms)
    await mod.do(c.MergeBreakouts(source=second, target=first))
    await mod.until(lambda view: {one.placement for one in view.participants.values()} == {MAIN, first})
    await mod.do(c.CloseBreakouts())
    await mod.until(lambda view: in_main(view) == PEOPLE)


@pytest.mark.timeout(180)
async def test_a_newcomer_alone_can_moderate() -> None:
    """Two links and nothing else; people are in, take turns, follow a split and a merge; after the end a new room."""
    async with running_demo("--port", "0", "--people", str(PEOPLE)) as process, ClientSession() as http:
        moderator_link = await read_link(process, "moderator")
        newcomer = await open_link(http, await read_link(process, "participant"), "Newcomer")
        mod = await open_link(http, moderator_link, "Me")
        pacer = Pacer()
        assert mod.me is not None
        assert newcomer.me is not None
        assert (mod.me.role, mod.placement) == (Role.MODERATOR, MAIN)
        assert (newcomer.me.role, newcomer.placement) == (Role.PARTICIPANT, MAIN)
        assert synthetic(mod.view) == ["Ana (demo)", "Ben (demo)", "Chloe (demo)", "Dev (demo)"]
        await mod.publish(Peer(CLIPS[PEOPLE], pacer, signatures=Signatures(CLIPS), slots=6))
        await check_in(mod)
        await split_and_merge(mod)

        await mod.do(c.EndSession())
        assert await newcomer.until_disconnected() is DisconnectCode.SESSION_OVER
        fresh = await open_link(http, await read_link(process, "moderator"), "Me again")
        assert len(synthetic(fresh.view)) == PEOPLE
        assert fresh.view.id != mod.view.id
        for participant in (fresh, newcomer, mod):
            await participant.close()
        pacer.close()

        process.send_signal(signal.SIGINT)
        async with asyncio.timeout(20):
            rest, _ = await process.communicate()
        assert [line.partition(": ")[0] for line in rest.decode().splitlines()] == ["participant"]
        assert process.returncode == 0


async def test_a_port_in_use_ends_the_demo() -> None:
    """It says so at once, and does not take another server for its own."""
    taken = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", free_port())
    port = taken.sockets[0].getsockname()[1]
    async with taken, running_demo("--port", str(port), "--people", "1") as process:
        async with asyncio.timeout(40):
            out, error = await process.communicate()
        assert process.returncode == 1
        assert out == b""
        assert f"holdspace demo: port {port} ".encode() in error


def children(process: Process) -> list[int]:
    """Processes that it has started (proc(5)), and that run."""
    found = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text(encoding="ascii")
    return [int(pid) for pid in found.split()]


def alive(pid: int) -> bool:
    """Whether there is such a process."""
    return Path(f"/proc/{pid}").exists()


@pytest.mark.timeout(120)
async def test_several_servers_are_one_demo() -> None:
    """Each has its link; people at different servers are in one room. Nothing outlives the terminal, or worries us."""
    options = ("--port", "0", "--people", "2", "--nodes", "2", "--redis", "embedded")
    async with running_demo(*options) as process, ClientSession() as http:
        links = [await read_link(process, "moderator"), await read_link(process, "participant")]
        assert len({link.partition("/#")[0] for link in links}) == 2
        mod, newcomer = await open_link(http, links[0], "Me"), await open_link(http, links[1], "New")
        await mod.until(lambda view: newcomer.id in view.participants)
        assert synthetic(mod.view) == ["Ana (demo)", "Ben (demo)"]
        await newcomer.do(c.RaiseHand())
        await mod.until(lambda view: bool(view.hands))
        for participant in (mod, newcomer):
            await participant.close()
        begun = children(process)
        assert len(begun) == 3
        process.send_signal(signal.SIGHUP)
        async with asyncio.timeout(2 * STOP_S + 10):  # one server after the other, on a machine that may be busy
            _, said = await process.communicate()
        assert not any(map(alive, begun))
        assert b"not_durable" not in said
        assert b"overcommit" not in said


async def test_several_servers_need_something_to_share() -> None:
    """It says so at once."""
    async with running_demo("--port", "0", "--nodes", "2") as process:
        async with asyncio.timeout(40):
            _, error = await process.communicate()
        assert process.returncode == 2
        assert b"--redis embedded" in error
