# SPDX-License-Identifier: Apache-2.0
"""/api/v1 of a real server, as a care platform uses it."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import jwt
import pytest
import pytest_asyncio
from aiohttp import ClientResponse, ClientSession

from server.api.access import API_AUDIENCE, api_token
from server.app import Server
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


async def test_the_description_is_true(server: Server, tmp_path: Path) -> None:
    """Schemathesis asks whatever the description allows, and some that it does not; every answer is as described."""
    run = await asyncio.create_subprocess_exec(
        Path(sys.executable).with_name("schemathesis"),
        *("run", f"http://127.0.0.1:{server.port}/api/v1/openapi.json", "--max-examples", "15", "--seed", "7"),
        *("--header", f"Authorization: Bearer {api_token(KEY, int(time.time()), 600)}"),
        *("--generation-database", "none", "--no-color"),
        cwd=tmp_path,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await run.communicate()
    assert run.returncode == 0, said.decode()[-6000:]
