# SPDX-License-Identifier: Apache-2.0
"""Chapters 1 to 4 of the journey: the door, the lobby, the check-in round, the topic."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Collection

from playwright.async_api import Locator, expect

from tests.e2e import moderating
from tests.e2e.cast import MODERATOR, Cast
from tests.e2e.person import Person, until

AGREEMENT = "What is said here stays here."


async def door(person: Person) -> None:
    """Pre-join: both devices are off and untouched until pressed; name and agreement are needed."""
    assert await person.device_states() == ("off", "off")
    assert await person.page.evaluate("window.__watch.userMedia") == []
    await expect(person.page.get_by_text(AGREEMENT)).to_be_visible()
    await person.find("name").fill("")
    await person.press("join")
    await expect(person.find("name")).to_be_focused()
    await expect(person.find("name")).to_have_attribute("aria-invalid", "true")
    await person.find("name").fill(person.name)
    await person.press("join")
    await expect(person.find("accept-agreement")).to_be_focused()
    await expect(person.find("screen-pre-join")).to_be_visible()
    assert await person.page.evaluate("window.__watch.userMedia") == []
    await person.press("toggle-microphone")
    await expect(person.find("toggle-microphone")).to_have_attribute("data-state", "on")
    assert await person.page.evaluate("window.__watch.userMedia") == [{"audio": True, "video": False}]
    await person.press("toggle-camera")
    await expect(person.find("toggle-camera")).to_have_attribute("data-state", "on")
    await expect(person.find("own-video")).to_be_visible()
    await person.find("accept-agreement").check()
    await person.press("join")


async def lobby(cast: Cast, names: Collection[str]) -> None:
    """Who waits has no connection for sound or pictures at all, and nobody in the room sees or hears them."""
    for name in names:
        await expect(cast[name].find("screen-lobby")).to_be_visible()
        assert await cast[name].page.evaluate("window.__watch.peers.length") == 0
        assert await cast[name].seen() == {}
    await cast.moderator.in_room()
    await expect(cast.moderator.find("staff-notice")).to_be_visible()
    await expect(cast.moderator.find("tile")).to_have_count(1)
    assert await cast.moderator.heard() == set()
    assert await cast.moderator.seen() == {}


async def denied(cast: Cast, stranger: Person) -> None:
    """Somebody is not let in, and is told so in calm words."""
    await stranger.join(devices=False)
    await moderating.deny(cast.moderator, stranger.name)
    over = stranger.find("screen-over")
    await expect(over).to_have_attribute("data-reason", "denied")
    await expect(over.get_by_role("heading")).to_have_text("You were not let in this time")


async def admitted(cast: Cast, names: Collection[str]) -> None:
    """One by name, who is then alone with the moderator; the rest together."""
    first, *rest = names
    await moderating.admit(cast.moderator, first)
    await cast[first].in_room()
    await cast.apart({MODERATOR, first})
    for name in rest:
        await expect(cast[name].find("screen-lobby")).to_be_visible()
    await moderating.admit_all(cast.moderator, set(rest))
    for name in rest:
        await cast[name].in_room()


async def round_of(cast: Cast, names: Collection[str]) -> None:
    """Check-in without cross-talk: every microphone is on, and only whose turn it is and the moderator are heard."""
    ana, ben, cleo, dina, eli = names
    await moderating.next_phase(cast.moderator, "check_in")
    await _turn(cast, ana, [ben, cleo, dina, eli])
    await expect(cast[ana].find("round")).to_contain_text("It is your turn")
    await _only_heard(cast, ana)
    await cast[ana].press("turn-done")
    await _turn(cast, ben, [cleo, dina, eli])
    await cast[ben].press("turn-later")
    await _turn(cast, cleo, [dina, eli, ben])
    await cast[cleo].press("turn-pass")
    await _turn(cast, dina, [eli, ben])
    await _only_heard(cast, dina)
    assert {(await person.device_states())[0] for person in cast.people.values()} == {"on"}
    await cast.moderator.press("turn-next")
    await _turn(cast, eli, [ben])
    await cast[eli].press("turn-done")
    await _turn(cast, ben, [])
    await cast[ben].press("turn-done")
    await asyncio.gather(*(expect(person.find("round")).to_have_count(0) for person in cast.people.values()))
    await cast.hears({name: set(cast.people) - {name} for name in cast.people})


async def _turn(cast: Cast, name: str, then: list[str]) -> None:
    """Everybody is shown whose turn it is and who comes next, in this order."""
    await asyncio.gather(*(_shows_turn(person, name, then) for person in cast.people.values()))


async def _shows_turn(person: Person, name: str, then: list[str]) -> None:
    card = person.find("round")
    title = "It is your turn" if person.name == name else f"{name} has the turn"
    await expect(card.get_by_role("heading")).to_have_text(title)
    order = card.get_by_test_id("round-order")
    if then:
        await expect(order).to_have_text(re.compile("Then: .*" + ".*".join(then)))
    else:
        await expect(order).to_have_count(0)


async def _only_heard(cast: Cast, speaker: str) -> None:
    await cast.hears({name: {speaker, MODERATOR} - {name} for name in cast.people})


async def topic(cast: Cast) -> None:
    """Two hands with their places in the queue, chat both ways, a reaction."""
    await moderating.next_phase(cast.moderator, "topic")
    ana, ben, cleo = cast["Ana"], cast["Ben"], cast["Cleo"]
    await expect(ana.find("prompt")).to_contain_text("What would you like to talk about together?")
    await ben.press("toggle-hand")
    await expect(ben.find("hand-position")).to_have_text("You are next in line.")
    await ana.press("toggle-hand")
    await expect(ana.find("hand-position")).to_have_text("You are second in line.")
    await expect(cast.moderator.find("hand-queue")).to_contain_text("Ben and Ana")
    for person in (ben, ana):
        await person.press("toggle-hand")
    await expect(cast.moderator.find("hand-queue")).to_have_count(0)

    await say(ana, "Hello from Ana")
    await cast.moderator.panel("chat")
    await expect(cast.moderator.find("chat-log")).to_contain_text("Hello from Ana")
    await say(cast.moderator, "Welcome, Ana")
    await expect(ana.find("chat-log")).to_contain_text("Welcome, Ana")

    await cleo.press("reactions")
    await cleo.press("react-heart")
    await expect(tile(ben, "Cleo")).to_contain_text("❤️")


async def say(person: Person, text: str) -> None:
    """Write to everybody in the same room."""
    await person.panel("chat")
    await person.find("chat-text").fill(text)
    await person.press("chat-send")


def tile(person: Person, of: str) -> Locator:
    """The tile of somebody on this person's page."""
    return person.page.locator(f'[data-testid="tile"][data-name="{of}"]')


