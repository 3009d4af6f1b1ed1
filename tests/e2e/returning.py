# SPDX-License-Identifier: Apache-2.0
"""Chapter 7 of the journey: a reload and a lost connection in a breakout; the place is kept, devices stay a choice."""

from __future__ import annotations

from playwright.async_api import expect

from tests.e2e.cast import Cast
from tests.e2e.meeting import tile
from tests.e2e.person import Person, until
from tests.e2e.splitting import ALONE, FIRST, SECOND

_PLAYING = "[...document.querySelectorAll('audio')].filter((audio) => !audio.paused).length"


async def reload_untouched(person: Person) -> None:
    """Reload, and leave the page alone until it has found out that it may not play sound.

    Every look that Playwright takes at a page counts as a press (`userGesture` of the debugger's protocol).
    """
    async with person.page.expect_console_message(lambda message: message.text == "sound is blocked"):
        await person.page.reload(wait_until="commit")


async def reload(cast: Cast, name: str) -> None:
    """Back in the same breakout, first in the queue as before, devices off; one press, and everybody is heard."""
    person, ben = cast[name], cast["Ben"]
    place = await person.find("screen-room").get_attribute("data-placement")
    await person.press("toggle-hand")
    await expect(person.find("hand-position")).to_have_text("You are next in line.")
    await ben.press("toggle-hand")
    await expect(ben.find("hand-position")).to_have_text("You are second in line.")

    await reload_untouched(person)
    await person.in_room()
    await expect(person.find("screen-room")).to_have_attribute("data-placement", place or "")
    await expect(person.find("hand-position")).to_have_text("You are next in line.")
    await expect(ben.find("hand-position")).to_have_text("You are second in line.")
    assert await person.device_states() == ("off", "off")
    assert await person.page.evaluate("window.__watch.userMedia") == []

    await expect(person.find("hear")).to_be_visible()
    assert await person.page.evaluate("window.__watch.peers.length") == 1
    assert await person.page.evaluate(_PLAYING) == 0
    await person.press("hear")
    await expect(person.find("hear")).to_have_count(0)
    await until(lambda: person.page.evaluate(_PLAYING), lambda playing: playing > 0, f"{name} plays sound")
    await person.hears_exactly(SECOND - {name})
    await person.sees_exactly(SECOND - {name})
    for other in SECOND - {name}:
        await cast[other].sees_exactly(SECOND - {name, other})
        await cast[other].hears_exactly(SECOND - {name, other})
    assert await person.device_states() == ("off", "off")
    assert await person.page.evaluate("window.__watch.userMedia") == []

    await person.press("toggle-microphone")
    await person.press("toggle-camera")
    await cast.apart(FIRST, SECOND, ALONE)


async def lost_connection(cast: Cast, name: str) -> None:
    """A network that goes away for a moment: everybody is told, and the person is where they were, without a reload."""
    person = cast[name]
    place = await person.find("screen-room").get_attribute("data-placement")
    await person.page.evaluate("window.__same = true")
    await person.context.set_offline(True)
    await person.page.evaluate("window.__watch.sockets.forEach((socket) => socket.close())")
    await expect(person.find("reconnecting")).to_be_visible()
    await expect(person.find("reconnecting")).to_contain_text("Your place is kept")
    await expect(tile(cast["Eli"], name)).to_contain_text("Reconnecting")
    await person.context.set_offline(False)
    cast.was_offline(name)
    await expect(person.find("reconnecting")).to_have_count(0)
    await expect(tile(cast["Eli"], name)).not_to_contain_text("Reconnecting")
    await expect(person.find("screen-room")).to_have_attribute("data-placement", place or "")
    await expect(person.find("hand-position")).to_have_text("You are second in line.")
    assert await person.page.evaluate("window.__same")
    await cast.apart(FIRST, SECOND, ALONE)
    await cast.unchanged()


async def hands_down(*people: Person) -> None:
    """Each lowers their own hand."""
    for person in people:
        await person.press("toggle-hand")
        await expect(person.find("toggle-hand")).to_have_attribute("data-state", "lowered")
