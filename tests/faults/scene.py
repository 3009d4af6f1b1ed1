# SPDX-License-Identifier: Apache-2.0
"""A scene: nodes, people at work in one room, a fault, and the run that the checker judges."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Callable, Coroutine, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, Protocol, Self

import msgspec
import pytest

from holdspace_client.protocol.rooms.commands import SetAutoAdmit
from server.ids import ParticipantId, RoomId
from server.rooms.state import Role, RoomView
from server.rooms.view import view_of
from tests.faults.checker.history import Gauge, Life, Run, Text, Told
from tests.faults.checker.verdict import check
from tests.faults.checker.words import states
from tests.faults.client import Client, now_ms
from tests.faults.nodes import PROGRAM, SOURCE, Node, fresh_key, token
from tests.faults.report import ROWS, record
from tests.faults.seeds import Topology
from tests.faults.workload import SECRET, lead, take_part
from tests.vocabulary import as_

ROOM: Final = RoomId("secret-circle-of-friends")
MODERATOR: Final = ParticipantId("mod")
MUTANT: Final = os.environ.get("FAULT_MUTANT")
BACK_S: Final = 45.0 if MUTANT is None else 10.0
CONVERGED_S: Final = 20.0 if MUTANT is None else 5.0
FAILED: Final = ROWS / "failed.msgpack"
SECRETS: Final = (SECRET, ROOM)
"""What must stand in no log."""
CRASH: Final = re.compile(r"\[error +\](?!.*ConnectionResetError).*|Traceback \(most recent call last\)")
MUTATED: Final = ("-m", "tests.faults.mutants")


class Reader(Protocol):
    """Reads the log beside the nodes."""

    async def start(self) -> None:
        """Begin to read."""

    async def lives(self) -> tuple[Life, ...]:
        """Everything until now."""

    async def close(self) -> None:
        """Stop."""


class Scene:
    """`async with Scene(folder, seed=seed) as scene`. `options` of `serve` are for all nodes.

    `each` has the options of one node, `environments` what it alone sees, `sources` where its code is (none: here).
    `truth` reads the log, which is kept in this `topology`.
    """

    def __init__(
        self,
        folder: Path,
        *options: str,
        each: tuple[tuple[str, ...], ...] = ((),),
        environments: tuple[Mapping[str, str], ...] = (),
        sources: tuple[Path, ...] = (),
        truth: Reader | None = None,
        seed: int,
        topology: Topology = "single",
    ) -> None:
        print(f"seed {seed}")
        self.seed = seed
        self.topology = topology
        self.key = fresh_key()
        shared = ("--capacity", "400", "--media-workers", "1", "--media-port", "0", *options)
        program = PROGRAM if MUTANT is None else (*MUTATED, MUTANT)
        self.nodes = [
            Node(
                f"node-{number}",
                self.key,
                folder,
                *shared,
                *own,
                program=program,
                source=dict(enumerate(sources)).get(number, SOURCE),
                environment=dict(enumerate(environments)).get(number),
            )
            for number, own in enumerate(each)
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
        client = Client(urls, self.token(person, role), person, self.seed * 1_000 + len(self.clients))
        self.add(client)
        return client

    def token(self, person: ParticipantId, role: Role = Role.PARTICIPANT) -> str:
        """A link to the room."""
        return token(self.key, ROOM, person, role)

    def add(self, client: Client) -> None:
        """Let this one's history be judged, too."""
        self.clients.append(client)

    async def gather(self, people: int) -> Client:
        """A moderator and so many people come, spread over the nodes; returns the moderator."""
        moderator = self.client(MODERATOR, Role.MODERATOR)
        await moderator.arrive()
        await moderator.insist(SetAutoAdmit(auto_admit=True))
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

    async def conclude(
        self, fault: int, name: str, *, gauges: Iterable[Gauge] = (), more: Mapping[str, object] | None = None
    ) -> Run:
        """Finish, keep the numbers for the table, and insist that the fault was survived. `more`: into its row."""
        run = await self.finish()
        run = msgspec.structs.replace(run, gauges=(*run.gauges, *gauges))
        settled = {} if self._truth is None else {"converged_ms": self.converged_ms}
        record(fault, name, run, seed=self.seed, topology=self.topology, **settled, **(more or {}))
        assert_survived(run)
        return run

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
        texts = await asyncio.to_thread(self._texts)
        return Run(
            histories=tuple(client.history for client in self.clients),
            lives=lives,
            gauges=tuple(map(crashes, texts)),
            texts=texts,
            canaries=(*SECRETS, self.key.secret, *(client.token for client in self.clients)),
        )

    def _texts(self) -> tuple[Text, ...]:
        """What the nodes have written down for their operators."""
        return tuple(Text(f"log of {node.name}", node.log.read_text()) for node in self.nodes)

    async def _settle(self) -> tuple[Life, ...]:
        """Until everybody sees what the log holds; without a log, until nothing has come for a while."""
        if self._truth is None:
            told = -1
            while told != (told := self._told()):  # noqa: ASYNC110 - silence has no event
                await asyncio.sleep(0.7)
            return ()
        began = now_ms()
        while not self._agree(lives := await self._truth.lives()):
            if now_ms() - began > CONVERGED_S * 1000:
                break
            await asyncio.sleep(0.1)
        self.converged_ms = now_ms() - began
        return lives

    def _told(self) -> int:
        """How much the room has told people; sound and pictures go on for ever."""
        return sum(isinstance(record, Told) for client in self.clients for record in client.records)

    def _agree(self, lives: tuple[Life, ...]) -> bool:
        """Whether the view of everybody who is connected is that of the end of the log."""
        *_, (_, state) = states(lives[-1])
        return all(
            view_of(state, client.person) == as_(RoomView, client.view)
            for client in self.clients
            if client.connected and client.person in state.participants
        )

    def _all_back(self) -> bool:
        return all(client.connected for client in self.clients if client.staying)


def crashes(text: Text) -> Gauge:
    """Faults that a node has caught and told of, and those it has not; with the first of them in its name."""
    found = CRASH.findall(text.content)
    return Gauge(" ".join((f"crashes in the {text.name}", *found[:1])), len(found), 0)


async def until(condition: Callable[[], bool], timeout_s: float) -> int:
    """Wait for it, at most so long; returns the milliseconds it took."""
    began = now_ms()
    while not condition() and now_ms() - began < timeout_s * 1000:  # noqa: ASYNC110 - of any kind
        await asyncio.sleep(0.02)
    return now_ms() - began


def assert_survived(run: Run) -> None:
    """The verdict, with the first violations in words; the whole run is kept beside the rows of the table."""
    violations = check(run)
    if violations and MUTANT is None:
        FAILED.parent.mkdir(parents=True, exist_ok=True)
        FAILED.write_bytes(msgspec.msgpack.encode(run))
    listed = "\n".join(f"{violation.invariant}: {violation.detail}" for violation in violations[:20])
    if violations:  # in words alone: a whole run takes minutes to print
        pytest.fail(f"{len(violations)} violations:\n{listed}", pytrace=False)
