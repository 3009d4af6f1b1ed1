# SPDX-License-Identifier: Apache-2.0
"""Log time as one node counts it. Pure: what the node's own monotonic clock says is an argument (ns).

Redis `TIME` is the wall clock of that machine: it may be set, and another machine's takes its place after a failover.
So it is never followed at once: log time runs a tenth faster or slower until both agree again, on all nodes alike.
"""

from __future__ import annotations

from typing import Final

_NS_PER_MS: Final = 1_000_000
_SLEW: Final = 10
"""Log time gains or loses at most one part in so many."""


class LogTime:
    """Counts from a first reading of the shared clock; readings after it only steer. Never goes back.

    `ahead_ns`: by how much log time already is ahead of the shared clock, as those who have counted longer say.
    """

    def __init__(self, local_ns: int, shared_ns: int, ahead_ns: int = 0) -> None:
        self._at_ns = local_ns
        self._target_ns = shared_ns - local_ns
        self._offset_ns = self._target_ns + ahead_ns

    def now_ms(self, local_ns: int) -> int:
        """Log time, in ms."""
        return (local_ns + self._offset_at(local_ns)) // _NS_PER_MS

    def ahead_ns(self, local_ns: int) -> int:
        """By how much log time is ahead of the shared clock, as far as that is known."""
        return self._offset_at(local_ns) - self._target_ns

    def steer(self, local_ns: int, shared_ns: int, error_ns: int) -> None:
        """The shared clock said this, give or take the error; what is within that changes nothing."""
        self._offset_ns = self._offset_at(local_ns)
        self._at_ns = local_ns
        seen_ns = shared_ns - local_ns
        if abs(seen_ns - self._target_ns) > error_ns:
            self._target_ns = seen_ns

    def _offset_at(self, local_ns: int) -> int:
        most = max(0, local_ns - self._at_ns) // _SLEW
        return self._offset_ns + max(-most, min(most, self._target_ns - self._offset_ns))
