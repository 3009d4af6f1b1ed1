# SPDX-License-Identifier: Apache-2.0
"""One run: three nodes, a Redis, people in two rooms, and what a seed makes of that."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from random import Random
from typing import Any, Final
from unittest import mock

from msgspec import Struct

import holdspace_client.seat
import tests.faults.client
from holdspace_client.protocol.rooms import commands as c
from server.cluster import keys, redis_log, system
from server.cluster.keys import tags
from server.ids import ParticipantId, RoomId
from server.rooms.state import Presence, Role, RoomView
from server.rooms.view import view_of
from server.runner.steps import key_of
from server.signaling.tokens import Claims, sign
from tests.faults.checker.history import Answered, History, Run, Silent
from tests.faults.checker.verdict import check
from tests.faults.checker.words import states
from tests.faults.client import Client
from tests.faults.workload import lead, take_part
from tests.simulation.ambient import SimSecrets, SimTime, ambient
from tests.simulation.disasters import by_seed
from tests.simulation.door import Port, SimSession, Socket, Street
from tests.simulation.loop import PROCESS, Life, Restless, SimLoop
from tests.simulation.network import Net
from tests.simulation.node import KEY, Machine
from tests.simulation.redis_client import SimClient
from tests.simulation.redis_server import BASE_MS, SimRedis
from tests.simulation.stage import QUIET, ROOMS
from tests.simulation.trace import Trace
from tests.simulation.truth import Truth
from tests.vocabulary import as_

NODES: Final = 3
PARTITIONS: Final = 4
"""Instead of 1,024, so that looking for rooms whose time has come costs less."""


class Outcome(Struct, frozen=True):
    """What came of a seed."""

    seed: int
    violations: tuple[str, ...]
    digest: str
    steps: int
    virtual_s: float
    disasters: tuple[str, ...]
    lines: tuple[str, ...] = ()


class Simulation:
    """Everything there is in one run."""

    def __init__(self, seed: int, *, keep: bool = False) -> None:
        self.seed: Final = seed
        self.random = Random(f"{seed} events")
        self.loop = SimLoop()
        self.trace = Trace(self.loop.time, keep=keep)
        self.net = Net(self.loop, str(seed), self.trace)
        self.truth = Truth(ROOMS)
        self.redis = SimRedis(self.loop, self.net, self.truth, self.trace, str(seed))
        self.street = Street(self.loop, self.net, self.trace.add)
        self.machines: list[Machine] = []
        self.people: dict[RoomId, list[Client]] = {room: [] for room in ROOMS}
        self._work: list[asyncio.Task[None]] = []
        self.names: list[str] = []
        """Disasters that have begun."""
        self.found: list[str] = []
        """What is broken, and no history shows."""
        self.gone: set[RoomId] = set()
        """Rooms that nobody could bring back."""

    # -- the stage -----------------------------------------------------------------------------------------------------

    @contextmanager
    def set_up(self) -> Iterator[None]:
        """Let the code under test have this world instead of the real one."""
        with ExitStack() as stack:
            stack.enter_context(ambient(self.loop, str(self.seed), self.trace.add))
            swaps: list[tuple[Any, str, Any]] = [
                (system, "client_of", self._client),
                (system, "check", _fit),
                (system, "try_out", _fit),
                (system, "disconnect", SimClient.aclose),
                (holdspace_client.seat, "Connection", Port),
                (tests.faults.client, "ClientSession", SimSession),
                (Port, "street", self.street),
            ]
            for where, name, what in swaps:  # what is imported by name cannot be replaced where it is made
                stack.enter_context(mock.patch.object(where, name, what, create=where is Port))
            yield

    def _client(self, _url: str) -> SimClient:
        process = PROCESS.get()
        machine = next(machine for machine in self.machines if machine.process is process)
        return SimClient(self.loop, self.net, machine.place, self.redis)

    def open_nodes(self) -> None:
        """Start all nodes."""
        times = SimTime(self.loop, str(self.seed)), SimSecrets(str(self.seed))
        for number in range(NODES):
            self.machines.append(Machine(f"n{number}", self.loop, self.net, self.street, times))

    def client(self, room: RoomId, name: str, role: Role) -> Client:
        """Somebody with a link, not there yet."""
        person = ParticipantId(name)
        now = BASE_MS // 1000
        claims = Claims(
            iss=KEY.name, exp=now + 36_000, nbf=now, room=room, role=role, sub=person, jti=f"ticket-{name}", title=""
        )
        urls = [f"{machine.name}#{name}" for machine in self.machines]
        first = self.random.randrange(len(urls))
        client = Client((*urls[first:], *urls[:first]), sign(KEY, claims), person, self.random.getrandbits(32))
        self.people[room].append(client)
        return client

    def start(self, work: Any) -> None:  # noqa: ANN401
        """Run it until the end."""
        self._work.append(self.loop.create_task(work))

    def sockets(self, person: ParticipantId) -> list[tuple[Machine, Socket]]:
        """The connections of a person, as nodes have them."""
        return [
            (machine, visitor.socket)
            for machine in self.machines
            if machine.up and machine.server is not None
            for visitor in machine.server.door.visitors
            if visitor.person == person
        ]

    def tell(self, what: str) -> None:
        """Write down what is done to everybody."""
        self.trace.add("fate", what)

    def data_lost(self) -> None:
        """Redis has lost something: what of it nobody was promised, and which rooms are gone for good."""
        for room in ROOMS:
            life, seq = self.truth.position(room)
            epoch, kept = self.truth.held_by(self.redis.store, room)
            if (epoch, kept) == (life, seq):
                continue
            if epoch != life:
                known = self._known(room, life)
                if not any(self._reaches_redis(machine) for machine in known):
                    self.gone.add(room)
                kept = min(known.values(), default=0)
            self.tell(f"{room}: {self.truth.cut(room, kept)} entries of {life} undone after {kept}")

    def _known(self, room: RoomId, life: int) -> dict[Machine, int]:
        """The nodes that have this life of a room in memory, and up to where."""
        known = {}
        for machine in self.machines:
            runner = machine.server.rooms.get(room) if machine.up and machine.server is not None else None
            if runner is not None and runner.epoch == life:
                known[machine] = int(runner.seq)
        return known

    def _reaches_redis(self, machine: Machine) -> bool:
        there = self.redis.place
        cut = self.net.is_cut(machine.place, there) or self.net.is_cut(there, machine.place)
        return machine.process.life is Life.RUNNING and not cut

    # -- the play ------------------------------------------------------------------------------------------------------

    async def play(self, faults: Callable[[Simulation], Any]) -> dict[RoomId, Run]:
        """The whole of it; gives what the checker judges."""
        self.open_nodes()
        for room, count in zip(ROOMS, (4, 2), strict=True):
            self.client(room, f"mod-{room}", Role.MODERATOR)
            for number in range(count):
                self.client(room, f"p{number}-{room}", Role.PARTICIPANT)
        for people in self.people.values():
            for number, client in enumerate(people):
                self.start(self._person(client, number))
        await faults(self)
        return await self.finish()

    async def _person(self, client: Client, number: int) -> None:
        await asyncio.sleep(0.5 + 0.2 * number)
        await client.arrive()
        if number == 0:
            await client.insist(c.SetAutoAdmit(auto_admit=True))
            await lead(client, 1.0)
        elif number != QUIET:
            await take_part(client, 0.8)

    async def finish(self) -> dict[RoomId, Run]:
        """Stop working, let everybody come back and catch up, and take all histories."""
        for work in self._work:
            if work.done():
                work.result()
            work.cancel()
        await asyncio.gather(*self._work, return_exceptions=True)
        # Both at one moment: who finds out only now that their node is dead is on the way while all others agree.
        await self._until(lambda: self._all_back() and self._agree(), 105)
        self.found += [*self._ghosts(), *self.truth.untold(), *self._empty()]
        runs: dict[RoomId, Run] = {}
        for room, people in self.people.items():
            for client in people:
                client.check()
            undone = {command for _, command in self.truth.undone[room]}
            histories = tuple(excused(client.history, undone) for client in people)
            if room not in self.gone:
                runs[room] = Run(histories=histories, lives=self.truth.lives(room))
        return runs

    async def _until(self, condition: Callable[[], bool], timeout_s: float) -> None:
        end = self.loop.time() + timeout_s
        while not condition() and self.loop.time() < end:  # noqa: ASYNC110 - of any kind
            await asyncio.sleep(0.25)

    def _all_back(self) -> bool:
        return all(c.connected for people in self.people.values() for c in people if c.staying)

    def _ghosts(self) -> list[str]:
        """Who counts as connected at the end, and is not."""
        found = []
        for room, people in self.people.items():
            there = {client.person for client in people if client.connected}
            lives = () if room in self.gone else self.truth.lives(room)
            if lives:
                *_, (_, state) = states(lives[-1])
                connected = {p.id for p in state.participants.values() if p.presence is Presence.CONNECTED}
                found += [f"{room}: I2 {ghost} counts as connected" for ghost in sorted(connected - there)]
        return found

    def _empty(self) -> list[str]:
        """Rooms in which nothing was ever done: whatever kept everybody out would otherwise look like peace."""
        return [f"{room}: nobody ever came" for room in ROOMS if room not in self.gone and not self.truth.lives(room)]

    def is_at(self, client: Client, machine: Machine) -> bool:
        """Whether this person is connected to this node."""
        return any(socket for where, socket in self.sockets(client.person) if where is machine)

    def _agree(self) -> bool:
        if self._ghosts():
            return False
        for room, people in self.people.items():
            lives = self.truth.lives(room)
            if not lives:
                return False
            *_, (_, state) = states(lives[-1])
            for client in people:
                there = client.connected and client.person in state.participants
                if there and view_of(state, client.person) != as_(RoomView, client.view):
                    return False
        return True

    def end(self) -> None:
        """Let every task end, in a world in which nothing arrives anywhere."""
        self.redis.process.kill()
        for wire in tuple(self.net.wires):
            wire.over[:] = [True, True]
        for machine in self.machines:
            for process in (*machine.past, machine.process):
                process.bury()
        self.redis.process.bury()
        self.loop.end()


def excused(history: History, undone: set[str]) -> History:
    """The history without acknowledgements of what Redis has lost: that is not promised to be kept."""
    records = tuple(
        Silent(record.at_ms, record.id)
        if isinstance(record, Answered) and key_of(history.person, record.id) in undone
        else record
        for record in history.records
    )
    return History(history.person, records)


async def _fit(_client: object) -> None:
    """It is."""


def simulate(seed: int, faults: Callable[[Simulation], Any] = by_seed, *, keep: bool = False) -> Outcome:
    """Run one seed."""
    tags()
    with (
        mock.patch.object(keys, "PARTITIONS", PARTITIONS),
        mock.patch.object(redis_log, "PARTITIONS", PARTITIONS),
        (simulation := Simulation(seed, keep=keep)).set_up(),
    ):
        try:
            runs = simulation.loop.run_until_complete(simulation.play(faults))
        except Restless:
            found = ["I10 it never comes to rest"]
        else:
            found = [
                f"{room}: {violation.invariant} {violation.detail}"
                for room, run in runs.items()
                for violation in check(run)
            ]
            found += simulation.found
            found += [f"fault: {context.get('exception')!r}" for context in simulation.loop.faults]
        finally:
            simulation.end()
    return Outcome(
        seed,
        tuple(found),
        simulation.trace.digest,
        simulation.trace.count,
        simulation.loop.time(),
        tuple(simulation.names),
        tuple(simulation.trace.lines),
    )
