# SPDX-License-Identifier: Apache-2.0
"""One row of the table: some rooms, some seconds, what arrived and what it cost."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import threading
import time
from collections.abc import Iterable
from typing import Final

from bench.machine import Cores, core_busy_ns, process_cpu_ns
from bench.media.contest import Person, Server, ServerFailed, streams_of
from bench.media.endpoint import Endpoint
from bench.media.engine import Engine, StreamPlan
from bench.media.row import MAX_LOSS, Asked, Load, Row, row_of
from bench.media.sdp import WIDE_ID

WARM_UP_S: Final = 1.5
WARM_UPS: Final = 6
CONSENT_EVERY_S: Final = 4.0
CONSENT_S: Final = 20.0
_POLL_S: Final = 0.05
_GENERATOR_NICE: Final = -10
_SEED: Final = 12


class Fleet:
    """A server, its rooms and the generator that fills them. Rooms are opened when a row first needs them."""

    def __init__(self, server: Server, engine: Engine, cores: Cores) -> None:
        self.server = server
        self._engine = engine
        self._cores = cores
        self._endpoints: dict[int, Endpoint] = {}
        self._rooms = 0
        self._chance = random.Random(_SEED)
        self._keeper: asyncio.Task[None] | None = None

    async def measure(self, rooms: int, seconds: float) -> Row:
        """Warm up, then measure so many rooms of twelve."""
        while self._rooms < rooms:
            await self._grow()
        return await self.look(Asked(rooms, seconds))

    async def look(self, asked: Asked) -> Row:
        """Warm up, then measure what is there. Loss is exact: the run begins and ends with nothing on its way."""
        await self._warm_up(asked.rooms)
        self.server.take_loop_lag_ms()
        before = self._clocks()
        await self.run(asked.rooms, asked.seconds)
        load = self._clocks().since(before)
        if any(endpoint.lost for endpoint in self._endpoints.values()):
            raise ServerFailed("the server closed a connection")
        lag = self.server.take_loop_lag_ms()
        return row_of(asked, load, lag, self._engine.tally(), self._engine.latency(), self._engine.lateness())

    async def close(self) -> None:
        """Leave the rooms; the server goes on."""
        if self._keeper is not None:
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper
        await asyncio.gather(*(endpoint.close() for endpoint in self._endpoints.values()))
        self._engine.close()

    async def _grow(self) -> None:
        for person in await self.server.open_room(self._rooms):
            self.add(person, streams_of(person, self._chance))
        self._rooms += 1

    def add(self, person: Person, plans: Iterable[StreamPlan]) -> list[int]:
        """Somebody who sends this; the numbers of the streams."""
        if self._keeper is None:
            self._keeper = asyncio.create_task(self._keep())
        number = self._endpoint(person.publisher)
        streams = [self._engine.add_stream(number, plan) for plan in plans]
        if person.subscriber is not person.publisher:
            number = self._endpoint(person.subscriber)
        self._engine.add_lines(number, person.lines)
        return streams

    def _endpoint(self, endpoint: Endpoint) -> int:
        number = self._engine.add_endpoint(
            endpoint.socket.fileno(),
            self._rooms,
            endpoint.ssrc,
            WIDE_ID if endpoint.feedback else 0,
            endpoint.channel.sessions,
        )
        self._endpoints[number] = endpoint
        return number

    async def _warm_up(self, rooms: int) -> None:
        """Until everybody gets everything: a server may want to know first what each link bears.

        One that gets no further in two runs has more to do than it can.
        """
        shares = [0.0, 0.0]
        for _ in range(WARM_UPS):
            await self.run(rooms, WARM_UP_S)
            tally = self._engine.tally()
            shares.append(tally.received / tally.expected)
            if shares[-1] > 1 - MAX_LOSS or max(shares[-2:]) < shares[-3]:
                return

    async def run(self, rooms: int, seconds: float) -> None:
        """Send in the first rooms, then wait until nothing comes any more."""
        await asyncio.to_thread(_run_first, self._engine, rooms, seconds)

    async def _keep(self) -> None:
        """Consent goes on, and checks of the server are answered, while the generator has the sockets."""
        loop = asyncio.get_running_loop()
        renew_s = loop.time()
        while True:
            for number, data in self._engine.others():
                self._endpoints[number].receive(data)
            if loop.time() >= renew_s:
                renew_s = loop.time() + CONSENT_EVERY_S
                for endpoint in list(self._endpoints.values()):
                    endpoint.renew_consent()
            await asyncio.sleep(_POLL_S)

    def _clocks(self) -> Load:
        return Load(
            wall_ns=time.monotonic_ns(),
            server_ns=process_cpu_ns(self.server.pid),
            generator_ns=time.process_time_ns(),
            server_core_ns=core_busy_ns(self._cores.server),
            generator_core_ns=core_busy_ns(self._cores.generator),
        )


def _run_first(engine: Engine, rooms: int, seconds: float) -> None:
    """The generator goes before whatever else its core has to do, where that is allowed."""
    with contextlib.suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _GENERATOR_NICE)
    engine.run(rooms, round(seconds * 1e9))
