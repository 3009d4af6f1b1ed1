# SPDX-License-Identifier: Apache-2.0
"""A careful budget for subscribers without transport-wide feedback: what they say themselves, and trying."""

from __future__ import annotations

from typing import Final

from server.media.congestion.estimator import CEILING_BPS, FLOOR_BPS, START_BPS

GROWTH: Final = 0.15
HIGH_LOSS, LOW_LOSS = 0.1, 0.02
"""RFC 8698's neighbours and draft-ietf-rmcat-gcc-02 section 6: above the first go down, below the second go up."""

HEADROOM: Final = 1.5
NS: Final = 1_000_000_000


class Fallback:
    """`target_bps` follows loss (RFC 3550 receiver reports) and REMB.

    A browser's REMB is at most one and a half times what it gets: it can justify going down, never up. Loss in a
    report may come from the publisher's own path, so that it counts only when it is high.
    """

    __slots__ = ("_cut_ns", "_loss", "target_bps")

    def __init__(self) -> None:
        self.target_bps = float(START_BPS)
        self._loss = 0.0
        self._cut_ns = 0

    def remb(self, bits_per_second: int, sent_bps: float, now_ns: int) -> None:
        """The receiver's estimate, and what it was sent in the last second."""
        if bits_per_second < 0.95 * sent_bps:
            self._cut_ns = now_ns
            self.target_bps = max(FLOOR_BPS, min(self.target_bps, float(bits_per_second)))

    def report(self, loss: float, now_ns: int) -> None:
        """The share lost of the line that lost most."""
        self._loss = loss
        if loss > HIGH_LOSS and now_ns - self._cut_ns > NS:
            self._cut_ns = now_ns
            self.target_bps = max(FLOOR_BPS, self.target_bps * (1 - loss / 2))

    def tick(self, sent_bps: float, elapsed_ns: int, now_ns: int) -> None:
        """Try a little more while nothing speaks against it and what is allowed is used."""
        if self._loss < LOW_LOSS and now_ns - self._cut_ns > 2 * NS and self.target_bps < HEADROOM * sent_bps:
            self.target_bps = min(CEILING_BPS, self.target_bps * (1 + GROWTH * elapsed_ns / NS))
