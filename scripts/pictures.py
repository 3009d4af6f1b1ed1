# SPDX-License-Identifier: Apache-2.0
"""Make the pictures of the documentation from a real run: `make pictures`, or a few by name.

Starts `holdspace demo` on a free port, opens it in Debian's Chromium as a moderator (1280 px) and as a participant on
a phone (390 px), and walks through one session. Every picture is a screenshot of that session with its synthetic
people; nothing is drawn. Elements are found by test id, so that a change of words does not break it.
"""

from __future__ import annotations

import asyncio
import io
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from fractions import Fraction
from pathlib import Path
from typing import Final

import av
from av.filter import Graph
from playwright.async_api import Browser, Locator, Page, async_playwright, expect

IMAGES: Final = Path(__file__).parents[1] / "docs" / "images"
HOLDSPACE: Final = Path(sys.executable).with_name("holdspace")
CHROMIUM: Final = "/usr/bin/chromium"
FLAGS: Final = ("--no-sandbox", "--disable-gpu", "--autoplay-policy=no-user-gesture-required")
WIDE: Final = {"width": 1280, "height": 800}
PHONE: Final = {"width": 390, "height": 760}
COLOURS: Final = 256
"""Of the palette: enough for calm pages, and a third of the size."""
STILL: Final = Fraction(1)
"""The time base of a picture that does not move."""
PATIENCE_MS: Final = 60_000
LIVELY: Final = 4
"""So many moving pictures make a room look like one."""
SHOWN: Final = '[data-testid="slot-video"][data-shown="true"]'
REACTION: Final = ".chip.large"
"""Emoji look different on every machine, and some have none."""


@asynccontextmanager
async def demo() -> AsyncIterator[dict[str, str]]:
    """A running demo; its links by role."""
    command = [str(HOLDSPACE), "demo", "--port", "0"]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    try:
        yield await _links(process)
    finally:
        process.terminate()
        await process.wait()


async def _links(process: Process) -> dict[str, str]:
    links: dict[str, str] = {}
    while len(links) < len(("moderator", "participant")):
        line = (await process.stdout.readline()).decode() if process.stdout else ""
        if not line:
            raise RuntimeError("the demo did not start")
        role, _, link = line.strip().partition(": ")
        links[role] = link
    return links


class Visitor:
    """One person in a browser, and their camera for screenshots."""

    def __init__(self, page: Page, wanted: frozenset[str]) -> None:
        self.page = page
        self._wanted = wanted

    @classmethod
    async def create(cls, browser: Browser, size: dict[str, int], wanted: frozenset[str]) -> Visitor:
        """A context of its own: light, in English, nothing moves but the people."""
        context = await browser.new_context(
            viewport={"width": size["width"], "height": size["height"]},
            locale="en-US",
            color_scheme="light",
            reduced_motion="reduce",
        )
        context.set_default_timeout(PATIENCE_MS)
        return cls(await context.new_page(), wanted)

    def find(self, testid: str) -> Locator:
        """The element with this test id."""
        return self.page.get_by_test_id(testid)

    async def press(self, testid: str) -> None:
        """Click the first one."""
        await self.find(testid).first.click()

    async def see(self, testid: str) -> None:
        """Wait for it."""
        await expect(self.find(testid).first).to_be_visible(timeout=PATIENCE_MS)

    async def panel(self, name: str) -> None:
        """Have this side panel open."""
        if not await self.find(f"open-{name}").count():
            await self.press(f"panel-{name}")
        await self.see(f"open-{name}")

    async def open(self, link: str, name: str) -> None:
        """The pre-join page, filled in."""
        await self.page.goto(link)
        await self.see("screen-pre-join")
        await self.find("name").fill(name)
        await self.find("accept-agreement").check()

    async def lively(self, pictures: int = LIVELY) -> None:
        """Wait until so many people are to be seen."""
        await self.page.locator(SHOWN).nth(pictures - 1).wait_for(state="attached")

    async def quiet(self) -> None:
        """Wait until short messages have gone."""
        await expect(self.find("toast")).to_have_count(0, timeout=PATIENCE_MS)

    async def shoot(self, name: str, part: Locator | None = None) -> None:
        """A picture of the page or of one part of it."""
        if self._wanted and name not in self._wanted:
            return
        width = (self.page.viewport_size or WIDE)["width"]
        await self.page.mouse.move(width / 2, 20)  # where nothing is that would light up
        await expect(self.page.locator(REACTION)).to_have_count(0, timeout=PATIENCE_MS)
        shot = await (part.screenshot() if part else self.page.screenshot())
        (IMAGES / f"{name}.png").write_bytes(light(shot))
        print(f"{name}.png {(IMAGES / f'{name}.png').stat().st_size // 1024} KiB", flush=True)


