# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import asyncio
import time

from loadtest.pacer import Pacer


class Beat:
    """A step that wants to be called every 10 ms and notes when it was."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.enough = asyncio.Event()

    def step(self, now_s: float) -> float:
        self.times.append(now_s)
        if len(self.times) == 5:
            self.enough.set()
        return now_s + 0.01


async def test_steps_are_called_when_they_ask_for() -> None:
    """Each goes its own way, in the order in which they are due."""
    pacer, first, second = Pacer(), Beat(), Beat()
    pacer.add(first.step)
    pacer.add(second.step, 0.03)
    await asyncio.wait_for(asyncio.gather(first.enough.wait(), second.enough.wait()), 5)
    pacer.close()
    assert second.times[0] - first.times[0] >= 0.02
    assert all(after - before >= 0.009 for before, after in zip(first.times, first.times[1:], strict=False))


async def test_a_removed_step_is_called_no_more() -> None:
    """Also when it removes itself, and when another one still runs."""
    pacer, kept = Pacer(), Beat()
    calls: list[float] = []

    def once(now_s: float) -> float:
        calls.append(now_s)
        pacer.remove(once)
        return now_s

    pacer.add(once)
    pacer.add(kept.step)
    await asyncio.wait_for(kept.enough.wait(), 5)
    pacer.remove(kept.step)
    count = len(kept.times)
    await asyncio.sleep(0.03)
    assert (len(calls), len(kept.times)) == (1, count)


async def test_lateness_is_kept() -> None:
    """Whoever judges figures must know how late the generator itself was."""
    pacer, beat = Pacer(), Beat()

    def slow(now_s: float) -> float:
        time.sleep(0.03)
        return now_s + 60

    pacer.add(beat.step)
    pacer.add(slow)
    await asyncio.wait_for(beat.enough.wait(), 5)
    pacer.close()
    assert pacer.latest_s >= 0.015