_SMUGGLE = """async () => {
    const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
    const sender = window.__watch.peers.at(-1).getSenders()[0];
    await sender.replaceTrack(stream.getAudioTracks()[0]);
}"""
_STOP_SMUGGLING = """async () => {
    const sender = window.__watch.peers.at(-1).getSenders()[0];
    sender.track.stop();
    await sender.replaceTrack(null);
}"""
_SENT = """async () => {
    for (const report of (await window.__watch.peers.at(-1).getSenders()[0].getStats()).values())
        if (report.type === 'outbound-rtp') return report.packetsSent;
    return 0;
}"""


async def hard_mute(cast: Cast) -> None:
    """A moderator's mute holds whatever the client sends, and whatever the muted person presses, until it is lifted."""
    ana = cast["Ana"]
    others = set(cast.people) - {"Ana"}
    silent = {name: others - {name} for name in others}
    await moderating.person_action(cast.moderator, "Ana", "mute-hard")
    await expect(ana.find("toggle-microphone")).to_have_attribute("data-state", "off")
    await cast.hears(silent)

    await ana.page.evaluate(_SMUGGLE)
    sent: int = await ana.page.evaluate(_SENT)
    await until(lambda: ana.page.evaluate(_SENT), lambda now: now > sent + 50, "Ana's client goes on sending")
    await cast.hears(silent)
    await ana.page.evaluate(_STOP_SMUGGLING)

    await ana.press("toggle-microphone")
    await expect(ana.find("toast").last).to_contain_text("A moderator has muted your microphone for now.")
    await expect(ana.find("toggle-microphone")).to_have_attribute("data-state", "off")

    await moderating.person_action(cast.moderator, "Ana", "unmute-hard")
    await cast.hears(silent)
    assert (await ana.device_states())[0] == "off"
    await ana.press("toggle-microphone")
    await cast.hears({name: voices | {"Ana"} for name, voices in silent.items()})


async def camera_off(cast: Cast) -> None:
    """A moderator turns a camera off: the picture goes at everybody, the button shows it; a press turns it on again."""
    ben = cast["Ben"]
    everybody = set(cast.people)
    await moderating.person_action(cast.moderator, "Ben", "camera-off")
    await expect(ben.find("toggle-camera")).to_have_attribute("data-state", "off")
    await asyncio.gather(*(cast[name].sees_exactly(everybody - {name, "Ben"}) for name in everybody))
    await ben.press("toggle-camera")
    await asyncio.gather(*(cast[name].sees_exactly(everybody - {name}) for name in everybody))
