# SPDX-License-Identifier: Apache-2.0
"""The Python client against real servers, over its public interface only."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from types import ModuleType

import jwt
import pytest
import pytest_asyncio
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer

from holdspace_client import (
    MAIN,
    CommandRefused,
    DisconnectCode,
    JoinRefused,
    NotAcknowledged,
    Platform,
    PlatformProblem,
    RejectCode,
    Session,
    api,
    open_link,
)
from holdspace_client import commands as c
from holdspace_client.protocol.rooms.events import ChatSent, Event
from holdspace_client.protocol.rooms.phases import PhaseKind
from holdspace_client.protocol.rooms.state import Presence, Role
from holdspace_client.protocol.signaling.messages import Notice, ReadOnly
from server.app import Server
from tests.signaling.clients import KEY, SECRET, config, fresh_room

pytestmark = pytest.mark.asyncio(loop_scope="module")

EXAMPLES = Path(__file__).parents[2] / "clients" / "python" / "examples"


class Evening:
    """A room of one's own, its platform, and whoever comes; all are gone at the end."""

    def __init__(self, server: Server, http: ClientSession, stack: AsyncExitStack) -> None:
        self.server = server
        self.url = f"http://127.0.0.1:{server.port}"
        self.room = str(fresh_room())
        self.http = http
        self.platform = Platform(http, self.url, api_key=KEY.name, api_secret=SECRET)
        self._stack = stack

    async def link(self, person: str, role: Role = Role.PARTICIPANT) -> str:
        """A link for this person."""
        return (await self.platform.link(self.room, api.CreateLink(role=role, participant=person, name=person))).url

    async def join(self, person: str, role: Role = Role.PARTICIPANT) -> Session:
        """Somebody in the room."""
        invitation = await open_link(self.http, await self.link(person, role))
        session = invitation.session(self.http, agreement=invitation.room.agreement.version)
        self._stack.push_async_callback(session.close)
        await session.join()
        return session


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    """A server without media."""
    async with Server(config(tmp_path_factory.mktemp("clients"))) as server:
        yield server


@pytest_asyncio.fixture(loop_scope="module")
async def evening(server: Server) -> AsyncIterator[Evening]:
    """An empty room."""
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(ClientSession())
        yield Evening(server, http, stack)


async def test_a_platform_makes_a_room_and_people_meet_in_it(evening: Evening) -> None:
    """What the platform asked for is what people see, and what people do is what each other sees."""
    agenda = (api.PhaseDraft(kind=PhaseKind.CHECK_IN, title="Arrive"), api.PhaseDraft(kind=PhaseKind.CLOSE))
    made = await evening.platform.create_room(
        api.CreateRoom(room=evening.room, title="Evening", agenda=agenda, agreement="Be kind.")
    )
    assert made.people == ()
    ann, ben = await evening.join("ann", Role.MODERATOR), await evening.join("ben")
    assert [phase.title for phase in ben.view.agenda.phases] == ["Arrive", "Close"]
    assert ben.view.settings.agreement.text == "Be kind."
    heard: list[Event] = []
    ben.on_events = heard.extend
    await ann.do(c.SendChat("Welcome"))
    await ben.until(lambda view: bool(view.chat.get(MAIN)))
    assert [event.message.text for event in heard if isinstance(event, ChatSent)] == ["Welcome"]
    assert {each.participant for each in (await evening.platform.room(evening.room)).people} == {"ann", "ben"}


async def test_a_platform_sees_who_was_there_and_ends_it(evening: Evening) -> None:
    """Rooms are listed page by page; attendance tells each person; the end is told to everybody."""
    names = [f"{evening.room}-{number}" for number in range(51)]
    for name in names:
        await evening.platform.create_room(api.CreateRoom(room=name))
    assert set(names) <= {room.room async for room in evening.platform.rooms()}
    ben = await evening.join("ben")
    (stay,) = (await evening.platform.attendance(evening.room)).people
    assert (stay.participant, stay.role) == ("ben", Role.PARTICIPANT)
    assert (await evening.platform.end(evening.room)).status == "ended"
    assert await ben.until_disconnected() is DisconnectCode.SESSION_OVER


