# SPDX-License-Identifier: Apache-2.0
"""Log time of a single node."""

from __future__ import annotations

import time
from typing import Final

_NS_PER_MS: Final = 1_000_000


class MonotonicClock:
    """`Clock` that never goes back: the wall clock is read once, so that times look like dates; then it only counts."""

    def __init__(self) -> None:
        self._offset_ns = time.time_ns() - time.monotonic_ns()

    def now_ms(self) -> int:
        return (time.monotonic_ns() + self._offset_ns) // _NS_PER_MS
