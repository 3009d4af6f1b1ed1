# SPDX-License-Identifier: Apache-2.0
"""Writes deploy/grafana/holdspace.json: one list of panels here instead of two thousand lines of JSON by hand.

`--check` only says whether the file is up to date.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final, NamedTuple

FILE: Final = Path(__file__).parent.parent / "deploy" / "grafana" / "holdspace.json"
WIDTH: Final = 24
HEIGHT: Final = 7
DATASOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
NODES: Final = 'instance=~"$instance"'


class Panel(NamedTuple):
    """A diagram: queries by their legends. `bad`: from this value on it is drawn red."""

    title: str
    unit: str
    queries: dict[str, str]
    about: str = ""
    bad: float | None = None


def quantile(share: float, metric: str, by: str = "") -> str:
    """The share-th quantile of a histogram over five minutes."""
    labels = f"le, {by}" if by else "le"
    return f"histogram_quantile({share}, sum by ({labels}) (rate({metric}_bucket{{{NODES}}}[5m])))"


def quantiles(metric: str) -> dict[str, str]:
    """Median, 95th and 99th percentile."""
    return {f"p{round(share * 100)}": quantile(share, metric) for share in (0.5, 0.95, 0.99)}


def total(metric: str, by: str = "", more: str = "") -> str:
    """The sum of a gauge over nodes."""
    return f"sum by ({by}) ({metric}{{{NODES}{more}}})" if by else f"sum({metric}{{{NODES}{more}}})"


def rate(metric: str, by: str, more: str = "") -> str:
    """How often a second."""
    return f"sum by ({by}) (rate({metric}{{{NODES}{more}}}[5m]))"


def each(metric: str) -> str:
    """A gauge of each worker."""
    return f"{metric}{{{NODES}}}"


def played(what: str) -> str:
    """Seconds of this in a second."""
    return f'sum(rate(holdspace_playback_seconds_total{{{NODES}, what="{what}"}}[5m]))'


WORKER: Final = "{{instance}} {{worker}}"
NODE: Final = "{{instance}}"

ROWS: Final[dict[str, tuple[Panel, ...]]] = {
    "People": (
        Panel("Connections", "short", {NODE: total("holdspace_connections", "instance")}, "Seats through each node."),
        Panel(
            "Rooms",
            "short",
            {
                "{{status}}": f"max by (status) ({each('holdspace_rooms')})",
                "small groups": f"max({each('holdspace_breakouts')})",
            },
            "Of the node that has most of them loaded: a room that several nodes share is loaded by each.",
        ),
        Panel(
            "Seats kept for who lost the connection",
            "short",
            {"in their 60 s": f'max(holdspace_seats{{{NODES}, state="grace"}})'},
        ),
        Panel("Joining", "s", quantiles("holdspace_join_seconds"), "From CONNECT to the seat in the log.", 1.0),
        Panel("Joins", "ops", {"{{outcome}}": rate("holdspace_joins_total", "outcome")}),
        Panel("Disconnected by the server", "ops", {"{{reason}}": rate("holdspace_disconnects_total", "reason")}),
    ),
    "What they do": (
        Panel("Time to an answer", "s", quantiles("holdspace_command_seconds"), "People notice 0.3 s.", 0.3),
        Panel("Told to everybody", "s", quantiles("holdspace_deliver_seconds"), "From a decision, on any node.", 0.3),
        Panel("Commands", "ops", {"{{command}}": rate("holdspace_commands_total", "command")}),
        Panel("Refused", "ops", {"{{outcome}}": rate("holdspace_commands_total", "outcome", ', outcome!="ok"')}),
        Panel(
            "Moves and breakouts",
            "ops",
            {"{{event}}": rate("holdspace_events_total", "event", ', event=~"breakouts_.*|change_.*"')},
        ),
        Panel(
            "Asked for support, raised a hand",
            "ops",
            {"{{event}}": rate("holdspace_events_total", "event", ', event=~"help_.*|hand_.*"')},
        ),
        Panel("Events", "ops", {"all": f"sum(rate(holdspace_events_total{{{NODES}}}[5m]))"}),
    ),
    "Media": (
        Panel("Share of a core", "percentunit", {WORKER: each("holdspace_media_busy_ratio")}, "", 0.85),
        Panel("Left out for want of a core", "short", {WORKER: each("holdspace_media_shed_level")}, "0: nothing.", 1),
        Panel(
            "From receipt to sending on",
            "s",
            {
                f"p50 {WORKER}": each("holdspace_media_forward_p50_seconds"),
                f"p99 {WORKER}": each("holdspace_media_forward_p99_seconds"),
            },
            "",
            0.05,
        ),
        Panel(
            "Packets",
            "pps",
            {
                "received": f"sum(rate(holdspace_media_packets_received_total{{{NODES}}}[1m]))",
                "forwarded": f"sum(rate(holdspace_media_packets_forwarded_total{{{NODES}}}[1m]))",
                "dropped": f"sum(rate(holdspace_media_packets_dropped_total{{{NODES}}}[1m]))",
            },
        ),
        Panel(
            "Bit rate",
            "bps",
            {
                "from people": total("holdspace_media_received_bits_per_second"),
                "to people": total("holdspace_media_delivered_bits_per_second"),
            },
        ),
        Panel(
            "Connections that are not good",
            "short",
            {"{{direction}} {{quality}}": total("holdspace_media_quality", "direction, quality", ', quality!="good"')},
        ),
        Panel(
            "Pictures that flow, and that are paused",
            "short",
            {"flow": total("holdspace_media_flowing"), "{{reason}}": total("holdspace_media_paused", "reason")},
        ),
        Panel(
            "Freezes",
            "ops",
            {"all": f"sum(rate(holdspace_playback_freezes_total{{{NODES}}}[5m]))"},
            "Pictures that stood still, as pages tell.",
        ),
        Panel("Peer connections", "short", {WORKER: each("holdspace_media_peers")}),
        Panel("Lateness of the media workers' loops", "s", {WORKER: each("holdspace_media_loop_lag_seconds")}, "", 0.1),
        Panel(
            "What people really had",
            "percentunit",
            {
                "sound made up": f"{played('concealed')} / {played('played')}",
                "pictures standing still": f"{played('frozen')} / {played('played')}",
            },
            "Share of the time that their pages played sound, as they tell.",
            0.03,
        ),
        Panel(
            "Media connected",
            "s",
            quantiles("holdspace_media_connect_seconds"),
            "From an offer to ICE, DTLS and SRTP being up.",
            2.0,
        ),
        Panel("Offers of media", "ops", {"{{outcome}}": rate("holdspace_media_offers_total", "outcome")}),
        Panel(
            "Packets of people that never arrived",
            "percentunit",
            {
                "lost": f"sum(rate(holdspace_media_source_packets_lost_total{{{NODES}}}[1m]))"
                f" / sum(rate(holdspace_media_source_packets_total{{{NODES}}}[1m]))"
            },
            "Repair included.",
            0.05,
        ),
        Panel("Slots that changed", "ops", {NODE: f"rate(holdspace_media_slot_switches_total{{{NODES}}}[5m])"}),
        Panel(
            "Round trip to people",
            "s",
            {
                f"median {NODE}": each("holdspace_media_rtt_p50_seconds"),
                f"longest {NODE}": each("holdspace_media_rtt_max_seconds"),
            },
        ),
        Panel(
            "Pictures asked anew",
            "ops",
            {WORKER: f"rate(holdspace_media_keyframe_requests_total{{{NODES}}}[5m])"},
        ),
    ),
    "The log and the nodes": (
        Panel("A call of the log, p95", "s", {"{{call}}": quantile(0.95, "holdspace_log_seconds", "call")}, "", 0.1),
        Panel(
            "Appends",
            "ops",
            {
                "{{outcome}}": rate("holdspace_appends_total", "outcome"),
                "entries": f"sum(rate(holdspace_entries_total{{{NODES}}}[5m]))",
            },
        ),
        Panel(
            "Redis",
            "short",
            {
                "away": f"max({each('holdspace_log_away')})",
                "hints lost {{instance}}": f"increase(holdspace_hint_gaps_total{{{NODES}}}[5m])",
                "nodes alive": f"min({each('holdspace_nodes')})",
                "deaf {{instance}}": f"increase(holdspace_deaf_total{{{NODES}}}[5m])",
                "messages refused {{instance}}": f"increase(holdspace_node_messages_refused_total{{{NODES}}}[5m])",
            },
            "",
        ),
        Panel(
            "Draining, and workers that are down",
            "short",
            {
                f"draining {NODE}": each("holdspace_draining"),
                f"down {NODE}": f"sum by (instance) (1 - holdspace_media_up{{{NODES}}})",
            },
            "",
            1,
        ),
        Panel(
            "Lateness of the loop, p99", "s", {NODE: quantile(0.99, "holdspace_loop_lag_seconds", "instance")}, "", 0.1
        ),
        Panel("Webhooks", "ops", {"{{outcome}}": rate("holdspace_webhooks_total", "outcome")}),
        Panel("Webhooks that wait", "short", {NODE: each("holdspace_webhooks_waiting")}),
        Panel(
            "The oldest webhook that waits",
            "s",
            {NODE: each("holdspace_webhooks_oldest_seconds")},
            "While the care platform does not take them.",
            600,
        ),
        Panel("CPU", "percentunit", {NODE: f"rate(process_cpu_seconds_total{{{NODES}}}[1m])"}, "Without the workers."),
        Panel("Memory", "bytes", {NODE: each("process_resident_memory_bytes")}, "Without the workers."),
        Panel(
            "Open files and tasks",
            "short",
            {f"files {NODE}": each("process_open_fds"), f"tasks {NODE}": each("holdspace_tasks")},
            "They follow the number of people; what only rises is a leak.",
        ),
    ),
}


def panel(number: int, content: Panel, x: int, y: int, width: int) -> dict[str, Any]:
    """One panel as Grafana has it."""
    steps: list[dict[str, Any]] = [{"color": "green", "value": None}]
    if content.bad is not None:
        steps.append({"color": "red", "value": content.bad})
    return {
        "id": number,
        "type": "timeseries",
        "title": content.title,
        "description": content.about,
        "datasource": DATASOURCE,
        "gridPos": {"x": x, "y": y, "w": width, "h": HEIGHT},
        "fieldConfig": {
            "defaults": {
                "unit": content.unit,
                "min": 0,
                "thresholds": {"mode": "absolute", "steps": steps},
                "custom": {"thresholdsStyle": {"mode": "line" if content.bad is not None else "off"}},
            },
            "overrides": [],
        },
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}},
        "targets": [
            {"refId": chr(ord("A") + index), "expr": query, "legendFormat": legend, "datasource": DATASOURCE}
            for index, (legend, query) in enumerate(content.queries.items())
        ],
    }


def panels() -> list[dict[str, Any]]:
    """All rows, three panels side by side."""
    made: list[dict[str, Any]] = []
    y = 0
    for title, contents in ROWS.items():
        made.append(
            {"id": len(made) + 1, "type": "row", "title": title, "collapsed": False, "panels": []}
            | {"gridPos": {"x": 0, "y": y, "w": WIDTH, "h": 1}}
        )
        y += 1
        width = WIDTH // 3
        for index, content in enumerate(contents):
            made.append(panel(len(made) + 1, content, index % 3 * width, y + index // 3 * HEIGHT, width))
        y += -(-len(contents) // 3) * HEIGHT
    return made


def dashboard() -> str:
    """The file."""
    variables = [
        {"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Prometheus"},
        {
            "name": "instance",
            "type": "query",
            "label": "Node",
            "datasource": DATASOURCE,
            "query": {"query": "label_values(holdspace_connections, instance)", "refId": "instance"},
            "refresh": 2,
            "multi": True,
            "includeAll": True,
            "allValue": ".*",
            "current": {"text": "All", "value": "$__all"},
        },
    ]
    content = {
        "uid": "holdspace",
        "title": "Holdspace",
        "tags": ["holdspace"],
        "schemaVersion": 39,
        "timezone": "browser",
        "editable": True,
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": variables},
        "panels": panels(),
    }
    return json.dumps(content, indent=1) + "\n"


def main() -> int:
    """Write, or check."""
    text = dashboard()
    if "--check" in sys.argv:
        if FILE.read_text() != text:
            print("deploy/grafana/holdspace.json is out of date: run python scripts/dashboard.py")
            return 1
        return 0
    FILE.parent.mkdir(parents=True, exist_ok=True)
    FILE.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
