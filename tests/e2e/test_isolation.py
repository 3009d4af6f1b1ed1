# SPDX-License-Identifier: Apache-2.0
"""Nobody receives a packet from another room: counted at the subscribers' sockets around every change of rooms."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.e2e import moderating
from tests.e2e.conftest import Meet
from tests.e2e.crowd import crowd
from tests.e2e.person import Person
from tests.e2e.serving import Server

pytestmark = [pytest.mark.e2e, pytest.mark.alone, pytest.mark.timeout(180)]

NAMES = ("Gus", "Hal", "Ida", "Jo")
MODERATOR = {"Moderator"}


@pytest.fixture
def options() -> tuple[str, ...]:
    """Nobody waits in the lobby."""
    return ("--auto-admit",)


async def enter(server: Server, person: Person, role: str) -> None:
    """Through the front door, camera and microphone pressed."""
    token = await server.token("isolation", role, person.name)
    await person.open(token["url"])
    await person.join()
    await person.in_room()


async def test_packets_of_other_rooms_are_never_sent(server: Server, meet: Meet) -> None:
    """Open, move, swap, undo, split, merge, close one, close all: pressed by the moderator, counted as packets."""
    moderator, ana = await meet("Moderator"), await meet("Ana")
    await enter(server, moderator, "moderator")
    await enter(server, ana, "participant")
    async with crowd(server, "isolation", NAMES) as people:
        everybody = {"Moderator", "Ana", *NAMES}
        await people.isolated(everybody)
        identity = await ana.media_identity()

        await moderating.lead(moderator, 0)
        await moderating.draft(moderator, rooms=2)
        assert await moderating.planned(moderator) == [{"Ana", "Hal", "Jo"}, {"Gus", "Ida"}]
        await moderator.press("plan-open")
        await expect(moderator.find("live-board")).to_be_visible()
        await people.isolated({"Ana", "Hal", "Jo"}, {"Gus", "Ida"}, MODERATOR)
        await moderating.move(moderator, "Ana", "Room 2")
        await people.isolated({"Hal", "Jo"}, {"Gus", "Ida", "Ana"}, MODERATOR)
        await moderating.swap(moderator, "Hal", "Gus")
        await people.isolated({"Gus", "Jo"}, {"Hal", "Ida", "Ana"}, MODERATOR)
        await moderator.press("undo")
        await people.isolated({"Hal", "Jo"}, {"Gus", "Ida", "Ana"}, MODERATOR)
        await moderating.split(moderator, "Room 2", {"Ana", "Ida"}, "Room 3")
        await people.isolated({"Hal", "Jo"}, {"Gus"}, {"Ana", "Ida"}, MODERATOR)
        await moderating.room_action(moderator, "Room 3", "merge-into", to="Room 1")
        await people.isolated({"Hal", "Jo", "Ana", "Ida"}, {"Gus"}, MODERATOR)
        await moderator.press("undo")
        await people.isolated({"Hal", "Jo"}, {"Gus"}, {"Ana", "Ida"}, MODERATOR)
        await moderating.room_action(moderator, "Room 1", "close-room")
        await people.isolated({"Hal", "Jo", *MODERATOR}, {"Gus"}, {"Ana", "Ida"})
        await moderator.press("close-all")
        await people.isolated(everybody)

        assert await ana.media_identity() == identity
        assert await ana.device_states() == ("on", "on")
        assert ana.errors == moderator.errors == []
