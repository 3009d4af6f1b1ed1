# SPDX-License-Identifier: Apache-2.0
"""`observing.Tracer` over OpenTelemetry. Needs `holdspace[otel]`, and is imported only where traces are wanted.

Attributes are kinds, outcomes, numbers, and the request ids that stand in the log. No exception is recorded: its text
could hold what people wrote.
"""

from __future__ import annotations

from collections.abc import Sequence
from threading import Thread
from typing import Final

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import Link, Span, SpanKind, Status, StatusCode, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

OURS: Final = frozenset({"fault", "internal", "unknown", "worker_lost"})
"""Outcomes that are nobody's fault but the server's."""
PATIENCE_S: Final = 5.0
GOODBYE_S: Final = 2.0
SCOPE: Final = "holdspace"
OUTGOING: Final = frozenset({"webhook"})
CARRIED: Final = "traceparent"
_FORMAT: Final = TraceContextTextMapPropagator()


def collector(url: str) -> SpanExporter:
    """Sends spans to a collector by OTLP over HTTP; headers may come from OTEL_EXPORTER_OTLP_HEADERS."""
    return OTLPSpanExporter(endpoint=url, timeout=PATIENCE_S)


class OtelSpan:
    """`observing.Span`."""

    __slots__ = ("_key", "_owners", "request", "span")

    def __init__(self, span: Span, request: str, owners: dict[str, OtelSpan]) -> None:
        self.span = span
        self.request = request
        self._owners = owners
        self._key = ""

    def owns(self, key: str) -> None:
        if self.span.is_recording():
            self._key = key
            self._owners[key] = self

    def about(self, kind: str) -> None:
        self.span.update_name(kind)

    def reached(self, point: str) -> None:
        self.span.add_event(point)

    def carried(self) -> dict[str, str]:
        headers: dict[str, str] = {}
        _FORMAT.inject(headers, set_span_in_context(self.span))
        return headers

    def end(self, outcome: str) -> None:
        if self._owners.get(self._key) is self:
            del self._owners[self._key]
        self.span.set_attribute("holdspace.outcome", outcome)
        if outcome in OURS:
            self.span.set_status(Status(StatusCode.ERROR))
        self.span.end()


class OtelTracer:
    """`observing.Tracer`. What is exported leaves by a thread of its own, from a bounded queue that drops when full."""

    def __init__(self, exporter: SpanExporter, *, percent: float, node: str, version: str) -> None:
        facts = {"service.name": SCOPE, "service.version": version, "service.instance.id": node}
        sampler = ParentBased(TraceIdRatioBased(percent / 100))
        self._provider = TracerProvider(sampler=sampler, resource=Resource(facts), shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer(SCOPE, version)
        self._owners: dict[str, OtelSpan] = {}

    def begin(self, name: str, request: str, parent: object = None) -> OtelSpan:
        above = set_span_in_context(parent.span) if isinstance(parent, OtelSpan) else Context()
        kind = SpanKind.CLIENT if name in OUTGOING else SpanKind.SERVER if parent is None else SpanKind.INTERNAL
        span = self._tracer.start_span(name, above, kind, {"holdspace.request": request})
        return OtelSpan(span, request, self._owners)

    def append(self, keys: Sequence[str]) -> OtelSpan | None:
        owners = [self._owners[key] for key in keys if key in self._owners]
        if not owners:
            return None
        first, others = owners[0], owners[1:]
        span = self._tracer.start_span(
            "append",
            set_span_in_context(first.span),
            SpanKind.CLIENT,
            {"holdspace.request": first.request, "holdspace.entries": len(keys)},
            [Link(other.span.get_span_context()) for other in others],
        )
        return OtelSpan(span, first.request, self._owners)

    def carried(self, keys: Sequence[str]) -> dict[str, str]:
        return {key: self._owners[key].carried()[CARRIED] for key in keys if key in self._owners}

    def delivered(self, keys: Sequence[str], traces: Sequence[str]) -> None:
        for key, trace in zip(keys, traces, strict=True):
            if (owner := self._owners.get(key)) is not None:
                owner.reached("delivered")
            elif trace and (above := _FORMAT.extract({CARRIED: trace}, Context())):
                # Another node decided that it is traced; by what share this one traces does not matter.
                self._tracer.start_span("delivered", above, SpanKind.CONSUMER).end()

    def flush(self) -> None:
        """Export what has ended; blocks for a few seconds at most."""
        self._provider.force_flush(int(PATIENCE_S * 1000))

    def close(self) -> None:
        """Export what is left, and end. Blocks for a moment at most: a collector must not keep a server from ending."""
        ending = Thread(target=self._provider.shutdown, daemon=True)
        ending.start()
        ending.join(GOODBYE_S)
