# SPDX-License-Identifier: Apache-2.0
"""/api/v1 of a real server, as a care platform uses it."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Never

import jwt
import pytest
import pytest_asyncio
from aiohttp import ClientResponse, ClientSession, web
from aiohttp.test_utils import make_mocked_request
from yarl import URL

from server.api.access import API_AUDIENCE, api_token
from server.api.bodies import problems
from server.app import Server
from server.errors import DisconnectCode
from server.ids import ParticipantId, RoomId
from server.rooms.commands import NextPhase
from server.rooms.state import Presence, Role
from server.signaling.tokens import TokenKey
from tests.signaling.clients import KEY, Person, config, fresh_room, token

pytestmark = pytest.mark.asyncio(loop_scope="module")

CANARY = "canaryword"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    """A server."""
    async with Server(config(tmp_path_factory.mktemp("platform"))) as server:
        yield server


@pytest_asyncio.fixture(loop_scope="module")
async def http(server: Server) -> AsyncIterator[ClientSession]:
    """The platform."""
    headers = {"Authorization": f"Bearer {api_token(KEY, int(time.time()))}"}
    async with ClientSession(f"http://127.0.0.1:{server.port}", headers=headers) as session:
        yield session


async def problem(answer: ClientResponse) -> tuple[int, str]:
    """Status and code."""
    assert answer.content_type == "application/problem+json"
    said = await answer.json()
    assert said["status"] == answer.status
    assert said["request"] == answer.headers["X-Request-Id"]
    return answer.status, said["code"]


async def test_a_room_is_made_and_people_come_by_its_links(server: Server, http: ClientSession) -> None:
    """The room is as it was asked for, and the links lead into it."""
    room = fresh_room()
    wish = {"room": room, "title": "Evening", "capacity": 3, "agreement": "Be kind.", "language": "es"}
    async with http.post("/api/v1/rooms", json=wish) as answer:
        assert answer.status == 201
        assert await answer.json() == {"room": room, "status": "waiting", "phase": None, "capacity": 3, "people": []}
    async with http.post(f"/api/v1/rooms/{room}/links", json={"role": "moderator", "participant": "u-1"}) as answer:
        link = await answer.json()
    assert (answer.status, link["participant"], link["role"]) == (201, "u-1", "moderator")
    assert link["url"].endswith(f"/#{link['token']}")
    ann = await Person(f"http://127.0.0.1:{server.port}", room).connect(token=link["token"], agreement=1, name="Ann")
    assert ann.view.settings.title == "Evening"
    assert ann.view.agenda.phases[0].title == "Bienvenida"
    async with http.get(f"/api/v1/rooms/{room}") as answer:
        (person,) = (await answer.json())["people"]
    assert (person["participant"], person["placement"], person["presence"]) == ("u-1", "main", "connected")
    await ann.close()


async def test_an_invite_is_for_many(server: Server, http: ClientSession) -> None:
    """Everyone who opens it is a new person."""
    room = fresh_room()
    async with http.post(f"/api/v1/rooms/{room}/invites", json={}) as answer:
        link = await answer.json()
    assert (answer.status, link["participant"]) == (201, None)
    for _ in range(2):
        person = Person(f"http://127.0.0.1:{server.port}", room)
        await person.connect(token=link["token"], name="New")
        await person.close()
    async with http.get(f"/api/v1/rooms/{room}") as answer:
        assert len((await answer.json())["people"]) == 2


async def test_an_agenda_of_ones_own(server: Server, http: ClientSession) -> None:
    """Phases are numbered; one without a title is called as its kind is; a negative time is refused."""
    room = fresh_room()
    phases = [{"kind": "check_in", "round": {"turn_ms": 60_000}}, {"kind": "topic", "title": "Sleep"}]
    async with http.post("/api/v1/rooms", json={"room": room, "agenda": phases}) as answer:
        assert answer.status == 201
    runner = server.rooms.get(room)
    assert runner is not None
    assert [(each.id, each.title) for each in runner.state.agenda.phases] == [
        ("phase-1", "Check in"),
        ("phase-2", "Sleep"),
    ]
    bad = {"room": fresh_room(), "agenda": [{"kind": "topic", "duration_ms": -1}]}
    async with http.post("/api/v1/rooms", json=bad) as answer:
        assert await problem(answer) == (422, "bad_body")


async def test_words_for_people_are_what_can_be_seen(server: Server, http: ClientSession) -> None:
    """As in the room: nobody is asked to agree to nothing, and a room without a title is called as the others are."""
    room = fresh_room()
    wish = {"room": room, "title": "\u200b ", "agreement": "\u3164\n", "camera_reason": "To\x00 see each other "}
    async with http.post("/api/v1/rooms", json=wish) as answer:
        assert answer.status == 201
    runner = server.rooms.get(RoomId(room))
    assert runner is not None
    settings = runner.state.settings
    assert (settings.title, settings.agreement.version) == ("Group session", 0)
    assert settings.camera_reason == "To see each other"


async def test_all_rooms_are_listed_page_by_page(http: ClientSession) -> None:
    """Each once, and none that is not there; a page that cannot be is refused."""
    made = [fresh_room() for _ in range(5)]
    for room in made:
        async with http.post("/api/v1/rooms", json={"room": room, "capacity": 9}) as answer:
            assert answer.status == 201
    listed: list[dict[str, Any]] = []
    after: dict[str, str] = {}
    while True:
        async with http.get("/api/v1/rooms", params={"limit": "2", **after}) as answer:
            page = await answer.json()
        listed += page["rooms"]
        if page["next"] is None:
            break
        assert len(page["rooms"]) == 2
        after = {"after": page["next"]}
    assert {each["room"] for each in listed} >= set(made)
    assert len({each["room"] for each in listed}) == len(listed)
    found = next(each for each in listed if each["room"] == made[0])
    assert found == {"room": made[0], "status": "waiting", "phase": None, "capacity": 9, "people": 0}
    for wrong in ({"limit": "0"}, {"limit": "101"}, {"limit": "many"}, {"after": "/"}):
        async with http.get("/api/v1/rooms", params=wrong) as answer:
            assert await problem(answer) == (422, "bad_query")


async def test_a_platform_ends_a_room(server: Server, http: ClientSession) -> None:
    """Everybody is told and has to go, staff stay for the debrief that was asked for; again changes nothing."""
    room, url = fresh_room(), f"http://127.0.0.1:{server.port}"
    ann, ben = await Person(url, room).join("ann", Role.MODERATOR), await Person(url, room).join("ben")
    await ann.do(NextPhase())
    for _ in range(2):
        async with http.post(f"/api/v1/rooms/{room}/end", json={"reason": "safety", "debrief": True}) as answer:
            assert (answer.status, await answer.json()) == (200, {"room": room, "status": "debrief"})
    await ben.until(lambda: ben.gone)
    assert ben.disconnecting == DisconnectCode.SESSION_OVER
    assert not ann.gone
    for _ in range(2):
        async with http.post(f"/api/v1/rooms/{room}/end", json={}) as answer:
            assert (answer.status, await answer.json()) == (200, {"room": room, "status": "ended"})
    await ann.until(lambda: ann.gone)
    async with http.post(f"/api/v1/rooms/{fresh_room()}/end", json={}) as answer:
        assert await problem(answer) == (404, "no_such_room")
    async with http.post(f"/api/v1/rooms/{room}/end", json={"reason": "boredom"}) as answer:
        assert await problem(answer) == (422, "bad_body")
    runner = server.rooms.get(RoomId(room))
    assert runner is not None
    server.rooms.forget(runner)
    async with asyncio.timeout(5):
        while (await server.rooms.peek(RoomId(room))) is not None:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.01)
    async with http.post(f"/api/v1/rooms/{room}/end", json={}) as answer:
        assert (answer.status, await answer.json()) == (200, {"room": room, "status": "ended"})


async def test_attendance_is_told_in_the_platforms_own_words(server: Server, http: ClientSession) -> None:
    """With the reference of the link, which nobody in the room gets; as JSON, and as a table."""
    room, url = fresh_room(), f"http://127.0.0.1:{server.port}"
    ann = await Person(url, room).join("ann", Role.MODERATOR)
    wish = {"participant": "u-7", "reference": "case-31"}
    async with http.post(f"/api/v1/rooms/{room}/links", json=wish) as answer:
        link = await answer.json()
    ben = await Person(url, room).connect(token=link["token"], name="Ben")
    await ann.do(NextPhase())
    await ben.close()
    await ann.until(lambda: ann.view.participants[ParticipantId("u-7")].presence is Presence.LOST)
    async with http.get(f"/api/v1/rooms/{room}/attendance") as answer:
        said = await answer.json()
    first, second = said["people"]
    assert (first["participant"], first["reference"], first["role"]) == ("ann", "", "moderator")
    assert (second["participant"], second["reference"], second["role"]) == ("u-7", "case-31", "participant")
    (stay,) = second["stays"]
    assert abs(stay["from_ms"] - time.time() * 1000) < 60_000
    assert stay["from_ms"] <= stay["to_ms"] <= said["as_of_ms"]
    assert first["stays"][0]["to_ms"] is None
    assert said["started_ms"] <= said["as_of_ms"]
    assert (said["status"], said["ended_ms"]) == ("live", None)
    async with http.get(f"/api/v1/rooms/{room}/attendance", headers={"Accept": "text/csv"}) as answer:
        lines = (await answer.text()).splitlines()
    assert answer.content_type == "text/csv"
    assert lines[0] == "participant,reference,role,from,to,seconds"
    assert lines[1].startswith("ann,,moderator,20")
    assert lines[2].startswith("u-7,case-31,participant,20")
    assert "case-31" not in repr(ann.events) + repr(ann.view)
    async with http.get("/api/v1/rooms/nobody/attendance") as answer:
        assert await problem(answer) == (404, "no_such_room")
    await ann.close()


async def test_what_cannot_be_is_said(http: ClientSession) -> None:
    """Twice the same room, one that is not there, a field that does not exist, no JSON, and far too much of it."""
    room = fresh_room()
    async with http.post("/api/v1/rooms", json={"room": room}) as answer:
        assert answer.status == 201
    async with http.post("/api/v1/rooms", json={"room": room}) as answer:
        assert await problem(answer) == (409, "room_exists")
    async with http.get("/api/v1/rooms/nobody") as answer:
        assert await problem(answer) == (404, "no_such_room")
    async with http.post("/api/v1/rooms", json={"room": fresh_room(), CANARY: CANARY, "title": 1}) as answer:
        assert await problem(answer) == (422, "bad_body")
    async with http.post("/api/v1/rooms", data=b"{") as answer:
        assert await problem(answer) == (400, "not_json")
    async with http.post("/api/v1/rooms", data=b" " * 300_000) as answer:
        assert await problem(answer) == (413, "too_large")
    async with http.put("/api/v1/rooms", json={"room": room}) as answer:
        assert await problem(answer) == (405, "method_not_allowed")


@pytest.mark.parametrize("path", ["v1", "v1/", "v1/rooms/", "v1/rooms/a/b", "v1/else", "v2/rooms", "%2e%2e/", ""])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "OPTIONS"])
async def test_what_is_not_there_is_a_problem(server: Server, method: str, path: str) -> None:
    """Not a page, and not a method that would be another one: programs read the same shape everywhere."""
    url = URL(f"http://127.0.0.1:{server.port}/api/{path}", encoded=True)
    async with ClientSession() as http, http.request(method, url) as answer:
        assert await problem(answer) == (404, "not_found")


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("v1/openapi.json", "GET, HEAD"),
        ("v1/rooms", "GET, HEAD, POST"),
        ("v1/rooms/a/end", "POST"),
        ("tickets", "POST"),
    ],
)
async def test_other_methods_are_told_which_there_are(http: ClientSession, path: str, allowed: str) -> None:
    """Whatever stands there, and whether or not pages have something at the same place."""
    async with http.patch(f"/api/{path}") as answer:
        assert await problem(answer) == (405, "method_not_allowed")
        assert answer.headers["Allow"] == allowed


@pytest.mark.parametrize("path", ["v1/openapi.json", "v1/rooms", "v1/rooms/nobody"])
async def test_head_is_get_without_a_body(http: ClientSession, path: str) -> None:
    """As the header Allow says."""
    async with http.get(f"/api/{path}") as whole, http.head(f"/api/{path}") as answer:
        assert (answer.status, answer.content_type) == (whole.status, whole.content_type)
        assert answer.content_length == whole.content_length
        assert not await answer.read()


async def test_a_fault_is_a_problem_too() -> None:
    """Under /api/; elsewhere aiohttp's own words do."""

    async def broken(_request: web.Request) -> Never:
        raise web.HTTPInternalServerError

    answer = await problems(make_mocked_request("GET", "/api/v1/rooms"), broken)
    assert (answer.status, answer.content_type) == (500, "application/problem+json")
    with pytest.raises(web.HTTPInternalServerError):
        await problems(make_mocked_request("GET", "/assets/x.js"), broken)


