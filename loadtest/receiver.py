# SPDX-License-Identifier: Apache-2.0
"""What arrives in the receive slots: counted per line, and per source as the payloads themselves tell it."""

from __future__ import annotations

import struct
from enum import StrEnum
from struct import Struct as Layout
from typing import Final, NamedTuple

from loadtest.clip import Signatures

_HEADER: Final = Layout("!BBHII")


class Kind(StrEnum):
    """The two lines of a slot."""

    AUDIO = "audio"
    VIDEO = "video"


class Line:
    """Statistics of one receive line, RFC 3550 appendix A.3."""

    __slots__ = ("_base", "_highest", "frames", "kind", "octets", "packets", "slot")

    def __init__(self, slot: int, kind: Kind) -> None:
        self.slot = slot
        self.kind = kind
        self.packets = 0
        self.octets = 0
        self.frames = 0
        self._base: int | None = None
        self._highest = 0

    @property
    def lost(self) -> int:
        """Packets expected and not received."""
        return 0 if self._base is None else self._highest - self._base + 1 - self.packets

    def count(self, sequence: int, size: int, *, marker: bool) -> None:
        """One packet came; `marker` ends a picture."""
        if self._base is None:
            self._base = self._highest = sequence
        ahead = sequence - self._highest & 0xFFFF
        if ahead < 0x8000:
            self._highest += ahead
        self.packets += 1
        self.octets += size
        self.frames += marker


class Source(NamedTuple):
    """Where something was heard or seen, and whose clip it was; `clip` None: not one of the known clips."""

    slot: int
    kind: Kind
    clip: int | None


class Arrival:
    """Packets of one source in one line; times are those of the event loop's clock (s)."""

    __slots__ = ("first_s", "last_s", "longest_gap_s", "packets")

    def __init__(self, now_s: float) -> None:
        self.first_s = self.last_s = now_s
        self.longest_gap_s = 0.0
        self.packets = 0

    def count(self, now_s: float) -> None:
        """One more packet."""
        self.longest_gap_s = max(self.longest_gap_s, now_s - self.last_s)
        self.last_s = now_s
        self.packets += 1


Arrivals = dict[Source, Arrival]
"""What came in a span of time."""


def gap_s(before: Arrivals, after: Arrivals, kind: Kind) -> float | None:
    """From the last packet of this kind in one span to the first in the next; None if there was none in either."""
    last = [arrival.last_s for source, arrival in before.items() if source.kind is kind]
    first = [arrival.first_s for source, arrival in after.items() if source.kind is kind]
    return min(first) - max(last) if first and last else None


class Reception:
    """All receive lines of one peer, found by the SSRCs that the answer gave them."""

    def __init__(self, lines: dict[int, Line], signatures: Signatures) -> None:
        self.lines = lines
        self.strays = 0
        """Packets in no line of ours, or not RTP at all."""
        self.arrivals: Arrivals = {}
        """Since the start or the last `take`."""
        self._signatures = signatures

    def receive(self, data: bytes, now_s: float) -> None:
        """One decrypted RTP packet."""
        try:
            first, second, sequence, _, ssrc = _HEADER.unpack_from(data)
            payload = _payload(data, first)
        except (struct.error, IndexError):
            self.strays += 1
            return
        line = self.lines.get(ssrc)
        if line is None:
            self.strays += 1
            return
        line.count(sequence, len(payload), marker=bool(second & 0x80))
        whose = self._signatures.of_audio if line.kind is Kind.AUDIO else self._signatures.of_video
        source = Source(line.slot, line.kind, whose(payload))
        arrival = self.arrivals.get(source)
        if arrival is None:
            arrival = self.arrivals[source] = Arrival(now_s)
        arrival.count(now_s)

    def take(self) -> Arrivals:
        """What has arrived since the last call; counting starts anew."""
        taken, self.arrivals = self.arrivals, {}
        return taken

    def clips(self, kind: Kind | None = None) -> frozenset[int | None]:
        """Whose media has arrived since the last `take`."""
        return frozenset(source.clip for source in self.arrivals if kind in (None, source.kind))


def _payload(data: bytes, first: int) -> bytes:
    start = 12 + 4 * (first & 0x0F)
    if first & 0x10:
        start += 4 + 4 * int.from_bytes(data[start + 2 : start + 4], "big")
    end = len(data) - (data[-1] if first & 0x20 else 0)
    return data[start:end]
