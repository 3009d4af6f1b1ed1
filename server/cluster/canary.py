# SPDX-License-Identifier: Apache-2.0
"""Whether a pub/sub connection still delivers. Pure: it counts probes instead of time.

A connection can be healthy for TCP and deaf all the same (a replica that was detached, a half-open link): only a
message that comes back proves that it hears. Probes are counted, as a node that was held up for a while would find them
overdue before it had a chance to read them.
"""

from __future__ import annotations

from typing import Final

OVERDUE: Final = 3


class Canary:
    """Numbers the probes that are sent into a channel, and knows how many have not come back."""

    def __init__(self) -> None:
        self._number = 0
        self._waiting: set[int] = set()

    def silent(self) -> bool:
        """Whether too many are out."""
        return len(self._waiting) >= OVERDUE

    def send(self) -> int:
        """The number to publish now."""
        self._number += 1
        self._waiting.add(self._number)
        return self._number

    def unsent(self, number: int) -> None:
        """It could not be published: that says nothing about who listens."""
        self._waiting.discard(number)

    def heard(self, number: int) -> None:
        """It has come back, and with it all before it are settled."""
        self._waiting = {sent for sent in self._waiting if sent > number}

    def restart(self) -> None:
        """A new connection: what was out will not come back on it."""
        self._waiting.clear()
