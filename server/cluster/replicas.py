# SPDX-License-Identifier: Apache-2.0
"""Whether a replica has what was written, where there are replicas.

WAIT makes a loss by failover unlikely; it does not make Redis consistent. Its count is looked at, never assumed.
"""

from __future__ import annotations

import re
import time
from typing import Final

from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ResponseError

from server.cluster.calls import FAULTS, Reply
from server.cluster.connect import Client, infos
from server.cluster.primaries import PrimaryPipes

NEEDED: Final = 1
WAIT_MS: Final = 100
LOOK_S: Final = 5.0
"""How often a primary without replicas is asked again whether it has got one."""
_SLAVES: Final = re.compile(r"connected_slaves:(\d+)")


class Replicas:
    """Replicas of the servers behind a client. Once one was seen, replicas are expected to be there."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._expected = False
        self._look_at: dict[str | None, float] = {}

    async def have(self, key: str, kept_ms: int) -> bool:
        """Whether enough replicas have all that was written to the server of this key; True where none is expected.

        Never raises: what cannot be confirmed is not safe.
        """
        try:
            return not await self._expect(key) or await self._wait(key, kept_ms) >= NEEDED
        except FAULTS:
            return False

    async def _expect(self, key: str) -> bool:
        owner = self._client.owner(key) if isinstance(self._client, PrimaryPipes) else None
        if not self._expected and time.monotonic() >= self._look_at.get(owner, 0.0):
            self._expected = await self._count(key) > 0
            self._look_at[owner] = time.monotonic() + LOOK_S
        return self._expected

    async def _count(self, key: str) -> int:
        """How many replicas the server of this key has; no other server is asked."""
        if not isinstance(self._client, PrimaryPipes):
            return max(int(info.get("connected_slaves", 0)) for info in await infos(self._client, "replication"))
        found = _SLAVES.search(str(await self._client.ask(key, "INFO", "replication")))
        return int(found[1]) if found else 0

    async def _wait(self, key: str, kept_ms: int) -> int:
        """WAIT counts from the last write of its own connection: so one is made first, later than all before it."""
        write, wait = ("PEXPIRE", key, kept_ms), ("WAIT", NEEDED, WAIT_MS)
        if isinstance(self._client, PrimaryPipes):
            node = self._client.get_node_from_key(key)
            if node is None:
                return 0
            connection = node.acquire_connection()
            try:
                await connection.send_packed_command(connection.pack_commands([write, wait]))
                written, count = [await _answer(connection) for _ in (write, wait)]
            finally:
                node.release(connection)
            return 0 if isinstance(written, ResponseError) or not isinstance(count, int) else count
        pipeline = self._client.pipeline(transaction=False)
        pipeline.execute_command(*write)
        pipeline.execute_command(*wait)
        return int((await pipeline.execute())[1])


async def _answer(connection: AbstractConnection) -> Reply | ResponseError:
    """The next one, which may be a refusal: left behind, it would be that of somebody else's question."""
    try:
        reply: Reply = await connection.read_response()
    except ResponseError as refusal:
        return refusal
    return reply
