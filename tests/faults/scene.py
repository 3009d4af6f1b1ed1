# SPDX-License-Identifier: Apache-2.0
"""A scene: nodes, people at work in one room, a fault, and the run that the checker judges."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine
from pathlib import Path
from types import TracebackType
from typing import Final, Protocol, Self

import msgspec

from server.ids import ParticipantId, RoomId
from server.rooms.commands import SetAutoAdmit
from server.rooms.state import Role, RoomView
from server.rooms.view import view_of
from tests.faults.checker.history import Life, Run
from tests.faults.checker.prefix import SHOWN
from tests.faults.checker.verdict import check
from tests.faults.checker.words import states
from tests.faults.client import Client, now_ms
from tests.faults.nodes import PROGRAM, Node, fresh_key, token
from tests.faults.report import ROWS
from tests.faults.workload import lead, take_part

ROOM: Final = RoomId("circle")
MODERATOR: Final = ParticipantId("mod")
BACK_S: Final = 45.0
CONVERGED_S: Final = 20.0
FAILED: Final = ROWS / "failed.msgpack"
MUTANT: Final = os.environ.get("FAULT_MUTANT")
MUTATED: Final = ("-m", "tests.faults.mutants")
SEED: Final = int(os.environ.get("FAULT_SEED", "1"))


class Reader(Protocol):
    """Reads the log beside the nodes."""

    async def start(self) -> None:
        """Begin to read."""

    async def lives(self) -> tuple[Life, ...]:
        """Everything until now."""

    async def close(self) -> None:
        """Stop."""


class Scene:
    """`async with Scene(folder) as scene`. `options` of `serve` are for all nodes, `each` has those of one node.

    `truth` reads the log.
    """

    def __init__(
        self,
        folder: Path,
        *options: str,
        each: tuple[tuple[str, ...], ...] = ((),),
        truth: Reader | None = None,
        program: tuple[str, ...] = PROGRAM if MUTANT is None else (*MUTATED, MUTANT),
        seed: int = SEED,
    ) -> None:
        print(f"seed {seed}")
        self.seed = seed
        self.key = fresh_key()
        shared = ("--capacity", "400", *options)
        self.nodes = [
            Node(f"node-{number}", self.key, folder, *shared, *own, program=program) for number, own in enumerate(each)
        ]
        self.clients: list[Client] = []
        self.urls = tuple(node.url for node in self.nodes)
        self._truth = truth
        self._work: list[asyncio.Task[None]] = []
        self.converged_ms = 0
        """How long it took, at the end, until everybody saw what the log holds."""

    async def __aenter__(self) -> Self:
        try:
            await asyncio.gather(*(node.start() for node in self.nodes))
            if self._truth is not None:
                await self._truth.start()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """End everything that was started."""
        for work in self._work:
            work.cancel()
        await asyncio.gather(*self._work, return_exceptions=True)
        await asyncio.gather(*(client.end() for client in self.clients))
        if self._truth is not None:
            await self._truth.close()
        await asyncio.gather(*(node.close() for node in self.nodes))

    # -- people --------------------------------------------------------------------------------------------------------

    def client(self, name: str, role: Role = Role.PARTICIPANT, *, node: int = 0) -> Client:
        """Somebody with a link, not there yet, who begins at this node."""
        urls = self.urls[node:] + self.urls[:node]
        person = ParticipantId(name)
        seed = self.seed * 1_000 + len(self.clients)
        client = Client(urls, token(self.key, ROOM, person, role), person, seed)
        self.clients.append(client)
        return client

    async def gather(self, people: int) -> Client:
        """A moderator and so many people come, spread over the nodes; returns the moderator."""
        moderator = self.client(MODERATOR, Role.MODERATOR)
        await moderator.arrive()
        await moderator.do(SetAutoAdmit(auto_admit=True))
        newcomers = [self.client(f"p{number}", node=number % len(self.nodes)) for number in range(people)]
        for ten in range(0, people, 10):
            await asyncio.gather(*(client.arrive() for client in newcomers[ten : ten + 10]))
        return moderator

    def begin_work(self, pause_s: float = 0.4, lead_s: float = 0.4) -> None:
        """Everybody does something, until `finish`."""
        moderator, *people = self.clients
        self.start(lead(moderator, lead_s))
        for client in people:
            self.start(take_part(client, pause_s))

    def start(self, work: Coroutine[None, None, None]) -> None:
        """Run it until the end of the scene."""
        self._work.append(asyncio.create_task(work))

    # -- the end -------------------------------------------------------------------------------------------------------

    async def finish(self) -> Run:
        """Stop working, let everybody come back and catch up, and take all histories."""
        for work in self._work:
            if work.done():
                work.result()
            work.cancel()
        await asyncio.gather(*self._work, return_exceptions=True)
        self._work.clear()
        await until(self._all_back, BACK_S)
        lives = await self._settle()
        for client in self.clients:
            client.check()
        return Run(histories=tuple(client.history for client in self.clients), lives=lives)

    async def _settle(self) -> tuple[Life, ...]:
        """Until everybody sees what the log holds; without a log, until nothing has come for a while."""
        if self._truth is None:
            told = -1
            while told != (told := sum(len(c.records) for c in self.clients)):  # noqa: ASYNC110 - silence has no event
                await asyncio.sleep(0.7)
            return ()
        began = now_ms()
        while not self._agree(lives := await self._truth.lives()):
            if now_ms() - began > CONVERGED_S * 1000:
                break
            await asyncio.sleep(0.1)
        self.converged_ms = now_ms() - began
        return lives

    def _agree(self, lives: tuple[Life, ...]) -> bool:
        """Whether the view of everybody who is connected is that of the end of the log."""
        *_, (_, state) = states(lives[-1])
        return all(
            view_of(state, client.person) == RoomView(**{name: getattr(client.view, name) for name in SHOWN})
            for client in self.clients
            if client.connected and client.person in state.participants
        )

    def _all_back(self) -> bool:
        return all(client.connected for client in self.clients if client.staying)


async def until(condition: Callable[[], bool], timeout_s: float) -> int:
    """Wait for it, at most so long; returns the milliseconds it took."""
    began = now_ms()
    while not condition() and now_ms() - began < timeout_s * 1000:  # noqa: ASYNC110 - of any kind
        await asyncio.sleep(0.02)
    return now_ms() - began


def assert_survived(run: Run) -> None:
    """The verdict, with the first violations in words; the whole run is kept beside the rows of the table."""
    violations = check(run)
    if violations:
        FAILED.parent.mkdir(parents=True, exist_ok=True)
        FAILED.write_bytes(msgspec.msgpack.encode(run))
    listed = "\n".join(f"{violation.invariant}: {violation.detail}" for violation in violations[:20])
    assert not violations, f"{len(violations)} violations:\n{listed}"
