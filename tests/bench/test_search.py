# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bench.machine import Cores
from bench.media import command
from bench.media.contest import ServerFailed
from bench.media.report import document, summary
from bench.media.row import Load, Row
from bench.media.search import Pace, Search, Searcher, first_trial
from tests.bench.rows import SECOND, row, tally

PACE = Pace(seconds=30.0, trial_seconds=5.0, repeats=2)


def busy(share: float, other: float = 0.0) -> Load:
    """Ten seconds in which the server took this share of its core."""
    server, more = round(share * 10 * SECOND), round(other * 10 * SECOND)
    return Load(10 * SECOND, server, SECOND, server + more, SECOND)


@dataclass
class Bench:
    """A server that carries up to `limit` rooms for long and `trial_limit` for short."""

    limit: int
    trial_limit: int
    unlucky: set[int] = field(default_factory=set)
    """Loads whose first trial fails for no reason of the server's."""
    asked: list[tuple[int, float]] = field(default_factory=list)
    told: list[Row] = field(default_factory=list)

    async def measure(self, rooms: int, seconds: float) -> Row:
        """One row."""
        first = (rooms, seconds) not in self.asked
        self.asked.append((rooms, seconds))
        limit = self.trial_limit if seconds == PACE.trial_seconds else self.limit
        failed = rooms > limit or (first and rooms in self.unlucky and seconds == PACE.trial_seconds)
        counted = tally(sent=40_000, received=440_000)
        return row(rooms=rooms, latency_ms=90 if failed else 2, load=busy(rooms / 10), counted=counted)

    async def search(self) -> Search:
        """With the usual pace."""
        return await Searcher(self.measure, PACE, self.told.append).search()


async def test_the_largest_load_is_one_that_held_for_the_full_time() -> None:
    """Short trials climb to 8, which does not last; 7 does, and the latency row follows at 60 % of it."""
    bench = Bench(limit=7, trial_limit=8)
    found = await bench.search()
    assert found.largest is not None
    assert found.at_share is not None
    assert (found.largest.rooms, found.largest.seconds, found.at_share.rooms) == (7, 10.0, 4)
    assert [rooms for rooms, seconds in bench.asked if seconds == 30.0] == [8, 7]
    assert bench.told == list(found.rows)


async def test_one_bad_trial_does_not_end_the_climb() -> None:
    """A load that fails once and then holds is carried."""
    found = await Bench(limit=9, trial_limit=9, unlucky={8}).search()
    assert found.largest is not None
    assert found.largest.rooms == 9


async def test_a_server_that_carries_less_than_foretold_is_followed_down() -> None:
    """Trials begin where the cost at the equal load points to, and go down from there if they must."""
    bench = Bench(limit=2, trial_limit=2)
    found = await bench.search()
    assert found.largest is not None
    assert found.largest.rooms == 2
    assert first_trial(found.equal) == 7


async def test_a_server_that_carries_nothing_has_no_largest_load() -> None:
    """No room at all is a result."""
    found = await Bench(limit=0, trial_limit=0).search()
    assert (found.largest, found.at_share) == (None, None)
    assert document({"pure": found}, None)["paths"]["pure"]["rooms_per_core"] == 0


async def test_a_disturbed_row_is_measured_again() -> None:
    """The quietest of all tries counts when none was quiet."""
    others = iter([0.3, 0.1, 0.2])

    async def measure(rooms: int, _seconds: float) -> Row:
        return row(rooms=rooms, load=busy(0.5, next(others)))

    rows = await Searcher(measure, PACE, lambda _: None).rows_of((3,))
    assert [found.foreign for found in rows] == [0.3, 0.1, 0.2]


async def test_the_report_compares_rooms_and_cost() -> None:
    """Twice the rooms is 2, half the cost is 2: above 1 is in our favour."""
    ours, theirs = await Bench(limit=8, trial_limit=8).search(), await Bench(limit=4, trial_limit=4).search()
    report = document({"pure": ours}, theirs)["paths"]["pure"]
    assert (report["rooms_per_core"], report["janus"]["rooms_per_core"]) == (8, 4)
    assert (report["ratio_to_janus"], report["us_ratio_to_janus"]) == (2.0, 1.0)
    assert set(report["janus"]) <= set(report)
    assert report["forward_ms"]["p99"] == 2.0
    assert "holdspace pure: 8 rooms" in summary({"pure": ours}, theirs)


async def test_loads_that_were_named_are_written_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every row of every server that came up, and whether it was carried; nothing measured is a failure."""

    async def measured(name: str, *_: Any) -> tuple[Row, ...]:  # noqa: ANN401 - what `rows` takes
        if name == "janus":
            raise ServerFailed("no Janus today")
        return row(rooms=1), row(rooms=3, latency_ms=90)

    for attribute, value in {
        "rows": measured,
        "two_cores": lambda: Cores(0, 1),
        "own_address": lambda: "192.0.2.1",
        "contestants": lambda *_, **__: {"pure": None, "janus": None},
    }.items():
        monkeypatch.setattr(command, attribute, value)
    file = tmp_path / "report.json"
    await command.media(options=command.MediaOptions(rooms=(1, 3), json=file, janus=False))
    servers = json.loads(file.read_text())["servers"]
    assert {name: [(each["rooms"], each["carried"]) for each in rows] for name, rows in servers.items()} == {
        "pure": [(1, True), (3, False)]
    }
    monkeypatch.setattr(command, "contestants", lambda *_, **__: {"janus": None})
    with pytest.raises(SystemExit):
        await command.media(options=command.MediaOptions(rooms=(1,), janus=False))
