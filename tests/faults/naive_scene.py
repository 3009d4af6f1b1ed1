# SPDX-License-Identifier: Apache-2.0
"""The same people at the naive server: they come back by their library, and repeat what was not answered."""

from __future__ import annotations

import asyncio
import random
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import socketio
from aiohttp import ClientSession

from server.signaling.tokens import TokenKey
from tests.faults.client import now_ms
from tests.faults.nodes import Node
from tests.faults.scene import until

ANSWER_S: Final = 2.0
SCRIPT: Final = Path(__file__).with_name("naive.py")


class NaiveNode(Node):
    """One naive server."""

    def __init__(self, name: str, folder: Path, redis: str, environment: Mapping[str, str] | None = None) -> None:
        super().__init__(name, TokenKey("", ""), folder, environment=environment)
        self._command = (sys.executable, str(SCRIPT), str(self.port), redis)


class NaivePerson:
    """A stock client with its own reconnection; tries the next server when the one it was at is gone."""

    def __init__(self, urls: tuple[str, ...], name: str, seed: int) -> None:
        self.name = name
        self.random = random.Random(seed)
        self.chats: Counter[str] = Counter()
        self.places: dict[str, str] = {}
        self.done: list[str] = []
        self.gaps: list[int] = []
        self._away_s = 0.0
        self._urls = urls
        self._http = ClientSession()
        self._sio: Any = socketio.AsyncClient(reconnection=False, handle_sigint=False, http_session=self._http)
        self._sio.on("chat", lambda data: self.chats.update((data["text"],)))
        self._sio.on("places", self.places.update)
        self._sio.on("moved", lambda data: self.places.update({data["person"]: data["place"]}))
        self._gone = asyncio.Event()
        self._sio.on("disconnect", lambda _reason: self._gone.set())
        self._keeper: asyncio.Task[None] | None = None

    @property
    def connected(self) -> bool:
        """Whether there is a connection, as far as this side knows."""
        return bool(self._sio.connected)

    async def arrive(self) -> None:
        """Come, and come back from now on."""
        await self._come()
        self._keeper = asyncio.create_task(self._stay())

    async def insist(self, event: str, data: object) -> None:
        """Send it until it is answered; nothing tells the server that it was sent before."""
        while True:
            try:
                await asyncio.wait_for(self._sio.call(event, data, timeout=ANSWER_S), ANSWER_S + 1)
            except (socketio.exceptions.SocketIOError, TimeoutError):
                await asyncio.sleep(0.1)
            else:
                return

    async def talk(self, pause_s: float) -> None:
        """Say one thing after another, until cancelled."""
        number = 0
        while True:
            number += 1
            text = f"{self.name} {number}"
            await self.insist("chat", text)
            self.done.append(text)
            await asyncio.sleep(pause_s * self.random.uniform(0.5, 1.5))

    async def end(self) -> None:
        """Stop."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        await self._http.close()
        await asyncio.sleep(0.05)
        await self._sio.disconnect()

    async def cut(self) -> None:
        """The connection breaks, without a word."""
        await self._http.close()

    async def rest(self, seconds: float) -> None:
        """The connection breaks, and is not sought again for a while."""
        self._away_s = seconds
        await self._http.close()

    async def _stay(self) -> None:
        while True:
            await self._gone.wait()
            began = now_ms()
            self._gone.clear()
            await asyncio.sleep(self._away_s)
            began += round(self._away_s * 1000)
            self._away_s = 0.0
            self._urls = (*self._urls[1:], self._urls[0])
            await self._come()
            self.gaps.append(now_ms() - began)

    async def _come(self) -> None:
        while not self._sio.connected:
            await self._http.close()
            self._http = self._sio.eio.http = ClientSession()
            try:
                await self._sio.connect(self._urls[0], auth={"person": self.name}, transports=["websocket"])
            except socketio.exceptions.ConnectionError:
                self._urls = (*self._urls[1:], self._urls[0])
                await asyncio.sleep(0.2 * self.random.uniform(0.5, 1.5))


class NaiveScene:
    """`people` stay in main and talk; as many others are moved about by a moderator."""

    def __init__(
        self,
        folder: Path,
        ways: Sequence[str],
        *,
        seed: int,
        people: int = 6,
        environments: Sequence[Mapping[str, str]] = (),
    ) -> None:
        """`ways`: for each node the URL by which it reaches Redis; `environments`: what each sees beside ours."""
        print(f"seed {seed}")
        self.seed = seed
        each = dict(enumerate(environments))
        self.nodes = [NaiveNode(f"naive-{n}", folder, way, each.get(n)) for n, way in enumerate(ways)]
        urls = tuple(node.url for node in self.nodes)
        self.stayers = [self._person(urls, f"s{number}", number) for number in range(people)]
        self.movers = [self._person(urls, f"m{number}", number) for number in range(people)]
        self.moderator = self._person(urls, "mod", 0)
        self._work: list[asyncio.Task[None]] = []

    def _person(self, urls: tuple[str, ...], name: str, number: int) -> NaivePerson:
        first = number % len(urls)
        return NaivePerson((*urls[first:], *urls[:first]), name, self.seed * 1_000 + number)

    @property
    def people(self) -> list[NaivePerson]:
        """Everybody."""
        return [self.moderator, *self.stayers, *self.movers]

    async def __aenter__(self) -> Self:
        await asyncio.gather(*(node.start() for node in self.nodes))
        await asyncio.gather(*(person.arrive() for person in self.people))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stop()
        await asyncio.gather(*(person.end() for person in self.people))
        await asyncio.gather(*(node.close() for node in self.nodes))

    def begin_work(self, pause_s: float = 0.4) -> None:
        """Talk and split until `finish`."""
        self._work = [asyncio.create_task(person.talk(pause_s)) for person in self.stayers]
        self._work.append(asyncio.create_task(self._lead(self.moderator, pause_s)))

    def begin_to_lead(self, person: NaivePerson, pause_s: float = 0.4) -> None:
        """One more who splits."""
        self._work.append(asyncio.create_task(self._lead(person, pause_s)))

    async def _lead(self, moderator: NaivePerson, pause_s: float) -> None:
        while True:
            rooms = (f"b{moderator.random.randrange(3)}" for _ in self.movers)
            names = (person.name for person in self.movers)
            await moderator.insist("split", dict(zip(names, rooms, strict=True)))
            await asyncio.sleep(pause_s)

    async def _stop(self) -> None:
        """Nobody does anything more. Said more than once: the stock client may swallow it."""
        while self._work:
            for work in self._work:
                work.cancel()
            _, left = await asyncio.wait(self._work, timeout=1)
            self._work = list(left)

    async def finish(self) -> dict[str, Any]:
        """Stop, wait for everybody, and count."""
        await self._stop()
        await until(lambda: all(person.connected for person in self.people), 20)
        await asyncio.sleep(3)
        said = [text for person in self.stayers for text in person.done]
        movers = [person.name for person in self.movers]
        beliefs = [{person.places.get(name) for person in self.people} for name in movers]
        return {
            "lost": sum(person.chats[text] == 0 for person in self.stayers for text in said),
            "duplicated": sum(count > 1 for person in self.stayers for count in person.chats.values()),
            "two_places": sum(len(belief) > 1 for belief in beliefs),
            "gaps_ms": [gap for person in self.people for gap in person.gaps],
            "people": len(self.people),
            "commands": len(said),
            "messages": len(said) * len(self.stayers),
        }
