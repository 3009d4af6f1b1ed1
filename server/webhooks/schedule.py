# SPDX-License-Identifier: Apache-2.0
"""When news is sent again that was not taken, and when it is given up. Pure."""

from __future__ import annotations

from typing import Final

FIRST_MS: Final = 1_000
LONGEST_MS: Final = 60_000
GIVE_UP_MS: Final = 6 * 3_600_000
"""So long after it happened nobody needs it any more; longer than a bad night of a receiver."""
_JITTER: Final = 0.5


def wait_ms(failures: int, luck: float) -> int:
    """How long to wait after so many failures in a row: twice as long each time, less up to half by `luck` (0 to 1).

    Without luck all senders would come back at once (https://aws.amazon.com/builders-library: "jitter").
    """
    longest = min(LONGEST_MS, FIRST_MS << min(max(0, failures - 1), 16))
    return round(longest * (1 - _JITTER * luck))


def is_too_old(happened_ms: int, now_ms: int) -> bool:
    """Whether to give it up."""
    return now_ms - happened_ms > GIVE_UP_MS
