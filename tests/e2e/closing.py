# SPDX-License-Identifier: Apache-2.0
"""Chapters 9 and 10 of the journey: goals, leaving and coming back, the debrief, the end."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

from playwright.async_api import expect

from tests.e2e import moderating
from tests.e2e.cast import MODERATOR, Cast
from tests.e2e.person import Person

PRIVATE = "Call my sister on Sunday"
SHARED = "Walk every morning"


async def goals(cast: Cast) -> None:
    """A private goal is seen by its owner alone, one for the group by everybody; both are there at the end."""
    await moderating.next_phase(cast.moderator, "reflection")
    await _write(cast["Ana"], PRIVATE, "private")
    await _write(cast["Ben"], SHARED, "group")
    for name in set(cast.people) - {"Ben"}:
        await expect(cast[name].find("shared-goal")).to_contain_text([f"Ben {SHARED}"])
    await moderating.next_phase(cast.moderator, "close")
    await expect(cast["Ana"].find("goal-text")).to_contain_text(PRIVATE)
    await expect(cast["Ben"].find("goal-text")).to_contain_text(SHARED)
    for name in set(cast.people) - {"Ana"}:
        assert PRIVATE not in await cast[name].page.content()


async def _write(person: Person, text: str, who: str) -> None:
    await person.find("goal-field").fill(text)
    await person.find(f"goal-{who}").check()
    await person.press("goal-save")
    await expect(person.find("goal-text")).to_contain_text(text)


async def leave_and_return(cast: Cast, name: str) -> None:
    """One press: a calm page, devices released, gone for the others. Coming back begins at the door, goal kept."""
    person = cast[name]
    others = set(cast.people) - {name}
    await person.press("leave")
    await expect(person.find("screen-over")).to_have_attribute("data-reason", "left")
    await expect(person.page.get_by_role("heading", name="You have left")).to_be_focused()
    tracks = await person.page.evaluate("window.__watch.tracks.map((track) => track.readyState)")
    assert set(tracks) == {"ended"}
    assert await person.page.evaluate("window.__watch.peers.at(-1).connectionState") == "closed"
    await cast.apart(others)

    await person.press("rejoin")
    await expect(person.find("screen-pre-join")).to_be_visible()
    assert await person.device_states() == ("off", "off")
    await person.join()
    # Admitted once to this session: nobody has to ask again.
    await person.in_room()
    await cast.apart(cast.people)
    await expect(person.find("goal-text")).to_contain_text(PRIVATE)


async def end(cast: Cast, participants: Collection[str]) -> None:
    """Participants are told that it is over, staff stay for a debrief, then it ends for all."""
    moderator = cast.moderator
    await moderator.press("end-session")
    await moderator.press("end-with-debrief")
    await asyncio.gather(*(over(cast[name]) for name in participants))
    await expect(moderator.find("screen-room")).to_have_attribute("data-status", "debrief")
    await expect(moderator.page.get_by_text("The group has left. Only staff are here now.")).to_be_visible()
    await cast.apart({MODERATOR})
    await moderator.press("end-session")
    await moderator.find("end-dialog").get_by_test_id("end-for-all").click()
    await over(moderator)


async def over(person: Person) -> None:
    """The calm last page, with devices released."""
    await expect(person.find("screen-over")).to_have_attribute("data-reason", "session_over")
    await expect(person.page.get_by_role("heading", name="The session is over")).to_be_visible()
    tracks = await person.page.evaluate("window.__watch.tracks.map((track) => track.readyState)")
    assert set(tracks) <= {"ended"}
