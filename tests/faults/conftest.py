# SPDX-License-Identifier: Apache-2.0
"""Each fault strikes once for each seed."""

from __future__ import annotations

import pytest

from tests.faults.seeds import SEEDS, TOPOLOGIES, Topology


@pytest.fixture(params=SEEDS, ids="seed {}".format)
def seed(request: pytest.FixtureRequest) -> int:
    """What people do, when they retry, and which server keeps the log."""
    number: int = request.param
    return number


@pytest.fixture(params=[pytest.param(name, marks=[pytest.mark.slow] * (name != "single")) for name in TOPOLOGIES])
def topology(request: pytest.FixtureRequest) -> Topology:
    """What the nodes keep their log in: one server, one with a replica and Sentinels, or a Cluster."""
    name: Topology = request.param
    return name
