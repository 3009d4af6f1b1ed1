# SPDX-License-Identifier: Apache-2.0
"""The listener for operators, on a port of its own that no proxy leads to: /metrics, /healthz, /readyz and /rooms."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

import msgspec
from aiohttp import web

from server.api.health import add_health
from server.observe.rooms import RoomFacts

Exposition = Callable[[str], tuple[bytes, str]]
"""From an Accept header to a body and its content type."""

encode: Final = msgspec.json.Encoder().encode
SHUTDOWN_S: Final = 1.0


class Operations:
    """Listens until it is closed; a scrape that is under way then is cut short."""

    def __init__(
        self,
        exposition: Exposition,
        checks: Mapping[str, Callable[[], bool]],
        rooms: Callable[[], Iterable[RoomFacts]],
    ) -> None:
        app = web.Application()
        add_health(app, checks)

        async def metrics(request: web.Request) -> web.Response:
            body, content_type = exposition(request.headers.get("Accept", ""))
            return web.Response(body=body, headers={"Content-Type": content_type, "Cache-Control": "no-store"})

        async def list_rooms(_request: web.Request) -> web.Response:
            body = encode({"rooms": tuple(rooms())})
            return web.Response(body=body, content_type="application/json", headers={"Cache-Control": "no-store"})

        app.router.add_get("/metrics", metrics)
        app.router.add_get("/rooms", list_rooms)
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=SHUTDOWN_S)
        self.port = 0

    async def start(self, host: str, port: int) -> None:
        """Raises OSError when the port is in use."""
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()
        self.port = self._runner.addresses[0][1]

    async def close(self) -> None:
        """Listen no longer."""
        await self._runner.cleanup()
