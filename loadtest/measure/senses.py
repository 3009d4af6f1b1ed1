# SPDX-License-Identifier: Apache-2.0
"""What one person sees and hears around a moment that matters: a move, or a new connection. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable
from typing import Final

from msgspec import Struct

PACKET_S: Final = 0.02
"""The distance of two packets of a voice: a shorter silence is none."""

Company = frozenset[int]
"""Clips of the people in the same room who have something on."""


class Sensed(Struct, frozen=True):
    """In seconds after the press; None: it did not come, or there was nobody new to bring it.

    `silence_s`: the longest time in which somebody spoke and nothing was heard; None: nobody spoke.
    """

    new_voice_s: float | None
    new_picture_s: float | None
    silence_s: float | None


class MoveSenses:
    """Watches from the press of a move on; times are those of one monotonic clock (s).

    `heard` and `seen` came in just before, the last sound at `last_s`: what goes on is not new. Packets of the new
    neighbours may overtake the word of the move, so everything is kept until it is known who they are. What a person
    sends is told by its payload (`clip`), not by what the server says.
    """

    def __init__(self, pressed_s: float, heard: Company, seen: Company, last_s: float | None) -> None:
        self._pressed_s = pressed_s
        self._heard = heard
        self._seen = seen
        self._after: Company | None = None
        self._voices: dict[int, float] = {}
        self._pictures: dict[int, float] = {}
        self._last_s = pressed_s if last_s is None else last_s
        self._silences: list[tuple[float, float]] = []
        self._spoken: list[float] = []

    def sound(self, clip: int | None, now_s: float) -> None:
        """A packet of a voice came."""
        self._end_silence(now_s)
        if clip is not None and clip not in self._heard:
            self._voices.setdefault(clip, now_s)

    def picture(self, clip: int | None, now_s: float) -> None:
        """A whole picture came."""
        if clip is not None and clip not in self._seen:
            self._pictures.setdefault(clip, now_s)

    def landed(self, after: Company, spoken: Iterable[float], now_s: float) -> None:
        """This is whom one is with now, and when one of them sent something loud. Nothing counts that comes later."""
        self._after = after
        self._spoken = sorted(at_s for at_s in spoken if at_s >= self._pressed_s)
        self._end_silence(now_s)

    def sensed(self) -> Sensed | None:
        """What it was like; None for somebody who did not move."""
        if self._after is None:
            return None
        return Sensed(
            self._first(self._voices, self._after),
            self._first(self._pictures, self._after),
            self._longest_silence_s() if self._spoken else None,
        )

    def _end_silence(self, now_s: float) -> None:
        if now_s > self._pressed_s and now_s - self._last_s > PACKET_S:
            self._silences.append((self._last_s, now_s))
        self._last_s = now_s

    def _longest_silence_s(self) -> float:
        """Each from the first word that fell into it: that people pause is not the server's doing."""
        longest_s = PACKET_S
        for since_s, until_s in self._silences:
            word = bisect_left(self._spoken, since_s)
            if word < len(self._spoken) and self._spoken[word] < until_s:
                longest_s = max(longest_s, until_s - max(since_s, self._spoken[word] - PACKET_S))
        return longest_s

    def _first(self, came: dict[int, float], company: Company) -> float | None:
        times = [at_s for clip, at_s in came.items() if clip in company]
        return min(times) - self._pressed_s if times else None


class FirstSenses:
    """Watches a new connection for the first sound and the first picture of somebody who was there before.

    Each is told once, at the moment when it comes.
    """

    def __init__(
        self, company: Company, on_sound: Callable[[float], None], on_picture: Callable[[float], None]
    ) -> None:
        self._company = company
        self._on_sound: Callable[[float], None] | None = on_sound
        self._on_picture: Callable[[float], None] | None = on_picture

    def sound(self, clip: int | None, now_s: float) -> None:
        """A packet of a voice came."""
        if self._on_sound is not None and clip in self._company:
            self._on_sound(now_s)
            self._on_sound = None

    def picture(self, clip: int | None, now_s: float) -> None:
        """A whole picture came."""
        if self._on_picture is not None and clip in self._company:
            self._on_picture(now_s)
            self._on_picture = None
