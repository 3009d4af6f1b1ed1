# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import asyncio

import pytest

from server.runner.within import within


async def test_what_does_not_wait_needs_no_timer() -> None:
    """Its value is there at once, and the loop is never asked."""

    async def seven() -> int:
        return 7

    waiting = within(0.0, seven())
    with pytest.raises(StopIteration) as done:
        waiting.send(None)
    assert done.value.value == 7


async def test_what_waits_gets_its_value_and_its_errors() -> None:
    """As if it had been awaited as it is."""
    futures = [asyncio.get_running_loop().create_future() for _ in range(2)]

    async def both() -> list[int]:
        return [await futures[0], await futures[1]]

    asyncio.get_running_loop().call_soon(futures[0].set_result, 1)
    asyncio.get_running_loop().call_later(0.01, futures[1].set_result, 2)
    assert await within(5, both()) == [1, 2]

    async def failing() -> None:
        await asyncio.sleep(0)
        raise LookupError

    with pytest.raises(LookupError):
        await within(5, failing())


async def test_what_waits_too_long_is_cancelled() -> None:
    """It may clean up; whoever waits for it gets TimeoutError."""
    ended = []

    async def endless() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            ended.append(True)

    with pytest.raises(TimeoutError):
        await within(0.01, endless())
    assert ended == [True]


async def test_a_cancelled_waiter_cancels_what_it_waits_for() -> None:
    """Both end."""
    ended = []

    async def endless() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            ended.append(True)

    task = asyncio.create_task(within(5, endless()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == [True]
