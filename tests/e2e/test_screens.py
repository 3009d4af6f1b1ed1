# SPDX-License-Identifier: Apache-2.0
"""Every screen of a running session has no accessibility fault that axe-core knows, and never scrolls sideways.

Made-up states are audited with the web client's fixtures (`clients/web/tools/screens.py`); here is the real page.
"""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.e2e import moderating
from tests.e2e.audit import Auditor, Look
from tests.e2e.cast import MODERATOR, Cast
from tests.e2e.conftest import PICTURES, Meet
from tests.e2e.crowd import crowd
from tests.e2e.person import Person
from tests.e2e.serving import Server

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

NAMES = ("Gus", "Hal", "Ida")
USUAL = (Look(320, 640, "light"), Look(1280, 800, "dark"))
UNUSUAL = (Look(320, 200, "dark"), Look(1280, 800, "light", forced=True))
"""A common screen at 400 %, and a contrast theme."""

LOOKS = {"en-US": (USUAL, UNUSUAL), "es-ES": (UNUSUAL, USUAL)}
"""In turn, so that each screen is looked at in all four ways, two of them in each language."""


@pytest.fixture
def options() -> tuple[str, ...]:
    """A door with everything that can be shown there."""
    return ("--agreement", "What is said here stays here.", "--camera-policy", "encouraged")


@pytest.mark.parametrize("locale", LOOKS)
async def test_no_screen_has_a_fault(server: Server, meet: Meet, locale: str) -> None:
    """Door, lobby, room, every panel, the draft, the open small groups, dialogs, the last page."""
    auditor = Auditor(LOOKS[locale], PICTURES / "screens" / locale)
    cast = Cast(server, "screens")
    await cast.add(await meet(MODERATOR, locale=locale), await meet("Ana", locale=locale))
    moderator, ana = cast.moderator, cast["Ana"]
    await moderator.join()
    await moderator.in_room()
    assert await moderator.page.locator("html").get_attribute("lang") == locale[:2]
    await the_door(auditor, moderator, ana)
    await moderator.find("auto-admit").check()
    async with crowd(server, cast.room, NAMES):
        await the_room(auditor, moderator, ana)
        await small_groups(auditor, moderator, ana)
        await the_end(auditor, moderator, ana)
    assert len(auditor.screens) == len(set(auditor.screens))
    assert auditor.problems == []
    await cast.no_errors()


async def the_door(auditor: Auditor, moderator: Person, ana: Person) -> None:
    """Pre-join, with an error and with a preview; the lobby from both sides."""
    await ana.find("name").fill("")
    await ana.press("join")
    await auditor.look(ana, "pre-join-error")
    await ana.join()
    await expect(ana.find("screen-lobby")).to_be_visible()
    await auditor.look(ana, "lobby")
    await moderator.panel("people")
    await expect(moderating.waiting(moderator, "Ana")).to_be_visible()
    await auditor.look(moderator, "people-lobby")
    await moderating.admit(moderator, "Ana")
    await ana.in_room()


async def the_room(auditor: Auditor, moderator: Person, ana: Person) -> None:
    """A round, a hand, chat, people with their menus, the agenda."""
    await expect(moderator.find("tile")).to_have_count(2 + len(NAMES))
    await moderating.next_phase(moderator, "check_in")
    await expect(ana.find("round")).to_be_visible()
    await ana.press("toggle-hand")
    await expect(ana.find("hand-position")).to_be_visible()
    await auditor.look(ana, "room-round")
    await auditor.look(moderator, "agenda")
    await ana.panel("chat")
    await ana.find("chat-text").fill("Hello")
    await ana.press("chat-send")
    await auditor.look(ana, "chat")
    await ana.press("close-panel")
    await moderator.panel("people")
    await moderator.find("person-menu").first.click()
    await auditor.look(moderator, "people-menu")
    await moderator.page.keyboard.press("Escape")


async def small_groups(auditor: Auditor, moderator: Person, ana: Person) -> None:
    """The board empty, with a draft, announced, open; what a participant sees of it."""
    await moderator.panel("board")
    await auditor.look(moderator, "board-start")
    await moderating.draft(moderator, rooms=2)
    await auditor.look(moderator, "board-draft")
    await moderating.lead(moderator, 60)
    await moderator.press("plan-open")
    await expect(ana.find("announced-move")).to_be_visible()
    await auditor.look(ana, "announced-move")
    await auditor.look(moderator, "board-announced")
    await moderator.press("pending-cancel")
    await expect(ana.find("announced-move")).to_have_count(0)
    await moderating.lead(moderator, 0)
    await moderator.press("plan-open")
    await expect(moderator.find("live-board")).to_be_visible()
    await ana.press("help-request")
    await expect(moderator.find("staff-notice")).to_be_visible()
    await auditor.look(ana, "room-breakout")
    await auditor.look(moderator, "board-live")
    await moderator.find("live-board").get_by_test_id("move-menu").first.click()
    await auditor.look(moderator, "move-menu")
    await moderator.page.keyboard.press("Escape")
    await moderator.press("close-all")


async def the_end(auditor: Auditor, moderator: Person, ana: Person) -> None:
    """A goal, the question before the end, the debrief, the last page."""
    await moderator.panel("agenda")
    for kind in ("topic", "breakouts", "reflection"):
        await moderating.next_phase(moderator, kind)
    await expect(ana.find("goal-field")).to_be_visible()
    await auditor.look(ana, "goal")
    await moderator.press("end-session")
    await auditor.look(moderator, "end-dialog")
    await moderator.press("end-with-debrief")
    await expect(ana.find("screen-over")).to_be_visible()
    await auditor.look(ana, "over")
    await expect(moderator.find("screen-room")).to_have_attribute("data-status", "debrief")
    await auditor.look(moderator, "debrief")
