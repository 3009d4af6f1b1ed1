# SPDX-License-Identifier: Apache-2.0
"""Which seeds a run takes: FAULT_SEEDS="1 2 3", and the server each of them meets: FAULTS_REDIS=redis or valkey."""

from __future__ import annotations

import os
from typing import Final, get_args

from tests.cluster.servers import KINDS, Kind

SEEDS: Final = tuple(map(int, os.environ.get("FAULT_SEEDS", "1").split()))
_ONLY: Final = os.environ.get("FAULTS_REDIS")
if _ONLY is not None and _ONLY not in get_args(Kind):
    raise ValueError(f"FAULTS_REDIS: {_ONLY!r} is neither redis nor valkey")


def kind_of(seed: int) -> Kind:
    """Redis and Valkey take turns, unless one alone is wanted."""
    wanted = [kind for kind in KINDS if _ONLY in (None, kind)]
    return wanted[(seed - 1) % len(wanted)]
