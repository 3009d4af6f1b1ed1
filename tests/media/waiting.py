# SPDX-License-Identifier: Apache-2.0
"""Waiting for what another process or socket will bring."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def until(look: Callable[[], T | None], seconds: float = 15.0) -> T:
    """What `look` finds, as soon as that is something true."""
    async with asyncio.timeout(seconds):
        while not (found := look()):  # noqa: ASYNC110 - what is looked at knows no events
            await asyncio.sleep(0.01)
        return found
