# SPDX-License-Identifier: Apache-2.0
"""`python -m loadtest.drive.worker`: one generator process. Orders come in, reports go out, one JSON value a line."""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import msgspec
import uvloop
from aiohttp import ClientError

from holdspace_client import CommandRefused, NotAcknowledged
from holdspace_client.protocol.errors import JoinRefused
from loadtest.drive.doors import Doors
from loadtest.drive.guest import cause_of
from loadtest.drive.obstacles import obstacle
from loadtest.drive.orders import (
    Assignment,
    Begin,
    Marked,
    NotReady,
    Order,
    Over,
    Ready,
    Report,
    Stop,
    Struck,
    Ticked,
)
from loadtest.drive.place import Place
from loadtest.drive.room import LoadRoom
from loadtest.drive.wardrobe import clip
from loadtest.dtls import HandshakeFailed
from loadtest.impairment.control import rig_process
from loadtest.impairment.profile import NAMED
from loadtest.measure.recorder import Recorder
from loadtest.pacer import Pacer

BEAT_S: Final = 0.02
SHORT_S: Final = 0.5
"""The share of less than this says nothing."""
LINE_BYTES: Final = 1 << 26
LEAVE_S: Final = 15.0


class Worker:
    """All rooms of one process."""

    def __init__(self, assignment: Assignment, place: Place) -> None:
        self._assignment = assignment
        self._place = place
        self._late_s = 0.0
        self._rooms = [LoadRoom(place, job, assignment.happenings, self._mark) for job in assignment.jobs]

    async def open(self) -> Report:
        """All moderators in, or why not."""
        try:
            for room in self._rooms:
                await room.open()
        except (JoinRefused, CommandRefused) as error:
            return NotReady(cause_of(error), reached=True)
        except (ConnectionError, TimeoutError, ClientError, NotAcknowledged, HandshakeFailed, OSError) as error:
            return NotReady(obstacle(error), reached=False)
        return Ready()

    async def run(self, begin: Begin) -> None:
        """The whole test, with a report each second."""
        self._place.start_s = begin.at_s
        until_s = begin.at_s + self._assignment.duration_s
        beating, ticking = asyncio.create_task(self._beat()), asyncio.create_task(self._tick())
        try:
            async with asyncio.timeout(until_s - time.monotonic() + LEAVE_S), asyncio.TaskGroup() as group:
                for room in self._rooms:
                    group.create_task(room.run(until_s))
        except TimeoutError:
            self._place.recorder.fail("somebody did not leave in time")
        finally:
            beating.cancel()
            ticking.cancel()
            await asyncio.gather(beating, ticking, return_exceptions=True)
            self._report()

    def struck(self, order: Struck) -> None:
        """A fault that is none of the generator's."""
        self._place.fault_s = order.at_s

    def stop(self) -> None:
        """Let everybody leave now."""
        self._place.over.set()

    def _mark(self, at_s: float, text: str) -> None:
        say(Marked(at_s - self._place.start_s, text))

    async def _beat(self) -> None:
        """How late this process is for what it wants to do."""
        while True:
            due_s = time.monotonic() + BEAT_S
            await asyncio.sleep(BEAT_S)
            self._late_s = max(self._late_s, time.monotonic() - due_s)

    async def _tick(self) -> None:
        used_s, at_s = time.process_time(), time.monotonic()
        while True:
            await asyncio.sleep(1 - (time.monotonic() - self._place.start_s) % 1)
            now_used_s, now_s = time.process_time(), time.monotonic()
            if now_s - at_s > SHORT_S:
                self._place.recorder.record("generator_cpu_percent", 100 * (now_used_s - used_s) / (now_s - at_s))
            used_s, at_s = now_used_s, now_s
            self._report()

    def _report(self) -> None:
        pacer, recorder = self._place.pacer, self._place.recorder
        recorder.record("generator_late_ms", 1_000 * max(self._late_s, pacer.latest_s))
        self._late_s = pacer.latest_s = 0.0
        say(Ticked(max(0, int(time.monotonic() - self._place.start_s - 0.5)), recorder.take()))


def say(report: Report) -> None:
    """One line to whoever conducts the test."""
    sys.stdout.buffer.write(msgspec.json.encode(report) + b"\n")
    sys.stdout.buffer.flush()


@asynccontextmanager
async def _doors(assignment: Assignment) -> AsyncIterator[Doors | None]:
    if not any(job.far for job in assignment.jobs):
        yield None
        return
    async with rig_process() as process:
        yield Doors(process, NAMED[assignment.profile], assignment.seed)


async def main() -> None:
    """Until everybody has left, or standard input ends."""
    reader = asyncio.StreamReader(LINE_BYTES)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    asyncio.get_running_loop().set_exception_handler(_complain)
    # It reports every connection that was cut on purpose.
    logging.getLogger("engineio.client").setLevel(logging.CRITICAL)
    decoder = msgspec.json.Decoder(Order)
    assignment = decoder.decode(await reader.readline())
    if not isinstance(assignment, Assignment):
        raise TypeError(assignment)
    families = [job.family for job in assignment.jobs if job.family.media]
    most = max((family.speakers + 1 for family in families), default=0)
    layers = any(family.layers for family in families)
    clips = tuple(clip(number, layers=layers) for number in range(most))
    pacer = Pacer()
    async with _doors(assignment) as doors:
        worker = Worker(assignment, Place(pacer, clips, Recorder(), doors))
        answer = await worker.open()
        say(answer)
        if isinstance(answer, Ready):
            gc.freeze()
            gc.set_threshold(50_000, 50, 50)
            await _conducted(worker, reader, decoder)
    pacer.close()
    say(Over())


def _complain(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """A connection that was cut on purpose has nobody who closed it; everything else is told."""
    if "client_connection" not in context:
        loop.default_exception_handler(context)


async def _conducted(worker: Worker, reader: asyncio.StreamReader, decoder: msgspec.json.Decoder[Order]) -> None:
    running: asyncio.Task[None] | None = None
    orders = asyncio.create_task(reader.readline())
    while True:
        await asyncio.wait([task for task in (orders, running) if task], return_when=asyncio.FIRST_COMPLETED)
        if running is not None and running.done():
            orders.cancel()
            running.result()
            return
        line = orders.result()
        match decoder.decode(line) if line else Stop():
            case Begin() as begin:
                running = asyncio.create_task(worker.run(begin))
            case Struck() as struck:
                worker.struck(struck)
            case _ if running is None:
                return
            case _:
                worker.stop()
                await running
                return
        orders = asyncio.create_task(reader.readline())


if __name__ == "__main__":
    # Whoever conducted the test is gone: there is nobody left to tell.
    with suppress(BrokenPipeError):
        uvloop.run(main())
