# SPDX-License-Identifier: Apache-2.0
"""More people than fit on one page: the server sends the pictures that the page shows, and no others."""

from __future__ import annotations

from typing import Any, Final

import pytest
from playwright.async_api import expect

from tests.e2e.conftest import Meet
from tests.e2e.crowd import crowd
from tests.e2e.person import Person, until
from tests.e2e.serving import Server

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

NAMES: Final = tuple(f"Extra {number}" for number in range(1, 16))
MOST_ON_PAGE_1: Final = 9
_SHOWN: Final = """
[...document.querySelectorAll('[data-testid="slot-video"][data-shown="true"]')].map((video) => video.dataset.name)
"""
_HIDE: Final = """
(state) => {
    Object.defineProperty(document, 'visibilityState', { value: state, configurable: true });
    document.dispatchEvent(new Event('visibilitychange'));
}
"""


@pytest.fixture
def options() -> tuple[str, ...]:
    """Nobody waits in the lobby: here only the pages count."""
    return ("--auto-admit",)


async def tiles(person: Person) -> list[str]:
    """Whose tiles are on the page, in their order."""
    rows = person.find("tile")
    names: list[str] = await rows.evaluate_all("(rows) => rows.map((row) => row.dataset.name)")
    return names


async def shown(person: Person) -> frozenset[str]:
    """Whose pictures have come."""
    names: list[str] = await person.page.evaluate(_SHOWN)
    return frozenset(names)


async def page_of(person: Person) -> tuple[frozenset[str], frozenset[str]]:
    """Whose tiles are on the page, and whose pictures."""
    return frozenset(await tiles(person)), await shown(person)


def complete(page: tuple[frozenset[str], frozenset[str]]) -> bool:
    """Everybody on the page is seen, and nobody else; who speaks may take a place on page 1 meanwhile."""
    names, pictures = page
    return names == pictures and len(names) >= len(NAMES) - MOST_ON_PAGE_1


async def arrivals(person: Person) -> dict[str, int]:
    """Frames and packets of sound so far, of all slots together."""
    rows: list[dict[str, Any]] = list((await person.received()).values())
    return {one: sum(row.get(one, 0) for row in rows) for one in ("frames", "audioPackets")}


async def test_pictures_follow_the_page(server: Server, meet: Meet) -> None:
    """The keyboard turns the page: its people are seen, those of the page before are not sent any more."""
    ana = await meet("Ana")
    async with crowd(server, "pages", NAMES, slots=1):
        token = await server.token("pages", "participant", "Ana")
        await ana.open(token["url"])
        await ana.join(devices=False)
        await ana.in_room()
        await expect(ana.find("page")).to_have_text("Page 1 of 2")
        await until(lambda: shown(ana), lambda names: len(names) >= 5, "pictures of page 1")
        first = await tiles(ana)
        assert first[-1] == "Ana"
        assert await shown(ana) <= set(first)

        await ana.find("page-after").focus()
        await ana.page.keyboard.press("Enter")
        await expect(ana.find("page")).to_have_text("Page 2 of 2")
        await expect(ana.find("page-after")).to_be_focused()
        await until(lambda: page_of(ana), complete, "pictures of page 2")
        assert ana.errors == []


async def voices_only(person: Person, why: str) -> None:
    """The tiles say why; hardly a picture comes any more while the voices go on."""
    await expect(person.page.locator(f'[data-testid="tile"][data-paused="{why}"]')).to_have_count(3)
    before = await arrivals(person)
    after = await until(
        lambda: arrivals(person), lambda now: now["audioPackets"] > before["audioPackets"] + 100, "voices go on"
    )
    # The tiles say so at once; what was on its way comes still, two pictures of each. Unpaused there would be thirty.
    assert after["frames"] - before["frames"] <= 6


async def test_a_hidden_page_and_sound_only_have_voices_only(server: Server, meet: Meet) -> None:
    """Nobody looks, or wants to pay for it: no picture is sent, every voice is; both can be taken back."""
    ana = await meet("Ana")
    async with crowd(server, "pages", NAMES[:3], slots=1):
        token = await server.token("pages", "participant", "Ana")
        await ana.open(token["url"])
        await ana.join(devices=False)
        await ana.in_room()
        await until(lambda: shown(ana), set(NAMES[:3]).__eq__, "pictures")

        await ana.page.evaluate(_HIDE, "hidden")
        await voices_only(ana, "hidden")
        await ana.page.evaluate(_HIDE, "visible")
        await until(lambda: shown(ana), set(NAMES[:3]).__eq__, "pictures again")

        await ana.panel("people")
        await ana.find("sound-only").check()
        await voices_only(ana, "own")
        await ana.find("sound-only").uncheck()
        await until(lambda: shown(ana), set(NAMES[:3]).__eq__, "pictures again")
        await ana.decodes()
        assert ana.errors == []
