# SPDX-License-Identifier: Apache-2.0
"""People come, go, move and turn cameras while their networks change; no tile may get stuck.

`python -m tests.network.churn [SECONDS] [SEED]`. A tile is stuck when its source sends, the server says that it flows,
and no whole picture came for three seconds.
"""

from __future__ import annotations

import asyncio
import random
import sys
from collections import Counter, deque
from typing import Final, NamedTuple

from loadtest.ice import CONSENT_EVERY_S
from loadtest.impairment.control import RemoteRig
from loadtest.impairment.profile import NAMED, PERFECT, Link, blackout
from loadtest.receiver import Kind, Line
from tests.network.scene import Guest, Scene, scene

PEOPLE: Final = 6
FEWEST: Final = 3
STUCK_S: Final = 3.0
LOOK_EVERY_S: Final = 0.25
OVERSLEPT_S: Final = 0.3
ACT_EVERY_S: Final = 1.0
BLACKOUT_S: Final = 1.5
LINKS: Final = ("perfect", "dsl", "lte", "lte", "rural-3g")


class Tile(NamedTuple):
    """Whom a viewer should be seeing in a slot, and who both of them are at present (they may have come anew)."""

    viewer: str
    slot: int
    source: str


class Stuck(NamedTuple):
    """What should not be, with what helps to find out why."""

    at_s: float
    viewer: int
    source: int
    for_s: float
    viewer_link: str
    source_link: str
    packets: int
    """Received in this line so far; the same in two looks: nothing comes."""
    lost: int
    layers: int
    """That the source's uplink bears."""
    before: tuple[str, ...] = ()
    """What was done to the two of them or to all lately, with how many seconds ago."""


class Watchman:
    """Looks at every tile. What just began to flow, or lies behind a dark link, has its three seconds before it."""

    def __init__(self) -> None:
        self._stuck: dict[tuple[Tile, float], Stuck] = {}
        self._acts: deque[tuple[float, str, int | None]] = deque(maxlen=40)
        self.looked = 0
        """At tiles that flowed."""
        self.worst: Stuck | None = None
        """The one that stood still for the longest, though it may not have been stuck."""
        self.slept = 0
        self.links: dict[int, str] = {}
        self._since_s: dict[Tile, float] = {}

    @property
    def stuck(self) -> list[Stuck]:
        """Each time that a tile stood still, once and as long as it lasted."""
        return list(self._stuck.values())

    def acted(self, act: str, number: int | None, now_s: float) -> None:
        """Something was done to this person, or to all of them."""
        self._acts.append((now_s, act, number))

    def overslept(self) -> None:
        """This process itself stood still: what it did not receive in that time says nothing."""
        self.slept += 1
        self._since_s.clear()

    def look(self, stage: Scene, dark: set[int], now_s: float) -> None:
        """Every tile of everybody."""
        present = {guest.id: guest for guest in stage.guests.values()}
        flowing: dict[Tile, float] = {}
        for viewer in stage.guests.values():
            lines = {line.slot: line for line in viewer.peer.reception.of_kind(Kind.VIDEO)}
            for slot in stage.slots(viewer):
                source = present.get(slot.source) if slot.source is not None else None
                if slot.paused is not None or not slot.video or source is None or not source.showing:
                    continue
                if {viewer.number, source.number} & dark:
                    continue
                tile = Tile(viewer.incarnation, slot.index, source.incarnation)
                flowing[tile] = self._since_s.get(tile, now_s)
                self._judge(tile, viewer, source, lines[slot.index], flowing[tile], now_s)
        self._since_s = flowing

    def _judge(self, tile: Tile, viewer: Guest, source: Guest, line: Line, since_s: float, now_s: float) -> None:
        self.looked += 1
        still_since_s = max((line.pictures.shown_ms or 0.0) / 1_000, since_s)
        still_s = now_s - still_since_s
        if still_s <= STUCK_S and self.worst is not None and still_s <= self.worst.for_s:
            return
        links = self.links[viewer.number], self.links[source.number]
        counts = line.packets, line.lost, source.peer.uplink.allowed
        seen = Stuck(now_s, viewer.number, source.number, still_s, *links, *counts, self._before(viewer, source, now_s))
        if self.worst is None or still_s > self.worst.for_s:
            self.worst = seen
        if still_s > STUCK_S:
            self._stuck[tile, still_since_s] = seen

    def _before(self, viewer: Guest, source: Guest, now_s: float) -> tuple[str, ...]:
        about = (None, viewer.number, source.number)
        return tuple(f"{now_s - at_s:.1f} {act} {number}" for at_s, act, number in self._acts if number in about)[-8:]


