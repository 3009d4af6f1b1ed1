# SPDX-License-Identifier: Apache-2.0
"""The time of a move, measured in real browsers. Tests fail on what happens, on times only with a wide margin."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from statistics import median

import pytest
from playwright.async_api import expect

from server.ids import MAIN, Placement
from tests.e2e.conftest import Meet
from tests.e2e.extras import CLIPS, extras
from tests.e2e.moves import Move, Room, measure, summary
from tests.e2e.people import LOOKS
from tests.e2e.person import Person
from tests.e2e.serving import Cpu, Server

pytestmark = [pytest.mark.e2e, pytest.mark.alone, pytest.mark.timeout(400)]

MOVES = 40
ENOUGH_MOVES = 24
PREPARED = 10
ANYBODY_FINDS_THIS_TOO_SLOW_MS = 3_000

Report = Callable[[str], None]


@pytest.fixture
def options() -> tuple[str, ...]:
    """Nobody waits in the lobby: here only the moves count."""
    return ("--auto-admit",)


async def enter(server: Server, person: Person, role: str) -> None:
    """Through the front door, camera and microphone pressed."""
    token = await server.token("moves", role, person.name)
    await person.open(token["url"])
    await person.join()
    await person.in_room()


async def open_rooms(moderator: Person, rooms: int) -> None:
    """Begin the session, make the rooms without notice."""
    await moderator.panel("agenda")
    await moderator.press("phase-next")
    await moderator.press("round-end")
    await moderator.panel("board")
    await moderator.find("lead").select_option("0")
    await moderator.find("plan-rooms").fill(str(rooms))
    await moderator.press("plan-draft")
    await moderator.press("plan-open")
    await expect(moderator.find("live-board")).to_be_visible()


def judge(moves: list[Move], report: Report, load: str) -> None:
    """Say the times; fail only on what nobody would call a move."""
    report(summary(moves, load))
    assert median(move.first_frame_ms for move in moves) < ANYBODY_FINDS_THIS_TOO_SLOW_MS
    assert median(move.voice_ms for move in moves) < ANYBODY_FINDS_THIS_TOO_SLOW_MS


async def test_moves_with_two_browsers_and_prepared_people(server: Server, meet: Meet, report: Report) -> None:
    """A mover and a moderator in browsers, ten prepared people who see and hear them: no encoder in the way."""
    moderator, ana = await meet("Moderator"), await meet("Ana", measured=True)
    hues = {name: (one.colour.red, one.colour.green, one.colour.blue) for name, one in CLIPS.items()}
    await ana.context.add_init_script(f"window.__people = {json.dumps(hues)}; window.__bySaturation = true;")
    rooms = {name: Room(frozenset({name}), (clip.frequency_hz,)) for name, clip in CLIPS.items()}
    async with extras(server, PREPARED) as crowd:
        await enter(server, moderator, "moderator")
        await enter(server, ana, "participant")
        await open_rooms(moderator, len(CLIPS))
        await crowd.on_air()
        await ana.page.evaluate("window.__measure()")
        here = await placement_of(ana, moderator)
        before = await ana.media_identity()
        cpu, moves = Cpu(), []
        await crowd.on_time()
        for _ in range(ENOUGH_MOVES):
            to = next(name for name in CLIPS if name != here)
            moves.append(await measure(moderator, ana, rooms[to], partial(moderator.move_in_board, "Ana", to)))
            here = to
        busy = f"{cpu.busy():.0%} of {cpu.cores()} cores busy"
        late = f"{PREPARED} prepared peers {crowd.priority} late by {await crowd.latest_ms():.0f} ms at most"
        load = f"2 browsers, {late}, {busy}"
        assert await ana.media_identity() == before
        judge(moves, report, load)


async def placement_of(person: Person, moderator: Person) -> Placement:
    """Where the moderator's board shows this person."""
    rooms = moderator.page.get_by_test_id("live-room").filter(has_text=person.name)
    return Placement(await rooms.get_attribute("data-placement") or MAIN)


@pytest.mark.slow
async def test_moves_with_six_browsers(server: Server, meet: Meet, report: Report) -> None:
    """For honesty: six browsers that encode and decode on the same cores."""
    names = ("Moderator", "Ana", "Ben", "Cleo", "Dina", "Eli")
    people = {name: await meet(name, size=(160, 90), fps=8, measured=name == "Ana") for name in names}
    moderator, ana = people["Moderator"], people["Ana"]
    for name, person in people.items():
        await enter(server, person, "moderator" if name == "Moderator" else "participant")
    await open_rooms(moderator, 2)
    where = {name: await placement_of(people[name], moderator) for name in names[1:]}
    rooms = {
        place: Room(
            frozenset(name for name in names[2:] if where[name] == place),
            tuple(LOOKS[name].hz for name in names[2:] if where[name] == place),
        )
        for place in set(where.values())
    }
    await ana.page.evaluate("window.__measure()")
    here, cpu, moves = where["Ana"], Cpu(), []
    for _ in range(MOVES):
        to = next(place for place in rooms if place != here)
        moves.append(await measure(moderator, ana, rooms[to], partial(moderator.move_in_board, "Ana", to)))
        here = to
    judge(moves, report, f"6 browsers, {cpu.busy():.0%} of {cpu.cores()} cores busy")
