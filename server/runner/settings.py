# SPDX-License-Identifier: Apache-2.0
"""Bounds of the runners, and what all runners of a node share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from msgspec import Struct

from server.ids import RoomId
from server.ports import Clock, RoomLog
from server.runner.steps import Limits, Rules

RESEED_MS: Final = 8_000
"""Nodes look every second or two where the logs stand; one that could bring a room back may be cut off for a while."""


class RunnerSettings(Struct, frozen=True):
    """Bounds of a runner. Times are milliseconds.

    `mailbox`: commands that may wait; the system's own (a connection lost) get as much again: nobody repeats them.
    `call_ms`: deadline of one call of the log. `answer_ms`: when a command is answered BUSY while the log is away.
    `backoff_ms`: first and longest wait before the log is asked again after a failure.
    `ended_ms`, `empty_ms`: how long a room is kept after the session is over, and while nobody has a seat in it.
    `reseed_ms`: how long other nodes may need to bring a room back that the log has lost; 0: there are none.
    """

    mailbox: int = 256
    limits: Limits = Limits()
    call_ms: int = 400
    answer_ms: int = 2_000
    backoff_ms: tuple[int, int] = (25, 500)
    ended_ms: int = 60_000
    empty_ms: int = 24 * 3_600_000
    reseed_ms: int = 0


async def alone(room: RoomId) -> None:
    """Nobody else needs to know."""
    del room


def at_once(room: RoomId) -> int:
    """Nobody else might do it first."""
    del room
    return 0


class Environment(Struct, frozen=True):
    """What all runners of a node share. `seeds` gives a fresh random number at each call.

    `note`: called before somebody takes a seat here; raises LogUnavailable. `defer_ms`: how long time-outs of a room
    wait here for the node that should see to them first.
    """

    log: RoomLog
    rules: Rules
    clock: Clock
    seeds: Callable[[], int]
    settings: RunnerSettings = RunnerSettings()
    note: Callable[[RoomId], Awaitable[None]] = alone
    defer_ms: Callable[[RoomId], int] = at_once
