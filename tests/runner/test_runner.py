# SPDX-License-Identifier: Apache-2.0
"""The asyncio shell, on the memory log."""

from __future__ import annotations

import asyncio
from itertools import count

import pytest

from server.cluster.clock import MonotonicClock
from server.cluster.memory import MemoryLog
from server.errors import CommandRejected, RejectCode
from server.ids import CommandId, ParticipantId
from server.ports import Epoch, RoomLog, Seq
from server.rooms.state import RoomState
from server.runner import Commit, Environment, RoomRunner, Rooms, RunnerSettings
from tests.runner.toys import FIRST, RAISE, ROOM, TIMELESS, effects

ONCE = CommandId("1")


class Recorder:
    """A listener that keeps what it was told."""

    def __init__(self) -> None:
        self.commits: list[Commit] = []
        self.resets: list[RoomState] = []
        self.error: Exception | None = None

    def committed(self, commit: Commit) -> None:
        self.commits.append(commit)

    def reset(self, state: RoomState, epoch: Epoch, seq: Seq) -> None:
        del epoch, seq
        self.resets.append(state)

    def closed(self, error: Exception) -> None:
        self.error = error


def environment(log: RoomLog | None = None, settings: RunnerSettings | None = None) -> Environment:
    """A node on this log."""
    clock = MonotonicClock()
    return Environment(log or MemoryLog(clock), TIMELESS, clock, count().__next__, settings or RunnerSettings())


async def raise_hand(runner: RoomRunner, person: str) -> Seq:
    """The toy command of this person."""
    return await runner.submit(RAISE, ParticipantId(person), ONCE)


async def test_a_command_is_committed_and_acknowledged() -> None:
    """The position is the acknowledgement, and the state holds the effect by then."""
    rooms = Rooms(environment())
    runner = await rooms.open(ROOM, FIRST)
    assert await raise_hand(runner, "a") == 1
    assert effects(runner.state) == "a"
    await rooms.close()


async def test_commands_that_wait_share_one_append_and_one_commit() -> None:
    """Entries keep the order of the mailbox; a refusal in between changes nothing."""
    rooms = Rooms(environment())
    runner = await rooms.open(ROOM, FIRST)
    recorder = Recorder()
    runner.subscribe(recorder)
    verdicts = await asyncio.gather(*(raise_hand(runner, person) for person in "axyb"), return_exceptions=True)
    assert [verdicts[0], verdicts[1], verdicts[3]] == [1, 2, 3]
    assert isinstance(verdicts[2], CommandRejected)
    assert [(commit.first, commit.last, len(commit.events)) for commit in recorder.commits] == [(1, 3, 3)]
    await rooms.close()


async def test_a_full_mailbox_refuses() -> None:
    """Beyond its bound the room is BUSY and says when to come back."""
    rooms = Rooms(environment(settings=RunnerSettings(mailbox=2)))
    runner = await rooms.open(ROOM, FIRST)
    waiting = [runner.enqueue(RAISE, ParticipantId(person), ONCE) for person in "ab"]
    with pytest.raises(CommandRejected) as refused:
        runner.enqueue(RAISE, ParticipantId("c"), ONCE)
    assert refused.value.code is RejectCode.BUSY
    assert refused.value.retry_after_ms is not None
    assert await asyncio.gather(*waiting) == [1, 2]
    await rooms.close()
