# SPDX-License-Identifier: Apache-2.0
"""What a page has seen and heard since it told last. Pure."""

from __future__ import annotations

from typing import Final

from server.signaling.messages import Playback

MOST_MS: Final = 60_000
MOST_FREEZES: Final = 60
"""A page tells every ten seconds; one that claims more in one report must not spoil the figures of all."""


def since(before: Playback | None, now: Playback) -> Playback:
    """The difference of two reports; one that has begun anew counts from its beginning."""
    if before is None or now.played_ms < before.played_ms or now.frozen_ms < before.frozen_ms:
        before = Playback(freezes=0, frozen_ms=0, concealed_ms=0, played_ms=0)
    return Playback(
        freezes=_within(now.freezes - before.freezes, MOST_FREEZES),
        frozen_ms=_within(now.frozen_ms - before.frozen_ms, MOST_MS),
        concealed_ms=_within(now.concealed_ms - before.concealed_ms, MOST_MS),
        played_ms=_within(now.played_ms - before.played_ms, MOST_MS),
    )


def _within(value: int, most: int) -> int:
    return max(0, min(value, most))
