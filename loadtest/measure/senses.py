# SPDX-License-Identifier: Apache-2.0
"""What one person sees and hears around a moment that matters: a move, or a new connection. Pure."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

Company = frozenset[int]
"""Clips of the people in the same room who have something on."""


class Sensed(Struct, frozen=True):
    """In seconds after the press; None: it did not come, or there was nobody new to bring it."""

    new_voice_s: float | None
    new_picture_s: float | None
    silence_s: float | None


class MoveSenses:
    """Watches from the press of a move on; times are those of one monotonic clock (s).

    `heard` and `seen` came in just before: what goes on is not new. Packets of the new neighbours may overtake the word
    of the move, so everything is kept until it is known who they are. What a person sends is told by its payload
    (`clip`), not by what the server says.
    """

    def __init__(self, pressed_s: float, heard: Company, seen: Company) -> None:
        self._pressed_s = pressed_s
        self._heard = heard
        self._seen = seen
        self._after: Company | None = None
        self._voices: dict[int, float] = {}
        self._pictures: dict[int, float] = {}
        self._last_s: float | None = None
        self._silence_s = 0.0

    def sound(self, clip: int | None, now_s: float) -> None:
        """A packet of a voice came."""
        if self._last_s is not None and now_s > self._pressed_s:
            self._silence_s = max(self._silence_s, now_s - self._last_s)
        self._last_s = now_s
        if clip is not None and clip not in self._heard:
            self._voices.setdefault(clip, now_s)

    def picture(self, clip: int | None, now_s: float) -> None:
        """A whole picture came."""
        if clip is not None and clip not in self._seen:
            self._pictures.setdefault(clip, now_s)

    def landed(self, after: Company) -> None:
        """This is whom one is with now."""
        self._after = after

    def sensed(self) -> Sensed | None:
        """What it was like; None for somebody who did not move."""
        if self._after is None:
            return None
        audible = bool(self._heard and self._after and self._last_s is not None)
        return Sensed(
            self._first(self._voices, self._after),
            self._first(self._pictures, self._after),
            self._silence_s if audible else None,
        )

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