class Churn:
    """One run; the same seed does the same things."""

    def __init__(self, stage: Scene, seed: int) -> None:
        self.stage = stage
        self.watchman = Watchman()
        self.done: Counter[str] = Counter()
        self._chance = random.Random(seed)
        self._groups: list[list[int]] = [[]]
        self._links: dict[int, Link] = {}
        self._dark: Counter[int] = Counter()
        """How many reasons there are for nothing to come through."""

    async def run(self, seconds: float) -> None:
        """Everybody comes, then something happens every second; the last seconds nothing does."""
        loop = asyncio.get_running_loop()
        for number in range(PEOPLE):
            await self._come(number)
        looking = asyncio.create_task(self._keep_looking())
        try:
            end_s = loop.time() + seconds
            while loop.time() < end_s - 2 * STUCK_S:
                await self._act()
                await asyncio.sleep(ACT_EVERY_S)
            await asyncio.sleep(max(0.0, end_s - loop.time()))
        finally:
            looking.cancel()
        if looking.done() and not looking.cancelled():
            looking.result()

    async def _keep_looking(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due_s = loop.time() + LOOK_EVERY_S
            await asyncio.sleep(LOOK_EVERY_S)
            if loop.time() - due_s > OVERSLEPT_S:
                self.watchman.overslept()
            self.watchman.look(self.stage, {number for number in self._dark if self._dark[number]}, loop.time())

    async def _act(self) -> None:
        absent = [number for number in range(PEOPLE) if number not in self.stage.guests]
        number = self._chance.choice(list(self.stage.guests))
        act = self._chance.choice(("come", "go", "move", "move", "camera", "camera", "link", "link", "rebind", "dark"))
        self.done[act] += 1
        match act:
            case "come" if absent:
                await self._come(self._chance.choice(absent))
            case "go" if len(self.stage.guests) > FEWEST:
                await self._go(number)
            case "move":
                self._move()
            case "camera":
                self._turn(self.stage.guests[number])
            case "link":
                await self._change(number, self._chance.choice(LINKS))
            case "rebind":
                await self._rebind(number)
            case "dark":
                await self._darken(number)

    def _acted(self, act: str, number: int | None = None) -> None:
        self.watchman.acted(act, number, asyncio.get_running_loop().time())

    async def _come(self, number: int) -> None:
        self._links[number], self.watchman.links[number] = PERFECT, "perfect"
        guest = await self.stage.join(number, self._links[number], slots=PEOPLE - 1, speaks=number % 2 == 0)
        self.stage.watch(guest, self._chance.choice((135, 270, 540)))
        self._groups[0].append(number)
        self.stage.group(*self._groups)
        self._acted("come", number)

    async def _go(self, number: int) -> None:
        self._groups = [[other for other in group if other != number] for group in self._groups]
        self._acted("go", number)
        await self.stage.leave(number)
        self.stage.group(*self._groups)

    def _move(self) -> None:
        self._acted("move")
        people = list(self.stage.guests)
        self._chance.shuffle(people)
        cut = self._chance.choice((0, len(people) // 2, len(people)))
        self._groups = [group for group in (people[:cut], people[cut:]) if group]
        self.stage.group(*self._groups)

    def _turn(self, guest: Guest) -> None:
        guest.showing = not guest.showing
        self._acted("camera on" if guest.showing else "camera off", guest.number)
        guest.peer.show(on=guest.showing)
        self.stage.group(*self._groups)

    async def _change(self, number: int, name: str) -> None:
        self._acted(name, number)
        self._links[number], self.watchman.links[number] = NAMED[name], name
        await self._rig(number).change(NAMED[name])

    async def _rebind(self, number: int) -> None:
        """Dark until the client checks its path the next time: nothing but that tells a lite agent of the new port."""
        self._acted("rebind", number)
        self._dark[number] += 1
        await self._rig(number).rebind()
        asyncio.get_running_loop().call_later(CONSENT_EVERY_S, self._lighten, number)

    def _lighten(self, number: int) -> None:
        self._dark[number] -= 1

    async def _darken(self, number: int) -> None:
        self._acted("dark", number)
        self._dark[number] += 1
        await self._rig(number).change(blackout(self._links[number]))
        await asyncio.sleep(BLACKOUT_S)
        await self._rig(number).change(self._links[number])
        self._lighten(number)

    def _rig(self, number: int) -> RemoteRig:
        rig = self.stage.guests[number].rig
        assert rig is not None
        return rig


async def churn(seconds: float, seed: int) -> Watchman:
    """Run it and say what was seen."""
    async with scene(PEOPLE) as stage:
        run = Churn(stage, seed)
        await run.run(seconds)
        watchman = run.watchman
        print(f"seed {seed}: {dict(run.done)}; {watchman.looked} looks at tiles that flowed")
        print(f"this process overslept {watchman.slept} times")
        print(f"the longest: {watchman.worst}")
        print(f"stuck: {len(watchman.stuck)}")
        for stuck in watchman.stuck[:40]:
            print(stuck)
        return watchman


if __name__ == "__main__":
    SECONDS = float(sys.argv[1]) if len(sys.argv) > 1 else 30.0
    SEED = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    sys.exit(bool(asyncio.run(churn(SECONDS, SEED)).stuck))
