# SPDX-License-Identifier: Apache-2.0
"""Packets of a publisher that were skipped, and when to ask for them (RFC 4585 section 6.2.1). Pure."""

from __future__ import annotations

from typing import Final

NACK_AGE: Final = 256
"""How far behind the newest a lost packet is still asked for."""

NACK_ATTEMPTS: Final = 4
NACK_RETRY_MS: Final = 70
"""After the first request at the least; each further one waits twice as long."""

LONGEST_RETRY_MS: Final = 1_000
PATIENCE: Final = 1.2
"""In round trips: an answer that is still on its way is not asked for again."""

REPAIR_SHARE: Final = 0.25
"""Requests for each packet that came. An uplink that lost its width drowns in what it has to send again."""

MAX_NACKS: Final = 32
"""Lost packets asked for at once; more than that is a burst that a keyframe heals sooner."""

HOPEFUL: Final = MAX_NACKS / 2
"""Requests that must be left again before a stream in which too much was lost is worth watching."""


class Holes:
    """Extended sequence numbers that did not come. Times are monotonic milliseconds.

    `fresh` is set when something is skipped, and taken back by whoever asks: a first request should not wait.
    """

    __slots__ = ("_attempts", "_credit", "_due_ms", "_hopeless", "_received", "fresh")

    def __init__(self) -> None:
        self._credit = float(MAX_NACKS)
        self._hopeless = False
        self._received = 0
        self._attempts: dict[int, int] = {}
        self._due_ms: dict[int, int] = {}
        self.fresh = False

    @property
    def open(self) -> bool:
        """Whether anything is missing at all."""
        return bool(self._due_ms)

    def skipped(self, first: int, end: int) -> None:
        """Everything from `first` up to `end` is missing, `end` came; of a long gap the newest are kept."""
        for number in [number for number in self._due_ms if number < end - NACK_AGE]:
            self.filled(number)
        for number in range(max(first, end - MAX_NACKS), end):
            self._attempts[number] = self._due_ms[number] = 0
            self.fresh = True

    def filled(self, number: int) -> None:
        """It came after all, or is of no use any more."""
        if self._due_ms.pop(number, None) is not None:
            del self._attempts[number]

    def again(self) -> None:
        """What was asked for went where nobody listens any more: ask for it anew, at the next opportunity."""
        if self._due_ms:
            self._credit = float(MAX_NACKS)
            self._hopeless = False
            self._attempts = dict.fromkeys(self._attempts, 0)
            self._due_ms = dict.fromkeys(self._due_ms, 0)
            self.fresh = True

    def hopeless(self, received: int) -> bool:
        """Whether more is lost than may be asked for: what cannot be repaired is no picture."""
        self._earn(received)
        self._hopeless &= self._credit < HOPEFUL
        return self._hopeless

    def due(self, newest: int, now_ms: int, received: int, rtt_ms: float) -> list[int]:
        """16-bit numbers to ask for now, oldest first. `received`: packets so far; an answer takes `rtt_ms`."""
        self._earn(received)
        waiting = [number for number, due_ms in self._due_ms.items() if due_ms <= now_ms]
        asked = waiting[max(0, len(waiting) - int(self._credit)) :]
        self._credit -= len(asked)
        self._hopeless |= len(asked) < len(waiting)
        retry_ms = int(min(LONGEST_RETRY_MS, max(NACK_RETRY_MS, PATIENCE * rtt_ms)))
        for number in asked:
            attempts = self._attempts[number] = self._attempts[number] + 1
            self._due_ms[number] = now_ms + (retry_ms << attempts - 1)
        for number in [number for number, attempts in self._attempts.items() if attempts >= NACK_ATTEMPTS]:
            self.filled(number)
        return [number & 0xFFFF for number in asked if number >= newest - NACK_AGE]

    def _earn(self, received: int) -> None:
        self._credit = min(MAX_NACKS, self._credit + REPAIR_SHARE * (received - self._received))
        self._received = received
