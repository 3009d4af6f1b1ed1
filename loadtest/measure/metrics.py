# SPDX-License-Identifier: Apache-2.0
"""Everything that a load test measures: the one list of names. Pure."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from msgspec import Struct


class Kind(StrEnum):
    """A trend is a distribution of values; a counter only goes up."""

    TREND = "trend"
    COUNTER = "counter"


class Metric(Struct, frozen=True):
    """`name` ends with the unit of a trend. `higher_is_worse` decides what a regression is."""

    name: str
    title: str
    about: str
    kind: Kind = Kind.TREND
    unit: str = "ms"


def _counter(name: str, title: str, about: str) -> Metric:
    return Metric(name, title, about, Kind.COUNTER, "")


_GROWTH: Final = "Of each node: by how much {} has surely grown (95 %) since everybody was there; 0: not surely."
_ALL: Final = (
    Metric("join_ms", "Join", "From when a person was due to start to being in the room: ticket, connection, seat."),
    Metric("connect_ms", "Media connected", "From when a person was due to start to ICE, DTLS and SRTP being up."),
    Metric("first_frame_ms", "First picture", "From the start of connecting media to the first whole picture."),
    Metric("signal_ms", "Command to answer", "From when a command was due to its acknowledgement."),
    Metric("fanout_ms", "Event to each other", "From when a command was due to its event at each other person there."),
    Metric("split_ms", "Split", "From the press to the last person being in their breakout room."),
    Metric("merge_ms", "Merge", "From the press to the last person being back in the main room."),
    Metric("move_ms", "Move of one person", "From the press of a split or merge to this person being there."),
    Metric("move_frame_ms", "New face after a move", "From the press to the first whole picture of a new neighbour."),
    Metric("move_voice_ms", "New voice after a move", "From the press to the first sound of a new neighbour."),
    Metric(
        "audio_gap_ms",
        "Silence during a move",
        "The longest time around a move in which somebody there spoke and nothing was heard; 20 is none.",
    ),
    Metric("resume_ms", "Back after a fault", "From the fault to the room being there again, nothing lost."),
    Metric("media_back_ms", "Media back after a fault", "From the fault to the first sound over a new connection."),
    Metric(
        "loss_percent",
        "Packet loss",
        "Media that one person missed in a few seconds, after repair.",
        unit="%",
    ),
    Metric("jitter_ms", "Jitter", "Of each receive line (RFC 3550), every few seconds."),
    Metric("health_ms", "Health check", "Answer of /healthz of each node, once a second: how busy its loop is."),
    Metric("server_loop_lag_ms", "Server loop lag", "As the server's own /metrics tell it, once a second."),
    Metric("server_cpu_percent", "Server CPU", "Of all processes of one node; 100 is one core.", unit="%"),
    Metric("server_rss_mib", "Server memory", "Resident memory of all processes of one node.", unit="MiB"),
    Metric("rss_growth_percent", "Growth of memory", _GROWTH.format("memory"), unit="%"),
    Metric("files_growth_percent", "Growth of open files", _GROWTH.format("the number of open files"), unit="%"),
    Metric("tasks_growth_percent", "Growth of tasks", _GROWTH.format("the number of tasks"), unit="%"),
    Metric("lag_growth_ms", "Growth of loop lag", _GROWTH.format("the mean lateness of its loop")),
    Metric("generator_cpu_percent", "Generator CPU", "Of one process that makes the load; 100 is one core.", unit="%"),
    Metric("generator_late_ms", "Generator lateness", "How late one generator process was at worst in a second."),
    Metric("other_cpu_percent", "CPU of others", "Of all other programs on this machine; 100 is one core.", unit="%"),
    _counter("starts", "Starts", "People who were due to start."),
    _counter("dropped_starts", "Dropped starts", "People who could not start when they were due."),
    _counter("commands", "Commands", "Sent and answered."),
    _counter("events", "Events", "Received by all people together."),
    _counter("packets", "Media packets", "Received and decrypted by all people together."),
    _counter("packets_lost", "Media packets lost", "Expected and never received, repair included."),
    _counter("moves", "Moves", "People who arrived in another room."),
    _counter("faults", "Faults", "Nodes struck and connections cut on purpose, each once."),
    _counter("errors", "Errors", "Whatever went wrong, by cause."),
)
METRICS: Final[dict[str, Metric]] = {metric.name: metric for metric in _ALL}
"""By name, in the order in which they are shown."""
