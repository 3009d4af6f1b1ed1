# SPDX-License-Identifier: Apache-2.0
"""/api/v1 for care platforms: make rooms and links, look at rooms. JSON in and out, problems as RFC 9457 has them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from http import HTTPStatus
from itertools import count
from typing import Any, Final

from aiohttp import web
from msgspec.structs import asdict, replace

from server.api.access import objection
from server.api.attendance import report_of, table_of
from server.api.bodies import (
    CSV,
    NOT_KEPT,
    ROOT,
    Handler,
    Refused,
    answer_of,
    body_of,
    encode,
    nothing_here,
    only,
    page_in,
    prefers_csv,
    problem_of,
    room_in,
)
from server.api.openapi import description
from server.api.schema import (
    CreateInvite,
    CreateLink,
    CreateRoom,
    EndedRoom,
    EndRoom,
    Link,
    ListedRoom,
    Person,
    PhaseDraft,
    Room,
    RoomList,
)
from server.errors import CommandRejected, DisconnectCode, JoinRefused
from server.ids import CommandId, PhaseId, RoomId
from server.rooms.events import RoomOpened
from server.rooms.evolve import opened
from server.rooms.names import clean_name, clean_text
from server.rooms.phases import Phase, RoundPlan, SessionStatus
from server.rooms.platform import CloseSession
from server.rooms.state import Agenda, Agreement, Role, RoomSettings, RoomState
from server.rooms.templates import default_agenda
from server.runner.registry import Rooms
from server.signaling.joining import Opening
from server.signaling.tokens import Claims, TokenKey, fresh_participant, fresh_ticket_id, sign

PREFIX: Final = "/api/v1"
_WORDS: Final = frozenset({"title", "agreement", "camera_reason"})
"""What people read of the settings."""


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
        """Add the routes, and an end to whatever else begins with /api/."""
        app.router.add_get(f"{PREFIX}/openapi.json", self._describe)
        app.router.add_route("*", f"{PREFIX}/openapi.json", only("GET"))
        routes: dict[str, dict[str, Handler]] = {
            "/rooms": {"GET": self._list, "POST": self._create},
            "/rooms/{room}": {"GET": self._show},
            "/rooms/{room}/links": {"POST": self._link},
            "/rooms/{room}/invites": {"POST": self._invite},
            "/rooms/{room}/end": {"POST": self._end},
            "/rooms/{room}/attendance": {"GET": self._attendance},
        }
        for path, handlers in routes.items():
            for method, handler in handlers.items():
                app.router.add_route(method, PREFIX + path, self._guarded(handler))
            if "GET" in handlers:
                app.router.add_route("HEAD", PREFIX + path, self._guarded(handlers["GET"]))
            # Else the files of the web client would offer themselves here.
            app.router.add_route("*", PREFIX + path, only(*handlers))
        app.router.add_route("*", ROOT + "{rest:.*}", nothing_here)

    def _guarded(self, handler: Handler) -> Handler:
        """Asks for the right to use the API first, and turns refusals into problems."""

        async def guarded(request: web.Request) -> web.StreamResponse:
            try:
                if wrong := objection(self._key, request.headers.get("Authorization", ""), int(self._wall())):
                    raise Refused(HTTPStatus.UNAUTHORIZED, "unauthorized", wrong)
                return await handler(request)
            except Refused as refused:
                return problem_of(request, refused)
            except JoinRefused as refusal:
                busy = refusal.code in {DisconnectCode.SERVER_BUSY, DisconnectCode.SERVER_RESTARTING}
                status = HTTPStatus.SERVICE_UNAVAILABLE if busy else HTTPStatus.CONFLICT
                return problem_of(request, Refused(status, refusal.code.name.lower()))

        return guarded

    async def _describe(self, _request: web.Request) -> web.Response:
        return web.Response(body=encode(description(self._base_url())), content_type="application/json")

    async def _create(self, request: web.Request) -> web.Response:
        """A room of this id must not be there: an API that silently gave back another one would mix up groups."""
        wish = await body_of(request, CreateRoom)
        if await self._rooms.find(wish.room) is not None:
            raise Refused(HTTPStatus.CONFLICT, "room_exists")
        if self._opening.full():
            raise JoinRefused(DisconnectCode.SERVER_BUSY)
        first = self._first(wish)
        runner = await self._rooms.open(wish.room, first)
        if (runner.state.settings, runner.state.agenda) != (first.settings, first.agenda):
            raise Refused(HTTPStatus.CONFLICT, "room_exists")  # somebody was faster
        return answer_of(room_of(runner.state), HTTPStatus.CREATED)

    async def _list(self, request: web.Request) -> web.Response:
        """Of all servers together: the log knows what there is."""
        page = page_in(request)
        names = await self._rooms.listed(page.limit, page.after)
        states = await asyncio.gather(*map(self._rooms.peek, names))
        rooms = tuple(_listed(state) for state in states if state is not None)
        return answer_of(RoomList(rooms, names[-1] if len(names) == page.limit else None))

    async def _show(self, request: web.Request) -> web.Response:
        return answer_of(room_of(await self._seen(request)))

    async def _seen(self, request: web.Request) -> RoomState:
        state = await self._rooms.peek(room_in(request))
        if state is None:
            raise Refused(HTTPStatus.NOT_FOUND, "no_such_room")
        return state

    async def _attendance(self, request: web.Request) -> web.Response:
        report = report_of(await self._seen(request), self._now_ms())
        if not prefers_csv(request):
            return answer_of(report)
        return web.Response(text=table_of(report), content_type=CSV, charset="utf-8", headers=NOT_KEPT)

    async def _end(self, request: web.Request) -> web.Response:
        """As a command in the log, so that it happens once, and everybody hears of it, whichever server was asked."""
        room, wish = room_in(request), await body_of(request, EndRoom)
        runner = await self._rooms.find(room)
        if runner is None:
            if not await self._rooms.has_ended(room):
                raise Refused(HTTPStatus.NOT_FOUND, "no_such_room")
            return answer_of(EndedRoom(room, SessionStatus.ENDED))
        name = CommandId(f"end:{'debrief' if wish.debrief else 'all'}:{runner.epoch}")
        try:
            await runner.submit(CloseSession(wish.reason, wish.debrief), None, name)
        except CommandRejected:
            raise JoinRefused(DisconnectCode.SERVER_BUSY) from None
        return answer_of(EndedRoom(room, runner.state.status))

    async def _link(self, request: web.Request) -> web.Response:
        """The room need not be there yet: whoever comes first opens it."""
        room, wish = room_in(request), await body_of(request, CreateLink)
        person = wish.participant or fresh_participant()
        return self._signed(
            room,
            wish.role,
            wish.seconds,
            sub=person,
            name=clean_name(wish.name) or "",
            single_use=wish.single_use,
            reference=wish.reference or "",
        )

    async def _invite(self, request: web.Request) -> web.Response:
        room, wish = room_in(request), await body_of(request, CreateInvite)
        return self._signed(room, wish.role, wish.seconds)

    def _signed(self, room: RoomId, role: Role, seconds: int, **more: Any) -> web.Response:  # noqa: ANN401 - claims
        now = int(self._wall())
        claims = Claims(
            iss=self._key.name, exp=now + seconds, nbf=now, room=room, role=role, jti=fresh_ticket_id(), **more
        )
        token = sign(self._key, claims)
        link = Link(f"{self._base_url()}/#{token}", token, room, role, claims.sub, claims.exp)
        return answer_of(link, HTTPStatus.CREATED)

    def _first(self, wish: CreateRoom) -> RoomState:
        given = {
            name: clean_text(value) if isinstance(value, str) and name in _WORDS else value
            for name, value in asdict(wish).items()
            if value is not None
        }
        settings = {name: given[name] for name in RoomSettings.__struct_fields__ if name in given}
        if "agreement" in settings:
            text = settings["agreement"]
            settings["agreement"] = Agreement(version=1, text=text) if text else Agreement()
        if not settings.get("title"):
            settings["title"] = self._opening.settings.title
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
        Person(each.id, state.seats[each.id].reference, each.role, each.placement, each.presence, each.joined_ms)
        for each in state.participants.values()
    )
    return Room(state.id, state.status, state.agenda.current, state.settings.capacity, people)


def _listed(state: RoomState) -> ListedRoom:
    people = len(state.participants)
    return ListedRoom(state.id, state.status, state.agenda.current, state.settings.capacity, people)
