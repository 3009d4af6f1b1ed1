# SPDX-License-Identifier: Apache-2.0
"""Conducts one load test: target, generators, clock, faults; gathers everything that is measured."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from itertools import zip_longest
from typing import Any, Final

from aiohttp import ClientSession

from loadtest.drive.fleet import Fleet, Target
from loadtest.drive.generators import Generator, generators
from loadtest.drive.jobs import assignments, jobs_of
from loadtest.drive.orders import Begin, Marked, NotReady, Stop, Struck, Ticked
from loadtest.drive.sampler import MachineProbe, Node, NodeProbe, sample_all
from loadtest.drive.wardrobe import make_all
from loadtest.measure.nodes import Moment, NodePoint
from loadtest.measure.recorder import Recorder
from loadtest.measure.totals import Totals
from loadtest.plan.executors import Schedule
from loadtest.plan.scenario import Scenario
from loadtest.plan.timeline import timeline
from server.ids import RoomId
from server.rooms.state import Role

BEGIN_S: Final = 0.5
CONDUCTOR: Final = -1
AWAY_S: Final = 8
"""After so many seconds without an answer of any node a test ends."""


class Unreachable(Exception):
    """Nobody answers at the target, or no room can be opened there."""


class Progress:
    """All there is to see of a running test; whoever shows it looks whenever they like."""

    def __init__(self, scenario: Scenario, schedule: Schedule) -> None:
        self.scenario = scenario
        self.schedule = schedule
        self.stage = "preparing"
        self.totals = Totals()
        self.marks: list[Moment] = []
        self.nodes: dict[str, list[NodePoint]] = {}
        self.start_s: float | None = None
        self.links: dict[str, str] = {}
        """For people: role -> join link into a running room."""

    @property
    def elapsed_s(self) -> float:
        """Seconds since the start; 0 before it."""
        return 0.0 if self.start_s is None else max(0.0, time.monotonic() - self.start_s)

    def mark(self, at_s: float, text: str) -> None:
        """Note a happening once, however many rooms it concerns."""
        if not any(mark.text == text and abs(mark.at_s - at_s) < 0.5 for mark in self.marks[-10:]):  # noqa: PLR2004
            self.marks.append(Moment(round(at_s, 3), text))


class Conductor:
    """`fleet` None: the target is not ours."""

    def __init__(self, progress: Progress, target: Target, fleet: Fleet | None, processes: int) -> None:
        self._progress = progress
        self._target = target
        self._fleet = fleet
        self._processes = processes
        self._recorder = Recorder()
        self._stop = asyncio.Event()
        self.went_away = ""
        """Why there was no target any more, if it left before the end."""

    def stop(self) -> None:
        """End early; what was measured so far is reported."""
        self._stop.set()

    async def run(self, run: str, on_ready: Callable[[], None]) -> None:
        """The whole test. Raises Unreachable, GeneratorFailed, ServerFailed."""
        progress, scenario = self._progress, self._progress.scenario
        jobs = jobs_of(scenario, progress.schedule, run, self._target.urls, self._target.token)
        with_media = [family for family in scenario.rooms if family.media]
        progress.stage = "making pictures and voices (kept for the next time)"
        await asyncio.to_thread(
            make_all,
            max((family.speakers + 1 for family in with_media), default=0),
            layers=any(family.layers for family in with_media),
        )
        for role in (Role.MODERATOR, Role.PARTICIPANT):
            room = RoomId(f"load-{run}-0")
            progress.links[role.value] = f"{self._target.urls[0]}/#{self._target.token(room, role)}"
        progress.stage = "opening rooms"
        async with AsyncExitStack() as stack:
            made = await stack.enter_async_context(generators(assignments(scenario, jobs, self._processes)))
            for generator in made:
                answer = await generator.hear()
                if isinstance(answer, NotReady):
                    raise Unreachable(_why(answer, self._target.urls))
            on_ready()
            await self._conduct(made)
        progress.stage = "over"

    async def _conduct(self, made: Sequence[Generator]) -> None:
        progress = self._progress
        progress.start_s = start_s = time.monotonic() + BEGIN_S
        progress.stage = "running"
        for generator in made:
            await generator.tell(Begin(start_s))
        watching = [asyncio.create_task(self._listen(generator)) for generator in made]
        beside = [asyncio.create_task(work) for work in (self._sample(start_s), self._strike(made, start_s))]
        stopping = asyncio.create_task(self._end_early(made))
        everything = asyncio.gather(*watching)
        try:
            pending: set[asyncio.Future[Any]] = {everything, *beside}
            while everything in pending:
                done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
        finally:
            for task in (*beside, stopping, *watching):
                task.cancel()
            await asyncio.gather(*beside, stopping, *watching, return_exceptions=True)

    async def _listen(self, generator: Generator) -> None:
        async for report in generator.reports():
            match report:
                case Ticked():
                    self._progress.totals.add(report.second, report.interval, generator.number)
                case Marked():
                    self._progress.mark(report.at_s, report.text)
                case _:
                    pass

    async def _sample(self, start_s: float) -> None:
        """Look at every node, once a second, until the end."""
        servers = self._fleet.servers if self._fleet is not None else [None for _ in self._target.urls]
        pages = zip_longest(self._target.urls, self._target.metrics_urls[: len(self._target.urls)], fillvalue="")
        probes = [NodeProbe(Node(url, page)) for url, page in pages]
        machine = MachineProbe()
        async with ClientSession() as http:
            for second in range(round(self._progress.scenario.duration_s) + 1):
                await asyncio.sleep(max(0.0, start_s + second - time.monotonic()))
                samples = await sample_all(probes, http, servers, second, self._recorder)
                machine.sample(self._recorder)
                self._recorder.count("dropped_starts", self._progress.schedule.dropped_in(second))
                for url, sample in zip(self._target.urls, samples, strict=True):
                    self._progress.nodes.setdefault(url, []).append(sample)
                self._progress.totals.add(second, self._recorder.take(), CONDUCTOR)
                self._watch_nodes(second)

    def _watch_nodes(self, second: int) -> None:
        """Nodes that end by themselves are an error; when nobody answers any more there is nothing left to test."""
        if self._fleet is not None:
            for node, status in self._fleet.fallen():
                self._recorder.fail(f"node {node} ended by itself with status {status}")
        latest = [points[-AWAY_S:] for points in self._progress.nodes.values()]
        silent = all(len(points) == AWAY_S and all(point.health_ms is None for point in points) for points in latest)
        if silent and not self._stop.is_set():
            self.went_away = f"the target went away after {second} s"
            self._progress.mark(second, "nobody answers")
            self._stop.set()

    async def _strike(self, made: Sequence[Generator], start_s: float) -> None:
        """What nodes suffer, at its time."""
        if self._fleet is None:
            return
        for happening in timeline(self._progress.scenario, of_nodes=True):
            await asyncio.sleep(max(0.0, start_s + happening.at_s - time.monotonic()))
            step = happening.step
            self._progress.mark(happening.at_s, f"{step.do.value} {step.node}")
            at_s = await self._fleet.strike(step)
            if step.do.value.startswith(("kill", "drain")):
                self._recorder.count("faults")
                for generator in made:
                    await generator.tell(Struck(at_s))

    async def _end_early(self, made: Sequence[Generator]) -> None:
        await self._stop.wait()
        self._progress.stage = "stopping"
        for generator in made:
            await generator.tell(Stop())


def _why(answer: NotReady, urls: Sequence[str]) -> str:
    if not answer.reached:
        return f"cannot connect to {', '.join(urls)}: {answer.reason}"
    hint = "; are key and secret those of that server?" if "token" in answer.reason else ""
    return f"no room could be opened at {urls[0]}: {answer.reason}{hint}"