async def test_a_refused_command_says_why(evening: Evening) -> None:
    """The number of the refusal comes as an exception; nothing has changed."""
    ben = await evening.join("ben")
    with pytest.raises(CommandRefused) as refusal:
        await ben.do(c.EndSession())
    assert refusal.value.code is RejectCode.NOT_ALLOWED
    assert refusal.value.message == "Your role in this group does not include that."
    with pytest.raises(CommandRefused) as refusal:
        await ben.do(c.SendChat("x" * 3_000))
    assert "$[1].command.text" in refusal.value.detail
    assert refusal.value.__notes__ == [refusal.value.detail]


async def test_what_would_end_the_connection_is_not_sent(evening: Evening) -> None:
    """Else a command that is repeated until it is answered would end one connection after the other."""
    ben = await evening.join("ben")
    for size in (20_000, 1_000_000):
        with pytest.raises(CommandRefused) as refusal:
            await ben.ensure(c.SendChat("x" * size))
        assert refusal.value.code is RejectCode.TOO_LARGE
    assert ben.connected
    await ben.do(c.RaiseHand())


async def test_a_refused_token_says_why(evening: Evening) -> None:
    """At the link and at the connection: the author of what signs tokens has to find the claim."""
    token = jwt.encode({"iss": KEY.name, "room": "no room"}, SECRET, algorithm="HS256", headers={"kid": KEY.name})
    for attempt in (
        open_link(evening.http, f"{evening.url}/#{token}"),
        Session(evening.http, evening.url, token).join(),
    ):
        with pytest.raises(JoinRefused) as refusal:
            await attempt
        assert "exp" in refusal.value.detail
        assert refusal.value.__notes__ == [refusal.value.detail]


async def test_who_waits_to_be_back_hears_of_the_end(evening: Evening) -> None:
    """A command that is repeated until it is answered is given up when nobody will come back."""
    ann, ben = await evening.join("ann", Role.MODERATOR), await evening.join("ben")
    await ben.drop()
    waiting = asyncio.create_task(ben.ensure(c.RaiseHand()))
    await ann.do(c.Remove("ben"))
    assert await ben.keep() is DisconnectCode.REMOVED
    for attempt in (waiting, ben.ensure(c.RaiseHand())):
        async with asyncio.timeout(5):
            with pytest.raises(NotAcknowledged):
                await attempt


@pytest.mark.parametrize("body", [b"<html>Sign in to the network</html>", b"{}", b"\xff", b"[]"])
async def test_another_server_that_says_yes_is_told_apart(evening: Evening, body: bytes) -> None:
    """A portal or a proxy answers 200 to everything."""

    async def portal(_request: web.Request) -> web.Response:
        return web.Response(body=body, content_type="text/html")

    app = web.Application()
    app.router.add_route("*", "/{any:.*}", portal)
    async with TestServer(app) as server:
        elsewhere = Platform(evening.http, str(server.make_url("")), api_key=KEY.name, api_secret=SECRET)
        with pytest.raises(PlatformProblem) as problem:
            await elsewhere.room("any")
    assert (problem.value.code, problem.value.status) == ("not_holdspace", 200)


async def test_a_lost_connection_comes_back_by_itself(evening: Evening) -> None:
    """The seat is the same, what happened meanwhile is folded, and a command sent meanwhile has one effect."""
    ann, ben = await evening.join("ann", Role.MODERATOR), await evening.join("ben")
    keeping = asyncio.create_task(ben.keep())
    await ben.drop()
    saying = asyncio.create_task(ben.ensure(c.SendChat("Back")))
    await ann.until(lambda view: view.participants["ben"].presence is Presence.LOST)
    await ann.do(c.Rename("Anna"))
    await ann.until(lambda view: bool(view.chat.get(MAIN)))
    await saying
    assert ben.view.participants["ann"].name == "Anna"
    assert ben.snapshots == 1
    assert [message.text for message in ben.view.chat[MAIN]] == ["Back"]
    await ann.do(c.Remove("ben"))
    assert await keeping is DisconnectCode.REMOVED


