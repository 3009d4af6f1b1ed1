# SPDX-License-Identifier: Apache-2.0
"""One server of each kind for all tests that do it no harm: each uses key names of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cluster.servers import KINDS, RunningRedis, started


@pytest.fixture(scope="session", params=KINDS)
def shared_server(request: pytest.FixtureRequest) -> Iterator[RunningRedis]:
    """A running server; do not stop, empty or configure it."""
    with started(request.param) as server:
        yield server
