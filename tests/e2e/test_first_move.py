# SPDX-License-Identifier: Apache-2.0
"""The thinnest whole: two people meet in real browsers, and one is moved."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, expect

from tests.e2e.conftest import Meet
from tests.e2e.person import Person
from tests.e2e.serving import Server

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]


async def test_two_people_meet_and_one_is_moved(server: Server, meet: Meet) -> None:
    """They see and hear each other, are apart after a move and together after the next, on the same connection."""
    await first_move(server, await meet("Moderator"), await meet("Ana"))


async def test_firefox_is_moved_by_chromium(server: Server, firefox: Browser, meet: Meet) -> None:
    """The same, between two kinds of browsers."""
    await first_move(server, await meet("Moderator"), await meet("Ana", where=firefox))


async def test_chromium_is_moved_by_firefox(server: Server, firefox: Browser, meet: Meet) -> None:
    """The same, the other way round."""
    await first_move(server, await meet("Moderator", where=firefox), await meet("Ana"))


async def first_move(server: Server, moderator: Person, ana: Person) -> None:
    """Meet, part, meet again."""
    for person, role in ((moderator, "moderator"), (ana, "participant")):
        token = await server.token("first", role, person.name)
        await person.open(token["url"])
        await person.join()
    await moderator.in_room()
    await moderator.panel("people")
    await moderator.press("admit")
    await ana.in_room()

    await moderator.sees_exactly({"Ana"})
    await ana.sees_exactly({"Moderator"})
    await ana.hears_exactly({"Moderator"})
    await moderator.hears_exactly({"Ana"})
    await ana.knows_clocks()
    await moderator.knows_clocks()
    before = await ana.media_identity()
    states = await ana.device_states()

    await moderator.panel("agenda")
    await moderator.press("phase-next")
    await moderator.panel("board")
    await moderator.find("lead").select_option("0")
    await moderator.enter("plan-rooms", "1")
    await moderator.press("plan-draft")
    await moderator.press("plan-open")
    await moderator.find("alone-dialog").get_by_test_id("confirm").click()
    await expect(moderator.find("live-board")).to_be_visible()
    await ana.sees_exactly(set())
    await ana.hears_exactly(set())
    await moderator.move_in_board("Ana", "main")
    await ana.sees_exactly({"Moderator"})
    await ana.hears_exactly({"Moderator"})
    await moderator.sees_exactly({"Ana"})

    assert await ana.media_identity() == before
    assert before["negotiationNeeded"] == 0
    assert await ana.device_states() == states == ("on", "on")
    assert ana.errors == moderator.errors == []
