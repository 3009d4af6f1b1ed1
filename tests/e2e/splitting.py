# SPDX-License-Identifier: Apache-2.0
"""Chapters 5 and 6 of the journey: small groups, every change of them, calls for help, a text to all rooms."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

from playwright.async_api import expect

from tests.e2e import moderating
from tests.e2e.cast import MODERATOR, Cast
from tests.e2e.person import Person, until

FIRST = {"Ana", "Cleo"}
SECOND = {"Ben", "Dina", "Eli"}
ALONE = {MODERATOR}
BROADCAST = "Five more minutes, then we come back."


async def plan(cast: Cast) -> None:
    """An even draft, changed by hand; nobody but the moderator sees anything of it."""
    await moderating.next_phase(cast.moderator, "breakouts")
    await moderating.draft(cast.moderator, rooms=2)
    assert await moderating.planned(cast.moderator) == [{"Ana", "Cleo", "Eli"}, {"Ben", "Dina"}]
    await moderating.replan(cast.moderator, "Eli", 1)
    assert await moderating.planned(cast.moderator) == [FIRST, SECOND]
    for name in FIRST | SECOND:
        await expect(cast[name].find("announced-move")).to_have_count(0)


async def announced_opening(cast: Cast) -> None:
    """People are told where they go, with whom and until when, once, before they are moved."""
    await moderating.lead(cast.moderator, 10)
    await cast.moderator.press("plan-open")
    for name, room, company in (("Ana", "Room 1", "With Cleo."), ("Ben", "Room 2", "With Dina and Eli.")):
        banner = cast[name].find("announced-move")
        await expect(banner.get_by_role("heading")).to_have_text(f"You will move to {room}")
        await expect(banner).to_contain_text(company)
        await expect(banner).to_contain_text("Back at ")
        await expect(banner).to_contain_text("after 15 minutes")
        await expect(cast[name].find("screen-room")).to_have_attribute("data-placement", "main")
    await cast["Ana"].sees_exactly(set(cast.people) - {"Ana"}, seconds=3)
    await expect(cast.moderator.find("pending-change")).to_be_visible()
    for name in FIRST | SECOND:
        await expect(cast[name].find("screen-room")).not_to_have_attribute("data-placement", "main")
        await expect(cast[name].find("announced-move")).to_have_count(0)
        assert await cast[name].page.evaluate("window.__watch.banners") == 1
    await _settled(cast, FIRST, SECOND, ALONE)


async def every_change(cast: Cast) -> None:
    """Move, swap, undo, split, merge, undo, close one: each at once, each with isolation and unchanged devices."""
    moderator = cast.moderator
    await moderating.lead(moderator, 0)
    await moderating.move(moderator, "Eli", "Room 1")
    await _settled(cast, {"Ana", "Cleo", "Eli"}, {"Ben", "Dina"}, ALONE)
    await moderating.swap(moderator, "Ana", "Ben")
    await _settled(cast, {"Ben", "Cleo", "Eli"}, {"Ana", "Dina"}, ALONE)
    await moderator.press("undo")
    await _settled(cast, {"Ana", "Cleo", "Eli"}, {"Ben", "Dina"}, ALONE)
    await moderating.split(moderator, "Room 1", {"Eli"}, "Quiet room")
    await _settled(cast, FIRST, {"Ben", "Dina"}, {"Eli"}, ALONE)
    await moderating.room_action(moderator, "Quiet room", "merge-into", to="Room 2")
    await _settled(cast, FIRST, SECOND, ALONE)
    await moderator.press("undo")
    await _settled(cast, FIRST, {"Ben", "Dina"}, {"Eli"}, ALONE)
    await moderating.room_action(moderator, "Quiet room", "close-room")
    await _settled(cast, FIRST, {"Ben", "Dina"}, {"Eli", MODERATOR})
    await moderating.move(moderator, "Eli", "Room 2")
    await _settled(cast, FIRST, SECOND, ALONE)


async def help_call(cast: Cast) -> None:
    """Someone in a small group calls a moderator, sees that it was seen, and is visited."""
    ben, moderator = cast["Ben"], cast.moderator
    await ben.press("help-request")
    await expect(ben.find("help")).to_contain_text("A moderator has been called.")
    await expect(moderator.find("staff-notice")).to_contain_text("1 call for help.")
    await moderator.press("show-people")
    await expect(moderator.find("help-call")).to_contain_text("Ben")
    await moderator.press("help-acknowledge")
    await expect(ben.find("help")).to_contain_text("Moderator has seen your call.")
    await expect(moderator.find("staff-notice")).to_have_count(0)
    await moderator.press("help-visit")
    await _settled(cast, FIRST, SECOND | ALONE)
    await moderator.panel("board")
    await moderating.live_room(moderator, "Main room").get_by_test_id("visit").click()
    await _settled(cast, FIRST, SECOND, ALONE)


async def text_to_all(cast: Cast) -> None:
    """A text from the moderator arrives in every room; what people write stays in theirs."""
    await cast.moderator.panel("board")
    await cast.moderator.find("broadcast-text").fill(BROADCAST)
    await cast.moderator.press("broadcast-send")
    await asyncio.gather(*(_reads(cast[name], BROADCAST) for name in FIRST | SECOND))
    await cast["Ana"].find("chat-text").fill("Only for Room 1")
    await cast["Ana"].press("chat-send")
    await expect(cast["Cleo"].find("chat-log")).to_contain_text("Only for Room 1")
    for name in SECOND:
        await expect(cast[name].find("chat-log")).not_to_contain_text("Only for Room 1")


async def _reads(person: Person, text: str) -> None:
    await person.panel("chat")
    await expect(person.find("chat-log")).to_contain_text(text)


async def all_back(cast: Cast) -> None:
    """Everyone returns to the main room in one step."""
    await cast.moderator.panel("board")
    await cast.moderator.press("close-all")
    await _settled(cast, set(cast.people))


async def _settled(cast: Cast, *rooms: Collection[str]) -> None:
    await asyncio.gather(*(_same_placement(cast, room) for room in rooms))
    await cast.apart(*rooms)
    await cast.unchanged()


async def _same_placement(cast: Cast, room: Collection[str]) -> None:
    async def placements() -> set[str | None]:
        screens = [cast[name].find("screen-room") for name in room]
        return set(await asyncio.gather(*(screen.get_attribute("data-placement") for screen in screens)))

    await until(placements, lambda found: len(found) == 1, f"{sorted(room)} are in one room")
