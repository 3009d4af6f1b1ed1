# SPDX-License-Identifier: Apache-2.0
"""Bodies in, bodies and problems out: what the routes of the API share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final, TypeVar

import msgspec
from aiohttp import web
from msgspec.structs import replace

from server.api.headers import REQUEST_ID
from server.api.schema import Problem
from server.ids import RoomId
from server.signaling.tokens import is_identifier

ROOT: Final = "/api/"
"""What begins with it is for programs."""
MAX_BODY_BYTES: Final = 256 * 1024
T = TypeVar("T")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
PAGE: Final = 50
MAX_PAGE: Final = 100
_DIGITS: Final = 9
CSV: Final = "text/csv"
NOT_KEPT: Final = {"Cache-Control": "no-store"}
encode: Final = msgspec.json.Encoder().encode


class Refused(Exception):
    """The answer is a problem."""

    def __init__(self, status: HTTPStatus, code: str, detail: str = "") -> None:
        super().__init__(code)
        self.problem = Problem("about:blank", status.phrase, status.value, code, detail)


@web.middleware
async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """What no route has foreseen is told to programs in the shape of every other refusal."""
    try:
        return await handler(request)
    except web.HTTPException as answer:
        if not request.path.startswith(ROOT):
            raise
        status = HTTPStatus(answer.status)
        return problem_of(request, Refused(status, status.phrase.lower().replace(" ", "_")))


async def nothing_here(_request: web.Request) -> web.Response:
    """Under `ROOT` there is nothing else, whatever the method."""
    raise web.HTTPNotFound


def only(*methods: str) -> Handler:
    """Says which methods there are (RFC 9110 section 15.5.6)."""
    allowed = ", ".join("GET, HEAD" if method == "GET" else method for method in methods)

    async def refuse(request: web.Request) -> web.Response:
        answer = problem_of(request, Refused(HTTPStatus.METHOD_NOT_ALLOWED, "method_not_allowed"))
        answer.headers["Allow"] = allowed
        return answer

    return refuse


def room_in(request: web.Request) -> RoomId:
    """The room that the path names. Raises Refused."""
    name = request.match_info["room"]
    if not is_identifier(name):
        raise Refused(HTTPStatus.NOT_FOUND, "no_such_room")
    return RoomId(name)


class Page(msgspec.Struct, frozen=True):
    """Which part of a list."""

    limit: int
    after: RoomId | None


def page_in(request: web.Request) -> Page:
    """The part of the list that the query asks for. Raises Refused."""
    limit, after = request.query.get("limit", str(PAGE)), request.query.get("after")
    if not (limit.isascii() and limit.isdecimal() and len(limit) < _DIGITS and 1 <= int(limit) <= MAX_PAGE):
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, "bad_query", f"limit: 1 to {MAX_PAGE}")
    if after is not None and not is_identifier(after):
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, "bad_query", "after: the id of a room")
    return Page(int(limit), None if after is None else RoomId(after))


def prefers_csv(request: web.Request) -> bool:
    """Whether the Accept header names CSV, and not JSON."""
    accept = request.headers.get("Accept", "").lower()
    return CSV in accept and "json" not in accept


async def body_of(request: web.Request, kind: type[T]) -> T:
    """The body as it should be. Raises Refused."""
    body = b""
    while piece := await request.content.read(MAX_BODY_BYTES + 1 - len(body)):
        body += piece
    if len(body) > MAX_BODY_BYTES:
        raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_large")
    try:
        return msgspec.convert(_whole(msgspec.json.decode(body)), kind)
    except msgspec.ValidationError as error:
        # The path of the field, and what is expected; msgspec does not repeat what was there.
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, "bad_body", str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Refused(HTTPStatus.BAD_REQUEST, "not_json") from None


def _whole(value: object) -> object:
    """JSON knows one kind of number: 12.0 is an integer, too (JSON Schema, section 6.1.1)."""
    match value:
        case float() if value.is_integer():
            return int(value)
        case dict():
            return {name: _whole(each) for name, each in value.items()}
        case list():
            return [_whole(each) for each in value]
        case _:
            return value


def answer_of(data: msgspec.Struct, status: HTTPStatus = HTTPStatus.OK) -> web.Response:
    """It, as JSON that nobody keeps."""
    return web.Response(body=encode(data), status=status, content_type="application/json", headers=NOT_KEPT)


def problem_of(request: web.Request, refused: Refused) -> web.Response:
    """The problem, with the number under which it is in the log."""
    problem = replace(refused.problem, request=request.get(REQUEST_ID, ""))
    headers = dict(NOT_KEPT)
    if problem.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    if problem.status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = "2"
    return web.Response(
        body=encode(problem), status=problem.status, content_type="application/problem+json", headers=headers
    )
