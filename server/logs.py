# SPDX-License-Identifier: Apache-2.0
"""Logs by allow-list: a key that is not named here is never written.

No display name, message, token, SDP, address or room id gets into a log line: rooms and participants appear as short
digests. Of third-party loggers only the place and the type of an exception are written, never their text.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
import sys
from collections.abc import MutableMapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import structlog

PUBLIC_KEYS: Final = frozenset(
    {
        "event",
        "level",
        "timestamp",
        "request",
        "connection",
        "room",
        "participant",
        "code",
        "reason",
        "method",
        "route",
        "status",
        "bytes",
        "ms",
        "count",
        "port",
        "signal",
        "version",
        "error",
        "problem",
        "where",
        "worker",
        "node",
        "servers",
        "generation",
        "media_path",
        "logger",
    }
)

QUIET_LOGGERS: Final = ("aiohttp", "engineio", "socketio", "asyncio", "aiortc", "aioice")
"""Kept at WARNING: below it, engineio logs whole payloads."""

FRAMES: Final = 3
_DIGEST_KEY: Final = secrets.token_bytes(16)
"""Of this process alone: nobody finds a room's name in old logs by trying names."""


def digest(identifier: str) -> str:
    """A short stand-in for an identifier that may tell something about people; the same until the process ends."""
    return hashlib.blake2b(identifier.encode(), key=_DIGEST_KEY, digest_size=5).hexdigest()


def fault(error: BaseException) -> dict[str, str]:
    """What may be told about an exception: its type and where it came from; never its text."""
    return {"error": type(error).__name__, "where": _where(error.__traceback__)}


def _where(traceback: TracebackType | None) -> str:
    frames = []
    while traceback is not None:
        code = traceback.tb_frame.f_code
        frames.append(f"{Path(code.co_filename).stem}.{code.co_name}:{traceback.tb_lineno}")
        traceback = traceback.tb_next
    return " < ".join(reversed(frames[-FRAMES:]))


def keep_public(_logger: object, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The processor that drops every key not on the list."""
    return {key: value for key, value in line.items() if key in PUBLIC_KEYS}


class PlaceHandler(logging.Handler):
    """Passes on where a library spoke and which exception it had, not what it said."""

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        structlog.get_logger().log(
            record.levelno,
            "library",
            logger=record.name,
            **(fault(error) if error is not None else {"where": f"{record.module}.{record.funcName}:{record.lineno}"}),
        )


def configure(level: str, *, as_json: bool) -> None:
    """Set up structlog and the standard library's loggers for this process; lines go to stderr."""
    number = logging.getLevelNamesMapping()[level.upper()]
    renderer = structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer(colors=False)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            keep_public,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(handlers=[PlaceHandler()], level=logging.WARNING, force=True)
    silence_payloads()


def silence_payloads() -> None:
    """Keep the libraries that log what they carry above that level, whoever configures logging."""
    for name in QUIET_LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)
