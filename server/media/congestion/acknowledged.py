# SPDX-License-Identifier: Apache-2.0
"""What a subscriber's feedback says of the packets in the history: the raw matter of all estimates."""

from __future__ import annotations

from array import array
from itertools import compress
from operator import and_
from typing import Final

from server.media.congestion.feedback import REFERENCE_CYCLE, TICK_NS, TICKS_PER_REFERENCE, Feedback
from server.media.congestion.history import SIZE, SendHistory

_CYCLE: Final = REFERENCE_CYCLE * TICKS_PER_REFERENCE
_NO_TIMES: Final = array("q", bytes(8 * SIZE))


class Batch:
    """One feedback: the packets that came, in order of sequence (`numbers`, `sent` and `arrived` in ns, `sizes`).

    `arrived` is the subscriber's clock: only differences mean something. `lost` of `judged` packets did not come;
    each packet is judged once, and taken out of `lost` if a later feedback says that it did come.
    """

    __slots__ = ("arrived", "judged", "lost", "numbers", "sent", "sizes")

    def __init__(self, numbers: list[int], sent: list[int], sizes: list[int], arrived: list[int]) -> None:
        self.numbers = numbers
        self.sent = sent
        self.sizes = sizes
        self.arrived = arrived
        self.lost = 0
        self.judged = 0


class Acknowledger:
    """Joins feedback to one history. Packets that were never sent or are forgotten are passed over."""

    __slots__ = ("_told", "_unwrapped", "history")

    def __init__(self, history: SendHistory) -> None:
        self.history = history
        self._told = history.state[0] - 1
        self._unwrapped: int | None = None

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
        arrived = self._arrivals(feedback.ticks)
        if 0 in symbols or 0 in times:
            came = list(map(and_, map(bool, times), map(bool, symbols)))
            arrived = list(compress(arrived, compress(times, symbols)))
        else:
            came = symbols
        batch = Batch(
            list(compress(range(base, end), came)),
            list(compress(times, came)),
            list(compress(_ring(history.sizes, first, len(symbols)), came)),
            arrived,
        )
        self._judge(batch, base, symbols, times)
        _forget(history.times, batch.numbers, first, len(symbols))
        return batch

    def _judge(self, batch: Batch, base: int, symbols: list[int], times: array[int]) -> None:
        """Count losses among what is told of for the first time, and take back those told too early."""
        new = max(0, self._told + 1 - base)
        batch.judged = max(0, len(symbols) - new)
        if 0 in symbols:
            batch.lost = sum(1 for symbol, at in zip(symbols[new:], times[new:], strict=True) if not symbol and at)
        if new:
            batch.lost -= sum(1 for number in batch.numbers if number <= self._told)
        self._told = max(self._told, base + len(symbols) - 1)

    def _arrivals(self, ticks: list[int]) -> list[int]:
        """In nanoseconds, without the wraps of the reference time."""
        if not ticks:
            return []
        before = self._unwrapped if self._unwrapped is not None else ticks[0]
        shift = before - ticks[0] + (ticks[0] - before + _CYCLE // 2) % _CYCLE - _CYCLE // 2
        self._unwrapped = ticks[-1] + shift
        return [(tick + shift) * TICK_NS for tick in ticks]


def _ring(values: array[int], first: int, count: int) -> array[int]:
    """`count` entries from `first` on, around the end."""
    end = first + count
    return values[first:end] if end <= SIZE else values[first:] + values[: end - SIZE]


def _forget(times: array[int], numbers: list[int], first: int, count: int) -> None:
    """An acknowledged packet is not acknowledged again."""
    if len(numbers) == count and first + count <= SIZE:
        times[first : first + count] = _NO_TIMES[:count]
    else:
        for number in numbers:
            times[number % SIZE] = 0
