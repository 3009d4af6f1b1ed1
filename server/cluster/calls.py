# SPDX-License-Identifier: Apache-2.0
"""One call to Redis: who makes it, and what it comes to."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Final, Protocol

from redis.exceptions import RedisClusterException, RedisError

from server.ports import LogUnavailable

CONNECT_S: Final = 1.0
CALL_S: Final = 1.0
WHY_CHARS: Final = 200
FAULTS: Final = (RedisError, RedisClusterException, OSError, TimeoutError, RuntimeError)
"""What a call raises when Redis does not answer as it should; the last is uvloop's word for a transport that has just
been closed, which redis-py passes on."""

Word = str | bytes | int | float
Reply = object
"""None, an int, bytes, or a list of these."""


def why(error: BaseException) -> str:
    """What has failed a call, in Redis' or the system's own words, for the log. Nothing of a room stands in it."""
    while isinstance(error, LogUnavailable) and error.__cause__ is not None:
        error = error.__cause__
    words = " ".join(str(error).split())[:WHY_CHARS]
    return f"{type(error).__name__}: {words}" if words else type(error).__name__


class Executes(Protocol):
    """The one method of redis-py's clients that calls need, with a type."""

    def execute_command(self, *args: Word) -> Awaitable[Reply]:
        """Send a command."""


async def call(client: Executes, *args: Word) -> Reply:
    """Send a command once. Raises LogUnavailable; open whether the command took effect."""
    try:
        return await client.execute_command(*args)
    except FAULTS as error:
        raise LogUnavailable from error
