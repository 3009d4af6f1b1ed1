# SPDX-License-Identifier: Apache-2.0
"""What the log says of a request."""

from __future__ import annotations

import logging
from typing import Never

import pytest
from aiohttp import web
from aiohttp.http_exceptions import BadStatusLine
from aiohttp.test_utils import TestClient, TestServer, make_mocked_request
from structlog.testing import capture_logs

from server.api.headers import access_log, http_log


@pytest.mark.parametrize(
    ("error", "raised", "lines"),
    [
        (ConnectionResetError, ConnectionResetError, [("request", 499)]),
        (web.RequestPayloadError, web.HTTPBadRequest, [("request", 400)]),
        (ValueError, web.HTTPInternalServerError, [("fault", None), ("request", 500)]),
    ],
)
async def test_faults(error: type[Exception], raised: type[Exception], lines: list[tuple[str, int | None]]) -> None:
    """Whoever hangs up before the answer is no fault of ours; everything unforeseen is one."""

    async def handler(_request: web.Request) -> Never:
        raise error

    with capture_logs() as told, pytest.raises(raised):
        await access_log(make_mocked_request("GET", "/"), handler)
    assert [(line["event"], line.get("status")) for line in told] == lines


@pytest.mark.parametrize(("status", "level"), [(200, "debug"), (503, "info")])
async def test_a_probe_is_told_when_it_fails(status: int, level: str) -> None:
    """A load balancer asks every second: the log is for what happened."""

    async def readyz(_request: web.Request) -> web.Response:
        return web.Response(status=status)

    app = web.Application(middlewares=[access_log])
    app.router.add_get("/readyz", readyz)
    with capture_logs() as told:
        async with TestClient(TestServer(app)) as client, client.get("/readyz"):
            pass
    assert [(line["event"], line["route"], line["log_level"]) for line in told] == [("request", "/readyz", level)]


@pytest.mark.parametrize(
    ("error", "level"),
    [
        (BadStatusLine("x"), logging.INFO),
        (web.RequestPayloadError(), logging.INFO),
        (ConnectionResetError(), logging.INFO),
        (ValueError(), logging.ERROR),
    ],
)
def test_what_is_no_http_is_no_error(error: Exception, level: int) -> None:
    """Anybody can send it at any time; what is a fault stays one."""
    logger = http_log()
    told: list[int] = []
    handler = logging.Handler()
    handler.emit = lambda record: told.append(record.levelno)  # type: ignore[method-assign]
    logger.addHandler(handler)
    logger.error("said", exc_info=error)
    logger.removeHandler(handler)
    assert told == [level]
