# SPDX-License-Identifier: Apache-2.0
"""What somebody at the other end would see and hear of the packets that came. Pure.

Pictures are not decoded: one is shown when all of its packets are there and it follows the one shown before it, or
is a keyframe. Sound is not decoded: a packet is played when it, or a copy of it (RED), came before its turn in a
jitter buffer.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from itertools import pairwise
from typing import Final, NamedTuple

from loadtest.rtp import Packet, Unwrapped

WAIT_MS: Final = 600.0
"""So long a missing packet is waited for before a keyframe is asked for."""
ASK_AGAIN_MS: Final = 400.0
JITTER_BUFFER_MS: Final = 120.0
_FREEZE_FRAMES: Final = 3
_FREEZE_MS: Final = 150.0
_SAMPLES_PER_MS: Final = 48
_PACKET_SAMPLES: Final = 960
_RECENT: Final = 30
_MOST_PARTS: Final = 1_000
_NEVER: Final = -(1 << 32)
_HEIGHT_AT: Final = 8
"""Of a VP8 keyframe, behind tag, start code and width (RFC 6386 section 9.1)."""


class Part(NamedTuple):
    """What a packet is of a picture; `height` is that of the keyframe which begins here, else 0."""

    starts: bool
    ends: bool
    height: int


def part_of(packet: Packet) -> Part | None:
    """From the VP8 payload descriptor, RFC 7741 section 4.2; None for a packet of padding only."""
    payload = packet.payload
    if not payload:
        return None
    at = 1
    if payload[0] & 0x80:
        extension = payload[1]
        at = 2
        if extension & 0x80:
            at += 2 if payload[2] & 0x80 else 1
        at += bool(extension & 0x40) + bool(extension & 0x30)
    starts = payload[0] & 0x17 == 0x10
    height = 0
    if starts and len(payload) >= at + _HEIGHT_AT + 2 and payload[at] & 1 == 0:
        height = int.from_bytes(payload[at + _HEIGHT_AT : at + _HEIGHT_AT + 2], "little") & 0x3FFF
    return Part(starts, packet.marker, height)


class Pictures:
    """Of one video line."""

    def __init__(self) -> None:
        self.shown = 0
        self.skipped_packets = 0
        """Of pictures that were never shown."""
        self.freezes = 0
        """As `freezeCount` of getStats: longer than three frame times, and than one with 150 ms."""
        self.frozen_ms = 0.0
        self.height = 0
        """Of the picture now shown; 0: none yet."""
        self.shown_ms: float | None = None
        """When the last one became complete."""
        self._parts: dict[int, Part | None] = {}
        self._next: int | None = None
        self._stuck_ms: float | None = None
        self._asked_ms = -ASK_AGAIN_MS
        self._times: deque[float] = deque(maxlen=_RECENT)

    def take(self, number: int, part: Part | None, now_ms: float) -> None:
        """A packet came, for the first time."""
        if self._next is not None and number < self._next:
            return
        self._parts[number] = part
        if self._next is None or number != self._next:
            self._leap(now_ms)
        self._show(now_ms)

    def pause(self) -> None:
        """The line stands still on purpose (nobody in the slot, or paused): the time until it goes on is no freeze."""
        self._times.clear()
        self._stuck_ms = None

    def wants_keyframe(self, now_ms: float) -> bool:
        """Whether to ask for one now: something is missing for too long, or nothing could be shown yet."""
        if self._next is not None and (self._stuck_ms is None or now_ms - self._stuck_ms < WAIT_MS):
            return False
        if not self._parts or now_ms - self._asked_ms < ASK_AGAIN_MS:
            return False
        self._asked_ms = now_ms
        return True

    def _show(self, now_ms: float) -> None:
        while self._next is not None and (end := self._end_of(self._next)) is not None:
            parts = [part for number in range(self._next, end) if (part := self._parts.pop(number)) is not None]
            self._next, self._stuck_ms = end, None
            if parts:
                self.height = parts[0].height or self.height
                self._note(now_ms)
        if self._parts and self._stuck_ms is None:
            self._stuck_ms = now_ms

    def _end_of(self, number: int) -> int | None:
        """One behind the last packet of the picture (or the padding) that begins there, if all of it came."""
        while True:
            if number not in self._parts:
                return None
            part = self._parts[number]
            number += 1
            if part is None or part.ends:
                return number

    def _leap(self, now_ms: float) -> None:
        """Go on with a complete keyframe, should one have come behind what is missing."""
        for number, part in sorted(self._parts.items()):
            if part is not None and part.height and number != self._next and self._end_of(number) is not None:
                older = [before for before in self._parts if before < number]
                self.skipped_packets += len(older)
                for before in older:
                    del self._parts[before]
                self._next, self._stuck_ms = number, now_ms
        while len(self._parts) > _MOST_PARTS:
            del self._parts[min(self._parts)]

    def _note(self, now_ms: float) -> None:
        self.shown += 1
        times, last_ms = self._times, self.shown_ms
        if len(times) > _FREEZE_FRAMES and last_ms is not None:
            usual_ms = sum(after - before for before, after in pairwise(times)) / (len(times) - 1)
            gap_ms = now_ms - last_ms
            if gap_ms > max(_FREEZE_FRAMES * usual_ms, usual_ms + _FREEZE_MS):
                self.freezes += 1
                self.frozen_ms += gap_ms - usual_ms
        times.append(now_ms)
        self.shown_ms = now_ms


class Sound:
    """Of one audio line, behind a jitter buffer that grows when something came too late, and shrinks slowly."""

    def __init__(self) -> None:
        self.expected = 0
        self.played = 0
        self._base: int | None = None
        self._clock = Unwrapped(32)
        self._fastest_ms: float | None = None
        """Least difference between arrival and media time, of late."""
        self._grown_ms = 0.0
        self._done = [_NEVER] * 256

    @property
    def concealed(self) -> int:
        """Packets whose turn passed without them: a receiver would have made something up."""
        return max(0, self.expected - self.played)

    def take(self, number: int, timestamp: int, copies: Iterable[int], now_ms: float) -> None:
        """A packet came, for the first time; with RED it brings copies of earlier ones, so many samples back."""
        if self._base is None:
            self._base = number
        self.expected = max(self.expected, number - self._base + 1)
        behind_ms = now_ms - self._clock(timestamp) / _SAMPLES_PER_MS
        # A slot that gets somebody else has another distance between clock and arrival; what is old fades.
        self._fastest_ms = behind_ms if self._fastest_ms is None else min(self._fastest_ms + 0.2, behind_ms)
        late_ms = behind_ms - self._fastest_ms - JITTER_BUFFER_MS - self._grown_ms
        for samples in (0, *copies):
            self._play(number - samples // _PACKET_SAMPLES, on_time=late_ms + samples / _SAMPLES_PER_MS <= 0)
        self._grown_ms = max(0.0, self._grown_ms + late_ms if late_ms > 0 else self._grown_ms - 0.2)

    def _play(self, number: int, *, on_time: bool) -> None:
        if self._base is not None and number >= self._base and self._done[number % 256] < number and on_time:
            self._done[number % 256] = number
            self.played += 1
