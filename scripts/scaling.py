# SPDX-License-Identifier: Apache-2.0
"""Renews the measured figures of docs/scaling.md, and what follows from them: `python scripts/scaling.py`.

About three minutes, with nothing else running. `--from FOLDER`: take the reports of an earlier run.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from msgspec import json

ROOT: Final = Path(__file__).parents[1]
PAGE: Final = ROOT / "docs" / "scaling.md"
PEOPLE: Final = 12
ROOMS: Final = 100_000
EVERYBODY: Final = PEOPLE * ROOMS
HALL: Final = 500
COMMANDS_S: Final = 0.1
"""Commands of one person in a second; half of them are told to the room."""
JOIN_S: Final = 15 * 60
RUSH_S: Final = 60
TIMES: Final = "\N{MULTIPLICATION SIGN}"
_LARGE_US: Final = 1000
_SMALL_US: Final = 10
BEGIN: Final = "<!-- measured: {} -->\n"
END: Final = "<!-- end -->"

Report = dict[str, Any]


def main() -> None:
    """Measure, unless there are reports, and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--from", dest="folder", type=Path, help="reports of an earlier run")
    asked = parser.parse_args().folder
    folder = asked or ROOT / "build" / "scaling"
    if asked is None:
        folder.mkdir(parents=True, exist_ok=True)
        _bench("signaling", "--no-peers", "--no-nodes", "--repeats", "3", "--json", str(folder / "signaling.json"))
        _bench("log", "--json", str(folder / "log.json"))
    signaling, log = (json.decode((folder / f"{name}.json").read_bytes()) for name in ("signaling", "log"))
    page = PAGE.read_text()
    for name, text in (("costs", costs(signaling, log)), ("rooms", rooms(signaling, log)), ("hall", hall(signaling))):
        begin = BEGIN.format(name)
        head, found, rest = page.partition(begin)
        if not found:
            sys.exit(f"docs/scaling.md has no {begin.strip()}")
        page = head + begin + text + END + rest.partition(END)[2]
        print(text)
    PAGE.write_text(page)


def _bench(*words: str) -> None:
    subprocess.run([sys.executable, "-m", "server.cli", "bench", *words], cwd=ROOT, check=True)  # noqa: S603 - our own


def costs(signaling: Report, log: Report) -> str:
    """What one thing costs."""
    told = signaling["w2_us_per_delivery"]
    rows = [
        ("One append, log in memory", _us(log["memory"]["append"]["client_us"]), "-", "`bench log`, many rooms"),
        *(
            (
                f"One append, {name}",
                _us(log[key]["append"]["client_us"]),
                _us(log[key]["append"]["store_us"]),
                "the same",
            )
            for key, name in (("redis", "Redis"), ("valkey", "Valkey"))
        ),
        *(
            (words, _us(log["redis"][call]["client_us"]), _us(log["redis"][call]["store_us"]), "the same")
            for call, words in (
                ("batched", "One of 16 entries in an append, Redis"),
                ("read", "Read of 16 entries, Redis"),
                ("create", "Begin a room of twelve, Redis"),
            )
        ),
        ("One event to one of twelve clients", _us(told), "-", "`bench signaling` W2, command and answer included"),
        ("One event to all twelve", f"{told * PEOPLE:.0f} µs", "-", "twelve times that"),
        ("One command that tells nobody, answered", _us(signaling["w4_us_per_ack"]), "-", "W4"),
        ("One join, until everybody in the room knows", _us(signaling["w1_us_per_join"]), "-", "W1"),
        (
            "One connection, idle",
            f"{signaling['kib_per_connection']:.0f} KiB **m**",
            "-",
            "W1: room, seat and log included",
        ),
        *_with_media(signaling),
        ("One room of twelve with 256 events in Redis", "-", "63 KB **m**", "measured once; the data is the same"),
        ("One room of 500 with 256 events in Redis", "-", "178 KB **m**", "the same"),
    ]
    return _table(("What", "Node's CPU or memory", "Redis' CPU", "Where from"), rows)


def _with_media(signaling: Report) -> list[tuple[str, ...]]:
    """Where it could be measured."""
    kib = signaling.get("kib_with_media")
    if kib is None:
        return []
    return [("One connection with media, idle", f"{kib:.0f} KiB **m**", "-", "of it the media worker has most")]


