# SPDX-License-Identifier: Apache-2.0
"""One person in a real browser: what they press, and what really reaches their eyes and ears."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final, TypeVar

from playwright.async_api import Browser, BrowserContext, Locator, Page, Playwright, expect

from tests.e2e.people import LOOKS, speaker_of

CHROMIUM: Final = "/usr/bin/chromium"
FLAGS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-background-timer-throttling",
    "--disable-renderer-backgrounding",
    "--disable-backgrounding-occluded-windows",
)
AUTOPLAY: Final = "--autoplay-policy=no-user-gesture-required"
PATIENCE_S: Final = 40
"""Only a failure takes so long, even when the machine has ten other things to do."""
T = TypeVar("T")
expect.set_options(timeout=1000 * PATIENCE_S / 2)
_DEVICES: Final = Path(__file__).with_name("devices.js").read_text(encoding="utf-8")


async def launch(playwright: Playwright, *, autoplay: bool = True, flags: tuple[str, ...] = ()) -> Browser:
    """Debian's Chromium; without `autoplay` sound needs a press, as in everybody's own browser."""
    args = [*FLAGS, *flags, AUTOPLAY] if autoplay else [*FLAGS, *flags]
    return await playwright.chromium.launch(executable_path=CHROMIUM, args=args)


async def until(
    wanted: Callable[[], Awaitable[T]], accept: Callable[[T], bool], what: str, seconds: float = PATIENCE_S
) -> T:
    """Ask again until it is so; fails with the last answer."""
    deadline = time.monotonic() + seconds
    while True:
        answer = await wanted()
        if accept(answer):
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: still {answer!r} after {seconds} s")
        await asyncio.sleep(0.2)


class Person:
    """A context of its own, a page, an own colour and an own tone."""

    def __init__(self, name: str, context: BrowserContext, page: Page) -> None:
        self.name = name
        self.context = context
        self.page = page
        self.errors: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))

    @classmethod
    async def create(
        cls,
        browser: Browser,
        name: str,
        *,
        size: tuple[int, int] = (320, 180),
        fps: int = 10,
        locale: str = "en-US",
        measured: bool = False,
    ) -> Person:
        """A new person; `size` and `fps` of the camera picture are small, so that two cores bear six of them.

        `measured`: the page may start a worker of the test, which its own policy forbids.
        """
        context = await browser.new_context(viewport={"width": 1000, "height": 700}, locale=locale, bypass_csp=measured)
        look = LOOKS[name]
        device = {"hue": look.hue, "hz": look.hz, "width": size[0], "height": size[1], "fps": fps}
        people = {other: each.hue for other, each in LOOKS.items()}
        await context.add_init_script(
            f"window.__device = {json.dumps(device)}; window.__people = {json.dumps(people)};\n{_DEVICES}"
        )
        return cls(name, context, await context.new_page())

    def find(self, testid: str) -> Locator:
        """The element with this test id."""
        return self.page.get_by_test_id(testid)

    async def press(self, testid: str) -> None:
        """Click it."""
        await self.find(testid).click()

    async def enter(self, testid: str, text: str) -> None:
        """Replace what stands in a field by keys: Firefox's `fill` adds to a number."""
        await self.press(testid)
        await self.page.keyboard.press("ControlOrMeta+A")
        await self.page.keyboard.type(text)

    async def open(self, link: str) -> None:
        """Open a join link; ends on the pre-join page."""
        await self.page.goto(link)
        await expect(self.find("screen-pre-join")).to_be_visible()

    async def join(self, *, devices: bool = True) -> None:
        """From pre-join into the lobby or the room, with camera and microphone turned on by a press."""
        await self.find("name").fill(self.name)
        agreement = self.find("accept-agreement")
        if await agreement.count():
            await agreement.check()
        if devices:
            await self.press("toggle-microphone")
            await self.press("toggle-camera")
        await self.press("join")

    async def in_room(self) -> None:
        """Wait until the room is shown."""
        await expect(self.find("screen-room")).to_be_visible()

    async def panel(self, name: str) -> None:
        """Open a side panel: chat, people, agenda or board."""
        if not await self.find(f"open-{name}").count():
            await self.press(f"panel-{name}")
        await expect(self.find(f"open-{name}")).to_be_visible()

    async def move_in_board(self, who: str, to: str) -> None:
        """A moderator moves somebody by the "Move to..." menu of the board."""
        await self.panel("board")
        row = self.page.get_by_test_id("board-person").filter(has_text=who)
        await row.get_by_test_id("move-menu").click()
        await row.get_by_test_id("move-to").and_(self.page.locator(f'[data-to="{to}"]')).click()

    # -- eyes and ears -------------------------------------------------------------------------------------------------

    async def seen(self) -> Counter[str | None]:
        """Whose colour is in the shown videos; None: a colour that is nobody's."""
        rows: list[dict[str, Any]] = await self.page.evaluate("window.__seen()")
        return Counter(row["person"] for row in rows if row["shown"])

    async def heard(self, seconds: float = 0.6) -> set[str]:
        """Whose tones are heard within this time."""
        voices: set[str] = set()
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            rows: list[dict[str, Any]] = await self.page.evaluate("window.__heard()")
            voices |= {speaker for row in rows if (speaker := speaker_of(row["hz"])) is not None}
            await asyncio.sleep(0.05)
        return voices

    async def received(self) -> dict[str, dict[str, int]]:
        """Counters of each receive slot, from getStats."""
        counters: dict[str, dict[str, int]] = await self.page.evaluate("window.__received()")
        return counters

    async def knows_clocks(self) -> None:
        """Sender reports of voices and of pictures have been taken, which is what lip sync goes by."""

        async def clocks() -> list[str]:
            kinds: list[str] = await self.page.evaluate("window.__clocks()")
            return kinds

        await until(clocks, lambda kinds: kinds == ["audio", "video"], f"{self.name} knows the clocks of")

    async def sees_exactly(self, names: set[str], seconds: float = PATIENCE_S) -> None:
        """Everyone of them, and nobody else, in decoded pixels."""
        await until(self.seen, lambda seen: dict(seen) == dict.fromkeys(names, 1), f"{self.name} sees", seconds)

    async def hears_exactly(self, names: set[str], seconds: float = PATIENCE_S) -> None:
        """Everyone of them, and nobody else, in decoded sound."""
        await until(self.heard, lambda heard: heard == names, f"{self.name} hears", seconds)

    async def decodes(self) -> None:
        """Frames and sound keep coming in on every slot that shows somebody."""
        before = await self.received()
        rows: list[dict[str, Any]] = await self.page.evaluate("window.__seen()")
        slots = {str(row["slot"]) for row in rows if row["shown"]}

        async def stuck() -> list[str]:
            after = await self.received()
            counters = ("frames", "audioPackets")
            return [slot for slot in slots if not all(after[slot][one] > before[slot][one] for one in counters)]

        await until(stuck, lambda none: not none, f"{self.name} decodes nothing new in slots")

    async def media_identity(self) -> dict[str, Any]:
        """What must not change by any move: peers made, DTLS session, negotiations, device requests, sound elements."""
        identity: dict[str, Any] = await self.page.evaluate(
            """async () => ({
                peers: window.__watch.peers.length,
                dtls: await window.__dtls(),
                negotiationNeeded: window.__watch.negotiationNeeded,
                userMedia: window.__watch.userMedia.length,
                plays: window.__watch.plays,
                sending: window.__watch.peers.at(-1).getSenders()
                    .map((s) => s.track ? s.track.id + s.track.readyState : null),
            })"""
        )
        return identity

    async def device_states(self) -> tuple[str | None, str | None]:
        """What the microphone and camera buttons show: off, starting, on."""
        return (
            await self.find("toggle-microphone").get_attribute("data-state"),
            await self.find("toggle-camera").get_attribute("data-state"),
        )
