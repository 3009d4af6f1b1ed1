# SPDX-License-Identifier: Apache-2.0
"""One person on a bad day: help that the group does not notice, help without the group, and a way out at once."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.e2e.conftest import Meet
from tests.e2e.person import Person
from tests.e2e.serving import Server

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]


@pytest.fixture
def options() -> tuple[str, ...]:
    """Nobody waits in the lobby; the program has a line of its own."""
    return ("--auto-admit", "--crisis-lines", "Our nurse, day and night: +1 (555) 010-0199")


async def come(server: Server, person: Person, role: str, *, devices: bool = False) -> None:
    """From the link into the room."""
    token = await server.token("bad-day", role, person.name)
    await person.open(token["url"])
    await person.join(devices=devices)
    await person.in_room()


async def call(ana: Person, moderator: Person, ben: Person) -> None:
    """From the main room, by two presses; the moderator sees it, the others do not."""
    await ana.press("help-now")
    await ana.press("help-request")
    await expect(ana.find("help-now-dialog")).to_contain_text("Only moderators see it")
    await ana.press("close-help-now")
    await expect(moderator.find("staff-notice")).to_contain_text("1 call for help")
    await expect(ben.find("help")).to_have_count(0)
    await moderator.press("show-people")
    await moderator.press("help-acknowledge")
    await expect(ana.find("help")).to_contain_text(f"{moderator.name} has seen your call.")


async def private_word(server: Server, ana: Person, moderator: Person, late: Person) -> None:
    """She is told with whom before she goes; nobody bursts in, no slip ends it; one press brings both back."""
    await moderator.page.get_by_test_id("help-call").get_by_test_id("do-aside").click()
    await expect(ana.find("announced-move")).to_contain_text(f"Quiet room ({moderator.name})")
    await expect(ana.find("announced-move")).to_contain_text(f"With {moderator.name}.")
    await expect(ana.find("agenda-bar")).to_contain_text("Quiet room")
    await come(server, late, "participant")
    await expect(late.find("screen-room")).to_have_attribute("data-placement", "main")
    await expect(ana.find("tile")).to_have_count(2)
    await moderator.panel("agenda")
    await moderator.press("phase-next")
    await expect(moderator.find("leaving-dialog")).to_contain_text("at once, without notice")
    await moderator.press("cancel")
    await expect(ana.find("agenda-bar")).to_contain_text("Quiet room")
    await moderator.press("aside-end")
    await expect(ana.find("screen-room")).to_have_attribute("data-placement", "main")
    await expect(moderator.find("screen-room")).to_have_attribute("data-placement", "main")


async def find_a_number(ana: Person) -> None:
    """The page has lost its connection; the program's line is there to be pressed."""
    await ana.context.set_offline(True)
    await ana.press("help-now")
    line = ana.find("crisis-lines").get_by_role("link")
    await expect(line).to_have_attribute("href", "tel:+15550100199")
    await expect(ana.find("crisis-lines")).to_contain_text("Our nurse, day and night")
    await ana.page.keyboard.press("Escape")
    await ana.context.set_offline(False)


async def vanish(server: Server, ana: Person, moderator: Person) -> None:
    """Shift three times: another page, nothing to come back to, and to the others she has left."""
    await moderator.panel("people")
    row = moderator.page.locator(f'[data-testid="person"][data-name="{ana.name}"]')
    await expect(row).to_have_count(1)
    for _ in range(3):
        await ana.page.keyboard.press("Shift")
    await ana.page.wait_for_url("about:blank")
    await expect(row).to_have_count(0)
    await ana.page.goto(server.url)
    await expect(ana.find("screen-over")).to_have_attribute("data-reason", "no_link")


async def test_help_and_a_way_out(server: Server, meet: Meet) -> None:
    """A call that only moderators see, a private word, a number without a connection, gone by three presses or one."""
    moderator, ana, ben, cleo = [await meet(name) for name in ("Moderator", "Ana", "Ben", "Cleo")]
    await come(server, moderator, "moderator")
    await come(server, ana, "participant", devices=True)
    await come(server, ben, "participant")
    await call(ana, moderator, ben)
    await private_word(server, ana, moderator, cleo)
    await find_a_number(ana)
    await vanish(server, ana, moderator)
    await ben.press("quick-exit")
    await ben.page.wait_for_url("about:blank")
    await expect(moderator.find("person")).to_have_count(2)
    assert [*moderator.errors, *ana.errors, *ben.errors, *cleo.errors] == []
