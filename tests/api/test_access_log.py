# SPDX-License-Identifier: Apache-2.0
"""What the log says of a request."""

from __future__ import annotations

from typing import Never

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from structlog.testing import capture_logs

from server.api.headers import access_log


@pytest.mark.parametrize(
    ("error", "raised", "lines"),
    [
        (ConnectionResetError, ConnectionResetError, [("request", 499)]),
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
