# SPDX-License-Identifier: Apache-2.0
"""How tests set a runner up and speak with it."""

from __future__ import annotations

import asyncio
from itertools import count
from typing import Any

from server.cluster.memory import MemoryLog
from server.errors import CommandRejected, RejectCode
from server.ids import CommandId, ParticipantId
from server.ports import RoomLog, Seq
from server.runner import Environment, RoomRunner, Rules, RunnerSettings
from tests.runner.faulty import FaultyLog
from tests.runner.toys import FIRST, RAISE, ROOM, TIMELESS
from tests.runner.virtual import VirtualClock

ONCE = CommandId("1")


async def start(log: RoomLog, settings: RunnerSettings | None = None, rules: Rules = TIMELESS) -> RoomRunner:
    """A node's runner of the toy room, at rest."""
    loaded = await log.create(ROOM, FIRST)
    environment = Environment(log, rules, VirtualClock(), count().__next__, settings or RunnerSettings())
    runner = RoomRunner(ROOM, loaded, environment)
    await asyncio.sleep(0.001)  # it has caught up
    return runner


def faulty() -> FaultyLog:
    """A memory log behind a network."""
    return FaultyLog(MemoryLog(VirtualClock()))


def press(runner: RoomRunner, person: str, command_id: CommandId = ONCE) -> asyncio.Future[Seq]:
    """The toy command of this person."""
    return runner.enqueue(RAISE, ParticipantId(person), command_id)


def refusal_of(outcome: object) -> RejectCode | None:
    """Why it was refused."""
    return outcome.code if isinstance(outcome, CommandRejected) else None


def reports() -> list[dict[str, Any]]:
    """What the loop is told of faults from now on."""
    told: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    return told
