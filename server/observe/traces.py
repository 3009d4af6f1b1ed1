# SPDX-License-Identifier: Apache-2.0
"""Whether this server writes traces, and where to."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

from server.config import Config, ConfigError
from server.ids import NodeId

if TYPE_CHECKING:
    from server.observe.otel import OtelTracer


def tracer_of(config: Config, node: NodeId) -> OtelTracer | None:
    """What takes the time; None: nobody wants to know. Raises ConfigError without `holdspace[otel]`."""
    if not config.trace_url:
        return None
    try:
        from server.observe.otel import OtelTracer, collector  # noqa: PLC0415 - an extra, and slow to import
    except ImportError as error:
        raise ConfigError("trace_url needs OpenTelemetry: pip install 'holdspace[otel]'") from error
    exporter = collector(config.trace_url)
    return OtelTracer(exporter, percent=config.trace_percent, node=node, version=version("holdspace"))
