# SPDX-License-Identifier: Apache-2.0
"""Which web pages may connect: our own, and those of the allow-list (cross-site WebSocket hijacking, RFC 6455 10.2)."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final
from urllib.parse import urlsplit

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


def allowed(origin: str | None, host: str, also: Collection[str] = ()) -> bool:
    """Whether a request with this Origin header may open a connection to a server reached as `host`.

    No Origin: not a browser; such a client is let in by its token alone. `null` and anything malformed is refused. The
    scheme is not compared, since a proxy may end TLS.
    """
    if origin is None:
        return True
    if origin in also:
        return True
    parts = urlsplit(origin)
    default = _DEFAULT_PORTS.get(parts.scheme)
    if default is None or origin != f"{parts.scheme}://{parts.netloc}":
        return False
    return _with_port(parts.netloc, default) == _with_port(host, default)


def _with_port(netloc: str, default: int) -> str:
    name, colon, port = netloc.lower().rpartition(":")
    return f"{name}:{port}" if colon and port.isdigit() else f"{netloc.lower()}:{default}"
