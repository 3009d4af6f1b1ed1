# SPDX-License-Identifier: Apache-2.0
"""The table on the terminal, and the same as JSON."""

from __future__ import annotations

import os
import platform
from typing import Any, Final

import msgspec

from bench.media.row import MAX_LOSS, MAX_P95_MS, Row
from bench.media.search import LATENCY_SHARE, Search

_COLUMNS: Final = (
    "server", "rooms", "s", "out/s", "loss %", "p50", "p95", "p99 ms", "us/packet", "cpu %", "lag ms", "gen %",
    "late ms", "other %", "",
)  # fmt: skip
_RATIOS: Final = {"ratio_to_janus": "rooms against janus", "us_ratio_to_janus": "janus's cost against ours"}
_WIDTHS: Final = (18, 5, 5, 8, 7, 8, 8, 8, 9, 6, 7, 6, 7, 7, 0)


def heading() -> str:
    """The names of the columns of `line`."""
    return _joined(_COLUMNS)


def line(server: str, row: Row) -> str:
    """One row of the table."""
    verdict = "" if row.carried else "not carried"
    lag = "-" if row.loop_lag_ms is None else f"{row.loop_lag_ms:.1f}"
    cells = (
        server,
        str(row.rooms),
        f"{row.seconds:.0f}",
        f"{row.received / row.seconds:,.0f}",
        f"{row.loss * 100:.3f}",
        f"{row.p50_ms:.2f}",
        f"{row.p95_ms:.2f}",
        f"{row.p99_ms:.2f}",
        f"{row.us_per_packet:.2f}",
        f"{row.server_cpu * 100:.0f}",
        lag,
        f"{row.generator_busy * 100:.0f}",
        f"{row.lateness_p99_ms:.2f}",
        f"{row.foreign * 100:.0f}",
        "; ".join(filter(None, [verdict, *row.doubts])),
    )
    return _joined(cells)


def summary(paths: dict[str, Search], janus: Search | None) -> str:
    """What it comes to, for each path."""
    found = {**{f"holdspace {name}": search for name, search in paths.items()}, **({"janus": janus} if janus else {})}
    lines = [f"Rooms of 12 on one core (< {MAX_LOSS:.1%} loss, p95 < {MAX_P95_MS:.0f} ms):"]
    for name, search in found.items():
        at = search.at_share
        share = f", forwarding p99 {at.p99_ms:.2f} ms at {at.rooms}" if at is not None else ""
        ratio = _ratio(search, janus) if janus is not None and search is not janus else {}
        times = "".join(f", {_RATIOS[key]} {value}" for key, value in ratio.items() if value)
        lines.append(
            f"  {name}: {_rooms(search)} rooms, {search.us_per_packet:.2f} us a packet"
            f" at {search.equal.rooms}{share}{times}"
        )
    return "\n".join(lines)


def document(paths: dict[str, Search], janus: Search | None) -> dict[str, Any]:
    """The report as JSON types. `ratio_to_janus` is of rooms, `us_ratio_to_janus` of cost (above 1: we are cheaper)."""
    peer = _figures(janus) if janus is not None else None
    return {
        **_head(),
        "latency_share": LATENCY_SHARE,
        "paths": {
            name: {**_figures(search), "janus": peer, **(_ratio(search, janus) if janus is not None else {})}
            for name, search in paths.items()
        },
    }


def loads(found: dict[str, tuple[Row, ...]]) -> dict[str, Any]:
    """The same of a call that named its numbers of rooms: every row of each server, disturbed ones included."""
    told = {
        name: [{**msgspec.to_builtins(row), "carried": row.carried} for row in measured]
        for name, measured in found.items()
    }
    return {**_head(), "servers": told}


def _head() -> dict[str, Any]:
    return {
        "bench": "media",
        "machine": {"cpu": _processor(), "cores": os.cpu_count(), "kernel": platform.release()},
    }


def _figures(search: Search) -> dict[str, Any]:
    largest, at = search.largest, search.at_share
    used = [row for row in (search.equal, search.again, largest, at) if row is not None]
    return {
        "rooms_per_core": _rooms(search),
        "us_per_packet": search.us_per_packet,
        "us_per_packet_rooms": search.equal.rooms,
        "forward_ms": _latency(largest),
        "forward_ms_at_share": _latency(at),
        "loop_lag_ms": largest.loop_lag_ms if largest is not None else None,
        "generator_busy": max(row.generator_busy for row in used),
        "generator_lateness_p99_ms": max(row.lateness_p99_ms for row in used),
        "doubts": sorted({str(doubt) for row in used for doubt in row.doubts}),
        "rows": msgspec.to_builtins(search.rows),
    }


def _latency(row: Row | None) -> dict[str, float] | None:
    if row is None:
        return None
    return {"rooms": row.rooms, "p50": row.p50_ms, "p95": row.p95_ms, "p99": row.p99_ms}


def _ratio(search: Search, janus: Search) -> dict[str, float | None]:
    theirs = _rooms(janus)
    return {
        "ratio_to_janus": round(_rooms(search) / theirs, 2) if theirs else None,
        "us_ratio_to_janus": round(janus.us_per_packet / search.us_per_packet, 2),
    }


def _rooms(search: Search) -> int:
    return search.largest.rooms if search.largest is not None else 0


def _joined(cells: tuple[str, ...]) -> str:
    first, *rest, last = cells
    padded = [cell.rjust(width) for cell, width in zip(rest, _WIDTHS[1:-1], strict=True)]
    return " ".join([first.ljust(_WIDTHS[0]), *padded, last]).rstrip()


def _processor() -> str:
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:  # noqa: PTH123 - no path of ours
        names = [text.partition(":")[2].strip() for text in file if text.startswith("model name")]
    return names[0] if names else platform.machine()
