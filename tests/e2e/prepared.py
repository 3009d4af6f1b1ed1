# SPDX-License-Identifier: Apache-2.0
"""People without a browser who look and sound like those with one, and come back by themselves as browsers do."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from aiohttp import ClientSession

from holdspace_client import CommandRefused, NotAcknowledged
from holdspace_client.protocol.errors import JoinRefused
from loadtest.clip import Look, Signatures, prepared
from loadtest.pacer import Pacer
from loadtest.participant import Participant
from loadtest.peer import Peer
from loadtest.picture import Colour
from loadtest.receiver import Kind
from loadtest.sender import Voice
from tests.e2e.people import LOOKS
from tests.e2e.system import System

AGAIN_S = 0.1


class Prepared:
    """One of them. `welcomed_s`: when they were last let in (monotonic clock)."""

    def __init__(self, name: str, participant: Participant, publish: Publish) -> None:
        self.name = name
        self.participant = participant
        self.welcomed_s = 0.0
        self._publish = publish

    async def arrive(self) -> None:
        """With microphone and camera pressed."""
        await self.participant.join()
        self.welcomed_s = time.monotonic()
        await self._publish(self)

    async def keep_going(self) -> None:
        """Resume, and publish anew, whenever that is needed, without end."""
        while True:
            try:
                if not self.participant.connected:
                    await self.participant.resume()
                    self.welcomed_s = time.monotonic()
                if self.participant.peer is None:
                    await self._publish(self)
            except (ConnectionError, TimeoutError, JoinRefused, NotAcknowledged, CommandRefused):
                await asyncio.sleep(AGAIN_S)
            await asyncio.sleep(AGAIN_S / 5)

    def arriving(self) -> frozenset[int | None]:
        """The numbers of those whose voice and picture have come since the last look; None: of browsers."""
        peer = self.participant.peer
        if peer is None:
            return frozenset()
        came = frozenset.intersection(*(peer.reception.clips(kind) for kind in Kind))
        peer.reception.take()
        return came


class Publish:
    """Everybody's media, made once."""

    def __init__(self, names: Sequence[str], pacer: Pacer, slots: int) -> None:
        self._clips = {name: prepared(number, _look(name)) for number, name in enumerate(names)}
        self._signatures = Signatures(tuple(self._clips.values()))
        self._pacer = pacer
        self._slots = slots

    def numbers(self) -> dict[str, int]:
        """By which number each is told apart."""
        return {name: clip.number for name, clip in self._clips.items()}

    async def __call__(self, person: Prepared) -> None:
        """A new peer, on the air."""
        peer = Peer(self._clips[person.name], self._pacer, signatures=self._signatures, slots=self._slots)
        await person.participant.publish(peer)
        await person.participant.set_microphone(on=True, voice=Voice.STEADY)
        await person.participant.set_camera(on=True)


class Company:
    """All prepared people of a test, by name."""

    def __init__(self, people: dict[str, Prepared], numbers: dict[str, int]) -> None:
        self.people = people
        self._numbers = numbers

    def numbers_of(self, names: set[str]) -> frozenset[int | None]:
        """What must arrive from these; browsers are None."""
        return frozenset(self._numbers.get(name) for name in names)


def _look(name: str) -> Look:
    look = LOOKS[name]
    return Look(Colour(*look.hue), look.hz, plain=True)


@asynccontextmanager
async def company(system: System, room: str, names: Sequence[str], slots: int) -> AsyncIterator[Company]:
    """These people, each through their own server, until the end of the block."""
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(ClientSession())
        pacer = Pacer()
        stack.callback(pacer.close)
        publish = Publish(names, pacer, slots)
        people = {}
        for name in names:
            token = (await system.token(room, "participant", name))["token"]
            participant = Participant(http, system.server_of(name).url, token, name=name, agreement=1)
            stack.push_async_callback(participant.close)
            people[name] = Prepared(name, participant, publish)
            await people[name].arrive()
        going = [asyncio.create_task(one.keep_going()) for one in people.values()]
        try:
            yield Company(people, publish.numbers())
            for task in going:
                if task.done():
                    task.result()
        finally:
            for task in going:
                task.cancel()
            await asyncio.gather(*going, return_exceptions=True)
