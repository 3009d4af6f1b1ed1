# SPDX-License-Identifier: Apache-2.0
"""Whether a pub/sub connection still delivers. Pure: time is an argument (ms).

A connection can be healthy for TCP and deaf all the same (a replica that was detached, a half-open link): only a
message that comes back proves that it hears.
"""

from __future__ import annotations

from typing import Final

PATIENCE_MS: Final = 1_500


class Canary:
    """Numbers the probes that are sent into a channel, and knows which are overdue."""

    def __init__(self, patience_ms: int = PATIENCE_MS) -> None:
        self._patience_ms = patience_ms
        self._number = 0
        self._waiting: dict[int, int] = {}

    def send(self, now_ms: int) -> int:
        """The number to publish now."""
        self._number += 1
        self._waiting[self._number] = now_ms
        return self._number

    def unsent(self, number: int) -> None:
        """It could not be published: that says nothing about who listens."""
        self._waiting.pop(number, None)

    def heard(self, number: int) -> None:
        """It has come back, and with it all before it are settled."""
        self._waiting = {sent: since for sent, since in self._waiting.items() if sent > number}

    def silent(self, now_ms: int) -> bool:
        """Whether one has been out for too long."""
        return any(now_ms - since >= self._patience_ms for since in self._waiting.values())

    def restart(self) -> None:
        """A new connection: what was out will not come back on it."""
        self._waiting.clear()
