# SPDX-License-Identifier: Apache-2.0
"""What is wrong with a request for a connection, said to the author of the client in Engine.IO's own numbers."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

import msgspec
from aiohttp import web
from msgspec import Struct

SOCKET_PATH: Final = "/socket.io/"
ENGINE_VERSION: Final = "4"


class Flaw(Struct, frozen=True):
    """Body of a refused handshake; the numbers are those of the Engine.IO server of the Socket.IO project."""

    code: int
    message: str


FOREIGN: Final = Flaw(4, "Forbidden: pages of this origin are not let in; the operator can add it to allowed_origins")
_TRANSPORT: Final = Flaw(
    0, 'Transport unknown: only WebSocket is spoken here, set transports to ["websocket"] and the parser to MessagePack'
)
_SESSION: Final = Flaw(1, "Session ID unknown: a connection is a WebSocket from its start, nothing is upgraded")
_METHOD: Final = Flaw(2, "Bad handshake method: a WebSocket begins with GET")
_UPGRADE: Final = Flaw(3, "Bad request: the headers of a WebSocket upgrade are missing")
_VERSION: Final = Flaw(5, "Unsupported protocol version: Engine.IO 4 (EIO=4) is spoken here, as by Socket.IO 3 and 4")


def flaw_of(method: str, query: Mapping[str, str], upgrade: str) -> Flaw | None:
    """Why this cannot become a connection; None: it can, as far as Engine.IO is concerned.

    `upgrade`: the header of that name, or nothing.
    """
    if method != "GET":
        return _METHOD
    if query.get("transport") != "websocket":
        return _TRANSPORT
    if query.get("EIO") != ENGINE_VERSION:
        return _VERSION
    if "sid" in query:
        return _SESSION
    return None if upgrade.lower() == "websocket" else _UPGRADE


def refusal(flaw: Flaw) -> web.Response:
    """The answer to such a request."""
    status = HTTPStatus.FORBIDDEN if flaw is FOREIGN else HTTPStatus.BAD_REQUEST
    return web.Response(body=msgspec.json.encode(flaw), status=status, content_type="application/json")
