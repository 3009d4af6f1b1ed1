# SPDX-License-Identifier: Apache-2.0
"""From figures to verdict, files and page."""

from __future__ import annotations

import csv
import io
import json
import re
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import pytest
from msgspec.structs import replace
from rich.console import Console

from loadtest.drive.conductor import Progress
from loadtest.measure.nodes import NodePoint
from loadtest.measure.recorder import Recorder
from loadtest.measure.summary import Distribution, of_trend
from loadtest.measure.totals import Totals
from loadtest.plan.executors import Schedule
from loadtest.plan.library import scenario_of
from loadtest.plan.thresholds import parse
from loadtest.report.assemble import assemble
from loadtest.report.assets import Assets
from loadtest.report.baseline import beside, regressions
from loadtest.report.charts import distributions, over_time
from loadtest.report.data import EXIT_STATUS, BadReport, Outcome, Run, from_json, to_json
from loadtest.report.files import to_csv, to_junit
from loadtest.report.html import to_html
from loadtest.report.live import ending, screen
from loadtest.report.live import line as one_line
from tests.loadtest.report.runs import FACTS, made


@pytest.mark.parametrize(
    ("run", "outcome", "status"),
    [
        (made(), Outcome.PASSED, 0),
        (made("move_ms p95<1000", "errors count<=1"), Outcome.PASSED, 0),
        (made("move_ms p95<1000", "errors count==0"), Outcome.FAILED, 1),
        (made("join_ms p95<1000"), Outcome.FAILED, 1),
        (made("errors count==0", facts=replace(FACTS, unreachable="nobody")), Outcome.UNREACHABLE, 3),
        (made("move_ms p95<1000", facts=replace(FACTS, stopped="by me")), Outcome.STOPPED, 1),
    ],
    ids=["nothing required", "met", "not met", "not measured", "unreachable", "stopped"],
)
def test_the_outcome_decides_the_exit_status(run: Run, outcome: Outcome, status: int) -> None:
    """0 passed, 1 not met, 3 nobody there."""
    assert run.outcome is outcome
    assert EXIT_STATUS[run.outcome] == status


def test_a_busy_generator_is_said_first() -> None:
    """So that nobody takes its waiting for the server's."""
    assert not any("of its core" in note for note in made().notes)
    assert "A generator process used 95 % of its core" in made(busy=95).notes[0]


def test_a_generator_that_is_always_late_makes_figures_void() -> None:
    """Late now and then is told with the figures; late half of the time means that there are none."""
    assert not any("late" in note for note in made(late=10).notes)
    assert "no latency here says anything" in made(late=100).notes[0]


@pytest.mark.parametrize(("busy", "late", "doubted"), [(20, 1, False), (95, 1, True), (20, 100, True)])
def test_a_failure_of_the_generator_is_not_blamed_on_the_server(busy: float, late: float, *, doubted: bool) -> None:
    """The one line that a CI log shows says so, too."""
    run = made("move_ms p95<1", busy=busy, late=late)
    assert run.outcome is Outcome.FAILED
    assert ("generator was the bottleneck" in run.reason) is doubted


def test_growth_is_told_everywhere() -> None:
    """On the page with its interval and the line in its chart, and as a requirement; briefly on the terminal."""
    points = {"http://n": [NodePoint(second, 1.0, 100 + second / 10, 2.0, 40.0, 20.0, 1.0) for second in range(301)]}
    wanted = [parse("rss_growth_percent max<10"), parse("files_growth_percent max<10")]
    facts = replace(FACTS, duration_s=300)
    run = assemble(facts, scenario_of("soak"), Totals(), wanted, [], points)
    assert [verdict.met for verdict in run.verdicts] == [False, True]
    page = to_html(run, Assets("", ""))
    assert "Growth of each server in an hour" in page
    assert "too short to tell a leak" in page
    (memory,) = [chart for chart in over_time(run) if chart.id == "memory"]
    assert [line.label for line in memory.lines] == ["http://n memory", "http://n memory, trend"]
    assert memory.lines[1].values[300] == pytest.approx(130, abs=0.1)
    assert [second for second, value in enumerate(memory.lines[1].values) if value is not None] == [75, 300]
    assert not assemble(facts, scenario_of("failover"), Totals(), [], [], points).nodes[0].growth
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(ending(run))
    assert "open files 40 -> 40, no growth" in console.export_text()


