# SPDX-License-Identifier: Apache-2.0
"""A bound from loss that tells a full link from a bad one, by asking: a radio loses the same share at any rate.

Only transport-wide feedback counts here. Receiver reports of a forwarded stream also have the holes of the
publisher's own path, which no subscriber's link is to blame for.
"""

from __future__ import annotations

from typing import Final

from server.media.congestion.rates import WINDOW_NS, Rates

EXCESS: Final = 0.08
"""Loss above what the link always has, from which on the rate is cut."""

GROWTH_EXCESS: Final = 0.05
"""From here on the rate does not grow."""

STUBBORN: Final = 0.7
"""If this share of the loss is still there after a cut, the rate was not its cause."""

MOST_INHERENT: Final = 0.25
LEAST_PACKETS: Final = 40
STALE_NS: Final = 5_000_000_000
"""A judgement older than this forbids nothing: since then too little was sent to ask anew."""

_FADING: Final = 0.05


class LossBound:
    """Cuts to what comes through when loss rises, and takes it back when that did not help."""

    __slots__ = ("_before", "_judged_ns", "_since_ns", "clean", "inherent")

    def __init__(self) -> None:
        self.inherent = 0.0
        self.clean = True
        """Whether loss allows growth."""
        self._since_ns = 0
        self._judged_ns = 0
        self._before: tuple[float, float] | None = None
        """Loss and rate before the cut whose effect is awaited."""

    def judge(self, rates: Rates, sent_ns: int, rtt_ns: int, target_bps: float) -> float:
        """The new target; `sent_ns` is when the newest acknowledged packet was sent."""
        loss, judged = rates.loss(max(self._since_ns, sent_ns - 2 * WINDOW_NS))
        if judged < LEAST_PACKETS or sent_ns < self._since_ns + WINDOW_NS // 2:
            return target_bps
        self._judged_ns = sent_ns
        if self._before is not None:
            return self._compare(loss, target_bps, *self._before)
        if loss < self.inherent:
            self.inherent += _FADING * (loss - self.inherent)
        self.clean = loss - self.inherent < GROWTH_EXCESS
        if loss - self.inherent < EXCESS:
            return target_bps
        self._before = (loss, target_bps)
        # What is on its way now was sent at the old rate.
        self._since_ns = sent_ns + rtt_ns
        return min(target_bps, max(0.5 * target_bps, 0.95 * rates.delivered_bps()))

    def forgive(self, sent_ns: int) -> None:
        """What was sent until then was lost for another reason."""
        self._since_ns = sent_ns
        self._before = None

    def forget(self, now_ns: int) -> None:
        """Allow growth again when the judgement is stale: with everything paused no new one would ever come."""
        self.clean = self.clean or now_ns - self._judged_ns > STALE_NS

    def _compare(self, loss: float, target_bps: float, loss_before: float, target_before: float) -> float:
        self._before = None
        if loss < STUBBORN * loss_before:
            return target_bps
        self.inherent = min(MOST_INHERENT, max(self.inherent, loss))
        return max(target_bps, target_before)
