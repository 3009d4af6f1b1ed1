# SPDX-License-Identifier: Apache-2.0
"""What operators learn of rooms, from the terminal."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server.app import Server
from server.rooms.commands import NextPhase
from server.rooms.state import Role
from tests.signaling.clients import Venue, config

HOLDSPACE = Path(sys.executable).with_name("holdspace")
CANARY = "canaryword"


@pytest.fixture
async def venue(tmp_path: Path) -> AsyncIterator[Venue]:
    """A room on a server that operators may ask."""
    async with Server(config(tmp_path, ops_port=0, room_title=CANARY)) as server:
        venue = Venue(server)
        yield venue
        await venue.close()


async def holdspace(*words: str) -> tuple[int, str, str]:
    """Status, output and errors of a command."""
    process = await asyncio.create_subprocess_exec(
        HOLDSPACE, *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, errors = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), errors.decode()


async def test_rooms_are_listed_and_shown_without_names(venue: Venue) -> None:
    """State, phase and numbers; who is there and what it is about is nobody's business."""
    ann = await venue.join("ann", Role.MODERATOR, name=CANARY)
    await venue.join("ben")
    await ann.do(NextPhase())
    ops = ("--ops-url", f"http://127.0.0.1:{venue.server.observatory.port}")
    status, listed, _ = await holdspace("room", "list", *ops)
    assert (status, listed.split()[:4]) == (0, [venue.room, "live", "phase", f"1/{len(venue.state.agenda.phases)}"])
    status, shown, _ = await holdspace("room", "show", venue.room, *ops, "--json")
    facts = json.loads(shown)
    assert (status, facts["connected"], facts["staff"], facts["places"]) == (0, 2, 1, {"main": 2})
    assert CANARY not in listed + shown


async def test_a_room_that_is_not_there_and_a_server_that_is_not(venue: Venue) -> None:
    """Both are said in a sentence, with status 2."""
    ops = f"http://127.0.0.1:{venue.server.observatory.port}"
    assert await holdspace("room", "list", "--ops-url", ops) == (0, "No room is open.\n", "")
    assert await holdspace("room", "show", "none", "--ops-url", ops) == (
        2,
        "",
        "holdspace: no room none is open there\n",
    )
    status, _, said = await holdspace("room", "list", "--ops-url", "http://127.0.0.1:9")
    assert (status, said) == (2, "holdspace: no server answers for operators at http://127.0.0.1:9\n")


async def test_settings_are_explained() -> None:
    """Each with what it is for, its variable and its default; the values are those in force."""
    status, shown, _ = await holdspace("config", "show", "--docs", "--json", "--port", "8123")
    port = json.loads(shown)["port"]
    assert status == 0
    assert (port["value"], port["default"], port["variable"]) == (8123, "8080", "HOLDSPACE_PORT")
    assert port["text"].startswith("Port: TCP for pages")
