# SPDX-License-Identifier: Apache-2.0
"""A room for two, whose media goes straight from browser to browser."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from playwright.async_api import Browser, async_playwright, expect

from tests.e2e.conftest import Meet
from tests.e2e.person import Person, launch
from tests.e2e.serving import Server

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]


@pytest.fixture
def options() -> tuple[str, ...]:
    """Rooms for two."""
    return ("--media-mode", "mesh", "--capacity", "2", "--auto-admit")


@pytest.fixture
async def open_browser() -> AsyncIterator[Browser]:
    """Chromium that tells its addresses: their stand-ins (mDNS) need a network that carries multicast."""
    async with async_playwright() as playwright:
        running = await launch(playwright, flags=("--disable-features=WebRtcHideLocalIpsWithMdns",))
        yield running
        await running.close()


@pytest.mark.parametrize("offering", ["Moderator", "Ana"])
async def test_two_browsers_talk_without_the_server(
    server: Server, open_browser: Browser, firefox: Browser, meet: Meet, offering: str
) -> None:
    """They see and hear each other, whoever makes the offer, after a reload too, and not a camera that is off."""
    moderator, ana = await meet("Moderator", where=open_browser), await meet("Ana", where=firefox)
    first = await server.token("pair", "moderator", moderator.name)
    for person, token in ((moderator, first), (ana, await invited(server, first["participant"], offering))):
        await person.open(token["url"])
        await person.join()
    await together(moderator, ana)

    await ana.page.reload()
    await ana.in_room()
    for device in ("toggle-microphone", "toggle-camera"):
        await ana.press(device)
        await expect(ana.find(device)).to_have_attribute("data-state", "on")
    await together(moderator, ana)

    await ana.press("toggle-camera")
    await moderator.sees_exactly(set())
    await moderator.hears_exactly({"Ana"})
    assert ana.errors == moderator.errors == []


async def invited(server: Server, moderator: str, offering: str) -> dict[str, Any]:
    """Ana's token, with an id by which the one who shall make the offer is the impolite one (PROTOCOL.md)."""
    while True:
        token = await server.token("pair", "participant", "Ana")
        if ("Ana" if token["participant"] < moderator else "Moderator") == offering:
            return token


async def together(moderator: Person, ana: Person) -> None:
    """Both see and hear the other."""
    for one, other in ((moderator, "Ana"), (ana, "Moderator")):
        await one.sees_exactly({other})
        await one.hears_exactly({other})
