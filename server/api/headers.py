# SPDX-License-Identifier: Apache-2.0
"""Security headers for every answer, a request id, and the access log."""

from __future__ import annotations

import logging
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Final
from urllib.parse import urlsplit

import structlog
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from server.logs import fault

ADDRESSES: Final[web.AppKey[Callable[[], Iterable[str]]]] = web.AppKey("addresses")
"""Addresses of the servers, beside this one, that its pages may connect to."""
CLIENT_GONE: Final = 499
PROBES: Final = frozenset({"/healthz", "/readyz"})
"""Nobody is there to be answered; the number is that of nginx."""
REQUEST_ID: Final = web.RequestKey("request_id", str)
ID: Final = re.compile(r"[0-9a-f-]{16,36}")
"""What a proxy may call a request: random digits, which say nothing and fit into a log line."""
HOST: Final = re.compile(r"[A-Za-z0-9.\-\[\]:]{1,255}")

FIXED: Final = {
    "Server": "Holdspace",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Permissions-Policy": "camera=(self), microphone=(self), display-capture=(self), geolocation=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
}

log = structlog.get_logger()
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def content_security_policy(host: str, others: Iterable[str] = ()) -> str:
    """Nothing but our own files; the WebSocket is named because older browsers leave it out of 'self'.

    `others`: addresses of further servers.
    """
    hosts = [host, *(urlsplit(other).netloc for other in others)]
    socket = "".join(f" ws://{name} wss://{name}" for name in hosts if HOST.fullmatch(name))
    return "; ".join(
        (
            "default-src 'self'",
            f"connect-src 'self'{socket}",
            "img-src 'self' data: blob:",
            "media-src 'self' blob: mediastream:",
            "worker-src 'self'",
            "object-src 'none'",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'self'",
        )
    )


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Signal handler: every answer, also of files and errors, carries the policy."""
    response.headers.update(FIXED)
    others = request.app.get(ADDRESSES, tuple)
    response.headers["Content-Security-Policy"] = content_security_policy(request.host, others())
    response.headers["X-Request-Id"] = request.get(REQUEST_ID, "-")


class NotHttp(logging.Filter):
    """What anybody can send at any time is no error of the server: nobody is to be woken for it."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Lower the line to INFO."""
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, HttpProcessingError | web.RequestPayloadError | ConnectionResetError):
            record.levelno, record.levelname = logging.INFO, "INFO"
        return True


def http_log() -> logging.Logger:
    """For aiohttp's server: what it says of requests that no handler sees."""
    logger = logging.getLogger("aiohttp.http")
    logger.addFilter(_NOT_HTTP)
    return logger


_NOT_HTTP: Final = NotHttp()


@web.middleware
async def access_log(request: web.Request, handler: Handler) -> web.StreamResponse:
    """One line for each request, by route and never by address; a fault is told by its place only."""
    given = request.headers.get("X-Request-Id", "").lower()
    request[REQUEST_ID] = given if ID.fullmatch(given) else secrets.token_hex(8)
    started = time.monotonic()
    status = 500
    try:
        response = await handler(request)
        status = response.status
    except web.HTTPException as answer:
        status = answer.status
        raise
    except ConnectionResetError:
        status = CLIENT_GONE
        raise
    except web.RequestPayloadError:  # a body that is not encoded as its headers say
        status = web.HTTPBadRequest.status_code
        raise web.HTTPBadRequest from None
    except Exception as error:  # noqa: BLE001 - the edge: nothing of the exception may reach the client or the log
        log.error("fault", request=request[REQUEST_ID], **fault(error))  # noqa: TRY400 - never the text
        raise web.HTTPInternalServerError from None
    else:
        return response
    finally:
        # Load balancers ask every second whether we are well: worth a line only when we are not.
        tell = log.debug if _route(request) in PROBES and status < web.HTTPBadRequest.status_code else log.info
        tell(
            "request",
            request=request[REQUEST_ID],
            method=request.method,
            route=_route(request),
            status=status,
            ms=round((time.monotonic() - started) * 1000),
        )


def _route(request: web.Request) -> str:
    """The pattern that matched; what people type into an address stays out of the log."""
    resource = request.match_info.route.resource
    return "-" if resource is None else resource.canonical