def rooms(signaling: Report, log: Report) -> str:
    """100,000 rooms of twelve."""
    commands = EVERYBODY * COMMANDS_S
    told, quiet = signaling["w2_us_per_delivery"] * PEOPLE, signaling["w4_us_per_ack"]
    append, store = log["redis"]["append"]["client_us"], log["redis"]["append"]["store_us"]
    join = signaling["w1_us_per_join"]
    joins, rush = EVERYBODY / JOIN_S, EVERYBODY / RUSH_S
    busy = {
        "commands": commands * (told + quiet) / 2,
        "appends": commands * append,
        "joins": joins * join,
    }
    cores = {name: us / 1e6 for name, us in busy.items()}
    primaries, one = commands * store / 1e6, round(1e6 / store, -3)
    kib = signaling["kib_per_connection"]
    rows = [
        (
            "Commands",
            f"{commands:,.0f} in a second, half of them {told:.0f} µs, half {quiet:.0f} µs",
            _cores(cores["commands"]),
        ),
        ("Appends, nodes", f"{commands:,.0f} {TIMES} {append:.0f} µs", _cores(cores["appends"])),
        (
            "Everybody joins within 15 minutes",
            f"{joins:,.0f} in a second {TIMES} {join / 1000:.1f} ms",
            _cores(cores["joins"]),
        ),
        ("Signaling in all", "the three above, at half load", f"{sum(cores.values()) * 2:.0f} cores"),
        (
            "Everybody joins within one minute",
            f"{rush:,.0f} in a second {TIMES} {join / 1000:.1f} ms",
            f"{rush * join / 1e6:.0f} cores, all busy",
        ),
        ("Memory of signaling", f"1.2 million {TIMES} {kib:.0f} KiB", f"{EVERYBODY * kib / 2**20:.0f} GiB"),
        (
            "Redis",
            f"{commands:,.0f} {TIMES} {store:.0f} µs = {primaries:.1f} primaries busy; one bears {one:,.0f} a second",
            f"{-(-primaries * 2 // 1):.0f} primaries at half load, each with a replica; 6.3 GB of data",
        ),
        (
            "Media, compiled path",
            "7 rooms of twelve a core (measured: 11 to 12; in pure Python 5, see [Sizing](sizing.md))",
            "14,300 cores",
        ),
        (
            "Bandwidth out",
            f"12 {TIMES} (11 {TIMES} 150 + 3 {TIMES} 32) kbit/s = 21 Mbit/s a room",
            "2.1 Tbit/s, 945 TB in an hour",
        ),
    ]
    return _table(("What", "Worked out", "Needed"), rows)


def hall(signaling: Report) -> str:
    """One workshop of five hundred."""
    told, p50 = signaling["w2_us_per_delivery"], signaling["w3_ms"]["p50"]
    deliveries = HALL * COMMANDS_S / 2 * HALL
    rows = [
        (
            "An event in the plenary",
            f"{HALL} {TIMES} {told:.0f} µs",
            f"{HALL * told / 1000:.0f} ms of CPU on one node; the last one hears it {p50:.0f} ms later **m**",
        ),
        (
            "One command in ten seconds each, half of them told",
            f"25 {TIMES} 500 = {deliveries:,.0f} deliveries in a second",
            f"{deliveries * told / 1e6:.1f} of a core",
        ),
        (
            "Commands told to everybody that one core bears",
            f"1 s / {HALL * told / 1000:.0f} ms",
            f"{1e6 / (HALL * told):.0f} in a second",
        ),
        (
            "Memory",
            f"{HALL} {TIMES} {signaling['kib_per_connection']:.0f} KiB",
            f"{HALL * signaling['kib_per_connection'] / 1024:.0f} MiB",
        ),
        ("In breakouts of ten", f"25 {TIMES} 10 deliveries in a second", "nothing"),
        ("Redis", "50 appends in a second", "0.1 % of a primary"),
        (
            "Bandwidth out, eleven tiles each",
            f"500 {TIMES} 1.75 Mbit/s",
            "0.9 Gbit/s, 394 GB in an hour: 0.40 € at 1 € a terabyte",
        ),
        ("Media", f"500 {TIMES} 11 streams; a core bears about 1,300", "4 to 5 cores"),
    ]
    return _table(("What", "Worked out", "Needed"), rows)


def _us(value: float) -> str:
    if value >= _LARGE_US:
        return f"{value / 1000:.1f} ms **m**"
    return f"{value:.0f} µs **m**" if value >= _SMALL_US else f"{value:.1f} µs **m**"


def _cores(busy: float) -> str:
    return f"{busy:.1f} cores busy: {-(-busy * 2 // 1):.0f} at half load"


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    main()