def test_a_run_comes_back_from_its_json() -> None:
    """All of it, distributions included; something else is refused."""
    run = made("move_ms p95<1000")
    assert from_json(to_json(run), where="x") == run
    assert run.metrics["move_ms"].percentile(42) == pytest.approx(42, rel=0.02)
    with pytest.raises(BadReport, match=r"old\.json is not the JSON of a load test"):
        from_json(b"{}", where="old.json")
    with pytest.raises(BadReport, match="format 2"):
        from_json(to_json(replace(run, format=2)), where="x")


def test_what_is_worse_than_before_can_fail_a_run() -> None:
    """If that is asked for, and by more than is tolerated; a run that failed anyway keeps its reason."""
    fast, slow = made("errors count<=1"), made("errors count<=1", slower=1.5)
    assert beside(slow, fast).outcome is Outcome.PASSED
    failed = beside(slow, fast, must_hold=True)
    assert (failed.outcome, failed.reason) == (Outcome.FAILED, "3 figures are worse than in the baseline")
    assert failed.verdicts[-1].value == 3
    assert "no figure more than 20 % worse" in to_junit(failed)
    both = beside(made("errors count==0", slower=1.5), fast, must_hold=True)
    assert both.reason == "1 of 1 requirements not met; 3 figures are worse than in the baseline"
    assert beside(slow, fast, tolerated=60, must_hold=True).outcome is Outcome.PASSED
    assert beside(fast, slow, must_hold=True).outcome is Outcome.PASSED
    gone = made(slower=1.5, facts=replace(FACTS, unreachable="nobody"))
    assert beside(gone, fast, must_hold=True).reason == "nobody"


def test_a_baseline_of_something_else_is_told() -> None:
    """Another load or another machine; other requirements alone make no difference."""
    run = made("errors count<=1")
    assert beside(run, made()).notes == run.notes
    other = replace(run, scenario=scenario_of("circle"))
    assert "another load (circle)" in beside(run, other).notes[-1]
    elsewhere = replace(FACTS, environment=replace(FACTS.environment, facts={"Cores": "64"}))
    assert "another machine" in beside(run, made(facts=elsewhere)).notes[-1]


def test_what_has_become_slower_is_worse() -> None:
    """By more than a fifth; what has become faster, or was noise, is not, nor what others did on the machine."""
    fast, slow, same = made(), made(slower=1.5), made(slower=1.1)
    worse = [found for found in regressions(fast.metrics, slow.metrics) if found.worse]
    assert [(found.metric, found.statistic) for found in worse] == [
        ("move_ms", "p50"),
        ("move_ms", "p95"),
        ("move_ms", "p99"),
    ]
    busy = of_trend(_distribution(90.0), 10.0), of_trend(_distribution(190.0), 10.0)
    noise = regressions({"other_cpu_percent": busy[0]}, {"other_cpu_percent": busy[1]})
    assert noise == ()
    for before, now in ((fast, same), (slow, fast)):
        assert not any(found.worse for found in regressions(before.metrics, now.metrics))


def _distribution(value: float) -> Distribution:
    values = Distribution()
    for _ in range(10):
        values.record(value)
    return values


def test_csv_has_a_row_for_each_metric() -> None:
    """Trends with percentiles, counters without."""
    rows = {row["metric"]: row for row in csv.DictReader(io.StringIO(to_csv(made())))}
    assert float(rows["move_ms"]["p95"]) == pytest.approx(95, rel=0.02)
    assert rows["errors"]["count"] == "1"
    assert rows["errors"]["p95"] is None


def test_junit_has_a_case_for_each_requirement() -> None:
    """Failures say what the figure was; a target that went away is an error."""
    suite = ET.fromstring(to_junit(made("move_ms p95<10", "errors count<5", "join_ms p95<9")))  # noqa: S314 - by us
    assert suite.attrib["tests"] == "4"
    failed = {case.attrib["name"]: case.find("failure") for case in suite}
    said = {name: failure.attrib["message"] for name, failure in failed.items() if failure is not None}
    assert said == {"move_ms p95<10": "was 95.2", "join_ms p95<9": "nothing was recorded"}
    gone = ET.fromstring(to_junit(made(facts=replace(FACTS, unreachable="nobody"))))  # noqa: S314 - as above
    assert gone.attrib["errors"] == "1"


