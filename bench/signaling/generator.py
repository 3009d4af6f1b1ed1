# SPDX-License-Identifier: Apache-2.0
"""Everybody who connects, in one process on a core of its own: a `Plan` on standard input, `Figures` on the output."""

from __future__ import annotations

import os
import select
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Final

from msgspec import Struct, field, json

from bench.machine import process_cpu_ns
from bench.signaling.client import Client

_CONNECTS_AT_ONCE: Final = 16
_SETTLE_S: Final = 1.0
_PATIENCE_S: Final = 60.0
_DRAIN_S: Final = 5.0
_REFILL_S: Final = 5.0
"""Our rate limits are on: what a person may ask for at once has come back after that."""
_BURST: Final = 30
_PER_S: Final = 8
"""What one person asks for at once, and then each second: a little less than our rate limits allow."""
_HALF_S: Final = 2.0
_WAIT_S: Final = 0.05
_PAUSE_S: Final = 0.02


class Plan(Struct, frozen=True):
    """What one server is asked. `people`: one auth payload for each person, of each room; `hall`: of one large room."""

    port: int
    pid: int
    people: tuple[tuple[dict[str, object], ...], ...]
    hall: tuple[dict[str, object], ...]
    quiet: dict[str, object]
    """A command that is answered, and told to nobody."""
    seconds: float
    samples: int
    others: tuple[int, ...] = ()
    """Ports of further nodes: the people of each room are spread over all of them."""
    pids: tuple[int, ...] = ()
    """Processes of further nodes."""
    store: int = 0
    """The process of their store; 0: there is none."""


class Work(Struct, frozen=True):
    """One workload: how many were done, in which time, and what the two sides needed for it."""

    count: int
    seconds: float
    server_s: float
    generator_s: float
    times_ms: list[float] = field(default_factory=list)

    @property
    def per_s(self) -> float:
        """How many in a second."""
        return self.count / self.seconds

    @property
    def us_each(self) -> float:
        """CPU time of the server for one."""
        return self.server_s * 1e6 / self.count


class Figures(Struct, frozen=True):
    """All workloads of one server."""

    connect: Work
    broadcast: Work
    hall: Work
    acknowledge: Work
    half: Work
    """Answers again, asked for at half the rate that `acknowledge` has found."""
    kib_per_connection: float


class Shared(Struct, frozen=True):
    """Several nodes on one store. `store_s`: its CPU time. `crossing_ms`: from one node's client to another's.

    `events`: commands that were told to everybody in a room.
    """

    broadcast: Work
    events: int
    store_s: float
    crossing_ms: list[float]

    @property
    def events_per_s(self) -> float:
        """How many in a second, of all rooms."""
        return self.events / self.broadcast.seconds


class Missing(RuntimeError):
    """Not everything arrived that had to."""


