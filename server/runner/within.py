# SPDX-License-Identifier: Apache-2.0
"""A deadline that costs nothing where there is nothing to wait for, as with the log in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Generator
from typing import Any, Generic, TypeVar, cast

T = TypeVar("T")


async def within(seconds: float, coroutine: Coroutine[Any, Any, T]) -> T:
    """What the coroutine returns. Raises TimeoutError if it has to wait, and for longer than this."""
    try:
        awaited = coroutine.send(None)
    except StopIteration as done:
        return cast("T", done.value)
    async with asyncio.timeout(seconds):
        return await _Begun(coroutine, awaited)


class _Begun(Generic[T]):
    """The rest of a coroutine that waits for something already."""

    def __init__(self, coroutine: Coroutine[Any, Any, T], awaited: object) -> None:
        self._coroutine = coroutine
        self._awaited = awaited

    def __await__(self) -> Generator[Any, Any, T]:
        try:
            while True:
                try:
                    sent = yield self._awaited
                except BaseException as error:  # noqa: BLE001 - the coroutine's to handle, cancellation too
                    self._awaited = self._coroutine.throw(error)
                else:
                    self._awaited = self._coroutine.send(sent)
        except StopIteration as done:
            return cast("T", done.value)
