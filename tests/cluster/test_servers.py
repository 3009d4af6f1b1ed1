# SPDX-License-Identifier: Apache-2.0
"""The servers of the tests are real, and do what the tests need."""

from __future__ import annotations

import pytest
from redis.exceptions import RedisError

from tests.cluster.servers import KINDS, Kind, redis_server


@pytest.mark.parametrize("kind", KINDS)
async def test_a_server_can_be_paused_killed_and_started_again(kind: Kind) -> None:
    """Without an append-only file it comes back empty; with one, as it was."""
    for appendonly in (False, True):
        async with redis_server(kind, appendonly=appendonly, args=["--appendfsync", "always"]) as server:
            with server.admin(0.5) as client:
                client.set("key", "value")
                server.pause()
                with pytest.raises(RedisError):
                    client.ping()
                server.resume()
                client.close()
                await server.restart()
                assert client.get("key") == (b"value" if appendonly else None)
