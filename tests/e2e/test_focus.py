# SPDX-License-Identifier: Apache-2.0
"""A participant with the keyboard alone: the focus is never lost or stolen, and each thing is spoken once."""

from __future__ import annotations

from collections import Counter
from typing import Final

import pytest
from playwright.async_api import Locator, expect

from tests.e2e import moderating
from tests.e2e.cast import MODERATOR, Cast
from tests.e2e.conftest import Meet
from tests.e2e.crowd import crowd
from tests.e2e.hands import Keyboard
from tests.e2e.meeting import AGREEMENT
from tests.e2e.person import Person, until
from tests.e2e.serving import Server

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(240)]

NAMES: Final = ("Gus", "Hal", "Ida")
# What the live regions said, and how often the focus was on nothing for longer than a change of the page takes.
_WATCH: Final = """
window.__spoken = [];
window.__lost = 0;
let nowhere = 0;
document.addEventListener('focusin', () => (nowhere = 0));
setInterval(() => {
    const lost = document.hasFocus() && document.activeElement === document.body && window.__begun;
    nowhere = lost ? nowhere + 1 : 0;
    if (nowhere === 3) window.__lost++;
}, 100);
new MutationObserver((changes) => {
    for (const change of changes) for (const node of change.addedNodes) {
        if (!node.parentElement?.closest('[data-testid^=announcer]')) continue;
        if (node.textContent) window.__spoken.push(node.textContent);
    }
}).observe(document, { childList: true, subtree: true });
"""
_ON_TOP: Final = """(element) => {
    const box = element.getBoundingClientRect();
    const top = document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2);
    return element.contains(top);
}"""


@pytest.fixture
def options() -> tuple[str, ...]:
    """With an agreement to accept and a lobby to wait in."""
    return ("--agreement", AGREEMENT)


async def test_the_focus_is_never_lost(server: Server, meet: Meet) -> None:
    """Door, lobby, turn, a half-written message carried through a move, a call, a visit, a goal, the end."""
    cast = Cast(server, "focus")
    ana = await meet("Ana")
    await ana.context.add_init_script(_WATCH)
    await cast.add(await meet(MODERATOR), ana)
    moderator, keys = cast.moderator, Keyboard(ana.page)
    await moderator.join(devices=False)
    await moderator.in_room()
    await arrives(moderator, ana, keys)
    await moderator.panel("people")
    await moderator.find("auto-admit").check()
    async with crowd(server, cast.room, NAMES):
        await speaks(moderator, ana, keys)
        await writes_while_moved(moderator, ana, keys)
        await calls(moderator, ana, keys)
    await sets_a_goal(moderator, ana, keys)
    assert await ana.page.evaluate("window.__lost") == 0
    await said_once(ana)
    assert await ana.page.evaluate("window.__watch.userMedia") == []
    await cast.no_errors()


async def arrives(moderator: Person, ana: Person, keys: Keyboard) -> None:
    """Each new page begins at its heading."""
    await keys.write(ana.find("name"), "Ana")
    await ana.page.evaluate("window.__begun = true")
    await keys.tick(ana.find("accept-agreement"))
    await keys.press(ana.find("join"))
    await expect(ana.page.get_by_role("heading", name="Welcome, Ana")).to_be_focused()
    await moderating.admit(moderator, "Ana")
    await ana.in_room()
    await expect(ana.page.get_by_role("heading", level=1)).to_be_focused()


async def speaks(moderator: Person, ana: Person, keys: Keyboard) -> None:
    """When the turn is over and its buttons are gone, the focus is on the card that says who is next."""
    await moderating.next_phase(moderator, "check_in")
    await keys.press(ana.find("turn-done"))
    await expect(ana.find("round").get_by_role("heading", name="Gus has the turn")).to_be_focused()


async def writes_while_moved(moderator: Person, ana: Person, keys: Keyboard) -> None:
    """On a phone the notice is seen over the chat; the field keeps focus and text, and asks before it tells others."""
    await ana.page.set_viewport_size({"width": 320, "height": 640})
    await keys.press(ana.find("panel-chat"))
    await keys.write(ana.find("chat-text"), "only for this room")
    await moderating.draft(moderator, rooms=2)
    await moderating.lead(moderator, 60)
    await moderator.press("plan-open")
    await until(lambda: on_top(ana.find("announced-move")), bool, "the notice is seen")
    await moderator.press("pending-cancel")
    await moderating.lead(moderator, 0)
    await moderator.press("plan-open")
    await expect(ana.find("screen-room")).not_to_have_attribute("data-placement", "main")
    await expect(ana.find("chat-text")).to_be_focused()
    await ana.page.keyboard.press("Enter")
    await expect(ana.find("toast").last).to_contain_text("You are in another room now.")
    await expect(ana.find("chat-text")).to_have_value("only for this room")
    await ana.page.keyboard.press("Enter")
    await expect(ana.find("chat-log")).to_contain_text("only for this room")
    await ana.page.keyboard.press("Escape")
    await expect(ana.find("panel-chat")).to_be_focused()


async def on_top(element: Locator) -> bool:
    """Nothing lies over it."""
    seen: bool = await element.evaluate(_ON_TOP)
    return seen


async def calls(moderator: Person, ana: Person, keys: Keyboard) -> None:
    """The focus stays on the button that called; back in the main room, where it is not, on the heading of the room."""
    await keys.press(ana.find("help-request"))
    await expect(ana.find("help-cancel")).to_be_focused()
    await moderator.panel("people")
    await moderator.press("help-visit")
    await expect(ana.find("help-request")).to_be_focused()
    await moderator.panel("board")
    await moderator.press("close-all")
    await expect(ana.find("screen-room")).to_have_attribute("data-placement", "main")
    await expect(ana.page.get_by_role("heading", level=1)).to_be_focused()


async def sets_a_goal(moderator: Person, ana: Person, keys: Keyboard) -> None:
    """Saved: the focus is on the goal. To be changed: in its field. The end has a heading, too."""
    for kind in ("topic", "breakouts", "reflection"):
        await moderating.next_phase(moderator, kind)
    await keys.write(ana.find("goal-field"), "Rest")
    await keys.press(ana.find("goal-save"))
    await expect(ana.page.get_by_role("heading", name="My goal")).to_be_focused()
    await until(lambda: spoken(ana), lambda texts: "Your goal is saved." in texts, "the goal is told")
    await keys.press(ana.find("goal-edit"))
    await expect(ana.find("goal-field")).to_be_focused()
    await moderator.press("end-session")
    await moderator.press("end-for-all")
    await expect(ana.page.get_by_role("heading", name="The session is over")).to_be_focused()


async def spoken(person: Person) -> list[str]:
    """All that the live regions said, in order."""
    texts: list[str] = await person.page.evaluate("window.__spoken")
    return texts


async def said_once(ana: Person) -> None:
    """What matters was spoken, and not twice."""
    texts = Counter(await spoken(ana))
    wanted = (
        *("You are in the room now.", "Now: Check-in", "It is your turn"),
        *("A moderator has been called. Only moderators see it.", "Moderator joined."),
        *("You are back in the main room.", "Your goal is saved."),
    )
    assert {text: texts[text] for text in wanted} == dict.fromkeys(wanted, 1), texts
