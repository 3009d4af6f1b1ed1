# SPDX-License-Identifier: Apache-2.0
"""Clocks that are wrong, timers that nobody watches; the numbers are those of the fault list."""

from __future__ import annotations

import asyncio
import time
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Final, NamedTuple

import pytest
from aiohttp import ClientSession

from holdspace_client.protocol.rooms import commands as c
from holdspace_client.protocol.rooms.state import AssignmentStrategy
from holdspace_client.protocol.signaling.messages import Ok
from server.ids import MAIN
from server.rooms.events import TimerOver
from tests.faults.checker.history import Ended, Gauge, Run
from tests.faults.client import Client, now_ms
from tests.faults.nodes import Node
from tests.faults.scene import Scene, until
from tests.faults.seeds import Topology
from tests.faults.stages import PEOPLE, empty_stage
from tests.faults.workload import take_part

pytestmark = pytest.mark.slow

ERROR_MS: Final = 500
"""How far from its moment a timer may fire."""
FAKE: Final = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))


class WallClock:
    """The wall clock of one node, to be set; every other clock of it goes on as ever (libfaketime)."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "wall-clock"
        self.set(0)

    def set(self, offset_s: int) -> None:
        """So much later (or earlier) than everybody else's."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{offset_s:+d}\n")
        new.rename(self._file)

    @property
    def environment(self) -> dict[str, str]:
        """What the node must see."""
        return {
            "LD_PRELOAD": str(FAKE[0]),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }


async def test_10_a_wall_clock_that_jumps(tmp_path: Path, seed: int, topology: Topology) -> None:
    """By an hour either way, and by 30 s back and forth: nobody is disconnected, and timers keep their moment."""
    assert FAKE, "libfaketime is missing (Debian: apt-get install libfaketime)"
    wall = WallClock(tmp_path)
    async with empty_stage(tmp_path, seed, topology, environments=(wall.environment,)) as (scene, *_):
        moderator = await _talking(scene)
        errors: list[int] = []
        for offset_s in (3_600, -3_600, 30, -30, 30, -30, 0):
            opened = await _open(scene, moderator, 1_500)
            wall.set(offset_s)
            shown_s = await wall_clock_s(scene.nodes[0])
            assert abs(shown_s - time.time() - offset_s) < 5
            errors.append(await _until_closed(scene, opened))
        ended = sum(isinstance(record, Ended) for client in scene.clients for record in client.records)
        gauges = (
            Gauge("connections that ended", ended, 0),
            Gauge("error of the timer", max(map(abs, errors)), ERROR_MS),
        )
        more = {"timer_error_ms": errors}
        await scene.conclude(10, "the wall clock of a node jumps (1 h, 30 s)", gauges=gauges, more=more)


async def test_36_the_last_moderator_is_gone(tmp_path: Path, seed: int, topology: Topology) -> None:
    """And the node they were at: at the end of the time everybody is back in main, whom nobody leads."""
    async with empty_stage(tmp_path, seed, topology) as (scene, *_):
        moderator = await _talking(scene)
        opened = await _open(scene, moderator, 5_000)
        assert isinstance(await moderator.insist(c.Leave()), Ok)
        await moderator.depart()
        await scene.nodes[0].kill()
        error_ms = await _until_closed(scene, opened)
        gauges = (Gauge("error of the timer", abs(error_ms), ERROR_MS),)
        run = await scene.conclude(
            36, "the last moderator gone in the middle of breakouts", gauges=gauges, more={"timer_error_ms": error_ms}
        )
        assert transitions(run) == 1


async def test_37_a_timer_fires_on_all_nodes_at_once(tmp_path: Path, seed: int, topology: Topology) -> None:
    """All of them wake up when it is over already: it is over once."""
    rounds = 4
    async with empty_stage(tmp_path, seed, topology) as (scene, *_):
        moderator = await _talking(scene)
        for _ in range(rounds):
            opened = await _open(scene, moderator, 1_000)
            await asyncio.sleep((opened.ends_ms - now_ms()) / 1000 - 0.2)
            for node in scene.nodes:
                node.pause()
            await asyncio.sleep(0.6)
            for node in scene.nodes:
                node.resume()
            await _until_closed(scene, opened)
        run = await scene.conclude(37, "a timer fires on three nodes at once")
        assert transitions(run) == rounds


def transitions(run: Run) -> int:
    """How often time was up, in the log."""
    (life,) = run.lives
    return sum(isinstance(event, TimerOver) for entry in life.entries for event in entry.events)


async def wall_clock_s(node: Node) -> float:
    """What the node takes for the time of day, by what it tells with each answer (RFC 9110, Date)."""
    async with ClientSession() as http, http.get(f"{node.url}/readyz") as answer:
        return parsedate_to_datetime(answer.headers["Date"]).timestamp()


async def _talking(scene: Scene) -> Client:
    """People on all nodes who talk; the moderator."""
    moderator = await scene.gather(PEOPLE)
    for client in scene.clients[1:]:
        scene.start(take_part(client, 0.5))
    return moderator


class _Round(NamedTuple):
    """Breakouts for a time. `first`: who was there first; the first of them to be back tells when it was over."""

    first: tuple[Client, ...]
    ends_ms: int


async def _open(scene: Scene, moderator: Client, duration_ms: int) -> _Round:
    """Breakouts for so long."""
    assert await moderator.manage(c.DraftPlan(AssignmentStrategy.RANDOM, 3, duration_ms))
    view = await moderator.until(lambda view: view.breakouts.plan is not None)
    assert view.breakouts.plan is not None
    opening = asyncio.create_task(moderator.manage(c.OpenBreakouts(view.breakouts.plan.version, allow_alone=True)))
    await until(lambda: any(map(_in_breakout, scene.clients)), 10)
    seen_ms, first = now_ms(), tuple(filter(_in_breakout, scene.clients))
    assert await opening
    return _Round(first, seen_ms + duration_ms)


def _in_breakout(client: Client) -> bool:
    return client.placement not in (None, MAIN)


async def _until_closed(scene: Scene, opened: _Round) -> int:
    """Wait until everybody is in main; how late the first of them came, in ms."""
    await until(lambda: not all(map(_in_breakout, opened.first)), 15)
    error_ms = now_ms() - opened.ends_ms
    people = [client for client in scene.clients if client.staying]
    await until(lambda: all(client.placement == MAIN for client in people), 15)
    assert {client.placement for client in people} == {MAIN}
    return error_ms
