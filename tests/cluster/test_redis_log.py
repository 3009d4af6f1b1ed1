# SPDX-License-Identifier: Apache-2.0
"""The log on real servers keeps the contract."""

from __future__ import annotations

import pytest

from tests.cluster.contract import CONTRACT, Promise, name_of
from tests.cluster.nodes import joined
from tests.cluster.servers import RunningRedis


@pytest.mark.parametrize("promise", CONTRACT, ids=name_of)
async def test_redis_log(promise: Promise, shared_server: RunningRedis) -> None:
    """Each promise of the contract holds, with a connection for each node."""
    async with joined(shared_server.url) as nodes:
        await promise(nodes)
