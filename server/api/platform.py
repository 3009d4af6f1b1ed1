# SPDX-License-Identifier: Apache-2.0
"""/api/v1 for care platforms: make rooms and links, look at rooms. JSON in and out, problems as RFC 9457 has them."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from itertools import count
from typing import Final, TypeVar

import msgspec
from aiohttp import web
from msgspec.structs import asdict, replace

from server.api.access import may_use
from server.api.openapi import description
from server.api.schema import CreateInvite, CreateLink, CreateRoom, Link, Person, PhaseDraft, Problem, Room
from server.errors import DisconnectCode, JoinRefused
from server.ids import ParticipantId, PhaseId, RoomId
from server.rooms.events import RoomOpened
from server.rooms.evolve import opened
from server.rooms.names import clean_name, clean_text
from server.rooms.phases import Phase, RoundPlan
from server.rooms.state import Agenda, Agreement, Role, RoomSettings, RoomState
from server.rooms.templates import default_agenda
from server.runner.registry import Rooms
from server.signaling.joining import Opening
from server.signaling.tokens import Claims, TokenKey, fresh_participant, fresh_ticket_id, is_identifier, sign

PREFIX: Final = "/api/v1"
MAX_BODY_BYTES: Final = 256 * 1024
T = TypeVar("T")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_encode: Final = msgspec.json.Encoder().encode


class Refused(Exception):
    """The answer is a problem."""

    def __init__(self, status: HTTPStatus, code: str, detail: str = "") -> None:
        super().__init__(code)
        self.problem = Problem("about:blank", status.phrase, status.value, code, detail)


class Platform:
    """The routes. `base_url`: what join links begin with; `now_ms`: log time."""

    def __init__(
        self,
        rooms: Rooms,
        key: TokenKey,
        opening: Opening,
        *,
        base_url: Callable[[], str],
        now_ms: Callable[[], int],
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._rooms = rooms
        self._key = key
        self._opening = opening
        self._base_url = base_url
        self._now_ms = now_ms
        self._wall = wall

    def add_to(self, app: web.Application) -> None:
        """Add the routes."""
        app.router.add_get(f"{PREFIX}/openapi.json", self._describe)
        for path, method, handler in (
            ("/rooms", "POST", self._create),
            ("/rooms/{room}", "GET", self._show),
            ("/rooms/{room}/links", "POST", self._link),
            ("/rooms/{room}/invites", "POST", self._invite),
        ):
            app.router.add_route(method, PREFIX + path, self._guarded(handler))
            # Else the files of the web client would offer themselves here.
            app.router.add_route("*", PREFIX + path, _only(method))

    def _guarded(self, handler: Handler) -> Handler:
        """Asks for the right to use the API first, and turns refusals into problems."""

        async def guarded(request: web.Request) -> web.StreamResponse:
            try:
                if not may_use(self._key, request.headers.get("Authorization", ""), int(self._wall())):
                    raise Refused(HTTPStatus.UNAUTHORIZED, "unauthorized")
                return await handler(request)
            except Refused as refused:
                return _problem(refused.problem)
            except JoinRefused as refusal:
                busy = refusal.code in {DisconnectCode.SERVER_BUSY, DisconnectCode.SERVER_RESTARTING}
                status = HTTPStatus.SERVICE_UNAVAILABLE if busy else HTTPStatus.CONFLICT
                return _problem(Refused(status, refusal.code.name.lower()).problem)

        return guarded

    async def _describe(self, _request: web.Request) -> web.Response:
        return web.Response(body=_encode(description(self._base_url())), content_type="application/json")

    async def _create(self, request: web.Request) -> web.Response:
        """A room of this id must not be there: an API that silently gave back another one would mix up groups."""
        wish = await _body(request, CreateRoom)
        if await self._rooms.find(wish.room) is not None:
            raise Refused(HTTPStatus.CONFLICT, "room_exists")
        if self._opening.full():
            raise JoinRefused(DisconnectCode.SERVER_BUSY)
        first = self._first(wish)
        runner = await self._rooms.open(wish.room, first)
        if (runner.state.settings, runner.state.agenda) != (first.settings, first.agenda):
            raise Refused(HTTPStatus.CONFLICT, "room_exists")  # somebody was faster
        return _answer(room_of(runner.state), HTTPStatus.CREATED)

    async def _show(self, request: web.Request) -> web.Response:
        runner = await self._rooms.find(_room(request))
        if runner is None:
            raise Refused(HTTPStatus.NOT_FOUND, "no_such_room")
        return _answer(room_of(runner.state), HTTPStatus.OK)

    async def _link(self, request: web.Request) -> web.Response:
        """The room need not be there yet: whoever comes first opens it."""
        room, wish = _room(request), await _body(request, CreateLink)
        person = wish.participant or fresh_participant()
        return self._signed(room, wish.role, wish.seconds, person, clean_name(wish.name) or "", wish.single_use)

    async def _invite(self, request: web.Request) -> web.Response:
        room, wish = _room(request), await _body(request, CreateInvite)
        return self._signed(room, wish.role, wish.seconds)

    def _signed(
        self,
        room: RoomId,
        role: Role,
        seconds: int,
        person: ParticipantId | None = None,
        name: str = "",
        single_use: bool = False,  # noqa: FBT001, FBT002 - as in the token
    ) -> web.Response:
        now = int(self._wall())
        claims = Claims(
            iss=self._key.name,
            exp=now + seconds,
            nbf=now,
            room=room,
            role=role,
            sub=person,
            jti=fresh_ticket_id(),
            name=name,
            single_use=single_use,
        )
        token = sign(self._key, claims)
        link = Link(f"{self._base_url()}/#{token}", token, room, role, person, claims.exp)
        return _answer(link, HTTPStatus.CREATED)

    def _first(self, wish: CreateRoom) -> RoomState:
        given = {name: value for name, value in asdict(wish).items() if value is not None}
        settings = {name: given[name] for name in RoomSettings.__struct_fields__ if name in given}
        if "agreement" in settings:
            settings["agreement"] = Agreement(version=1, text=wish.agreement) if wish.agreement else Agreement()
        agenda = self._opening.agenda if wish.language is None else default_agenda(wish.language)
        if wish.agenda is not None:
            agenda = Agenda(version=1, phases=tuple(map(_phase, wish.agenda, count(1))))
        event = RoomOpened(
            room=wish.room,
            settings=replace(self._opening.settings, **settings),
            agenda=agenda,
            at_ms=self._now_ms(),
        )
        return opened(event)


def _phase(draft: PhaseDraft, number: int) -> Phase:
    turns = draft.round
    return Phase(
        id=PhaseId(f"phase-{number}"),
        kind=draft.kind,
        title=clean_text(draft.title) or draft.kind.value.replace("_", " ").capitalize(),
        prompt=clean_text(draft.prompt),
        duration_ms=draft.duration_ms,
        round=None if turns is None else RoundPlan(turns.order, turns.turn_ms, turns.no_cross_talk),
    )


def room_of(state: RoomState) -> Room:
    """What the platform may know: ids and places, no names and no words."""
    people = tuple(
        Person(each.id, each.role, each.placement, each.presence, each.joined_ms)
        for each in state.participants.values()
    )
    return Room(state.id, state.status, state.agenda.current, state.settings.capacity, people)


def _only(method: str) -> Handler:
    """Says which method there is (RFC 9110 section 15.5.6)."""
    allowed = "GET, HEAD" if method == "GET" else method

    async def refuse(_request: web.Request) -> web.Response:
        answer = _problem(Refused(HTTPStatus.METHOD_NOT_ALLOWED, "method_not_allowed").problem)
        answer.headers["Allow"] = allowed
        return answer

    return refuse


def _room(request: web.Request) -> RoomId:
    name = request.match_info["room"]
    if not is_identifier(name):
        raise Refused(HTTPStatus.NOT_FOUND, "no_such_room")
    return RoomId(name)


async def _body(request: web.Request, kind: type[T]) -> T:
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


def _answer(data: msgspec.Struct, status: HTTPStatus) -> web.Response:
    headers = {"Cache-Control": "no-store"}
    return web.Response(body=_encode(data), status=status, content_type="application/json", headers=headers)


def _problem(problem: Problem) -> web.Response:
    headers = {"Cache-Control": "no-store"}
    if problem.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    if problem.status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = "2"
    return web.Response(
        body=_encode(problem), status=problem.status, content_type="application/problem+json", headers=headers
    )
