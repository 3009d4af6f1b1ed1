# SPDX-License-Identifier: Apache-2.0
"""Every metric that is counted as things happen. What is only looked at when somebody asks stands in `looks`.

Labels are bounded by the code: kinds of commands and events, outcomes, numbers of workers. Nothing that a person wrote
or is known by becomes a label (https://prometheus.io/docs/practices/naming/).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)
from prometheus_client.exposition import choose_encoder

from server.observe.tallies import Spread, Tally
from server.rooms.events import Event

NAMESPACE: Final = "holdspace"
CONNECTED: Final = "connected"
ANSWER_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Buckets of what a person waits for; 0.3 s is when they notice."""
APPEND_S: Final = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)
LAG_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)


class Metrics:
    """`observing.Meter`, and the registry that an exporter shows."""

    def __init__(self) -> None:
        self.registry: Final = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self.registry)
        self._joins = self._counter("joins", "Attempts to take a seat, by outcome.", "outcome")
        self._join = self._histogram("join_seconds", "From the Socket.IO CONNECT to the seat in the log.", ANSWER_S)
        self._commands = self._tally("commands", "Commands of people, by kind and outcome.", "command", "outcome")
        self._command = self._spread("command_seconds", "From reading a command to its answer.", ANSWER_S, "command")
        self._offers = self._counter("media_offers", "Offers of media, by what came of them.", "outcome")
        self._media = self._histogram("media_connect_seconds", "From an offer to media being up.", ANSWER_S)
        self._deliver = self._spread("deliver_seconds", "From a decision to telling everybody on this node.", ANSWER_S)
        self._freezes = self._counter("playback_freezes", "Pictures that stood still, as pages have told.")
        text = "Seconds of sound that pages played and made up, and of pictures that stood still."
        self._playback = self._counter("playback_seconds", text, "what")
        self._disconnects = self._counter("disconnects", "Connections that the server ended, by reason.", "reason")
        self._events = self._tally("events", "Events that this node put into the log, by kind.", "event")
        self._appends = self._tally("appends", "Appends to the log, by outcome.", "outcome")
        self._entries = self._tally("entries", "Entries that this node put into the log.")
        self._log = self._spread("log_seconds", "Time that a call of the log took.", APPEND_S, "call")
        self._webhooks = self._counter("webhooks", "Webhooks, by outcome: sent, failed, dropped for good.", "outcome")
        self._waiting = self._gauge("webhooks_waiting", "Webhooks that wait in this node's share of the rooms.")
        self._oldest = self._gauge("webhooks_oldest_seconds", "For how long the oldest webhook at hand has waited.")
        self._lag = self._histogram("loop_lag_seconds", "Lateness of the event loop, looked at often.", LAG_S)

    def joined(self, outcome: str, seconds: float) -> None:
        self._joins.labels(outcome).inc()
        self._join.observe(seconds)

    def answered(self, command: str, outcome: str, seconds: float) -> None:
        self._commands.add(command, outcome)
        self._command.add(seconds, command)

    def media(self, outcome: str, seconds: float) -> None:
        _child(self._offers, outcome).inc()
        if outcome == CONNECTED:
            self._media.observe(seconds)

    def delivered(self, seconds: float) -> None:
        self._deliver.add(seconds)

    def played(self, freezes: int, frozen_ms: int, concealed_ms: int, played_ms: int) -> None:
        self._freezes.inc(freezes)
        for what, ms in (("frozen", frozen_ms), ("concealed", concealed_ms), ("played", played_ms)):
            _child(self._playback, what).inc(ms / 1000)

    def disconnected(self, reason: str) -> None:
        self._disconnects.labels(reason).inc()

    def called(self, call: str, seconds: float) -> None:
        """The log has answered, or not, after so long."""
        self._log.add(seconds, call)

    def appended(self, outcome: str) -> None:
        """What came of an append."""
        self._appends.add(outcome)

    def stored(self, entries: int, events: Iterable[Event]) -> None:
        """So much is new in the log, by this node."""
        self._entries.add(count=entries)
        for event in events:
            self._events.add(kind_of(type(event)))

    def late(self, seconds: float) -> None:
        """How late the event loop was just now."""
        self._lag.observe(seconds)

    def webhook(self, outcome: str, count: int = 1) -> None:
        self._webhooks.labels(outcome).inc(count)

    def webhooks_waiting(self, count: int, oldest_s: float) -> None:
        self._waiting.set(count)
        self._oldest.set(oldest_s)

    def _gauge(self, name: str, text: str) -> Gauge:
        return Gauge(name, text, namespace=NAMESPACE, registry=self.registry)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(name, text, labels, namespace=NAMESPACE, registry=self.registry)

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...]) -> Histogram:
        return Histogram(name, text, namespace=NAMESPACE, registry=self.registry, buckets=buckets)

    def _tally(self, name: str, text: str, *labels: str) -> Tally:
        tally = Tally(f"{NAMESPACE}_{name}", text, *labels)
        self.registry.register(tally)
        return tally

    def _spread(self, name: str, text: str, bounds: tuple[float, ...], *labels: str) -> Spread:
        spread = Spread(f"{NAMESPACE}_{name}", text, bounds, *labels)
        self.registry.register(spread)
        return spread


@cache
def kind_of(message: type) -> str:
    """The name of a kind of message, as the protocol has it."""
    return str(message.__struct_config__.tag)  # type: ignore[attr-defined] # every message is a Struct


@cache
def _child(counter: Counter, *labels: str) -> Counter:
    return counter.labels(*labels)


def exposition(registry: CollectorRegistry) -> Callable[[str], tuple[bytes, str]]:
    """Shows what is in the registry as Prometheus or OpenMetrics text, whichever the Accept header asks for."""

    def show(accept: str) -> tuple[bytes, str]:
        encode, content_type = choose_encoder(accept)
        return encode(registry), content_type

    return show