def test_of_a_run_that_never_began_nothing_is_said() -> None:
    """Neither that there were no errors nor that it was too slow: JUnit skips what was required."""
    facts = replace(FACTS, duration_s=0.0, unreachable="nobody")
    wanted = [parse(text) for text in ("errors count==0", "join_ms p95<1")]
    run = assemble(facts, replace(scenario_of("smoke"), require=("a", "b")), Totals(), wanted, [], {})
    assert run.verdicts == ()
    suite = ET.fromstring(to_junit(run))  # noqa: S314 - written by us
    assert (suite.attrib["tests"], suite.attrib["skipped"], suite.attrib["failures"]) == ("3", "2", "0")
    assert len(suite.findall("testcase/skipped")) == 2
    console = Console(file=io.StringIO(), width=80)
    console.print(ending(run))
    assert isinstance(console.file, io.StringIO)
    assert console.file.getvalue().strip() == "UNREACHABLE: nobody"
    page = to_html(run, Assets("", ""))
    assert "Environment" in page
    assert "Errors by cause" not in page


class Outline(HTMLParser):
    """Elements of a page: how many, those left open, ids, and addresses."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.found: list[str] = []
        self.addresses: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in ("meta", "link", "line"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag != "line":
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_is_whole_and_needs_no_network() -> None:
    """Every element is closed, nothing is fetched, and what servers said is text and not markup."""
    run = made("move_ms p95<10")
    page = to_html(run, Assets("let a = '</script>';", "body { color: red }"))
    outline = Outline(page)
    assert outline.open == []
    assert [address for address in outline.addresses if address != "data:,"] == []
    assert "default-src 'none'" in page
    assert "join: <timeout>" in outline.text
    assert outline.found.count("figure") == len(over_time(run)) + len(distributions(run))
    assert outline.found.count("figure") == outline.text.count("The same as a table")


def test_the_page_tells_the_verdict_before_everything_else() -> None:
    """Then the requirements, then the figures."""
    text = Outline(to_html(made("move_ms p95<10"), Assets("", ""))).text
    order = ["Failed: 1 of 1", "move_ms p95<10", "Percentiles", "Over time", "Errors by cause", "Nodes", "Run it again"]
    places = [text.index(words) for words in order]
    assert places == sorted(places)


def test_charts_have_a_value_or_nothing_for_each_moment() -> None:
    """All lines of a chart are as long as its axis; a node that never answered has no line."""
    run = made()
    for chart in (*over_time(run), *distributions(run)):
        assert {len(line.values) for line in chart.lines} == {len(chart.x)}
        assert list(chart.x) == sorted(set(chart.x))
    cpu = next(chart for chart in over_time(run) if chart.id == "cpu")
    assert [line.label for line in cpu.lines] == ["http://127.0.0.1:1 CPU", "Generator (busiest process)"]
    data = re.search(r'id="charts-data">(.*?)</script>', to_html(run, Assets("", "")), re.DOTALL)
    assert data is not None
    assert json.loads(data[1])["marks"] == [{"at_s": 6.0, "text": "split"}]


def test_the_terminal_says_the_same() -> None:
    """Verdicts, errors and notes at the end."""
    console = Console(record=True, width=120, file=io.StringIO())
    console.print(ending(made("move_ms p95<10")))
    text = console.export_text()
    assert "NOT MET  move_ms p95<10" in text
    assert "1 x  join: <timeout>" in text
    assert "FAILED: 1 of 1 requirements not met" in text


def test_the_live_view_has_a_line_for_each_thing() -> None:
    """What runs, the columns, the figures, what is required; a requirement without a figure is not yet broken."""
    progress = Progress(scenario_of("smoke"), Schedule(()))
    recorder = Recorder()
    recorder.record("join_ms", 12.3)
    recorder.fail("join: timeout")
    progress.totals.add(0, recorder.take())
    console = Console(record=True, width=110, file=io.StringIO(), force_terminal=True)
    console.print(screen(progress, [parse("join_ms p95<20"), parse("move_ms p95<300")]))
    lines = [line.strip("│ \n") for line in console.export_text().splitlines()]
    assert any(line.split()[:4] == ["n", "per", "s", "p50"] for line in lines)
    assert any(line.startswith("join_ms") and "12.3" in line for line in lines)
    assert any("join_ms p95<20" in line and "move_ms p95<300" in line for line in lines)
    assert any(line == "1 x  join: timeout" for line in lines)
    assert "join_ms n=1 p95=12.3" in one_line(progress)
