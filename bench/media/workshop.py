# SPDX-License-Identifier: Apache-2.0
"""One workshop on one worker: hundreds of people in one room, as a plenary and in breakouts, within a packet budget.

Everybody's camera is on and everybody may speak; three do. Each person gets what a page with five tiles asks for: the
voices, four thumbnails, and the speaker larger. In breakouts each gets everybody of their room.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Callable
from typing import Any, Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from bench.media.contest import PICTURE_PACKETS, PICTURE_PERIOD_NS, VOICE_PERIOD_NS, Person, streams_of
from bench.media.engine import Engine, StreamPlan, make_engine
from bench.media.holdspace import HoldspaceServer, names_of
from bench.media.report import line
from bench.media.row import Asked, Row
from bench.media.run import Plan
from bench.media.trial import Fleet
from server.ids import MAIN, ParticipantId, Placement
from server.ports import MediaPath

VOICES: Final = 3
TILES: Final = 5
SLOTS: Final = 12
BREAKOUT: Final = 12
VOICE_RATE: Final = round(1e9 / VOICE_PERIOD_NS)
PICTURE_RATE: Final = round(1e9 / PICTURE_PERIOD_NS)
_ROOM: Final = 0
_SEED: Final = 300
_MOVES_S: Final = 4.0
_TOLD_S: Final = 1.2
"""Longer than the worker waits before it tells its figures."""

Placements = dict[Placement, tuple[ParticipantId, ...]]


class Fans(Struct, frozen=True):
    """To how many people a camera, and a voice, goes."""

    camera: int
    voice: int


class Report(Struct, frozen=True):
    """What one path did; budgets in packets a second, `budget_each` of one person in the plenary.

    `moves_lag_ms`: worst lateness of the worker's loop while all were split and brought back, media going on.
    """

    people: int
    budget_each: int
    budget_plenary: int
    budget_breakouts: int
    rows: tuple[Row, ...]
    moves_lag_ms: float
    moves_p99_ms: float


def plenary_fans(people: int) -> list[Fans]:
    """The first five are shown to all others, and each of these sees the sixth in their own place."""
    seen = [people - 1] * TILES + [TILES] + [0] * (people - TILES - 1)
    return [Fans(camera, people - 1 if number < VOICES else 0) for number, camera in enumerate(seen)]


def breakout_fans(people: int, rooms: int) -> list[Fans]:
    """Everybody gets everybody of their room: the people with this number, and with every `rooms`th one after it."""
    others = [len(range(number % rooms, people, rooms)) - 1 for number in range(people)]
    return [Fans(each, each if number < VOICES else 0) for number, each in enumerate(others)]


def packets_per_s(fans: list[Fans]) -> int:
    """What leaves the worker."""
    cameras = sum(fan.camera * PICTURE_RATE * _packets(number) for number, fan in enumerate(fans))
    return cameras + VOICE_RATE * sum(fan.voice for fan in fans)


def plans_of(person: Person, number: int, fan: Fans, chance: random.Random) -> list[StreamPlan]:
    """A camera with one packet a picture, four for the first person's; a voice of the first three."""
    voice, picture = streams_of(person, chance)
    camera = replace(picture, per_burst=_packets(number), fan=fan.camera)
    return [camera, replace(voice, fan=fan.voice)] if number < VOICES else [camera]


class Workshop:
    """Its people, connected, and the generator that sends for them."""

    def __init__(self, server: HoldspaceServer, engine: Engine, fleet: Fleet, people: int) -> None:
        self._server = server
        self._engine = engine
        self._fleet = fleet
        self._people = people
        self._names = names_of(_ROOM, people)
        self._rooms = max(1, people // BREAKOUT)
        self._streams: list[list[int]] = []

    async def measure(self, seconds: float, say: Callable[[str, Row], None]) -> Report:
        """Plenary, breakouts of the same people, plenary again; then both moves while media flows."""
        people, chance = self._people, random.Random(_SEED)
        plenary, breakouts = plenary_fans(people), breakout_fans(people, self._rooms)
        joined = await self._server.join(_ROOM, self._names, SLOTS)
        for number, (person, fan) in enumerate(zip(joined, plenary, strict=True)):
            self._streams.append(self._fleet.add(person, plans_of(person, number, fan, chance)))
        rows = []
        for name, fans in (("plenary", plenary), ("breakouts", breakouts), ("plenary again", plenary)):
            self._seat(split=fans is breakouts)
            self._expect(fans)
            rows.append(await self._fleet.look(Asked(1, seconds, every_line=False)))
            say(name, rows[-1])
        lag_ms = await self._move()
        return Report(
            people=people,
            budget_each=VOICES * VOICE_RATE + (TILES - 1 + PICTURE_PACKETS) * PICTURE_RATE,
            budget_plenary=packets_per_s(plenary),
            budget_breakouts=packets_per_s(breakouts),
            rows=tuple(rows),
            moves_lag_ms=lag_ms,
            moves_p99_ms=self._engine.latency().quantile_ms(0.99),
        )

    async def _move(self) -> float:
        """Split all, and bring them back, at a quarter and at half of a run; the worst lateness of the loop."""
        await asyncio.sleep(_TOLD_S)
        self._server.take_loop_lag_ms()
        run = asyncio.create_task(self._fleet.run(1, _MOVES_S))
        for split in (True, False):
            await asyncio.sleep(_MOVES_S / 4)
            self._seat(split=split)
        await run
        await asyncio.sleep(_TOLD_S)
        return self._server.take_loop_lag_ms() or 0.0

    def _seat(self, *, split: bool) -> None:
        rooms: Placements = {MAIN: self._names}
        if split:
            rooms = {Placement(f"b{room}"): self._names[room :: self._rooms] for room in range(self._rooms)}
        self._server.watch(self._names, SLOTS if split else TILES)
        self._server.seat(_ROOM, rooms)

    def _expect(self, fans: list[Fans]) -> None:
        for streams, fan in zip(self._streams, fans, strict=True):
            for stream, expected in zip(streams, (fan.camera, fan.voice), strict=False):
                self._engine.expect(stream, expected)


async def workshop(path: MediaPath, plan: Plan, people: int, say: Callable[[str], None]) -> Report:
    """One worker with this path, from start to end."""
    os.sched_setaffinity(0, {plan.cores.generator})
    server = await HoldspaceServer.start(path, plan.address, plan.cores.server)
    try:
        engine = make_engine()
        fleet = Fleet(server, engine, plan.cores)
        try:
            made = Workshop(server, engine, fleet, people)
            report = await made.measure(plan.pace.seconds, lambda name, row: say(line(name, row)))
        finally:
            await fleet.close()
    finally:
        await server.close()
    say(summary(path, report))
    return report


def summary(path: MediaPath, report: Report) -> str:
    """The budget, and what the moves cost."""
    return (
        f"{path.value}: {report.people} people on one worker, {report.budget_each} packets/s each in the plenary "
        f"({report.budget_plenary:,} altogether; {report.budget_breakouts:,} in breakouts); splitting all and bringing "
        f"them back: loop late by {report.moves_lag_ms:.0f} ms at most, forwarding p99 {report.moves_p99_ms:.0f} ms"
    )


def document(reports: dict[str, Report]) -> dict[str, Any]:
    """As JSON types."""
    return {"bench": "media workshop", "paths": msgspec.to_builtins(reports)}


def _packets(number: int) -> int:
    return PICTURE_PACKETS if number == 0 else 1