def light(shot: bytes) -> bytes:
    """The same PNG with a palette of its own instead of true colours."""
    with av.open(io.BytesIO(shot), "r") as source:
        frame = next(source.decode(video=0))
    graph = Graph()
    entry = graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=STILL)
    both = graph.add("split")
    palette = graph.add("palettegen", f"max_colors={COLOURS}:reserve_transparent=0")
    painted = graph.add("paletteuse", "dither=none")
    leave = graph.add("buffersink")
    entry.link_to(both)
    both.link_to(palette, 0)
    both.link_to(painted, 1, 0)
    palette.link_to(painted, 0, 1)
    painted.link_to(leave)
    graph.configure()
    graph.vpush(frame)
    graph.vpush(None)
    small = graph.vpull()
    encoder = av.CodecContext.create("png", "w")
    encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = small.width, small.height, "pal8", STILL
    encoder.options = {"pred": "none", "compression_level": "9"}
    return b"".join(bytes(packet) for packet in (*encoder.encode(small), *encoder.encode(None)))


async def arrive(moderator: Visitor, guest: Visitor, links: dict[str, str]) -> None:
    """The door, the lobby, and in."""
    await moderator.open(links["moderator"], "Robin")
    await moderator.shoot("pre-join")
    await moderator.press("join")
    await moderator.see("screen-room")
    await moderator.panel("people")
    await moderator.find("auto-admit").uncheck()
    await guest.open(links["participant"], "Sam")
    await guest.page.evaluate("scrollTo(0, 0)")
    await guest.shoot("pre-join-phone")
    await guest.press("join")
    await guest.see("screen-lobby")
    await guest.shoot("lobby-phone")
    await moderator.see("waiting")
    await moderator.lively()
    await moderator.find("waiting").first.scroll_into_view_if_needed()
    await moderator.shoot("admit")
    await moderator.press("admit")
    await guest.see("screen-room")


async def together(moderator: Visitor, guest: Visitor) -> None:
    """Check-in round and topic."""
    await moderator.panel("agenda")
    await moderator.shoot("agenda")
    await moderator.press("phase-next")
    await moderator.see("round")
    await moderator.lively()
    await moderator.shoot("round")
    await guest.see("round")
    await guest.quiet()
    await guest.lively(1)
    await guest.shoot("round-phone")
    await moderator.press("phase-next")
    await guest.press("toggle-hand")
    await moderator.see("hand-queue")
    await moderator.press("close-panel")
    await moderator.quiet()
    await moderator.lively()
    await moderator.shoot("topic")
    await guest.press("toggle-hand")


async def split(moderator: Visitor, guest: Visitor) -> None:
    """A draft, opened with notice."""
    await moderator.panel("agenda")
    await moderator.press("phase-next")
    await moderator.panel("board")
    await moderator.see("plan-start")
    await moderator.shoot("plan-start", moderator.find("open-board"))
    await moderator.find("plan-rooms").fill("2")
    await moderator.press("plan-draft")
    await moderator.see("plan-editor")
    await moderator.find("lead").select_option("30000")
    await moderator.press("plan-move")
    await moderator.see("plan-move-to")
    await moderator.shoot("plan")
    await moderator.page.keyboard.press("Escape")
    await moderator.press("plan-open")
    await guest.see("announced-move")
    await guest.quiet()
    await guest.shoot("move-phone")
    await moderator.find("pending-change").scroll_into_view_if_needed()
    await moderator.shoot("opening")
    await moderator.see("live-board")