class Crowd:
    """Connections, read as data comes."""

    def __init__(self, clients: Sequence[Client]) -> None:
        self.clients = clients
        self._poll = select.epoll()
        self._by_descriptor = {client.sock.fileno(): client for client in clients}
        for descriptor in self._by_descriptor:
            self._poll.register(descriptor, select.EPOLLIN)

    def read(self, wait_s: float = _WAIT_S) -> bool:
        """Take what is there; wait for it a moment if nothing is. False: nothing came."""
        ready = self._poll.poll(wait_s, 512)
        for descriptor, _ in ready:
            self._by_descriptor[descriptor].read()
        return bool(ready)

    def settle(self) -> None:
        """Read until nothing comes any more: of everybody's arrival everybody is told."""
        end = time.monotonic() + _PATIENCE_S
        while self.read(_SETTLE_S):
            if time.monotonic() > end:
                raise Missing("silence")

    def read_for(self, seconds: float) -> None:
        """Take whatever comes in this time."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.read()

    def until(self, done: Callable[[], bool], what: str) -> None:
        """Read until it is so. Raises Missing."""
        end = time.monotonic() + _DRAIN_S
        while not done():
            if time.monotonic() > end:
                raise Missing(what)
            self.read()

    def close(self) -> None:
        """All of them."""
        self._poll.close()
        for client in self.clients:
            client.close()


class _Meter:
    """CPU and wall clock of both sides, from when it is made."""

    def __init__(self, *pids: int) -> None:
        self._pids = pids
        self._start = self._now()

    def _now(self) -> tuple[float, float, float]:
        return time.monotonic(), sum(map(process_cpu_ns, self._pids)) / 1e9, time.process_time()

    def work(self, count: int, times_ms: Iterable[float] = ()) -> Work:
        """What was done since."""
        wall, server, generator = (now - then for now, then in zip(self._now(), self._start, strict=True))
        return Work(count, wall, server, generator, list(times_ms))


def _connect(port: int, people: Sequence[dict[str, object]], *others: int) -> list[Client]:
    """All of them; with `others`, one after another to the next port."""
    addresses = cycle([("127.0.0.1", each) for each in (port, *others)])
    with ThreadPoolExecutor(_CONNECTS_AT_ONCE) as pool:
        return list(pool.map(Client, addresses, people))


def _memory_kib(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024


class _Room:
    """Its people take turns; the next one speaks as soon as the last one is answered."""

    def __init__(self, clients: Sequence[Client], limit: int) -> None:
        self._turns = cycle(clients)
        self._limit = limit
        self._on = True
        self._size = self._rest = len(clients)
        self.commands = self.events = 0
        self.going = True
        for client in clients:
            client.on_event, client.on_ack = self._heard, self._answered

    def speak(self) -> None:
        """The next one says something."""
        self.commands += 1
        self.going = self.going and self.commands < self._limit
        next(self._turns).command({"type": "set_microphone", "on": self._on})
        self._rest -= 1
        if not self._rest:
            self._rest, self._on = self._size, not self._on

    def _heard(self) -> None:
        self.events += 1

    def _answered(self) -> None:
        if self.going:
            self.speak()


def _broadcast(plan: Plan, crowd: Crowd, rooms: Sequence[Sequence[Client]]) -> Work:
    """W2: as much as the server takes, one command of each room under way."""
    work, talking = _talk(plan, crowd, rooms)
    size = len(rooms[0])
    crowd.until(
        lambda: all(room.events == room.commands * size for room in talking), "events that everybody had to get"
    )
    return work


def _talk(plan: Plan, crowd: Crowd, rooms: Sequence[Sequence[Client]]) -> tuple[Work, list[_Room]]:
    limit = len(rooms[0]) * round(_BURST + _PER_S * plan.seconds)
    talking = [_Room(room, limit) for room in rooms]
    meter = _Meter(plan.pid, *plan.pids)
    for room in talking:
        room.speak()
    end = time.monotonic() + plan.seconds
    while time.monotonic() < end and any(room.going for room in talking):
        crowd.read()
    work = meter.work(sum(room.events for room in talking))
    for room in talking:
        room.going = False
    return work, talking


def _hall(plan: Plan, crowd: Crowd) -> Work:
    """W3: from a command until the last of all in one large room has heard of it."""
    heard = 0

    def hear() -> None:
        nonlocal heard
        heard += 1

    for client in crowd.clients:
        client.on_event = hear
    times: list[float] = []
    size = len(crowd.clients)

    def everybody_heard() -> bool:
        return heard >= size

    meter = _Meter(plan.pid)
    for number in range(plan.samples):
        heard = 0
        start = time.monotonic()
        crowd.clients[number % size].command({"type": "set_microphone", "on": number // size % 2 == 0})
        crowd.until(everybody_heard, "an event in the large room")
        times.append((time.monotonic() - start) * 1000)
        crowd.read_for(_PAUSE_S)
    return meter.work(plan.samples * size, times)


def _acknowledge(plan: Plan, crowd: Crowd) -> Work:
    """W4: everybody asks at once, and again as soon as they are answered, as often as our rate limits allow at once."""
    answered = asked = 0
    going = True
    left = dict.fromkeys(crowd.clients, _BURST)

    def ask(client: Client) -> None:
        nonlocal asked
        if going and left[client]:
            left[client] -= 1
            asked += 1
            client.command(plan.quiet)

    def again(client: Client) -> None:
        nonlocal answered
        answered += 1
        ask(client)

    for client in crowd.clients:
        client.on_ack = partial(again, client)
    meter = _Meter(plan.pid)
    end = time.monotonic() + 1.0
    for client in crowd.clients:
        ask(client)
    while time.monotonic() < end and answered < asked:
        crowd.read()
    work = meter.work(answered)
    going = False
    crowd.until(lambda: answered == asked, "answers")
    return work


def _half(plan: Plan, crowd: Crowd, per_s: float) -> Work:
    """W4 at half load: a command each so many ms, by one after another; how long each answer took."""
    per_s = min(per_s / 2, _PER_S * len(crowd.clients))
    asked_at: dict[Client, float] = {}
    times: list[float] = []

    def answered(client: Client) -> None:
        times.append((time.monotonic() - asked_at.pop(client)) * 1000)

    for client in crowd.clients:
        client.on_ack = partial(answered, client)
    meter, turns = _Meter(plan.pid), cycle(crowd.clients)
    start = due = time.monotonic()
    while (now := time.monotonic()) < start + _HALF_S:
        while due <= now:
            client = next(turns)
            if client not in asked_at:  # who is not answered yet asks nothing more
                asked_at[client] = now
                client.command(plan.quiet)
            due += 1 / per_s
        crowd.read(0.0)
    work = meter.work(len(times), times)
    crowd.until(lambda: not asked_at, "answers")
    return work


def _crossing(plan: Plan, crowd: Crowd, speaker: Client, listener: Client) -> list[float]:
    """From a command of one node's client until another node's client in the same room hears of it."""
    heard = 0

    def hear() -> None:
        nonlocal heard
        heard += 1

    speaker.on_ack = speaker.on_event = lambda: None
    listener.on_event = hear
    speaker.command({"type": "set_microphone", "on": False})  # whatever it was before: from here on each one changes it
    crowd.read_for(_WAIT_S * 4)
    times = []
    for number in range(min(plan.samples, _BURST)):
        before, start = heard, time.monotonic()
        speaker.command({"type": "set_microphone", "on": number % 2 == 0})
        crowd.until(partial(lambda known: heard > known, before), "an event of the other node")
        times.append((time.monotonic() - start) * 1000)
        crowd.read_for(_PAUSE_S)
    return times


def run_shared(plan: Plan) -> Shared:
    """W2 and the way from node to node, where several nodes share rooms. Raises Missing, Disconnected or OSError."""
    everybody = _connect(plan.port, [person for room in plan.people for person in room], *plan.others)
    crowd = Crowd(everybody)
    crowd.settle()
    size = len(plan.people[0])
    rooms = [everybody[at : at + size] for at in range(0, len(everybody), size)]
    before_s = process_cpu_ns(plan.store) / 1e9
    work, talking = _talk(plan, crowd, rooms)
    store_s = process_cpu_ns(plan.store) / 1e9 - before_s
    crowd.read_for(_REFILL_S)
    crossing = _crossing(plan, crowd, *rooms[0][:2])
    crowd.close()
    # Counted by answers: what has come to a node late may reach its clients as several events in one frame.
    answered = sum(room.commands for room in talking) - len(talking)
    return Shared(work, answered, store_s, crossing)


def run(plan: Plan) -> Figures:
    """Everything, one after the other. Raises Missing, Disconnected or OSError."""
    before_kib = _memory_kib(plan.pid)
    meter = _Meter(plan.pid)
    everybody = _connect(plan.port, [person for room in plan.people for person in room])
    connect = meter.work(len(everybody))
    kib = (_memory_kib(plan.pid) - before_kib) / len(everybody)
    crowd = Crowd(everybody)
    crowd.settle()
    size = len(plan.people[0])
    rooms = [everybody[at : at + size] for at in range(0, len(everybody), size)]
    broadcast = _broadcast(plan, crowd, rooms)
    crowd.read_for(_REFILL_S)
    acknowledge = _acknowledge(plan, crowd)
    half = _half(plan, crowd, acknowledge.per_s)
    crowd.close()
    large = Crowd(_connect(plan.port, plan.hall))
    large.settle()
    hall = _hall(plan, large)
    large.close()
    return Figures(connect, broadcast, hall, acknowledge, half, kib)


if __name__ == "__main__":
    asked = json.decode(sys.stdin.buffer.read(), type=Plan)
    sys.stdout.buffer.write(json.encode(run_shared(asked) if asked.others else run(asked)))
