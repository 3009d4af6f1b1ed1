# SPDX-License-Identifier: Apache-2.0
"""Tasks that run until they are ended: how they begin and end."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Final

AGAIN_S: Final = 0.1


def begin(work: Coroutine[None, None, None]) -> asyncio.Task[None]:
    """Start it. A fault in it is reported to the loop at once."""
    task = asyncio.get_running_loop().create_task(work)
    task.add_done_callback(_report)
    return task


async def end(*tasks: asyncio.Task[None] | None) -> None:
    """Cancel these tasks and wait until they are over.

    One cancellation is not enough: asyncio.wait_for of Python 3.11, which redis-py uses, may swallow it.
    """
    left = {task for task in tasks if task is not None}
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=AGAIN_S)


def _report(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        message = f"fault in a task: {type(error).__name__}"
        task.get_loop().call_exception_handler({"message": message, "exception": error, "task": task})
