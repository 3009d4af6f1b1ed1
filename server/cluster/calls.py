# SPDX-License-Identifier: Apache-2.0
"""One call to Redis: who makes it, and what it comes to."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Final, Protocol

from redis.exceptions import RedisClusterException, RedisError

from server.ports import LogUnavailable

CONNECT_S: Final = 1.0
CALL_S: Final = 1.0
FAULTS: Final = (RedisError, RedisClusterException, OSError, TimeoutError, RuntimeError)
"""What a call raises when Redis does not answer as it should; the last is uvloop's word for a transport that has just
been closed, which redis-py passes on."""

Word = str | bytes | int | float
Reply = object
"""None, an int, bytes, or a list of these."""


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
