# SPDX-License-Identifier: Apache-2.0
"""One session from the door to the end: a moderator and five participants in real browsers, on one set of people."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, async_playwright

from tests.e2e import closing, meeting, returning, splitting
from tests.e2e.cast import MODERATOR, Cast
from tests.e2e.conftest import Meet
from tests.e2e.person import Person, launch
from tests.e2e.serving import Server

pytestmark = [pytest.mark.e2e, pytest.mark.alone, pytest.mark.timeout(900)]

PARTICIPANTS = ("Ana", "Ben", "Cleo", "Dina", "Eli")
CAUTIOUS = "Dina"
"""Her browser plays no sound before she has pressed something, as everybody's own does."""

FIREFOX = "Cleo"
"""Hers is another kind of browser than that of all the others."""


@pytest.fixture
def options() -> tuple[str, ...]:
    """With an agreement to accept at the door."""
    return ("--agreement", meeting.AGREEMENT)


@pytest.fixture
async def cautious() -> AsyncIterator[Browser]:
    """Chromium that waits for a press before it plays sound."""
    async with async_playwright() as playwright:
        running = await launch(playwright, autoplay=False)
        yield running
        await running.close()


async def test_the_whole_journey(
    server: Server, browser: Browser, cautious: Browser, firefox: Browser, meet: Meet
) -> None:
    """Door, lobby, check-in, topic, small groups and back, reflection, end."""
    cast = Cast(server, "journey")
    where = {CAUTIOUS: cautious, FIREFOX: firefox}
    everyone = (MODERATOR, *PARTICIPANTS)
    people = [await meet(name, where=where.get(name, browser), size=(160, 90), fps=5) for name in everyone]
    stranger = await meet("Gus")
    await cast.add(*people, stranger)
    await arrive(cast, cast.people.pop(stranger.name))
    await together(cast)
    await in_small_groups(cast)
    await closing.goals(cast)
    await closing.leave_and_return(cast, "Ana")
    await closing.end(cast, PARTICIPANTS)
    await cast.no_errors()


async def arrive(cast: Cast, stranger: Person) -> None:
    """From the links into one room."""
    for person in cast.people.values():
        await meeting.door(person)
    await meeting.lobby(cast, PARTICIPANTS)
    await meeting.denied(cast, stranger)
    await stranger.context.close()
    await meeting.admitted(cast, PARTICIPANTS)
    await cast.apart(cast.people)
    await asyncio.gather(*(person.decodes() for person in cast.people.values()))


async def together(cast: Cast) -> None:
    """Check-in and topic."""
    await meeting.round_of(cast, PARTICIPANTS)
    await meeting.topic(cast)
    await meeting.hard_mute(cast)
    await meeting.camera_off(cast)


async def in_small_groups(cast: Cast) -> None:
    """Split, every change of rooms, help, a reload, a lost connection, and back."""
    await cast.remember()
    await splitting.plan(cast)
    await splitting.announced_opening(cast)
    await splitting.every_change(cast)
    await splitting.help_call(cast)
    await splitting.text_to_all(cast)
    await cast.unchanged()
    await returning.reload(cast, CAUTIOUS)
    await cast.remember()
    await returning.lost_connection(cast, "Ben")
    await returning.hands_down(cast[CAUTIOUS], cast["Ben"])
    await splitting.all_back(cast)
