# SPDX-License-Identifier: Apache-2.0
"""How good a person's connection is, in words that can be said to them. Pure."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from server.ports import Quality, QualityReason

WORSE_AFTER: Final = 2
BETTER_AFTER: Final = 5
"""Looks in a row, one a second: bad news wait for a second opinion, good news until they last."""

THIN_BPS: Final = 150_000
"""A link that bears less has no room for a picture beside the voices."""


class LastSecond(Struct, frozen=True):
    """What was seen of a connection in the last second. Shares are from 0 to 1.

    `up_loss`: of what the person sends, after repair. `down_loss`: of what we send, as the person's reports tell.
    `queue_ms`: what stands in a queue on the way down. `paused`: pictures that the way down does not bear.
    `target_bps`: what it bears; None when that is not known.
    """

    up_loss: float = 0.0
    up_jitter_ms: float = 0.0
    down_loss: float = 0.0
    queue_ms: float = 0.0
    rtt_ms: float = 0.0
    target_bps: float | None = None
    paused: int = 0


class Verdict(Struct, frozen=True):
    """Both directions, and what is the matter with the worse one."""

    up: Quality = Quality.GOOD
    down: Quality = Quality.GOOD
    reason: QualityReason | None = None


_Scale = tuple[float, float]
"""From here on weak, and from here on poor."""

_UP_LOSS: Final[_Scale] = (0.05, 0.15)
_DOWN_LOSS: Final[_Scale] = (0.08, 0.20)
"""Redundant audio and repeated pictures make up for a little loss; these are the shares at which people notice."""

_JITTER_MS: Final[_Scale] = (60, 200)
_QUEUE_MS: Final[_Scale] = (150, 500)
_RTT_MS: Final[_Scale] = (500, 1_200)
"""Above half a second people begin to talk into each other's words (ITU-T G.114 counts 400 ms one way as the limit)."""

_RANK: Final = {Quality.GOOD: 0, Quality.WEAK: 1, Quality.POOR: 2}


def judge(second: LastSecond) -> Verdict:
    """One second's verdict; of several reasons the most telling one is named."""
    thin = second.target_bps is not None and second.target_bps < THIN_BPS
    up = (
        (_graded(second.up_loss, _UP_LOSS), QualityReason.LOSS),
        (_graded(second.up_jitter_ms, _JITTER_MS), QualityReason.DELAY),
    )
    down = (
        (Quality.POOR if thin else Quality.WEAK if second.paused else Quality.GOOD, QualityReason.BANDWIDTH),
        (_graded(second.down_loss, _DOWN_LOSS), QualityReason.LOSS),
        (_graded(second.queue_ms, _QUEUE_MS), QualityReason.DELAY),
        (_graded(second.rtt_ms, _RTT_MS), QualityReason.DELAY),
    )
    worst_up = max(up, key=lambda finding: _RANK[finding[0]])
    worst_down = max(down, key=lambda finding: _RANK[finding[0]])
    worst = max(worst_down, worst_up, key=lambda finding: _RANK[finding[0]])
    return Verdict(worst_up[0], worst_down[0], worst[1] if worst[0] is not Quality.GOOD else None)


class Watchman:
    """One person's verdict as it is told: it changes only when it lasts."""

    __slots__ = ("_candidate", "_times", "told")

    def __init__(self) -> None:
        self.told = Verdict()
        self._candidate = self.told
        self._times = 0

    def look(self, second: LastSecond) -> Verdict | None:
        """Feed one second; the verdict to be told now, if it is another."""
        found = judge(second)
        if found == self.told:
            self._candidate, self._times = found, 0
            return None
        self._times = self._times + 1 if _badness(found) == _badness(self._candidate) else 1
        self._candidate = found
        patience = WORSE_AFTER if _badness(found) >= _badness(self.told) else BETTER_AFTER
        if self._times < patience:
            return None
        self.told, self._times = found, 0
        return found


def _graded(value: float, scale: _Scale) -> Quality:
    weak, poor = scale
    return Quality.POOR if value >= poor else Quality.WEAK if value >= weak else Quality.GOOD


def _badness(verdict: Verdict) -> tuple[int, int]:
    return max(_RANK[verdict.up], _RANK[verdict.down]), _RANK[verdict.up] + _RANK[verdict.down]
