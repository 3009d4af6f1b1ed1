# SPDX-License-Identifier: Apache-2.0
"""The matrix: which links are measured. Pure data."""

from __future__ import annotations

from msgspec import Struct

from loadtest.impairment.profile import PERFECT, Link, adjusted


class Row(Struct, frozen=True, kw_only=True):
    """One person receives `publishers` others over `link`; they send over `uplink`, and the first one speaks.

    `change` is the link of the receiver from the middle of the measured time on; what is said about recovery counts
    from there. `rival`: through `tc tbf` of the down rate instead of the rig, beside a TCP download.
    """

    name: str
    link: Link
    publishers: int = 3
    uplink: Link = PERFECT
    change: Link | None = None
    warm_s: float = 8.0
    seconds: float = 8.0
    rival: bool = False


def _link(settings: str) -> Link:
    return adjusted(PERFECT, settings)


def _rate(bps: int, *, round_trip_ms: int = 100, publishers: int = 3) -> Row:
    settings = f"both.delay_ms={round_trip_ms / 2} down.rate_bps={bps} up.rate_bps={max(bps, 2_000_000)}"
    return Row(name=f"{bps // 1_000} kbit/s, RTT {round_trip_ms}", link=_link(settings), publishers=publishers)


def _loss(percent: float, *, round_trip_ms: int = 50) -> Row:
    link = _link(f"both.delay_ms={round_trip_ms / 4} both.loss={percent / 100}")
    return Row(name=f"loss {percent:g} % each way, RTT {round_trip_ms}", link=link, uplink=link, publishers=2)


_WIDE = _link("both.delay_ms=25 down.rate_bps=3000000 up.rate_bps=2000000")

FIVE_PERCENT = _loss(5)
NARROW = _rate(300_000)

ROWS = (
    _rate(64_000, publishers=1),
    *(_rate(bps) for bps in (100_000, 200_000, 300_000, 600_000, 1_000_000, 2_000_000, 5_000_000)),
    *(_rate(1_000_000, round_trip_ms=ms) for ms in (50, 200, 400)),
    *(_loss(percent) for percent in (1, 2)),
    FIVE_PERCENT,
    _loss(5, round_trip_ms=200),
    _loss(10),
    *(Row(name=name, link=_link(name)) for name in ("dsl", "lte", "rural-3g")),
    Row(name="jitter 30 ms, reordered 2 %", link=_link("both.delay_ms=30 both.jitter_ms=30 both.reorder=0.02")),
    *(
        Row(name=f"uplink {bps // 1_000} kbit/s", link=PERFECT, publishers=1, uplink=_link(
            f"both.delay_ms=25 up.rate_bps={bps}"))
        for bps in (300_000, 500_000, 1_000_000)
    ),
    Row(
        name="3 Mbit/s drops to 300 kbit/s",
        link=_WIDE,
        change=_link("both.delay_ms=25 down.rate_bps=300000 up.rate_bps=2000000"),
        warm_s=10,
        seconds=24,
    ),
    Row(
        name="300 kbit/s rises to 3 Mbit/s",
        link=_link("both.delay_ms=25 down.rate_bps=300000 up.rate_bps=2000000"),
        change=_WIDE,
        seconds=24,
    ),
    Row(name="2 Mbit/s beside TCP", link=_link("down.rate_bps=2000000 down.queue_ms=200"), rival=True, seconds=16),
)  # fmt: skip
