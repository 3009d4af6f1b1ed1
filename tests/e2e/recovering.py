# SPDX-License-Identifier: Apache-2.0
"""How long it takes until everybody is back where they belong, and sees and hears whoever is with them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from server.ids import MAIN
from tests.e2e.people import speaker_of
from tests.e2e.person import Person
from tests.e2e.prepared import Company, Prepared

LOOK_S: Final = 0.05
PATIENCE_S: Final = 40.0

_PLACE: Final = """() => ({
    sockets: window.__watch.sockets.length,
    open: window.__watch.sockets.at(-1)?.readyState === 1,
    banner: document.querySelector('[data-testid=reconnecting]') !== null,
    placement: document.querySelector('[data-testid=screen-room]')?.dataset.placement ?? null,
    peers: window.__watch.peers.length,
})"""
_MEDIA: Final = """async () => ({
    peers: window.__watch.peers.length,
    seen: window.__seen().filter((one) => one.shown),
    heard: window.__heard(),
    received: await window.__received(),
})"""


class Loss(Struct, frozen=True):
    """What a killed server took along. `homeless`: who was connected through it; `media`: whether it carried media."""

    homeless: frozenset[str]
    media: bool


class Back(Struct):
    """Seconds after the kill until this person was in their place, and until all media of that place flowed."""

    name: str
    place_s: float = 0.0
    media_s: float = 0.0


class _Eyes:
    """One browser. What is seen counts when new frames and new sound have come in that slot since the kill."""

    def __init__(self, person: Person, before: Mapping[str, Any]) -> None:
        self._person = person
        self._before = before
        self._counters: dict[str, dict[str, int]] = {}
        self._peers = int(before["peers"])
        self._moving: set[str] = set()

    async def look(self, loss: Loss, company: set[str]) -> tuple[bool, bool]:
        """Whether the person is in place, and whether media is complete."""
        page, name = self._person.page, self._person.name
        place: dict[str, Any] = await page.evaluate(_PLACE)
        again = name not in loss.homeless or place["sockets"] > self._before["sockets"]
        moved = place["placement"] != MAIN or not company
        if not (again and moved and place["open"] and not place["banner"]):
            return False, False
        if not company:
            return True, True
        if loss.media and place["peers"] == self._before["peers"]:
            return True, False
        media: dict[str, Any] = await page.evaluate(_MEDIA)
        self._follow(media)
        seen = {row["person"]: str(row["slot"]) for row in media["seen"]}
        heard = {speaker_of(row["hz"]) for row in media["heard"]}
        return True, set(seen) == company == heard and set(seen.values()) <= self._moving

    def _follow(self, now: Mapping[str, Any]) -> None:
        if now["peers"] != self._peers:
            self._peers, self._counters, self._moving = now["peers"], {}, set()
        for slot, row in now["received"].items():
            earlier = self._counters.get(slot)
            kinds = ("frames", "audioPackets")
            if earlier is not None and all(row.get(kind, 0) > earlier.get(kind, 0) for kind in kinds):
                self._moving.add(slot)
            self._counters.setdefault(slot, row)


class _Ears:
    """One person without a browser."""

    def __init__(self, person: Prepared, everybody: Company) -> None:
        self._person = person
        self._everybody = everybody
        self._peer = person.participant.peer
        self._came: dict[int | None, float] = {}
        person.arriving()

    def look(self, loss: Loss, company: set[str], killed_s: float) -> tuple[bool, bool]:
        """Whether the person is in place, and whether media is complete."""
        participant = self._person.participant
        again = self._person.name not in loss.homeless or self._person.welcomed_s > killed_s
        placed = again and participant.connected and participant.placement not in (MAIN, None)
        now_s = time.monotonic()
        if participant.peer is not None and (not loss.media or participant.peer is not self._peer):
            self._came |= dict.fromkeys(self._person.arriving(), now_s)
        wanted = self._everybody.numbers_of(company)
        return placed, placed and all(number in self._came for number in wanted)


class Recovery:
    """Looks at everybody from the kill on. `rooms`: who belongs together."""

    def __init__(self, browsers: list[Person], prepared: Company, rooms: list[set[str]]) -> None:
        self._browsers = browsers
        self._prepared = prepared
        self._rooms = rooms
        self._eyes: dict[str, _Eyes] = {}
        self._ears: dict[str, _Ears] = {}

    async def remember(self) -> None:
        """From here on, what is new is new."""
        for person in self._browsers:
            self._eyes[person.name] = _Eyes(person, await person.page.evaluate(_PLACE))
        for name, one in self._prepared.people.items():
            self._ears[name] = _Ears(one, self._prepared)

    async def times(self, loss: Loss, killed_s: float) -> list[Back]:
        """When everybody was back. Fails when somebody does not come back."""
        return await asyncio.gather(*(self._until_back(name, loss, killed_s) for name in (*self._eyes, *self._ears)))

    async def _until_back(self, name: str, loss: Loss, killed_s: float) -> Back:
        (room,) = [room for room in self._rooms if name in room]
        company, back = room - {name}, Back(name)
        while True:
            if name in self._eyes:
                placed, complete = await self._eyes[name].look(loss, company)
            else:
                placed, complete = self._ears[name].look(loss, company, killed_s)
            took_s = time.monotonic() - killed_s
            if placed and not back.place_s:
                back.place_s = took_s
            if complete:
                back.media_s = took_s
                return back
            if took_s > PATIENCE_S:
                raise AssertionError(f"{name} is not back after {took_s:.0f} s: placed {placed}")
            await asyncio.sleep(LOOK_S)
