# SPDX-License-Identifier: Apache-2.0
"""The report as one HTML file: no network, both themes, printable; every chart is a table as well. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from loadtest.measure.metrics import METRICS, Kind
from loadtest.report.assets import Assets
from loadtest.report.charts import Chart, distributions, over_time
from loadtest.report.data import Outcome, Run
from loadtest.report.growth import grown, said, signed
from loadtest.report.markup import Content, Markup, details, join, table, tag
from loadtest.report.numbers import shown

MOST_ROWS: Final = 120
"""Of the table beside a chart: of a long test every nth moment."""
_POLICY: Final = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:"
_DASHES: Final = ("", "8 4", "2 3", "10 3 2 3", "5 5", "14 4")
"""As in draw.ts."""


def to_html(run: Run, assets: Assets) -> str:
    """The whole file."""
    timed, spread = over_time(run), distributions(run)
    charts = {
        "duration_s": run.duration_s,
        "marks": run.moments,
        "charts": [msgspec.to_builtins(chart) for chart in (*timed, *spread)],
    }
    # Nothing in it may end the element that it stands in.
    data = msgspec.json.encode(charts).decode().replace("<", "\\u003c")
    title = f"Load test {run.scenario.name}: {run.outcome.value}"
    head = join(
        (
            Markup('<meta charset="utf-8">'),
            Markup('<meta name="viewport" content="width=device-width, initial-scale=1">'),
            Markup(f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'),
            Markup('<link rel="icon" href="data:,">'),
            tag("title", title),
            tag("style", Markup(assets.style)),
        )
    )
    body = tag("main", *_sections(run, timed, spread))
    scripts = join(
        (
            tag("script", Markup(data), type="application/json", id="charts-data"),
            tag("script", Markup(assets.script.replace("</script", "<\\/script"))),
        )
    )
    return "<!doctype html>\n" + tag("html", tag("head", head), tag("body", body, scripts), lang="en") + "\n"


def _sections(run: Run, timed: Sequence[Chart], spread: Sequence[Chart]) -> list[Content]:
    good = run.outcome is Outcome.PASSED
    return [
        tag("h1", f"Load test: {run.scenario.name}"),
        tag("p", run.scenario.about, class_="muted"),
        tag(
            "p", tag("strong", run.outcome.value.capitalize()), f": {run.reason}.",
            class_="verdict good" if good else "verdict bad",
        ),
        *_required(run),
        *_notes(run),
        *_regressions(run),
        *_growth(run),
        *(_measured(run, timed, spread) if run.metrics else ()),
        tag("h2", "Environment"),
        _environment(run),
        tag("h2", "Run it again"),
        tag("pre", run.command, tabindex="0", role="region", aria_label="Command to run it again"),
    ]  # fmt: skip


def _measured(run: Run, timed: Sequence[Chart], spread: Sequence[Chart]) -> list[Content]:
    """What a run that never began does not have."""
    return [
        tag("h2", "Figures"),
        _figures(run),
        tag("h2", "Over time"),
        tag("p", "All charts share one time axis. Dotted lines are what happened on purpose.", class_="muted"),
        *_moments(run),
        *(_figure(chart) for chart in timed),
        tag("h2", "Distributions"),
        tag("div", *(_figure(chart, heading="h3") for chart in spread), class_="small"),
        tag("h2", "Errors by cause"),
        _errors(run),
        tag("h2", "Nodes"),
        _nodes(run),
    ]


def _required(run: Run) -> list[Content]:
    rows = [
        (
            verdict.requirement,
            shown(verdict.value) if verdict.value is not None else "nothing recorded",
            tag("span", "met", class_="good") if verdict.met else tag("strong", "not met", class_="bad"),
        )
        for verdict in run.verdicts
    ]
    if not rows:
        return []
    return [
        tag("h2", "Requirements"),
        table("What was required, and what was", ("Requirement", "Was", "Verdict"), rows),
    ]


def _notes(run: Run) -> list[Content]:
    if not run.notes:
        return []
    return [tag("h2", "Before you believe a figure"), tag("ul", *(tag("li", note) for note in run.notes))]


def _regressions(run: Run) -> list[Content]:
    if not run.regressions:
        return []
    rows = [
        (
            f"{METRICS[item.metric].title} {item.statistic}",
            shown(item.before),
            shown(item.now),
            f"{100 * (item.now / item.before - 1):+.0f} %" if item.before else "",
            tag("strong", "worse", class_="bad") if item.worse else "",
        )
        for item in run.regressions
    ]
    head = ("Figure", "Before", "Now", "Change", "Verdict")
    return [tag("h2", "Beside the baseline"), table("This run beside the older one", head, rows)]


def _growth(run: Run) -> list[Content]:
    """What each server gathered while its load did not change."""
    head = ("Node", "What", "At first", "At the end", "In an hour", "95 % interval", "Verdict")
    rows = []
    for node, quantity, growth in grown(run.nodes):
        unit = f" {quantity.unit}".rstrip()
        verdict = tag("strong", said(quantity, growth)) if growth.certain else said(quantity, growth)
        rows.append(
            (
                node, quantity.title, f"{shown(growth.first)}{unit}", f"{shown(growth.last)}{unit}",
                f"{signed(growth.per_hour)}{unit}", f"{signed(growth.low)} to {signed(growth.high)}", verdict,
            )
        )  # fmt: skip
    if not rows:
        return []
    _, _, first = grown(run.nodes)[0]
    about = (
        f"From second {first.since_s:.0f}, when everybody was there, to second {first.until_s:.0f}: the line through "
        "the medians of 24 stretches (Theil and Sen). It grows if all of the interval is above zero. A short test sees "
        "caches fill: believe what an hour says."
    )
    caption = "Growth of each server in an hour, while its load did not change"
    return [tag("h2", "Growth"), tag("p", about, class_="muted"), table(caption, head, rows, words=1)]


def _figures(run: Run) -> Markup:
    trends, counters = [], []
    for name, summary in run.metrics.items():
        metric = METRICS[name]
        if metric.kind is Kind.COUNTER:
            counters.append((metric.title, f"{summary.count:,}", shown(summary.rate), metric.about))
            continue
        ranks = (shown(summary.percentile(rank)) for rank in (50, 90, 95, 99))
        least, most = shown(summary.minimum), shown(summary.maximum)
        title = f"{metric.title} ({metric.unit})"
        trends.append((title, f"{summary.count:,}", least, *ranks, most, shown(summary.mean), tag("code", name)))
    head = ("Metric", "n", "min", "p50", "p90", "p95", "p99", "max", "mean", "Name in requirements")
    meanings = [(METRICS[name].title, METRICS[name].about) for name in run.metrics]
    return join(
        (
            table("Percentiles", head, trends, words=1),
            tag("p", ""),
            table("Counters", ("Counter", "Number", "Per second", "Meaning"), counters, words=1),
            details("What each metric means", table("Meanings", ("Metric", "Meaning"), meanings, words=1)),
        )
    )


def _moments(run: Run) -> list[Content]:
    rows = [(f"{moment.at_s:.1f} s", moment.text) for moment in run.moments]
    return [details("What happened when", table("Happenings", ("Time", "What"), rows, words=1))] if rows else []


def _figure(chart: Chart, heading: str = "h3") -> Markup:
    legend = join(
        tag("li", _stroke(index), line.label) for index, line in enumerate(chart.lines) if chart.kind == "time"
    )
    picture = tag("div", class_="canvas", role="img", aria_label=_in_words(chart))
    unit = "s" if chart.kind == "time" else chart.unit
    every = -(-len(chart.x) // MOST_ROWS)
    rows = [
        (f"{shown(x)} {unit}", *(shown(line.values[index]) for line in chart.lines))
        for index, x in enumerate(chart.x)
        if index % every == 0
    ]
    head = ("Time" if chart.kind == "time" else "From", *(line.label for line in chart.lines))
    words = tag("figcaption", tag(heading, chart.title), tag("p", f"{chart.about} Unit: {chart.unit}."))
    same = details("The same as a table", table(f"{chart.title} as a table", head, rows))
    return tag("figure", words, tag("ul", legend, class_="legend") if legend else "", picture, same, id=chart.id)


def _stroke(index: int) -> Markup:
    """The line as it is drawn."""
    colour, dash = index % 6 + 1, _DASHES[index % len(_DASHES)]
    return Markup(
        f'<svg width="34" height="8" aria-hidden="true"><line x1="0" y1="4" x2="34" y2="4" stroke-width="2.5" '
        f'style="stroke:var(--line-{colour})" stroke-dasharray="{dash}"/></svg>'
    )


def _in_words(chart: Chart) -> str:
    parts = []
    for line in chart.lines:
        values = [value for value in line.values if value is not None]
        if values:
            parts.append(f"{line.label} from {shown(min(values))} to {shown(max(values))}")
    return f"Chart: {chart.title}, in {chart.unit}. {'; '.join(parts)}."


def _errors(run: Run) -> Markup:
    if not run.errors:
        return tag("p", "None.")
    return table("Errors", ("Cause", "Times"), [(cause, f"{count:,}") for cause, count in run.errors.items()])


def _nodes(run: Run) -> Markup:
    rows = [
        (
            node.name, shown(node.cpu_mean), shown(node.cpu_max), shown(node.rss_max), shown(node.health_p95),
            str(node.unanswered),
        )
        for node in run.nodes
    ]  # fmt: skip
    head = ("Node", "CPU mean (%)", "CPU max (%)", "Memory max (MiB)", "Health p95 (ms)", "Seconds without an answer")
    return table("Each server; 100 % is one core", head, rows)


def _environment(run: Run) -> Markup:
    rooms = sum(family.count for family in run.scenario.rooms)
    facts = {
        "Run": run.name,
        "Started": run.started,
        "Length": f"{run.duration_s:g} s",
        "People": f"{run.scenario.people} in {rooms} room{'s' * (rooms > 1)}",
        "Generator processes": str(run.environment.processes),
        **run.environment.facts,
    }
    pairs = (join((tag("dt", name), tag("dd", value))) for name, value in facts.items())
    scenario = msgspec.json.format(msgspec.json.encode(run.scenario), indent=2).decode()
    return join(
        (
            tag("dl", *pairs),
            details(
                "The scenario in full",
                tag("pre", scenario, tabindex="0", role="region", aria_label="The scenario in full"),
            ),
        )
    )
