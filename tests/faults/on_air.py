# SPDX-License-Identifier: Apache-2.0
"""People with microphone and camera on: whose sound and pictures come to them, and for how long they did not."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final, NamedTuple

from holdspace_client import CommandRefused, NotAcknowledged
from holdspace_client.protocol.errors import JoinRefused
from holdspace_client.protocol.rooms import commands as c
from loadtest.clip import Signatures, prepared
from loadtest.dtls import HandshakeFailed
from loadtest.pacer import Pacer
from loadtest.peer import Peer
from loadtest.receiver import Kind
from loadtest.sender import Voice
from server.ids import LOBBY, ParticipantId
from tests.faults.checker.history import Heard
from tests.faults.client import Client, now_ms
from tests.faults.scene import Scene, until

FAILURES: Final = (
    ConnectionError,
    TimeoutError,
    JoinRefused,
    NotAcknowledged,
    CommandRefused,
    HandshakeFailed,
)
LISTEN_S: Final = 0.05
FIRST_PAUSE_S: Final = 0.1
LAST_PAUSE_S: Final = 0.5
"""Between two offers that fail; a page waits longer."""
THERE_S: Final = 25.0


class Air:
    """The clips of so many people, and what sends them."""

    def __init__(self, people: int) -> None:
        self.clips = tuple(prepared(number) for number in range(people))
        self.signatures = Signatures(self.clips)
        self.pacer = Pacer()
        self.people: list[OnAir] = []

    def person_of(self, clip: int | None) -> ParticipantId | None:
        """Whose clip this is."""
        return None if clip is None else self.people[clip].person


class Line(NamedTuple):
    """What one person should get from another."""

    source: ParticipantId
    kind: Kind


class OnAir(Client):
    """Publishes when that is needed, also again, and writes down whose packets come."""

    def __init__(self, urls: tuple[str, ...], token: str, person: ParticipantId, seed: int, air: Air) -> None:
        super().__init__(urls, token, person, seed)
        self._air = air
        self._clip = air.clips[len(air.people)]
        air.people.append(self)
        self._last: dict[Line, int] = {}
        self.silences: dict[Line, int] = {}
        """The longest of each line since `mark`, in milliseconds."""
        self.failures: list[str] = []
        self._performing: asyncio.Task[None] | None = None

    async def arrive(self) -> None:
        """Join, press microphone and camera, and keep both on the air from now on."""
        await super().arrive()
        self._performing = asyncio.create_task(self._perform())

    async def end(self) -> None:
        """Stop everything at once."""
        if self._performing is not None:
            self._performing.cancel()
            await asyncio.gather(self._performing, return_exceptions=True)
        await super().end()

    @property
    def company(self) -> frozenset[Line]:
        """What should come, by this person's own view."""
        here = [one for one in self._air.people if one is not self and one.staying and self._together(one)]
        return frozenset(Line(one.person, kind) for one in here for kind in Kind)

    def complete(self, since_ms: int) -> bool:
        """Whether everybody's sound and picture has come since then."""
        return self.peer is not None and all(self._last.get(line, 0) > since_ms for line in self.company)

    def story(self) -> str:
        """What there is to say when something does not come."""
        state = "connected" if self.connected else "away", "peer" if self.peer else "no peer", self.slots
        return f"{self.person} in {self.placement}: {state}, wants {sorted(self.company)}, failed {self.failures[-3:]}"

    def mark(self) -> None:
        """Measure silences from now on."""
        self._listen()
        self.silences.clear()

    def _together(self, other: OnAir) -> bool:
        them = self.view.participants.get(other.person)
        return them is not None and them.placement == self.placement

    async def _perform(self) -> None:
        pause_s = FIRST_PAUSE_S
        while self.staying:
            try:
                if self.connected and self.peer is None and self.placement not in (None, LOBBY):
                    peer = Peer(self._clip, self._air.pacer, signatures=self._air.signatures, slots=6)
                    await self.publish(peer)
                    await self._press()
                    pause_s = FIRST_PAUSE_S
            except FAILURES as error:
                self.failures.append(repr(error))
                await asyncio.sleep(pause_s)
                pause_s = min(LAST_PAUSE_S, 2 * pause_s)
            self._listen()
            await asyncio.sleep(LISTEN_S)

    async def _press(self) -> None:
        """Both on, by one's own press: also after a return without them."""
        await self.insist(c.SetMicrophone(on=True))
        await self.insist(c.SetCamera(on=True))
        if self.peer is not None:
            self.peer.speak(Voice.STEADY)
            self.peer.show(on=True)

    def _listen(self) -> None:
        """What came since the last look."""
        if self.peer is None:
            return
        offset_ms = now_ms() - asyncio.get_running_loop().time() * 1000
        heard: set[ParticipantId] = set()
        for source, arrival in self.peer.reception.take().items():
            whose = self._air.person_of(source.clip)
            if whose is None:
                continue
            heard.add(whose)
            line = Line(whose, source.kind)
            first, last = (round(at_s * 1000 + offset_ms) for at_s in (arrival.first_s, arrival.last_s))
            silence = max(first - self._last.get(line, first), round(arrival.longest_gap_s * 1000))
            self.silences[line] = max(self.silences.get(line, 0), silence)
            self._last[line] = last
        self.records += [Heard(now_ms(), whose) for whose in sorted(heard)]


async def go_on_air(scene: Scene, people: int, nodes: Sequence[int] = (0, 1, 2)) -> Air:
    """So many people come, spread over these nodes, and everybody hears and sees everybody."""
    air = Air(people)
    for number in range(people):
        node = nodes[number % len(nodes)]
        urls = scene.urls[node:] + scene.urls[:node]
        person = ParticipantId(f"air{len(scene.clients)}")
        scene.add(OnAir(urls, scene.token(person), person, scene.seed * 1_000 + 500 + number, air))
    await asyncio.gather(*(one.arrive() for one in air.people))
    await settled(air)
    return air


async def settled(air: Air, timeout_s: float = THERE_S) -> int:
    """Wait until everybody hears and sees their company; how long it took, in ms. Raises TimeoutError."""
    began_ms = now_ms()
    took_ms = await until(lambda: all(one.complete(began_ms) for one in air.people), timeout_s)
    if late := [one.story() for one in air.people if not one.complete(began_ms)]:
        raise TimeoutError("\n".join(late))
    return took_ms


def mark(air: Air) -> None:
    """Measure silences from now on."""
    for one in air.people:
        one.mark()


def silences(air: Air) -> list[int]:
    """The longest silence since `mark` of each line that should come, in ms."""
    return [one.silences.get(line, 0) for one in air.people for line in one.company]
