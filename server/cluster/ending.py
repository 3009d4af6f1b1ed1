# SPDX-License-Identifier: Apache-2.0
"""How tasks that run until they are ended are ended."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any


async def end(*tasks: asyncio.Task[Any] | None) -> None:
    """Cancel these tasks and wait until they are over. Raises what one of them had raised before."""
    for task in tasks:
        if task is not None:
            task.cancel()
    for task in tasks:
        if task is not None:
            with suppress(asyncio.CancelledError):
                await task
