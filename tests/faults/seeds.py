# SPDX-License-Identifier: Apache-2.0
"""What a run takes: FAULT_SEEDS="1 2 3", FAULT_TOPOLOGIES="single sentinel cluster", FAULTS_REDIS=redis or valkey.

The last alone, or each in turns.
"""

from __future__ import annotations

import os
from typing import Final, Literal, get_args

from tests.cluster.servers import KINDS, Kind

Topology = Literal["single", "sentinel", "cluster"]
SEEDS: Final = tuple(map(int, os.environ.get("FAULT_SEEDS", "1").split()))
_ONLY: Final = os.environ.get("FAULTS_REDIS")
if _ONLY is not None and _ONLY not in get_args(Kind):
    raise ValueError(f"FAULTS_REDIS: {_ONLY!r} is neither redis nor valkey")
_NAMED: Final = os.environ.get("FAULT_TOPOLOGIES", " ".join(get_args(Topology))).split()
TOPOLOGIES: Final[tuple[Topology, ...]] = tuple(name for name in get_args(Topology) if name in _NAMED)
if len(TOPOLOGIES) != len(_NAMED):
    raise ValueError(f"FAULT_TOPOLOGIES: {_NAMED} are not all of {get_args(Topology)}")


def kind_of(seed: int, topology: Topology = "single") -> Kind:
    """Redis and Valkey take turns, unless one alone is wanted; a Cluster meets the other one."""
    wanted = [kind for kind in KINDS if _ONLY in (None, kind)]
    return wanted[(seed - (topology != "cluster")) % len(wanted)]
