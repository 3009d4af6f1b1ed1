# SPDX-License-Identifier: Apache-2.0
"""The memory log keeps the contract."""

from __future__ import annotations

import pytest

from server.cluster.clock import MonotonicClock
from server.cluster.memory import KEPT_COMMANDS, MemoryLog
from server.ports import Appended, RoomLog, Seq
from tests.cluster.contract import CONTRACT, ROOM, Promise, entry, name_of, opened


class _Connect:
    """All nodes have the same one."""

    def __init__(self) -> None:
        self._log = MemoryLog(MonotonicClock())

    def __call__(self) -> RoomLog:
        return self._log

    async def settle(self) -> None:
        return


@pytest.mark.parametrize("promise", CONTRACT, ids=name_of)
async def test_memory_log(promise: Promise) -> None:
    """Each promise of the contract holds."""
    await promise(_Connect())


async def test_the_memory_of_commands_is_bounded() -> None:
    """The oldest are forgotten."""
    log = MemoryLog(MonotonicClock())
    epoch = await opened(log)
    for seq in range(KEPT_COMMANDS + 1):
        assert await log.append(ROOM, epoch, Seq(seq), (entry(f"a:{seq}"),)) == Appended()
    assert await log.append(ROOM, epoch, Seq(KEPT_COMMANDS + 1), (entry("a:0"),)) == Appended()


def test_log_time_does_not_go_back() -> None:
    """It is like the date, but only counts."""
    clock = MonotonicClock()
    times = [clock.now_ms() for _ in range(100)]
    assert times == sorted(times)
    assert times[0] > 1_600_000_000_000
