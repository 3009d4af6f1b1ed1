# SPDX-License-Identifier: Apache-2.0
"""How tasks that run until they are ended are ended."""

from __future__ import annotations

import asyncio
from typing import Any, Final

AGAIN_S: Final = 0.1


async def end(*tasks: asyncio.Task[Any] | None) -> None:
    """Cancel these tasks and wait until they are over. Raises what one of them had raised before.

    One cancellation is not enough: a library may take it for the end of a time-out of its own (redis-py does).
    """
    left = {task for task in tasks if task is not None}
    done: set[asyncio.Task[Any]] = set()
    while left:
        for task in left:
            task.cancel()
        ended, left = await asyncio.wait(left, timeout=AGAIN_S)
        done |= ended
    for task in done:
        if not task.cancelled() and (error := task.exception()) is not None:
            raise error
