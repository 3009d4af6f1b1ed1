# SPDX-License-Identifier: Apache-2.0
"""What a subscriber's feedback says of the packets in the history: the raw matter of all estimates."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import compress
from operator import and_
from typing import Final, Protocol

from server.media.congestion.feedback import REFERENCE_CYCLE, TICK_NS, TICKS_PER_REFERENCE, Feedback, parse
from server.media.congestion.history import SIZE, SendHistory

HEADERS: Final = 28
"""IPv4 and UDP headers: a link carries them with each packet, and of a voice they are a fifth."""

FARTHEST: Final = 1 << 40
"""Ticks, some nine years: a clock that leaps so far is nobody's, and begins anew before compiled sums overflow."""

_CYCLE: Final = REFERENCE_CYCLE * TICKS_PER_REFERENCE
_NO_TIMES: Final = [0] * SIZE


class Batch:
    """One feedback: the packets that came, in order of sequence (`numbers`, `sent` in ns, `sizes` in bytes).

    `ticks` (of `TICK_NS`, from `origin` on) is when they came by the subscriber's clock, of which only differences mean
    something: see `arrived`. `lost` of `judged` packets did not come; each packet is judged once, and taken out of
    `lost` if a later feedback says that it did come. Mostly these are views of what was there already, not new lists.
    """

    __slots__ = ("judged", "lost", "numbers", "origin", "sent", "sizes", "ticks")

    def __init__(
        self, numbers: Sequence[int], sent: Sequence[int], sizes: Sequence[int], ticks: Sequence[int], origin: int = 0
    ) -> None:
        self.numbers = numbers
        self.sent = sent
        self.sizes = sizes
        self.ticks = ticks
        self.origin = origin
        self.lost = 0
        self.judged = 0

    def arrived(self, index: int) -> int:
        """When this packet came, in ns."""
        return (self.ticks[index] + self.origin) * TICK_NS

    def wire_bytes(self, low: int = 0, high: int | None = None) -> int:
        """What these packets took on the link."""
        sizes = self.sizes[low:high]
        return sum(sizes) + HEADERS * len(sizes)


class AcknowledgerPort(Protocol):
    """See `Acknowledger`."""

    def read(self, message: bytes) -> Batch | None: ...


class Acknowledger:
    """Joins feedback to one history. Packets that were never sent or are forgotten are passed over."""

    __slots__ = ("_told", "_unwrapped", "history")

    def __init__(self, history: SendHistory) -> None:
        self.history = history
        self._told = history.state[0] - 1
        self._unwrapped: int | None = None

    def read(self, message: bytes) -> Batch | None:
        """As `acknowledge`, for an RTCP packet with its header. Raises MalformedFeedback."""
        return self.acknowledge(parse(message))

    def acknowledge(self, feedback: Feedback) -> Batch | None:
        """The packets of this message that were not acknowledged before; None if it speaks of none of ours."""
        history = self.history
        symbols = feedback.symbols
        base = history.unwrap(feedback.base)
        end = base + len(symbols)
        if base <= history.state[0] - SIZE or end > history.state[0]:
            return None
        first = base % SIZE
        times = _ring(history.times, first, len(symbols))
        batch = self._batch(base, symbols, times, _ring(history.sizes, first, len(symbols)), feedback.ticks)
        self._judge(batch, base, symbols, times)
        _forget(history.times, batch.numbers, first, len(symbols))
        return batch

    def _batch(self, base: int, symbols: list[int], times: list[int], sizes: list[int], ticks: list[int]) -> Batch:
        origin = self._origin(ticks)
        if 0 not in symbols and 0 not in times:
            return Batch(range(base, base + len(symbols)), times, sizes, ticks, origin)
        came = list(map(and_, map(bool, times), map(bool, symbols)))
        return Batch(
            list(compress(range(base, base + len(symbols)), came)),
            list(compress(times, came)),
            list(compress(sizes, came)),
            list(compress(ticks, compress(times, symbols))),
            origin,
        )

    def _judge(self, batch: Batch, base: int, symbols: list[int], times: list[int]) -> None:
        """Count losses among what is told of for the first time, and take back those told too early."""
        new = max(0, self._told + 1 - base)
        batch.judged = max(0, len(symbols) - new)
        if len(batch.numbers) < len(symbols):
            batch.lost = sum(1 for symbol, at in zip(symbols[new:], times[new:], strict=True) if not symbol and at)
        if new:
            batch.lost -= sum(1 for number in batch.numbers if number <= self._told)
        self._told = max(self._told, base + len(symbols) - 1)

    def _origin(self, ticks: list[int]) -> int:
        """What to add to these ticks so that they go on where the message before ended, over wraps of its reference."""
        if not ticks:
            return 0
        before = self._unwrapped
        if before is None or abs(before) > FARTHEST:
            before = ticks[0]
        origin = before - ticks[0] + (ticks[0] - before + _CYCLE // 2) % _CYCLE - _CYCLE // 2
        self._unwrapped = ticks[-1] + origin
        return origin


def _ring(values: list[int], first: int, count: int) -> list[int]:
    """`count` entries from `first` on, around the end."""
    end = first + count
    return values[first:end] if end <= SIZE else values[first:] + values[: end - SIZE]


def _forget(times: list[int], numbers: Sequence[int], first: int, count: int) -> None:
    """An acknowledged packet is not acknowledged again."""
    if len(numbers) == count and first + count <= SIZE:
        times[first : first + count] = _NO_TIMES[:count]
    else:
        for number in numbers:
            times[number % SIZE] = 0
