# SPDX-License-Identifier: Apache-2.0
"""Which packets of a stream came, came again, or are missing and worth asking for. Pure."""

from __future__ import annotations

from typing import Final

from loadtest.rtp import Unwrapped

GIVE_UP_MS: Final = 1_000.0
"""Nobody waits longer for a packet that was asked for."""
MOST_MISSING: Final = 500
_REMEMBERED: Final = 2_048
_NEVER: Final = -(1 << 32)
"""Before any number: extended ones may go below 0 when the first packets come in disorder."""


class Gap:
    """A packet that has not come."""

    __slots__ = ("asked_ms", "noticed_ms", "times")

    def __init__(self, now_ms: float) -> None:
        self.noticed_ms = now_ms
        self.asked_ms = 0.0
        self.times = 0


class Sequences:
    """Of one SSRC; numbers are extended beyond 16 bits."""

    def __init__(self) -> None:
        self.received = 0
        self.duplicates = 0
        self.late = 0
        """Came after a later one, asked for or not."""
        self.highest: int | None = None
        self.base = 0
        self._unwrapped = Unwrapped()
        self._seen = [_NEVER] * _REMEMBERED
        self._missing: dict[int, Gap] = {}

    @property
    def expected(self) -> int:
        """How many would have come if none were lost."""
        return 0 if self.highest is None else self.highest - self.base + 1

    @property
    def lost(self) -> int:
        """Expected and not (yet) received."""
        return self.expected - self.received

    def take(self, sequence: int, now_ms: float) -> int | None:
        """The extended number of a packet that came; None for one that came before."""
        number = self._unwrapped(sequence)
        if self._seen[number % _REMEMBERED] >= number:
            self.duplicates += 1
            return None
        self._seen[number % _REMEMBERED] = number
        self.received += 1
        if self.highest is None:
            self.base = self.highest = number
        elif number > self.highest:
            self._note_gap(self.highest + 1, number, now_ms)
            self.highest = number
        else:
            self.late += 1
            self.base = min(self.base, number)
            self._missing.pop(number, None)
        return number

    def due(self, now_ms: float, every_ms: float) -> list[int]:
        """Sequence numbers (16 bits) to ask for now; each is asked for again after a while, and given up in the end."""
        if not self._missing:
            return []
        given_up = [number for number, gap in self._missing.items() if now_ms - gap.noticed_ms > GIVE_UP_MS]
        for number in given_up:
            del self._missing[number]
        due = [item for item in self._missing.items() if item[1].times == 0 or now_ms - item[1].asked_ms >= every_ms]
        for _, gap in due:
            gap.asked_ms = now_ms
            gap.times += 1
        return [number & 0xFFFF for number, _ in due]

    def _note_gap(self, first: int, end: int, now_ms: float) -> None:
        for number in range(max(first, end - MOST_MISSING), end):
            self._missing[number] = Gap(now_ms)
        while len(self._missing) > MOST_MISSING:
            del self._missing[next(iter(self._missing))]