async def tend(moderator: Visitor, guest: Visitor) -> None:
    """During the rooms: the board, its menus, a call for help, a text to all."""
    await moderator.find("lead").select_option("0")
    breakout = await _other_room(moderator, guest)
    await breakout.get_by_test_id("visit").click()
    await moderator.lively(2)
    await moderator.quiet()
    await moderator.shoot("board")
    await _on_a_phone(moderator)
    await breakout.get_by_test_id("move-menu").first.click()
    await moderator.see("move-to")
    await moderator.shoot("board-move")
    await moderator.page.keyboard.press("Escape")
    await breakout.get_by_test_id("room-menu").click()
    await breakout.get_by_test_id("split").wait_for()
    await moderator.shoot("board-room", moderator.find("open-board"))
    await breakout.get_by_test_id("split").click()
    await moderator.see("split-dialog")
    await moderator.find("split-person").first.check()
    await moderator.shoot("split")
    await moderator.press("confirm")
    await expect(moderator.find("live-room")).to_have_count(4, timeout=PATIENCE_MS)
    await moderator.see("toast-action")
    await moderator.shoot("undo")
    await moderator.press("toast-action")
    await expect(moderator.find("live-room")).to_have_count(3, timeout=PATIENCE_MS)
    await guest.see("help-request")
    await guest.quiet()
    await guest.lively(1)
    await guest.shoot("breakout-phone")
    await guest.press("help-request")
    await moderator.panel("people")
    await moderator.see("help-call")
    await moderator.quiet()
    await moderator.shoot("help")


async def _other_room(moderator: Visitor, guest: Visitor) -> Locator:
    """A breakout without the guest, who will ask for help from afar."""
    there = await guest.find("screen-room").get_attribute("data-placement")
    places = [await room.get_attribute("data-placement") for room in await moderator.find("live-room").all()]
    place = next(place for place in places if place not in {"main", there})
    return moderator.page.locator(f'[data-testid="live-room"][data-placement="{place}"]')


async def _on_a_phone(moderator: Visitor) -> None:
    """The same board on a phone."""
    await moderator.page.set_viewport_size({"width": PHONE["width"], "height": PHONE["height"]})
    await moderator.shoot("board-phone")
    await moderator.page.set_viewport_size({"width": WIDE["width"], "height": WIDE["height"]})


async def close(moderator: Visitor, guest: Visitor) -> None:
    """Back, the goal, the end."""
    await moderator.panel("board")
    await moderator.press("close-all")
    await moderator.see("plan-start")
    await moderator.panel("agenda")
    await moderator.press("phase-next")
    await guest.see("goal-field")
    await guest.find("goal-field").fill("Go for a walk on Thursday.")
    await guest.quiet()
    await guest.shoot("goal-phone")
    await guest.press("goal-save")
    await moderator.see("shared-goal")
    await moderator.press("end-session")
    await moderator.see("end-with-debrief")
    await moderator.shoot("end")
    await moderator.press("end-with-debrief")
    await guest.see("screen-over")
    await guest.quiet()
    await guest.shoot("over-phone")


async def main(wanted: frozenset[str]) -> None:
    """One session, all pictures."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    async with demo() as links, async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS])
        moderator = await Visitor.create(browser, WIDE, wanted)
        guest = await Visitor.create(browser, PHONE, wanted)
        await arrive(moderator, guest, links)
        for chapter in (together, split, tend, close):
            await chapter(moderator, guest)
        await browser.close()


if __name__ == "__main__":
    asyncio.run(main(frozenset(sys.argv[1:])))
