# SPDX-License-Identifier: Apache-2.0
"""Two ways to use the same page: with the mouse alone, and with the keyboard alone."""

from __future__ import annotations

from typing import Final, Protocol

from playwright.async_api import Locator, Page, expect

MOST_STOPS: Final = 120
"""More tab stops than this on the way to a control, and nobody would call it reachable."""

# "here": it has the focus; "toolbar": the focus is in its toolbar, where arrows move; "select": arrows choose there.
_WHERE: Final = """(target) => {
    const now = document.activeElement;
    if (now === target) return 'here';
    const toolbar = target.closest('[role=toolbar]');
    return toolbar && !target.closest('[popover]') && toolbar.contains(now) ? 'toolbar' : 'elsewhere';
}"""


class Hands(Protocol):
    """What a person does to a page."""

    async def press(self, control: Locator) -> None:
        """Activate a button."""

    async def tick(self, box: Locator) -> None:
        """Choose a box."""

    async def write(self, field: Locator, text: str) -> None:
        """Replace what stands in a field."""

    async def first(self, choice: Locator) -> None:
        """Take the first of a list of options."""


class Mouse:
    """Clicks; fails when something else is in the way."""

    async def press(self, control: Locator) -> None:
        """Click it."""
        await control.click()

    async def tick(self, box: Locator) -> None:
        """Click the box."""
        await box.check()

    async def write(self, field: Locator, text: str) -> None:
        """Click into the field and type."""
        await field.click(click_count=3)
        await field.page.keyboard.type(text)

    async def first(self, choice: Locator) -> None:
        """Choose it."""
        await choice.select_option(index=0)


class Keyboard:
    """Tab, arrows, Enter, Space, Escape; the page is never touched in another way."""

    def __init__(self, page: Page) -> None:
        self._page = page

    async def press(self, control: Locator) -> None:
        """Go there and press Enter."""
        await self.reach(control)
        await self._page.keyboard.press("Enter")

    async def tick(self, box: Locator) -> None:
        """Go there and press Space."""
        await self.reach(box)
        await self._page.keyboard.press("Space")
        await expect(box).to_be_checked()

    async def write(self, field: Locator, text: str) -> None:
        """Go there, select all, type."""
        await self.reach(field)
        await self._page.keyboard.press("Control+a")
        await self._page.keyboard.type(text)

    async def first(self, choice: Locator) -> None:
        """Go there and press Home."""
        await self.reach(choice)
        await self._page.keyboard.press("Home")

    async def reach(self, control: Locator) -> None:
        """Tab until it has the focus; within a toolbar with the arrows. Fails when it cannot be reached."""
        await expect(control).to_be_visible()
        for _ in range(MOST_STOPS):
            where = await control.evaluate(_WHERE)
            if where == "here":
                return
            await self._page.keyboard.press("ArrowRight" if where == "toolbar" else "Tab")
        raise AssertionError(f"{control} cannot be reached with the keyboard")
