# SPDX-License-Identifier: Apache-2.0
"""What a fault did, in numbers: one file for each, gathered into `build/faults.json` and the README's table."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from server.rooms.events import ChatSent
from server.signaling.messages import Events, RoomMessage
from tests.faults.checker.history import Run, Sent, Told
from tests.faults.checker.limits import percentile
from tests.faults.checker.verdict import check, tally
from tests.faults.client import resume_ms
from tests.faults.seeds import Topology, kind_of

ROOT: Final = Path(__file__).parents[2]
ROWS: Final = ROOT / "build" / "faults"
GATHERED: Final = ROOT / "build" / "faults.json"
BEGIN: Final = "<!-- faults: begin -->"
END: Final = "<!-- faults: end -->"
NOTHING: Final[dict[str, Any]] = {"lost": None, "duplicated": None, "two_places": None, "resume_ms": None}
"""What the naive server made of a fault that it has nothing for."""
ELSEWHERE: Final[dict[Topology, str]] = {
    "sentinel": "on a primary with a replica and three Sentinels",
    "cluster": "on a Cluster of three primaries, each with a replica",
}
COUNTS: Final = ("lost", "duplicated", "two_places", "commands", "messages")


def numbers(run: Run) -> dict[str, Any]:
    """The integers that must be 0, how much they are out of, and how long each time somebody was away, in ms."""
    counts = tally(check(run))
    return {
        "lost": counts.lost,
        "duplicated": counts.duplicated,
        "two_places": counts.two_places,
        "gaps_ms": [gap for history in run.histories for gap in resume_ms(history)],
        "people": len(run.histories),
        "commands": sum(isinstance(record, Sent) for history in run.histories for record in history.records),
        "messages": sum(isinstance(record, Told) for history in run.histories for record in history.records),
    }


def spread(values: Sequence[float]) -> dict[str, float]:
    """p50, p99 and the largest of so many; all 0 if there are none."""
    if not values:
        return {"count": 0, "p50": 0, "p99": 0, "max": 0}
    return {"count": len(values), "p50": percentile(values, 0.5), "p99": percentile(values, 0.99), "max": max(values)}


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


def record(fault: int, name: str, run: Run, *, seed: int, topology: Topology = "single", **more: object) -> None:
    """Keep the numbers of this fault for the table, and print them."""
    keep("ours", {"fault": fault, "name": name, "topology": topology, "seed": seed, **numbers(run), **more})


def keep(column: str, row: dict[str, Any]) -> None:
    """Write one row down; `column`: ours or naive."""
    print(json.dumps(row))
    if "FAULT_MUTANT" in os.environ:
        return  # what a broken server does is not for the table
    ROWS.mkdir(parents=True, exist_ok=True)
    name = hashlib.sha256(f"{row['name']} {row.get('topology')}".encode()).hexdigest()[:6]
    (ROWS / f"{row['fault']:02}-{column}-{name}-{row['seed']}.json").write_text(json.dumps(row, indent=1))


def gathered() -> list[dict[str, Any]]:
    """One row for each fault, way to strike it and topology, over all seeds, with what the naive server made of it."""
    rows = [json.loads(path.read_text()) for path in sorted(ROWS.glob("*-ours-*.json"))]
    naive = [json.loads(path.read_text()) for path in sorted(ROWS.glob("*-naive-*.json"))]
    found = []
    for which in sorted({_which(row) for row in rows}):
        fault, name, topology = which
        ours = merged([row for row in rows if _which(row) == which])
        theirs = [row for row in naive if row["fault"] == fault]
        told = {"fault": fault, "name": name, "topology": topology}
        found.append({**told, **ours, "naive": merged(theirs) if theirs else NOTHING})
    return found


def _which(row: dict[str, Any]) -> tuple[int, str, Topology]:
    return row["fault"], row["name"], row["topology"]


def merged(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The runs of one fault with several seeds as one: counts are summed, times pooled, the rest listed."""
    whole: dict[str, Any] = {"seeds": [row["seed"] for row in rows]}
    whole |= {key: sum(row[key] for row in rows) for key in COUNTS}
    whole["resume_ms"] = spread([gap for row in rows for gap in row["gaps_ms"]])
    whole["people"] = max(row["people"] for row in rows)
    media = [gap for row in rows for gap in row.get("media_gaps_ms", ())]
    whole["media_ms"] = spread(media)
    known = {*whole, *COUNTS, "fault", "name", "topology", "seed", "gaps_ms", "media_gaps_ms"}
    others = {key for row in rows for key in row} - known
    return whole | {key: [row.get(key) for row in rows] for key in sorted(others)}


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Markdown: lost / duplicated / in two places, the time until people were back, and the naive server."""
    single = [row for row in rows if row["topology"] == "single"]
    lines = [
        "| # | fault | lost | duplicated | in two places | back, p50 / p99 | media silent, p50 / p99 | naive |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    lines += [f"{_ours(row)} | {_naive(row['naive'])} |" for row in single]
    return "\n".join((*lines, "", _extent(single), *_elsewhere(rows)))


def _ours(row: dict[str, Any]) -> str:
    counts = f"{row['lost']} | {row['duplicated']} | {row['two_places']}"
    times = f"{_times(row['resume_ms'], 'nobody was away')} | {_times(row['media_ms'], '')}"
    return f"| {row['fault']} | {row['name']} | {counts} | {times}"


def _elsewhere(rows: Sequence[dict[str, Any]]) -> tuple[str, ...]:
    """The same faults, where "Redis" is the primary that has the room; a table for each topology."""
    lines: list[str] = []
    for topology, title in ELSEWHERE.items():
        there = [row for row in rows if row["topology"] == topology]
        if there:
            lines += [
                "",
                "<details>",
                f"<summary>The same {title}; killed, paused or emptied is the primary that has the room</summary>",
                "",
                "| # | fault | lost | duplicated | in two places | back, p50 / p99 | media silent, p50 / p99 |",
                "| --- | --- | --- | --- | --- | --- | --- |",
                *(f"{_ours(row)} |" for row in there),
                "",
                _counted(there),
                "",
                "</details>",
            ]
    return tuple(lines)


def _times(times: dict[str, float], otherwise: str) -> str:
    return f"{times['p50']:.0f} / {times['p99']:.0f} ms" if times["count"] else otherwise


def _naive(row: dict[str, Any]) -> str:
    if row == NOTHING:
        return ""
    counts = f"{row['lost']} lost, {row['duplicated']} duplicated, {row['two_places']} in two places"
    return f"{counts}; back {_times(row['resume_ms'], '')}" if row["resume_ms"]["count"] else counts


def _extent(rows: Sequence[dict[str, Any]]) -> str:
    return (
        f"{_counted(rows)} *Naive* is python-socketio with its AsyncRedisManager (`tests/faults/naive.py`); "
        "where its field is empty it has nothing that this fault could strike."
    )


def _counted(rows: Sequence[dict[str, Any]]) -> str:
    ran = sorted({(seed, row["topology"]) for row in rows for seed in row["seeds"]})
    runs = sum(len(row["seeds"]) for row in rows)
    seeds = ", ".join(str(seed) for seed in sorted({seed for seed, _ in ran}))
    servers = " and ".join(sorted({kind_of(*run).capitalize() for run in ran}))
    commands, messages = (sum(row[key] for row in rows) for key in ("commands", "messages"))
    return (
        f"{runs} runs with seeds {seeds} on {servers}, up to {max(row['people'] for row in rows)} "
        f"people in the room; {commands:,} commands, {messages:,} messages received."
    )


def publish(readme: Path) -> None:
    """Write `build/faults.json`, and the table between the marks of the README."""
    rows = gathered()
    if not rows:
        raise SystemExit("no fault has left its numbers in build/faults")
    GATHERED.write_text(json.dumps(rows, indent=1) + "\n")
    text = readme.read_text()
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    readme.write_text(f"{before}{BEGIN}\n{table(rows)}\n{END}{after}")


if __name__ == "__main__":
    publish(ROOT / "README.md")
