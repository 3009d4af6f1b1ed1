# SPDX-License-Identifier: Apache-2.0
"""What the clock does for one peer."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from server.media.upkeep import NARROW_BPS, TICKS_PER_SECOND, Upkeep


class Clocked:
    """A peer that counts what is done for it, behind a link with this estimate."""

    camera = microphone = None
    sources: dict[str, object] = {}  # noqa: RUF012
    lines: dict[int, object] = {}  # noqa: RUF012
    ssrc = 7

    def __init__(self, target_bps: float) -> None:
        self.arrivals = self.looks = 0
        self.downlink = SimpleNamespace(target_bps=target_bps, tick=self._look)

    def _look(self, _: int) -> None:
        self.looks += 1

    def send_arrivals(self) -> None:
        self.arrivals += 1


@pytest.mark.parametrize(("target_bps", "arrivals"), [(NARROW_BPS, 10), (NARROW_BPS - 1, 4)])
def test_feedback_is_scarce_where_the_link_is_narrow(
    target_bps: float, arrivals: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten times a second, or four times if the person's voices need the room; their link is looked at as before."""
    monkeypatch.setattr(Upkeep, "_every_second", lambda *_: None)
    monkeypatch.setattr("server.media.upkeep.Observer", lambda _: None)
    peer = Clocked(target_bps)
    upkeep = Upkeep(peer, SimpleNamespace(), lambda _: None)  # type: ignore[arg-type]
    for tick in range(TICKS_PER_SECOND):
        upkeep.tick(tick, 0)
    assert (peer.arrivals, peer.looks) == (arrivals, TICKS_PER_SECOND // 2)
