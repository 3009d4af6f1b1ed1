# SPDX-License-Identifier: Apache-2.0
"""A careful budget for subscribers without transport-wide feedback: what they say themselves, and trying."""

from __future__ import annotations

from typing import Final

from server.media.congestion.estimator import CEILING_BPS, FLOOR_BPS, START_BPS, Estimator

GROWTH: Final = 0.15
HIGH_LOSS, LOW_LOSS = 0.1, 0.02
"""RFC 8698's neighbours and draft-ietf-rmcat-gcc-02 section 6: above the first go down, below the second go up."""

HEADROOM: Final = 1.5
NS: Final = 1_000_000_000
DEAF_NS: Final = 5 * NS
DEAF_BYTES: Final = 20_000
DEAF_REPORTS: Final = 4
"""So many reports in so long and not one transport-wide feedback, with this much sent: it never comes."""


FIRST_HOLD_NS: Final = 10 * NS
LONGEST_HOLD_NS: Final = 80 * NS
"""After something spoke against a rate nothing larger is tried for so long, each time for longer."""

HEARD_NS: Final = 5 * NS
"""More than is used is tried only while the receiver reports."""


class Fallback:
    """`target_bps` follows loss (RFC 3550 receiver reports) and REMB.

    A browser's REMB is at most one and a half times what it gets: it can justify going down, never up. Loss in a
    report may come from the publisher's own path, so that it counts only when it is high.
    """

    __slots__ = ("_cut_ns", "_heard_ns", "_held_until_ns", "_hold_ns", "_loss", "_reports", "_since_ns", "target_bps")

    def __init__(self) -> None:
        self.target_bps = float(START_BPS)
        self._since_ns = 0
        self._reports = 0
        self._loss = 0.0
        self._cut_ns = 0
        self._heard_ns = 0
        self._hold_ns = FIRST_HOLD_NS
        self._held_until_ns = 0

    def remb(self, bits_per_second: int, sent_bps: float, now_ns: int) -> None:
        """The receiver's estimate, and what it was sent in the last second."""
        self._heard_ns = now_ns
        if bits_per_second < 0.95 * sent_bps:
            self._lower(min(self.target_bps, float(bits_per_second)), now_ns)

    def report(self, loss: float, now_ns: int) -> None:
        """The share lost of the line that lost most."""
        self._loss, self._heard_ns = loss, now_ns
        if loss > HIGH_LOSS and now_ns - self._cut_ns > NS:
            self._lower(self.target_bps * (1 - loss / 2), now_ns)

    def needed(self, estimator: Estimator, now_ns: int) -> bool:
        """Whether only reports come of what the estimator waits for; to be asked with each report."""
        if not self._since_ns or estimator.unanswered_bytes < DEAF_BYTES or estimator.fed_ns > self._since_ns:
            self._since_ns, self._reports = now_ns, 0
            return False
        self._reports += 1
        if now_ns - self._since_ns < DEAF_NS or self._reports < DEAF_REPORTS:
            # The first report after a path was blocked comes before the first feedback.
            return False
        self.target_bps = min(self.target_bps, estimator.target_bps)
        return True

    def tick(self, sent_bps: float, wanted_bps: float, elapsed_ns: int, now_ns: int) -> None:
        """Try a little more while nothing speaks against it, and what is allowed is used.

        The next larger picture may be far above what is used: as far as `wanted_bps` it is tried without that.
        """
        trying = now_ns >= self._held_until_ns and now_ns - self._heard_ns < HEARD_NS
        bound = max(HEADROOM * sent_bps, wanted_bps if trying else 0.0)
        if self._loss < LOW_LOSS and now_ns - self._cut_ns > 2 * NS and self.target_bps < bound:
            self.target_bps = min(CEILING_BPS, self.target_bps * (1 + GROWTH * elapsed_ns / NS))

    def _lower(self, bits_per_second: float, now_ns: int) -> None:
        if now_ns - self._cut_ns > 2 * NS:
            again = now_ns < self._held_until_ns + 2 * self._hold_ns
            self._hold_ns = min(LONGEST_HOLD_NS, 2 * self._hold_ns) if again else FIRST_HOLD_NS
        self._held_until_ns = now_ns + self._hold_ns
        self._cut_ns = now_ns
        self.target_bps = max(FLOOR_BPS, bits_per_second)
