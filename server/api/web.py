# SPDX-License-Identifier: Apache-2.0
"""The built web client as static files; `.br` and `.gz` side files are served by aiohttp where a browser takes them."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from aiohttp import web

from server.config import ConfigError

PACKAGED: Final = Path(__file__).parents[1] / "web"
CHECKOUT: Final = Path(__file__).parents[2] / "clients" / "web" / "dist"

FOR_GOOD: Final = "public, max-age=31536000, immutable"
"""Files under `assets/` carry a hash of their content in their names."""
ASK_AGAIN: Final = "no-cache"

MISSING: Final = """<!doctype html>
<html lang="en"><title>Holdspace</title>
<p>The server runs, but its web client is not built. Run <code>make web</code> and start it again.</p></html>
"""


def web_folder(configured: Path | None) -> Path | None:
    """Where the built client is; None: not built. Raises ConfigError when it is not where it should be."""
    if configured is not None and not (configured / "index.html").is_file():
        raise ConfigError(f"web_dir {configured}: there is no index.html in it")
    candidates = (PACKAGED, CHECKOUT) if configured is None else (configured,)
    return next((folder for folder in candidates if (folder / "index.html").is_file()), None)


def add_web(app: web.Application, folder: Path | None) -> None:
    """Serve the client; without one, a page that says how to get it."""
    files = {} if folder is None else _files(folder)

    async def index(_request: web.Request) -> web.StreamResponse:
        if folder is None:
            return web.Response(text=MISSING, content_type="text/html", status=503)
        return web.FileResponse(folder / "index.html", headers={"Cache-Control": ASK_AGAIN})

    async def file(request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        if name not in files:
            raise web.HTTPNotFound
        caching = FOR_GOOD if name.startswith("assets/") else ASK_AGAIN
        return web.FileResponse(files[name], headers={"Cache-Control": caching})

    app.router.add_get("/", index)
    app.router.add_get("/{name:[A-Za-z0-9_][A-Za-z0-9_./-]*}", file)


def _files(folder: Path) -> dict[str, Path]:
    """What exists at the start, by its name in the address: no request ever becomes a path."""
    return {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
