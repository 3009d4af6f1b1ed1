# SPDX-License-Identifier: Apache-2.0
"""Transport-wide congestion control feedback, draft-holmer-rmcat-transport-wide-cc-extensions-01. Pure.

Written from the draft alone, so that the server's own reader and builder are tested against another's.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

from loadtest.rtp import Unwrapped

FORMAT: Final = 15
"""Of the transport layer feedback message (205)."""

_HEAD: Final = struct.Struct("!BBHIIHH")
_TICK_NS: Final = 250_000
_REFERENCE_NS: Final = 64_000_000
_MOST: Final = 700
"""Packets in one message, so that it stays well below the size of a datagram."""
_PER_CHUNK: Final = 7
_ABSENT, _SMALL, _LARGE = range(3)


class Arrivals:
    """What came since the last feedback."""

    def __init__(self) -> None:
        self._unwrapped = Unwrapped()
        self._came: dict[int, int] = {}
        self._next: int | None = None
        self._messages = 0

    def record(self, number: int, now_ns: int) -> None:
        """A packet with this transport-wide number came."""
        extended = self._unwrapped(number)
        if self._next is None or extended >= self._next:
            self._came.setdefault(extended, now_ns)

    def feedback(self, sender: int, media: int) -> bytes:
        """The next message; empty when nothing came. What came after a long gap goes into the message after it."""
        if not self._came:
            return b""
        base = self._next if self._next is not None else min(self._came)
        base = max(base, max(self._came) - 0x7FFF)
        end = min(max(self._came) + 1, base + _MOST)
        times = [self._came.pop(number, None) for number in range(base, end)]
        self._next = end
        self._came = {number: when for number, when in self._came.items() if number >= end}
        return self._message(sender, media, base, times)

    def _message(self, sender: int, media: int, base: int, times: list[int | None]) -> bytes:
        first = next((when for when in times if when is not None), 0)
        reference = first // _REFERENCE_NS
        at, symbols, deltas = reference * _REFERENCE_NS // _TICK_NS, [], b""
        for when in times:
            if when is None:
                symbols.append(_ABSENT)
                continue
            delta = max(-0x8000, min(0x7FFF, when // _TICK_NS - at))
            at += delta
            small = 0 <= delta <= 0xFF
            symbols.append(_SMALL if small else _LARGE)
            deltas += delta.to_bytes(1, "big") if small else delta.to_bytes(2, "big", signed=True)
        head = struct.pack("!I", (reference & 0xFFFFFF) << 8 | self._messages & 0xFF)
        self._messages += 1
        body = head + b"".join(_chunks(symbols)) + deltas
        body += bytes(-len(body) % 4)
        return _HEAD.pack(0x80 | FORMAT, 205, 3 + len(body) // 4, sender, media, base & 0xFFFF, len(times)) + body


def _chunks(symbols: list[int]) -> Iterator[bytes]:
    """Status vector chunks with symbols of two bits, draft section 3.1.4."""
    for start in range(0, len(symbols), _PER_CHUNK):
        chunk = 0b11
        for symbol in (symbols[start : start + _PER_CHUNK] + [_ABSENT] * _PER_CHUNK)[:_PER_CHUNK]:
            chunk = chunk << 2 | symbol
        yield chunk.to_bytes(2, "big")


def read_feedback(data: bytes) -> list[tuple[int, int | None]]:
    """Of one RTCP message: transport-wide numbers (16 bits) and when they came (ns of the receiver's clock, if).

    Raises ValueError for a message that contradicts itself.
    """
    if len(data) < _HEAD.size + 4:
        raise ValueError("too short")
    *_, base, count = _HEAD.unpack_from(data)
    time_ns = int.from_bytes(data[16:19], "big") * _REFERENCE_NS
    symbols, at = _symbols(data, count)
    found: list[tuple[int, int | None]] = []
    for index, symbol in enumerate(symbols):
        if symbol not in (_SMALL, _LARGE):
            found.append((base + index & 0xFFFF, None))
            continue
        if at + symbol > len(data):
            raise ValueError("fewer deltas than packets")
        time_ns += int.from_bytes(data[at : at + symbol], "big", signed=symbol == _LARGE) * _TICK_NS
        at += symbol
        found.append((base + index & 0xFFFF, time_ns))
    return found


def _symbols(data: bytes, count: int) -> tuple[list[int], int]:
    symbols: list[int] = []
    at = _HEAD.size + 4
    while len(symbols) < count:
        if at + 2 > len(data):
            raise ValueError("fewer chunks than packets")
        chunk = int.from_bytes(data[at : at + 2], "big")
        at += 2
        if chunk >> 15 == 0:
            symbols += [chunk >> 13 & 3] * (chunk & 0x1FFF)
        elif chunk >> 14 & 1:
            symbols += [chunk >> shift & 3 for shift in range(12, -2, -2)]
        else:
            symbols += [chunk >> shift & 1 for shift in range(13, -1, -1)]
    return symbols[:count], at
