# SPDX-License-Identifier: Apache-2.0
"""The table, the ratios, and the document of `--json`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil
from statistics import median
from typing import Final

from bench.signaling.generator import Figures, Shared, Work

_COLUMNS: Final = (
    ("server", 10), ("W1 conn/s", 10), ("KiB/conn", 9), ("W2 deliv/s", 11), ("us each", 8), ("W3 p50/p99 ms", 14),
    ("W4 acks/s", 10), ("us each", 8), ("half p50/p99 ms", 15), ("generator busy", 15),
)  # fmt: skip


def heading() -> str:
    """Of the table."""
    return " ".join(f"{name:>{width}}" for name, width in _COLUMNS)


def quantile(times: Sequence[float], share: float) -> float:
    """Nearest rank."""
    ordered = sorted(times)
    return ordered[max(1, ceil(len(ordered) * share)) - 1]


def busy(work: Work) -> float:
    """The generator's own share of its core."""
    return work.generator_s / work.seconds


def line(name: str, figures: Figures) -> str:
    """Of the table: one round of one server."""
    hall = figures.hall.times_ms
    cells = (
        name,
        f"{figures.connect.per_s:,.0f}",
        f"{figures.kib_per_connection:.1f}",
        f"{figures.broadcast.per_s:,.0f}",
        f"{figures.broadcast.us_each:.1f}",
        f"{quantile(hall, 0.5):.1f} / {quantile(hall, 0.99):.1f}",
        f"{figures.acknowledge.per_s:,.0f}",
        f"{figures.acknowledge.us_each:.1f}",
        f"{quantile(figures.half.times_ms, 0.5):.1f} / {quantile(figures.half.times_ms, 0.99):.1f}",
        f"{busy(figures.broadcast):.0%} {busy(figures.acknowledge):.0%}",
    )
    return " ".join(f"{cell:>{width}}" for cell, (_, width) in zip(cells, _COLUMNS, strict=True))


def _row(rounds: Sequence[Figures]) -> dict[str, object]:
    """The medians of all rounds."""

    def middle(values: Sequence[float]) -> float:
        return round(median(values), 3)

    return {
        "w1_connections_per_s": middle([one.connect.per_s for one in rounds]),
        "w1_us_per_join": middle([one.connect.us_each for one in rounds]),
        "kib_per_connection": middle([one.kib_per_connection for one in rounds]),
        "w2_deliveries_per_s": middle([one.broadcast.per_s for one in rounds]),
        "w2_us_per_delivery": middle([one.broadcast.us_each for one in rounds]),
        "w3_ms": {
            "p50": middle([quantile(one.hall.times_ms, 0.5) for one in rounds]),
            "p99": middle([quantile(one.hall.times_ms, 0.99) for one in rounds]),
        },
        "w4_acks_per_s": middle([one.acknowledge.per_s for one in rounds]),
        "w4_us_per_ack": middle([one.acknowledge.us_each for one in rounds]),
        "w4_half_load_ms": {
            "p50": middle([quantile(one.half.times_ms, 0.5) for one in rounds]),
            "p99": middle([quantile(one.half.times_ms, 0.99) for one in rounds]),
        },
        "generator_busy": middle([busy(one.broadcast) for one in rounds]),
    }


def shared_heading() -> str:
    """Of the table of two nodes."""
    return (
        f"two nodes: {'server':>10} {'events/s':>9} {'us of nodes':>12} {'us of store':>12}"
        f" {'crossing p50/p99 ms':>20} {'generator busy':>15}"
    )


def shared_line(name: str, shared: Shared) -> str:
    """Of the table of two nodes; CPU time is that for one event, told to twelve people."""
    row = _shared_row(shared)
    crossing = f"{quantile(shared.crossing_ms, 0.5):.2f} / {quantile(shared.crossing_ms, 0.99):.2f}"
    return (
        f"           {name:>10} {row['events_per_s']:>9,.0f} {row['us_per_event']:>12.0f}"
        f" {row['store_us_per_event']:>12.0f} {crossing:>20} {busy(shared.broadcast):>15.0%}"
    )


def _shared_row(shared: Shared) -> dict[str, float]:
    return {
        "events_per_s": round(shared.events_per_s, 1),
        "us_per_event": round(shared.broadcast.server_s * 1e6 / max(1, shared.events), 1),
        "store_us_per_event": round(shared.store_s * 1e6 / max(1, shared.events), 1),
        "generator_busy": round(busy(shared.broadcast), 3),
    }


def _two_nodes(shared: Mapping[str, Shared]) -> dict[str, object]:
    return {
        name: {
            **_shared_row(one),
            "crossing_ms": {"p50": quantile(one.crossing_ms, 0.5), "p99": quantile(one.crossing_ms, 0.99)},
        }
        for name, one in shared.items()
    }


def document(
    found: Mapping[str, Sequence[Figures]],
    ours: str,
    shared: Mapping[str, Shared] | None = None,
    kib_with_media: float | None = None,
) -> dict[str, object]:
    """Our figures, those of the others by name, and what ours are of Node's; more where it was measured."""
    rows = {name: _row(rounds) for name, rounds in found.items() if rounds}
    others = {name: row for name, row in rows.items() if name != ours}
    ratio: dict[str, float] | None = _ratio(found, ours, "node")
    told: dict[str, object] = {"two_nodes": _two_nodes(shared)} if shared else {}
    if kib_with_media is not None:
        told["kib_with_media"] = round(kib_with_media, 1)
    if ratio is not None and shared and ours in shared and "node" in shared:
        ratio = {**ratio, "two_nodes": round(shared[ours].events_per_s / shared["node"].events_per_s, 3)}
    return {**rows[ours], **others, **told, "ratio_to_node": ratio}


def ratios(found: Mapping[str, Sequence[Figures]], ours: str) -> str:
    """What ours are of the others'."""
    said = []
    for name in found:
        ratio = _ratio(found, ours, name)
        if name != ours and ratio is not None:
            said.append(f"Deliveries: {ratio['w2']:.2f} x {name}; answers: {ratio['w4']:.2f} x {name}.")
    return "\n".join(said)


def _ratio(found: Mapping[str, Sequence[Figures]], ours: str, other: str) -> dict[str, float] | None:
    if not found.get(other):
        return None
    mine, theirs = _row(found[ours]), _row(found[other])

    def ratio(key: str) -> float:
        return round(float(str(mine[key])) / float(str(theirs[key])), 3)

    return {"w2": ratio("w2_deliveries_per_s"), "w4": ratio("w4_acks_per_s")}