async def test_a_link_for_one_seat_survives_a_lost_welcome(evening: Evening) -> None:
    """The same session may try again with its ticket; another one may not."""
    link = await evening.platform.link(evening.room, api.CreateLink(participant="ben", name="Ben", single_use=True))
    invitation = await open_link(evening.http, link.url)
    first = invitation.session(evening.http)
    await first.join()
    await first.drop()
    await first.join()
    assert first.placement == MAIN
    with pytest.raises(JoinRefused) as refused:
        await invitation.session(evening.http).join()
    assert refused.value.code is DisconnectCode.TICKET_USED
    await first.close()


async def test_who_leaves_does_not_come_back(evening: Evening) -> None:
    """`keep` ends without a reason of the server, and nobody tries again."""
    ben = await evening.join("ben")
    keeping = asyncio.create_task(ben.keep())
    await ben.leave()
    assert await keeping is None
    with pytest.raises(PlatformProblem, match="no_such_room"):
        await evening.platform.room("another")


@pytest.mark.parametrize("rounds", [0, 1, 2, 5, 20])
async def test_who_closes_while_coming_back_stays_away(evening: Evening, rounds: int) -> None:
    """At whatever point of the attempt: it ends, and no connection is left behind."""
    ben = await evening.join("ben")
    keeping = asyncio.create_task(ben.keep())
    await ben.drop()
    for _ in range(rounds):
        await asyncio.sleep(0)
    await ben.close()
    assert await keeping is None
    await ben.until_disconnected()


async def test_a_command_that_nobody_answers_is_given_up(evening: Evening) -> None:
    """Without a connection, and with nobody to make one, it ends in time."""
    ben = await evening.join("ben")
    await ben.drop()
    with pytest.raises(NotAcknowledged):
        await ben.ensure(c.RaiseHand(), life_s=0.05)


async def test_refusals_are_told_apart(evening: Evening) -> None:
    """No link, a forged one, a room that is there already, a wrong secret: each has its own word."""
    with pytest.raises(ValueError, match="not a join link"):
        await open_link(evening.http, f"{evening.url}/?token=x")
    with pytest.raises(JoinRefused) as refused:
        await open_link(evening.http, f"{evening.url}/#x.y.z")
    assert refused.value.code is DisconnectCode.TOKEN_INVALID
    await evening.platform.create_room(api.CreateRoom(room=evening.room))
    with pytest.raises(PlatformProblem) as problem:
        await evening.platform.create_room(api.CreateRoom(room=evening.room))
    assert (problem.value.code, problem.value.status) == ("room_exists", 409)
    thief = Platform(evening.http, evening.url, api_key=KEY.name, api_secret="x" * 40)
    with pytest.raises(PlatformProblem, match="unauthorized"):
        await thief.invite(evening.room)


async def test_notices_are_passed_on(evening: Evening) -> None:
    """Read-only is known to the session, and told."""
    ben = await evening.join("ben")
    told: list[Notice] = []
    ben.on_notice = told.append
    evening.server.gateway.set_read_only(lambda room: room == evening.room)
    await ben.until(lambda _: ben.read_only)
    evening.server.gateway.set_read_only(lambda _: False)
    await ben.until(lambda _: not ben.read_only)
    assert told == [ReadOnly(on=True), ReadOnly(on=False)]


async def test_the_examples_run(
    evening: Evening, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The programs of the documentation, as they stand there: one prepares an evening, the other follows it."""
    monkeypatch.setenv("HOLDSPACE_API_SECRET", SECRET)
    await _example("evening").main(evening.url, evening.room)
    *lines, status = (line for line in capsys.readouterr().out.splitlines() if "[info" not in line)
    assert status == "waiting"
    links = dict(line.split() for line in lines)
    watching = asyncio.create_task(_example("watch_room").main(links["u-5512"]))
    moderator = await evening.join("u-17", Role.MODERATOR)
    await moderator.until(lambda view: any(each.text.startswith("Hello") for each in view.chat.get(MAIN, ())))
    await moderator.do(c.EndSession())
    await watching
    seen = [line for line in capsys.readouterr().out.splitlines() if "[info" not in line]
    assert "ChatSent" in seen
    assert seen[-1] == "over: 3513"


def _example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