def signed(**claims: Any) -> str:  # noqa: ANN401
    """A token with these claims."""
    facts = {"iss": KEY.name, "aud": API_AUDIENCE, "exp": int(time.time()) + 60} | claims
    return jwt.encode(facts, KEY.secret, algorithm="HS256", headers={"kid": KEY.name})


async def test_only_who_has_the_secret_may_use_it(server: Server) -> None:
    """No token, a join link, another audience, an old one, one for ever, another key: none opens it."""
    now = int(time.time())
    stranger = TokenKey(KEY.name, "x" * 40)
    keys = (
        "",
        "Bearer",
        f"Bearer {token(fresh_room())}",
        f"Bearer {signed(aud='else')}",
        f"Bearer {signed(exp=now - 600)}",
        f"Bearer {signed(exp=now + 24 * 3600)}",
        f"Bearer {signed(iss='else')}",
        f"Bearer {api_token(stranger, now)}",
        f"Bearer {jwt.encode({'exp': now + 60, 'aud': API_AUDIENCE, 'iss': KEY.name}, '', algorithm='none')}",
    )
    async with ClientSession(f"http://127.0.0.1:{server.port}") as http:
        for key in keys:
            async with http.get("/api/v1/rooms/any", headers={"Authorization": key}) as answer:
                assert await problem(answer) == (401, "unauthorized")
                assert answer.headers["WWW-Authenticate"] == "Bearer"


