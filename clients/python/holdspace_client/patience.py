# SPDX-License-Identifier: Apache-2.0
"""When to come back after a lost connection: quick at first, then slower, and never a whole group at once. Pure."""

from __future__ import annotations

from typing import Final

DELAYS_S: Final = (0.0, 0.3, 1.0, 2.0, 3.0, 5.0)
"""Before each attempt; the last one goes on. A seat is kept for a minute."""
GIVE_UP_S: Final = 600.0


def delay_s(attempt: int, chance: float, retry_after_ms: int | None = None) -> float:
    """How long to wait before this attempt (from 0 on). `chance` is in [0, 1): up to half as much is added by it.

    `retry_after_ms`: what the server asked for when it ended the connection.
    """
    base = DELAYS_S[min(attempt, len(DELAYS_S) - 1)]
    return max(base, (retry_after_ms or 0) / 1_000) * (1 + chance / 2)
