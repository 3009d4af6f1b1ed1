# SPDX-License-Identifier: Apache-2.0
"""When packets of one publisher came, and the feedback about it.

draft-holmer-rmcat-transport-wide-cc-extensions-01, section 3.1. Times are monotonic nanoseconds.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from operator import sub
from typing import Final

from server.media.congestion.feedback import FORMAT, PACKET_TYPE, TICK_NS, TICKS_PER_REFERENCE

MAX_PENDING: Final = 2048
"""Packets kept between two feedbacks; more than that in a tenth of a second is no honest publisher, and not told of."""

MAX_GAP: Final = 4096
"""A longer hole is not told packet by packet: the numbering began anew, or the path was gone."""

MAX_LATE: Final = 8
"""Messages about packets that were told as lost before they came; the rest of them stays lost."""

MAX_BYTES: Final = 1100
"""Length of one message, so that it fits every path after encryption."""

_HEAD: Final = struct.Struct("!BBHIIHHI")
_LOST, _SMALL, _LARGE = 0, 1, 2
_COST: Final = 4
"""Bytes that one packet takes at most: a long delta, and a chunk of its own."""
_HOLE: Final = 6
"""Chunks that a hole takes at most."""
_ROOM: Final = MAX_BYTES - _HEAD.size - 3
_Run = list[tuple[int, int]]


class Arrivals:
    """Collects packets by their 16-bit number, and gives each in one feedback message.

    Whoever keeps arrivals elsewhere overrides `record` and `take`.
    """

    __slots__ = ("_count", "_next", "_numbers", "_times")

    def __init__(self) -> None:
        self._numbers: list[int] = []
        self._times: list[int] = []
        self._next: int | None = None
        self._count = 0

    def record(self, sequence16: int, now_ns: int) -> None:
        """A packet came; of duplicates the first counts."""
        if len(self._numbers) < MAX_PENDING:
            self._numbers.append(sequence16)
            self._times.append(now_ns)

    def take(self) -> tuple[Sequence[int], Sequence[int]]:
        """Numbers and times of at most `MAX_PENDING` packets as they came, which are forgotten here."""
        taken = self._numbers, self._times
        self._numbers, self._times = [], []
        return taken

    def feedback(self, sender_ssrc: int, media_ssrc: int) -> list[bytes]:
        """RTCP packets about everything that came since the last call; none if nothing came."""
        numbers, times = self.take()
        if not len(numbers):
            return []
        ticks = [at_ns // TICK_NS for at_ns in times]
        head = (sender_ssrc, media_ssrc)
        return self._in_order(head, numbers, ticks) or self._sorted(head, numbers, ticks)

    def _in_order(self, head: tuple[int, int], numbers: Sequence[int], ticks: list[int]) -> list[bytes]:
        """One message about packets that came as they were sent, all of them, as most do; none for others."""
        start, count = self._next, len(ticks)
        if start is None or count > _ROOM or (start & 0xFFFF) + count > 0x10000:
            return []
        first = start & 0xFFFF
        if any(map(sub, numbers, range(first, first + count))):
            return []
        reference = ticks[0] // TICKS_PER_REFERENCE
        try:
            deltas = bytes(map(sub, ticks, [reference * TICKS_PER_REFERENCE, *ticks]))
        except ValueError:
            # A pause that eight bits do not hold.
            return []
        self._next = start + count
        return [self._packed(head, start, count, reference, (_SMALL << 13 | count).to_bytes(2) + deltas)]

    def _sorted(self, head: tuple[int, int], numbers: Sequence[int], ticks: list[int]) -> list[bytes]:
        late, fresh = self._split(numbers, ticks)
        messages = [self._message(head, run[0][0], run) for run in _contiguous(late)]
        for start, run in self._messages(fresh):
            messages.append(self._message(head, start, run))
        return messages

    def _split(self, numbers: Sequence[int], ticks: list[int]) -> tuple[_Run, _Run]:
        """What came by extended number, in order: told as lost before, and new."""
        if self._next is None:
            # The first numbers may have come out of order; the origin is far enough for all of them.
            self._next = numbers[0] + 0x10000
            self._next += min((number - self._next + 0x8000 & 0xFFFF) - 0x8000 for number in numbers)
        origin = self._next
        # Backwards, so that of duplicates the first stays.
        pending = dict(zip(reversed(numbers), reversed(ticks), strict=True))
        came = sorted((origin + (number - origin + 0x8000 & 0xFFFF) - 0x8000, tick) for number, tick in pending.items())
        first = next((index for index, (number, _) in enumerate(came) if number >= origin), len(came))
        return came[:first], came[first:]

    def _messages(self, fresh: _Run) -> Iterator[tuple[int, _Run]]:
        """Cut into messages that fit, each with the number it starts at."""
        run: _Run = []
        start = self._next or 0
        room = _ROOM
        for number, tick in fresh:
            if run and not (_near(run[-1], number, tick) and room >= _COST + _HOLE):
                yield start, run
                start, run, room = run[-1][0] + 1, [], _ROOM
            if number - start > MAX_GAP and not run:
                start = number
            room -= _COST if number == (run[-1][0] + 1 if run else start) else _COST + _HOLE
            run.append((number, tick))
        if run:
            self._next = run[-1][0] + 1
            yield start, run

    def _message(self, head: tuple[int, int], start: int, run: _Run) -> bytes:
        """One RTCP packet about the numbers from `start` to the last of `run`."""
        reference = run[0][1] // TICKS_PER_REFERENCE
        before = reference * TICKS_PER_REFERENCE
        symbols = bytearray()
        deltas = bytearray()
        for number, tick in run:
            symbols += bytes(number - start - len(symbols))
            delta, before = tick - before, tick
            if 0 <= delta <= 0xFF:
                symbols.append(_SMALL)
                deltas.append(delta)
            else:
                symbols.append(_LARGE)
                deltas += delta.to_bytes(2, signed=True)
        return self._packed(head, start, len(symbols), reference, _chunks(symbols) + deltas)

    def _packed(self, head: tuple[int, int], start: int, count: int, reference: int, body: bytes | bytearray) -> bytes:
        padding = -len(body) % 4
        if padding:
            body += bytes(padding - 1) + bytes((padding,))
        first = 0x80 | FORMAT | (0x20 if padding else 0)
        words = (_HEAD.size + len(body)) // 4 - 1
        counted = (reference & 0xFFFFFF) << 8 | self._count & 0xFF
        self._count += 1
        return _HEAD.pack(first, PACKET_TYPE, words, *head, start & 0xFFFF, count, counted) + body


def _near(before: tuple[int, int], number: int, tick: int) -> bool:
    """Whether a message can go on with this packet: a short hole, and a delta that 16 bits hold."""
    return number - before[0] <= MAX_GAP and -0x8000 <= tick - before[1] <= 0x7FFF


def _contiguous(late: _Run) -> list[_Run]:
    """Neighbours together, the newest few: a hole between them was told already, and must not be told as lost."""
    runs: list[_Run] = []
    for number, tick in late:
        near = runs and number == runs[-1][-1][0] + 1 and _near(runs[-1][-1], number, tick)
        if near and len(runs[-1]) < _ROOM // _COST:
            runs[-1].append((number, tick))
        else:
            runs.append([(number, tick)])
    return runs[-MAX_LATE:]


def _chunks(symbols: bytearray) -> bytearray:
    """Packet status chunks: runs where they are long, else vectors of 14 one-bit or 7 two-bit symbols."""
    chunks = bytearray()
    at = 0
    while at < len(symbols):
        window = symbols[at : at + 14]
        length = _run_length(symbols, at)
        if length >= 14 or length >= len(window) or (_LARGE in window and length >= 7):
            chunk, taken = symbols[at] << 13 | length, length
        elif _LARGE not in window:
            chunk, taken = 0x8000 | sum(bit << 13 - index for index, bit in enumerate(window)), 14
        else:
            chunk, taken = 0xC000 | sum(two << 12 - 2 * index for index, two in enumerate(window[:7])), 7
        chunks += chunk.to_bytes(2)
        at += taken
    return chunks


def _run_length(symbols: bytearray, at: int) -> int:
    """Of equal symbols from here on, as far as one chunk reaches; a long hole must not cost a step for each packet."""
    last = min(len(symbols), at + 0x1FFF)
    others = [symbols.find(other, at, last) for other in (_LOST, _SMALL, _LARGE) if other != symbols[at]]
    return min((found for found in others if found >= 0), default=last) - at
