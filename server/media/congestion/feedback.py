# SPDX-License-Identifier: Apache-2.0
"""Reading transport-wide feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01, section 3.1)."""

from __future__ import annotations

import struct
from itertools import accumulate
from typing import Final

PACKET_TYPE: Final = 205
FORMAT: Final = 15
TICK_NS: Final = 250_000
"""Unit of a receive delta."""

TICKS_PER_REFERENCE: Final = 256
"""A reference time is in units of 64 ms."""

REFERENCE_CYCLE: Final = 1 << 24
MAX_STATUSES: Final = 8192
"""Packets one message may speak of; the field has room for eight times as many, the history not for a quarter."""

_HEAD: Final = struct.Struct("!HHI")
_HEAD_AT: Final = 12
_CHUNKS_AT: Final = 20
_DELTAS_AT: Final = 22
"""After a single chunk."""

_ALL_CAME: Final = 1 << 13
"""A run of packets that came close together, as most do."""

_LARGE: Final = 2
_RESERVED: Final = 3
_ONE_BIT: Final = tuple([bits >> shift & 1 for shift in range(6, -1, -1)] for bits in range(1 << 7))
_TWO_BIT: Final = tuple([bits >> shift & 3 for shift in range(6, -1, -2)] for bits in range(1 << 8))


class MalformedFeedback(ValueError):
    """Not a transport-wide feedback message, or one beyond the bounds."""


class Feedback:
    """What one message says of the packets `base`, `base + 1`, ... (16-bit, wrapping).

    `symbols` has an entry for each packet, 0 for one that did not come; `ticks` has for each that came, in order, when:
    units of 250 us since an unknown start, which wraps every `REFERENCE_CYCLE * TICKS_PER_REFERENCE` ticks.
    """

    __slots__ = ("base", "number", "symbols", "ticks")

    def __init__(self, base: int, number: int, symbols: list[int], ticks: list[int]) -> None:
        self.base = base
        self.number = number
        self.symbols = symbols
        self.ticks = ticks

    def arrivals(self) -> list[tuple[int, int | None]]:
        """Each 16-bit sequence number with its arrival in microseconds, None for lost."""
        ticks = iter(self.ticks)
        return [
            (self.base + index & 0xFFFF, next(ticks) * TICK_NS // 1000 if symbol else None)
            for index, symbol in enumerate(self.symbols)
        ]


def parse(data: bytes) -> Feedback:
    """Read one RTCP packet with its header. Raises MalformedFeedback."""
    end = _end(data)
    base, count, reference = _HEAD.unpack_from(data, _HEAD_AT)
    if not 0 < count <= MAX_STATUSES:
        raise MalformedFeedback
    start = (reference >> 8) * TICKS_PER_REFERENCE
    if (
        count < _ALL_CAME
        and data[_CHUNKS_AT:_DELTAS_AT] == (_ALL_CAME | count).to_bytes(2)
        and end >= _DELTAS_AT + count
    ):
        ticks = list(accumulate(data[_DELTAS_AT : _DELTAS_AT + count], initial=start))
        del ticks[0]
        return Feedback(base, reference & 0xFF, [1] * count, ticks)
    symbols, at = _symbols(data, end, count)
    came = count - symbols.count(0)
    large = symbols.count(_LARGE)
    if at + came + large > end:
        raise MalformedFeedback
    if not large:
        ticks = list(accumulate(data[at : at + came], initial=start))
    else:
        ticks = list(accumulate(_deltas(data, at, symbols), initial=start))
    del ticks[0]
    return Feedback(base, reference & 0xFF, symbols, ticks)


def _end(data: bytes) -> int:
    """Where padding begins; raises unless the fixed part is right."""
    if len(data) < _CHUNKS_AT or data[0] & 0xDF != 0x80 | FORMAT or data[1] != PACKET_TYPE:
        raise MalformedFeedback
    if len(data) != 4 + 4 * (data[2] << 8 | data[3]):
        raise MalformedFeedback
    padding = data[-1] if data[0] & 0x20 else 0
    if padding > len(data) - _CHUNKS_AT:
        raise MalformedFeedback
    return len(data) - padding


def _symbols(data: bytes, end: int, count: int) -> tuple[list[int], int]:
    """The status of `count` packets, and where the deltas begin."""
    symbols: list[int] = []
    at = _CHUNKS_AT
    while len(symbols) < count:
        if at + 2 > end:
            raise MalformedFeedback
        high, low = data[at], data[at + 1]
        at += 2
        if high < 0x80:
            symbols += [high >> 5] * min((high & 0x1F) << 8 | low, count)
        elif high < 0xC0:
            symbols += _ONE_BIT[(high & 0x3F) << 1 | low >> 7]
            symbols += _ONE_BIT[low & 0x7F]
        else:
            symbols += _TWO_BIT[(high & 0x3F) << 2 | low >> 6]
            symbols += _TWO_BIT[low << 2 & 0xFC][:3]
    del symbols[count:]
    if _RESERVED in symbols:
        raise MalformedFeedback
    return symbols, at


def _deltas(data: bytes, at: int, symbols: list[int]) -> list[int]:
    deltas = []
    for symbol in symbols:
        if symbol == _LARGE:
            deltas.append(int.from_bytes(data[at : at + 2], signed=True))
            at += 2
        elif symbol:
            deltas.append(data[at])
            at += 1
    return deltas
