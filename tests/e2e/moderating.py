# SPDX-License-Identifier: Apache-2.0
"""What a moderator presses, in words of the session instead of test ids."""

from __future__ import annotations

from playwright.async_api import Locator, expect

from tests.e2e.person import Person


def waiting(moderator: Person, name: str) -> Locator:
    """The line of somebody who waits in the lobby."""
    return moderator.page.locator(f'[data-testid="waiting"][data-name="{name}"]')


async def admit(moderator: Person, name: str) -> None:
    """Let one person in by name."""
    await moderator.panel("people")
    await waiting(moderator, name).get_by_test_id("admit").click()
    await expect(waiting(moderator, name)).to_have_count(0)


async def deny(moderator: Person, name: str) -> None:
    """Do not let one person in."""
    await moderator.panel("people")
    await waiting(moderator, name).get_by_test_id("deny").click()
    await moderator.press("confirm")
    await expect(waiting(moderator, name)).to_have_count(0)


async def admit_all(moderator: Person, names: set[str]) -> None:
    """Let in everybody who waits, as soon as all of these do."""
    await moderator.panel("people")
    for name in sorted(names):
        await expect(waiting(moderator, name)).to_be_visible()
    await moderator.press("admit-all")


async def person_action(moderator: Person, name: str, action: str) -> None:
    """Choose from the menu of one person in the list of people."""
    await moderator.panel("people")
    row = moderator.page.locator(f'[data-testid="person"][data-name="{name}"]')
    await row.get_by_test_id("person-menu").click()
    await row.get_by_test_id(f"do-{action}").click()


async def next_phase(moderator: Person, kind: str) -> None:
    """Go on with the agenda; `kind` is the phase that must follow."""
    await moderator.panel("agenda")
    await moderator.press("phase-next")
    await expect(moderator.page.locator(f'[data-testid="phase"][data-kind="{kind}"]')).to_have_attribute(
        "aria-current", "step"
    )


async def draft(moderator: Person, rooms: int, strategy: str = "even", minutes: int = 15) -> None:
    """Make a draft of small groups in the board."""
    await moderator.panel("board")
    await moderator.find(f"strategy-{strategy}").check()
    await moderator.find("plan-rooms").fill(str(rooms))
    await moderator.find("plan-minutes").fill(str(minutes))
    await moderator.press("plan-draft")
    await expect(moderator.find("plan-editor")).to_be_visible()


async def planned(moderator: Person) -> list[set[str]]:
    """Who is in each room of the draft."""
    rooms = await moderator.find("plan-room").all()
    return [await _names(room) for room in rooms]


async def replan(moderator: Person, name: str, room: int) -> None:
    """Put somebody into another room of the draft by the "Move to..." menu."""
    row = moderator.find("plan-editor").locator(f'[data-testid="board-person"][data-name="{name}"]')
    await row.get_by_test_id("plan-move").click()
    await row.locator(f'[data-testid="plan-move-to"][data-to="{room}"]').click()
    placed = moderator.find("plan-room").nth(room).locator(f'[data-name="{name}"]')
    await expect(placed).to_be_visible()


async def lead(moderator: Person, seconds: int) -> None:
    """How long before a move people are told."""
    await moderator.panel("board")
    await moderator.find("lead").select_option(str(seconds * 1000))


def live_room(moderator: Person, name: str) -> Locator:
    """An open breakout on the board; the main room is called "Main room"."""
    return moderator.page.locator(f'[data-testid="live-room"][data-name="{name}"]')


async def placement(moderator: Person, name: str) -> str:
    """The id of an open breakout."""
    found = await live_room(moderator, name).get_attribute("data-placement")
    assert found is not None
    return found


async def move(moderator: Person, who: str, room: str) -> None:
    """Move somebody by the "Move to..." menu of the board."""
    to = await placement(moderator, room)
    row = moderator.find("live-board").locator(f'[data-testid="board-person"][data-name="{who}"]')
    await row.get_by_test_id("move-menu").click()
    await row.locator(f'[data-testid="move-to"][data-to="{to}"]').click()


async def swap(moderator: Person, who: str, other: str) -> None:
    """Exchange two people by the menu of the first."""
    row = moderator.find("live-board").locator(f'[data-testid="board-person"][data-name="{who}"]')
    await row.get_by_test_id("move-menu").click()
    await row.get_by_test_id("swap-with").filter(has_text=other).click()


async def room_action(moderator: Person, room: str, action: str, to: str | None = None) -> None:
    """Choose from the menu of one breakout; `to` is the room that is merged into."""
    card = live_room(moderator, room)
    target = "" if to is None else f'[data-to="{await placement(moderator, to)}"]'
    await card.get_by_test_id("room-menu").click()
    await card.locator(f'[data-testid="{action}"]{target}').click()


async def split(moderator: Person, room: str, names: set[str], new: str) -> None:
    """Take these people out of a breakout into a new one."""
    await room_action(moderator, room, "split")
    dialog = moderator.find("split-dialog")
    for name in sorted(names):
        await dialog.locator(f'[data-testid="split-person"][data-name="{name}"]').check()
    await dialog.get_by_test_id("room-name").fill(new)
    await dialog.get_by_test_id("confirm").click()
    await expect(live_room(moderator, new)).to_be_visible()


async def _names(room: Locator) -> set[str]:
    people = await room.get_by_test_id("board-person").all()
    return {await person.get_attribute("data-name") or "" for person in people}
