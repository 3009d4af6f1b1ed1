# SPDX-License-Identifier: Apache-2.0
"""How long a move takes for the person who is moved: from the moderator's click to picture and voice."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Final

from msgspec import Struct

from tests.e2e.person import Person, until

_SINCE: Final = """start => {
    const since = (log) => log.filter((one) => one.at > start);
    return { frames: since(window.__watch.frames), voices: since(window.__watch.voices) };
}"""
"""Only the news: the page is busy enough."""

SETTLED_MS: Final = 700
"""After the first new frame and voice, this long is watched for silence."""


class Move(Struct, frozen=True):
    """Milliseconds after the click; `gap_ms` is the longest silence between the old voices and the new ones."""

    first_frame_ms: float
    voice_ms: float
    gap_ms: float


class Room(Struct, frozen=True):
    """Whose pictures and tones belong to one placement."""

    people: frozenset[str]
    tones: tuple[float, ...]

    def sounds(self, hz: float) -> bool:
        """Whether this is the voice of somebody here; two bins of the spectrum apart are two voices."""
        return any(abs(tone - hz) < 60 for tone in self.tones)


async def measure(moderator: Person, mover: Person, to: Room, click: Callable[[], Any], seconds: float = 15) -> Move:
    """Press, wait until the mover sees and hears the new room, and read the times off both pages (one clock)."""
    start: int = await mover.page.evaluate("Date.now()")
    await click()

    async def arrived() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        log = await mover.page.evaluate(_SINCE, start)
        frames = [one for one in log["frames"] if one["person"] in to.people]
        voices = [one for one in log["voices"] if to.sounds(one["hz"])]
        return frames, voices

    frames, voices = await until(arrived, all, f"{mover.name} arrives", seconds)
    await mover.page.wait_for_timeout(SETTLED_MS)
    shown: list[dict[str, Any]] = await mover.page.evaluate("window.__watch.frames")
    assert not [one for one in shown if one["at"] > frames[0]["at"] and one["person"] not in to.people], "the old room"
    clicks: list[dict[str, Any]] = await moderator.page.evaluate("window.__watch.clicks")
    clicked = next(one["at"] for one in reversed(clicks) if one["label"] == "move-to")
    spoken: list[dict[str, Any]] = await mover.page.evaluate("window.__watch.voices")
    return Move(
        first_frame_ms=frames[0]["at"] - clicked,
        voice_ms=voices[0]["at"] - clicked,
        gap_ms=longest_silence(spoken, clicked, frames[0]["at"] + SETTLED_MS),
    )


def longest_silence(changes: Sequence[dict[str, Any]], start: float, end: float) -> float:
    """The longest time between `start` and `end` in which no slot carried a voice, from the log of changes."""
    heard: dict[int, float] = {}
    longest = 0.0
    since: float | None = None
    for change in [*changes, {"at": end, "slot": -1, "hz": 1}]:
        if change["at"] > end:
            break
        was_silent = not any(heard.values())
        heard[change["slot"]] = change["hz"]
        silent = not any(heard.values())
        if silent and not was_silent:
            since = change["at"]
        elif was_silent and not silent and since is not None:
            longest = max(longest, change["at"] - max(since, start) if change["at"] > start else 0.0)
    return longest


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of the values does not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def summary(moves: Sequence[Move], load: str) -> str:
    """The one line that is printed at the end of the test run."""
    frames = [move.first_frame_ms for move in moves]
    voices = [move.voice_ms for move in moves]
    gaps = [move.gap_ms for move in moves]
    return (
        f"moves n={len(moves)}"
        f" first_frame_ms p50={percentile(frames, 0.5):.0f} p95={percentile(frames, 0.95):.0f}"
        f" voice_ms p50={percentile(voices, 0.5):.0f} p95={percentile(voices, 0.95):.0f}"
        f" gap_ms p95={percentile(gaps, 0.95):.0f} ({load})"
    )
