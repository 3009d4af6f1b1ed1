# SPDX-License-Identifier: Apache-2.0
"""People come, go, move and turn cameras while their networks change; no tile may get stuck.

`python -m tests.network.churn [SECONDS] [SEED]`. A tile is stuck when its source sends, the server says that it flows,
and no whole picture came for three seconds.
"""

from __future__ import annotations

import asyncio
import random
import sys
from collections import Counter
from typing import Final, NamedTuple

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


class Watchman:
    """Looks at every tile. What just began to flow, or lies behind a dark link, has its three seconds before it."""

    def __init__(self) -> None:
        self.stuck: list[Stuck] = []
        self.looked = 0
        """At tiles that flowed."""
        self.worst: Stuck | None = None
        """The one that stood still for the longest, though it may not have been stuck."""
        self.slept = 0
        self.links: dict[int, str] = {}
        self._since_s: dict[Tile, float] = {}

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
                self._judge(viewer, source, lines[slot.index], flowing[tile], now_s)
        self._since_s = flowing

    def _judge(self, viewer: Guest, source: Guest, line: Line, since_s: float, now_s: float) -> None:
        self.looked += 1
        shown_s = (line.pictures.shown_ms or 0.0) / 1_000
        still_s = now_s - max(shown_s, since_s)
        links = self.links[viewer.number], self.links[source.number]
        counts = line.packets, line.lost, source.peer.uplink.allowed
        seen = Stuck(now_s, viewer.number, source.number, still_s, *links, *counts)
        if self.worst is None or still_s > self.worst.for_s:
            self.worst = seen
        if still_s > STUCK_S:
            self.stuck.append(seen)


class Churn:
    """One run; the same seed does the same things."""

    def __init__(self, stage: Scene, seed: int) -> None:
        self.stage = stage
        self.watchman = Watchman()
        self.done: Counter[str] = Counter()
        self._chance = random.Random(seed)
        self._groups: list[list[int]] = [[]]
        self._links: dict[int, Link] = {}
        self._dark: set[int] = set()

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
            self.watchman.look(self.stage, self._dark, loop.time())

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
                await self._rig(number).rebind()
            case "dark":
                await self._darken(number)

    async def _come(self, number: int) -> None:
        self._links[number], self.watchman.links[number] = PERFECT, "perfect"
        guest = await self.stage.join(number, self._links[number], slots=PEOPLE - 1, speaks=number % 2 == 0)
        self.stage.watch(guest, self._chance.choice((135, 270, 540)))
        self._groups[0].append(number)
        self.stage.group(*self._groups)

    async def _go(self, number: int) -> None:
        self._groups = [[other for other in group if other != number] for group in self._groups]
        await self.stage.leave(number)
        self.stage.group(*self._groups)

    def _move(self) -> None:
        people = list(self.stage.guests)
        self._chance.shuffle(people)
        cut = self._chance.choice((0, len(people) // 2, len(people)))
        self._groups = [group for group in (people[:cut], people[cut:]) if group]
        self.stage.group(*self._groups)

    def _turn(self, guest: Guest) -> None:
        guest.showing = not guest.showing
        guest.peer.show(on=guest.showing)
        self.stage.group(*self._groups)

    async def _change(self, number: int, name: str) -> None:
        self._links[number], self.watchman.links[number] = NAMED[name], name
        await self._rig(number).change(NAMED[name])

    async def _darken(self, number: int) -> None:
        self._dark.add(number)
        await self._rig(number).change(blackout(self._links[number]))
        await asyncio.sleep(BLACKOUT_S)
        await self._rig(number).change(self._links[number])
        self._dark.discard(number)

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
        for stuck in [watchman.worst, *watchman.stuck[:10]]:
            print(stuck)
        return watchman


if __name__ == "__main__":
    SECONDS = float(sys.argv[1]) if len(sys.argv) > 1 else 30.0
    SEED = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    sys.exit(bool(asyncio.run(churn(SECONDS, SEED)).stuck))
