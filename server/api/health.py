# SPDX-License-Identifier: Apache-2.0
"""/healthz: the loop runs. /readyz: new people may be sent here."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from aiohttp import web


def add_health(app: web.Application, checks: Mapping[str, Callable[[], bool]]) -> None:
    """Add both routes; `checks` are what must all hold to be ready."""

    async def healthz(_request: web.Request) -> web.Response:
        return web.json_response({"ok": True})

    async def readyz(_request: web.Request) -> web.Response:
        results = {name: check() for name, check in checks.items()}
        ready = all(results.values())
        return web.json_response({"ok": ready, "checks": results}, status=200 if ready else 503)

    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