async def test_who_signs_hears_why_it_does_not_open(server: Server) -> None:
    """What to look at: the header, the secret, the audience, the times; a number with a fraction is no time here."""
    now = int(time.time())
    wrong = {
        "": "Bearer",
        "Bearer abc": "HS256",
        f"Bearer {api_token(TokenKey(KEY.name, 'x' * 40), now)}": "another secret",
        f"Bearer {token(fresh_room())}": "holdspace-api",
        f"Bearer {signed(exp=now + 24 * 3600)}": "an hour",
        f"Bearer {signed(exp=now + 60.5)}": "whole seconds",
    }
    async with ClientSession(f"http://127.0.0.1:{server.port}") as http:
        for key, said in wrong.items():
            async with http.get("/api/v1/rooms", headers={"Authorization": key}) as answer:
                assert said in (await answer.json(content_type=None))["detail"]


@pytest.mark.parametrize(
    ("phases", "examples"),
    [("fuzzing,stateful", 6), pytest.param("examples,coverage,fuzzing,stateful", 60, marks=pytest.mark.slow)],
    ids=["by chance", "at every bound"],
)
async def test_the_description_is_true(server: Server, tmp_path: Path, phases: str, examples: int) -> None:
    """Schemathesis asks whatever the description allows, and some that it does not; every answer is as described."""
    run = await asyncio.create_subprocess_exec(
        Path(sys.executable).with_name("schemathesis"),
        *("run", f"http://127.0.0.1:{server.port}/api/v1/openapi.json", "--max-examples", f"{examples}", "--seed", "7"),
        *("--phases", phases),
        *("--header", f"Authorization: Bearer {api_token(KEY, int(time.time()), 600)}"),
        *("--generation-database", "none", "--no-color"),
        cwd=tmp_path,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await run.communicate()
    assert run.returncode == 0, said.decode()[-6000:]
