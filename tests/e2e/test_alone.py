# SPDX-License-Identifier: Apache-2.0
"""A moderator alone with prepared people: the whole evening with the keyboard alone, and on a narrow screen."""

from __future__ import annotations

from collections.abc import Collection

import pytest
from playwright.async_api import expect

from holdspace_client import DisconnectCode
from tests.e2e.conftest import Meet
from tests.e2e.crowd import Crowd, crowd
from tests.e2e.hands import Hands, Keyboard, Mouse
from tests.e2e.moderating import live_room, placement
from tests.e2e.person import Person
from tests.e2e.serving import Server

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

NAMES = ("Gus", "Hal", "Ida", "Jo")
EVERYBODY = frozenset(NAMES)


@pytest.fixture
def options() -> tuple[str, ...]:
    """Nobody waits in the lobby, as in the demo room."""
    return ("--auto-admit",)


async def enter(server: Server, moderator: Person, hands: Hands) -> None:
    """Through the door without any device."""
    token = await server.token("alone", "moderator", moderator.name)
    await moderator.open(token["url"])
    await hands.write(moderator.find("name"), moderator.name)
    await hands.press(moderator.find("join"))
    await moderator.in_room()


async def split(moderator: Person, hands: Hands) -> None:
    """Begin the session, and open two small groups at once."""
    await hands.press(moderator.find("panel-agenda"))
    await hands.press(moderator.find("phase-next"))
    await expect(moderator.find("agenda-bar")).to_contain_text("Check-in")
    await hands.press(moderator.find("close-panel"))
    await hands.press(moderator.find("panel-board"))
    await hands.first(moderator.find("lead"))
    await hands.write(moderator.find("plan-rooms"), "2")
    await hands.press(moderator.find("plan-draft"))
    await hands.press(moderator.find("plan-open"))
    await expect(moderator.find("live-board")).to_be_visible()


async def move(moderator: Person, hands: Hands, who: str, room: str) -> None:
    """By the "Move to..." menu."""
    to = await placement(moderator, room)
    row = moderator.find("live-board").locator(f'[data-testid="board-person"][data-name="{who}"]')
    await hands.press(row.get_by_test_id("move-menu"))
    await hands.press(row.locator(f'[data-testid="move-to"][data-to="{to}"]'))


async def divide(moderator: Person, hands: Hands, room: str, who: str, new: str) -> None:
    """Split one open room."""
    card = live_room(moderator, room)
    await hands.press(card.get_by_test_id("room-menu"))
    await hands.press(card.get_by_test_id("split"))
    dialog = moderator.find("split-dialog")
    await hands.tick(dialog.locator(f'[data-testid="split-person"][data-name="{who}"]'))
    await hands.write(dialog.get_by_test_id("room-name"), new)
    await hands.press(dialog.get_by_test_id("confirm"))
    await expect(live_room(moderator, new)).to_be_visible()


async def merge(moderator: Person, hands: Hands, room: str, into: str) -> None:
    """Make two rooms one."""
    to = await placement(moderator, into)
    card = live_room(moderator, room)
    await hands.press(card.get_by_test_id("room-menu"))
    await hands.press(card.locator(f'[data-testid="merge-into"][data-to="{to}"]'))
    await expect(card).to_have_count(0)


async def evening(moderator: Person, hands: Hands, people: Crowd) -> None:
    """Split, move, split one, merge, undo, close, end."""
    await split(moderator, hands)
    await _placed(people, {"Gus", "Ida"}, {"Hal", "Jo"})
    await move(moderator, hands, "Gus", "Room 2")
    await _placed(people, {"Ida"}, {"Gus", "Hal", "Jo"})
    await divide(moderator, hands, "Room 2", "Hal", "Quiet room")
    await _placed(people, {"Ida"}, {"Gus", "Jo"}, {"Hal"})
    await merge(moderator, hands, "Quiet room", "Room 1")
    await _placed(people, {"Ida", "Hal"}, {"Gus", "Jo"})
    await hands.press(moderator.find("undo"))
    await _placed(people, {"Ida"}, {"Gus", "Jo"}, {"Hal"})
    await hands.press(moderator.find("close-all"))
    await _placed(people, EVERYBODY)
    await hands.press(moderator.find("close-panel"))
    await hands.press(moderator.find("end-session"))
    await hands.press(moderator.find("end-for-all"))
    await expect(moderator.find("screen-over")).to_have_attribute("data-reason", "session_over")
    for person in people.people.values():
        assert await person.until_disconnected() is DisconnectCode.SESSION_OVER
    assert moderator.errors == []


async def _placed(people: Crowd, *rooms: Collection[str]) -> None:
    await people.placed(rooms)


async def test_with_the_keyboard_alone(server: Server, meet: Meet) -> None:
    """Every step by Tab, arrows, Space and Enter; Escape closes menus, dialogs and panels where one was before."""
    moderator = await meet("Moderator")
    keyboard = Keyboard(moderator.page)
    async with crowd(server, "alone", NAMES) as people:
        await enter(server, moderator, keyboard)
        await escapes(moderator, keyboard)
        await evening(moderator, keyboard, people)


async def escapes(moderator: Person, keyboard: Keyboard) -> None:
    """Escape leaves a menu, a panel and a dialog, and the focus is back on what opened them."""
    for opener, opened in (
        ("reactions", "react-heart"),
        ("panel-people", "open-people"),
        ("end-session", "end-dialog"),
    ):
        await keyboard.press(moderator.find(opener))
        await expect(moderator.find(opened)).to_be_visible()
        await moderator.page.keyboard.press("Escape")
        await expect(moderator.find(opened)).to_have_count(0)
        await expect(moderator.find(opener)).to_be_focused()
    await keyboard.press(moderator.find("end-session"))
    await expect(moderator.find("cancel")).to_be_focused()
    await moderator.page.keyboard.press("Enter")
    await expect(moderator.find("end-session")).to_be_focused()


async def test_with_the_mouse_on_a_narrow_screen(server: Server, meet: Meet) -> None:
    """320 pixels wide: nothing is out of reach or under something else, and nothing scrolls sideways."""
    moderator = await meet("Moderator")
    await moderator.page.set_viewport_size({"width": 320, "height": 640})
    async with crowd(server, "alone", NAMES) as people:
        await enter(server, moderator, Mouse())
        await evening(moderator, Mouse(), people)
        wide = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
        assert not await moderator.page.evaluate(wide)
