# SPDX-License-Identifier: Apache-2.0
"""What a fault did, in numbers: one file for each, gathered into `build/faults.json` and the README's table."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from server.rooms.events import ChatSent
from server.signaling.messages import Events, RoomMessage
from tests.faults.checker.history import Run, Sent, Told
from tests.faults.checker.limits import percentile
from tests.faults.checker.verdict import check, tally
from tests.faults.client import resume_ms

ROOT: Final = Path(__file__).parents[2]
ROWS: Final = ROOT / "build" / "faults"
GATHERED: Final = ROOT / "build" / "faults.json"
BEGIN: Final = "<!-- faults: begin -->"
END: Final = "<!-- faults: end -->"


def numbers(run: Run) -> dict[str, Any]:
    """The integers that must be 0, how much they are out of, and how long people were away."""
    counts = tally(check(run))
    gaps = [gap for history in run.histories for gap in resume_ms(history)]
    return {
        "lost": counts.lost,
        "duplicated": counts.duplicated,
        "two_places": counts.two_places,
        "resume_ms": spread(gaps),
        "people": len(run.histories),
        "commands": sum(isinstance(record, Sent) for history in run.histories for record in history.records),
        "messages": sum(isinstance(record, Told) for history in run.histories for record in history.records),
    }


def spread(values: Sequence[float]) -> dict[str, float] | None:
    """p50, p99 and the largest; None: nobody was away."""
    if not values:
        return None
    return {"p50": percentile(values, 0.5), "p99": percentile(values, 0.99), "max": max(values)}


def delays(run: Run, since_ms: int = 0) -> list[int]:
    """For each message and each client that saw it happen: how long after the first of all, in milliseconds."""
    first: dict[int, int] = {}
    behind: list[int] = []
    seen = sorted((r.at_ms, _chats(r.message)) for h in run.histories for r in h.records if isinstance(r, Told))
    for at_ms, numbers in seen:
        for number in numbers:
            began = first.setdefault(number, at_ms)
            if began >= since_ms:
                behind.append(at_ms - began)
    return behind


def _chats(message: RoomMessage) -> list[int]:
    events = message.events if isinstance(message, Events) else ()
    return [event.message.id for event in events if isinstance(event, ChatSent)]


def record(fault: int, name: str, run: Run, *, column: str = "ours", **more: object) -> None:
    """Keep the numbers of this fault for the table, and print them."""
    row = {"fault": fault, "name": name, **numbers(run), **more}
    keep(fault, column, row)


def keep(fault: int, column: str, row: dict[str, Any]) -> None:
    """Write one row down; `column`: ours or naive."""
    print(json.dumps(row))
    if "FAULT_MUTANT" in os.environ:
        return  # what a broken server does is not for the table
    ROWS.mkdir(parents=True, exist_ok=True)
    (ROWS / f"{fault:02}-{column}.json").write_text(json.dumps(row, indent=1))


def gathered() -> list[dict[str, Any]]:
    """All rows, ours with the naive one inside."""
    rows = [json.loads(path.read_text()) for path in sorted(ROWS.glob("*-ours.json"))]
    for row in rows:
        naive = ROWS / f"{row['fault']:02}-naive.json"
        row["naive"] = json.loads(naive.read_text()) if naive.exists() else None
    return rows


def table(rows: Iterable[dict[str, Any]]) -> str:
    """Markdown: lost / duplicated / in two places, and the time until people were back."""
    lines = [
        "| # | fault | lost | duplicated | in two places | back, p50 / p99 | the naive server |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        counts = f"{row['lost']} | {row['duplicated']} | {row['two_places']}"
        lines.append(f"| {row['fault']} | {row['name']} | {counts} | {_back(row)} | {_naive(row['naive'])} |")
    return "\n".join(lines)


def _back(row: dict[str, Any]) -> str:
    times = row["resume_ms"]
    return "nobody was away" if times is None else f"{times['p50']:.0f} / {times['p99']:.0f} ms"


def _naive(row: dict[str, Any] | None) -> str:
    if row is None:
        return "-"
    return f"{row['lost']} lost, {row['duplicated']} duplicated, {row['two_places']} in two places"


def publish(readme: Path) -> None:
    """Write `build/faults.json`, and the table between the marks of the README."""
    rows = gathered()
    GATHERED.write_text(json.dumps(rows, indent=1) + "\n")
    text = readme.read_text()
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    readme.write_text(f"{before}{BEGIN}\n{table(rows)}\n{END}{after}")


if __name__ == "__main__":
    publish(ROOT / "README.md")
