# SPDX-License-Identifier: Apache-2.0
"""POST /api/tickets: a join link's token becomes a ticket for one person."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec
from aiohttp import web

from server.api.bodies import only
from server.errors import DisconnectCode, JoinRefused
from server.signaling.codec import MAX_DETAIL
from server.signaling.door import TicketLimit, address_behind
from server.signaling.messages import Ticket, TicketRequest, refusal_of

MAX_BODY_BYTES: Final = 8 * 1024
BAD_REQUEST: Final = 400
FORBIDDEN: Final = 403
TIMED_OUT: Final = 408
TOO_LARGE: Final = 413
TOO_MANY: Final = 429
BODY_DEADLINE_S: Final = 5.0

_decode: Final = msgspec.json.Decoder(TicketRequest).decode
_encode: Final = msgspec.json.Encoder().encode


def add_tickets(app: web.Application, swap: Callable[[str], Awaitable[Ticket]], limit: TicketLimit) -> None:
    """Add the route; `swap` raises JoinRefused."""

    async def tickets(request: web.Request) -> web.Response:
        if request.headers.get("Sec-Fetch-Site") == "cross-site":
            # It could not read the answer, but use up what a whole clinic may ask for.
            return _refusal(
                DisconnectCode.BAD_MESSAGE, FORBIDDEN, "Sec-Fetch-Site: pages of another site are not heard"
            )
        wait_ms = limit.wait_ms(address_behind(request))
        if wait_ms:
            refusal = _refusal(DisconnectCode.RATE_LIMITED, TOO_MANY)
            refusal.headers["Retry-After"] = str(1 + wait_ms // 1000)
            return refusal
        try:
            async with asyncio.timeout(BODY_DEADLINE_S):
                body = await _body(request)
            if len(body) > MAX_BODY_BYTES:
                return _refusal(DisconnectCode.BAD_MESSAGE, TOO_LARGE)
            ticket = await swap(_decode(body).token)
        except TimeoutError:
            return _refusal(DisconnectCode.BAD_MESSAGE, TIMED_OUT)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, web.RequestPayloadError) as error:
            return _refusal(DisconnectCode.BAD_MESSAGE, BAD_REQUEST, str(error)[:MAX_DETAIL])
        except JoinRefused as refusal:
            return _refusal(refusal.code, FORBIDDEN, refusal.detail)
        return web.Response(
            body=_encode(ticket), content_type="application/json", headers={"Cache-Control": "no-store"}
        )

    app.router.add_post("/api/tickets", tickets)
    app.router.add_route("*", "/api/tickets", only("POST"))


async def _body(request: web.Request) -> bytes:
    """All that was sent, in however many pieces it comes; at most one byte more than is allowed."""
    body = b""
    while piece := await request.content.read(MAX_BODY_BYTES + 1 - len(body)):
        body += piece
    return body


def _refusal(code: DisconnectCode, status: int, detail: str = "") -> web.Response:
    body = _encode(refusal_of(code, detail))
    return web.Response(body=body, status=status, content_type="application/problem+json")
