# SPDX-License-Identifier: Apache-2.0
"""POST /api/tickets, health, static files and headers of a real server."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import jwt
import pytest
import pytest_asyncio
from aiohttp import ClientSession

from server.api.headers import content_security_policy
from server.app import Server
from server.errors import DisconnectCode
from server.ids import ParticipantId
from server.rooms import commands as c
from server.rooms.state import Role
from server.signaling.door import TicketLimit
from tests.signaling.clients import SECRET, Venue, config, token

pytestmark = pytest.mark.asyncio(loop_scope="module")

PAGE = "<!doctype html><title>Holdspace</title>"
SCRIPT = "console.log('hello');" * 50


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    """A server with a small web client of its own."""
    folder = tmp_path_factory.mktemp("api")
    assets = folder / "dist" / "assets"
    assets.mkdir(parents=True)
    (folder / "dist" / "index.html").write_text(PAGE)
    (folder / "secret.txt").write_text("not for everyone")
    (assets / "app-1234.js").write_text(SCRIPT)
    (assets / "app-1234.js.br").write_bytes(b"as brotli")
    (assets / "app-1234.js.gz").write_bytes(b"as gzip")
    async with Server(config(folder, web_dir=folder / "dist", agreement="Be kind.", room_title="Circle")) as server:
        yield server


@pytest_asyncio.fixture(loop_scope="module")
async def venue(server: Server) -> AsyncIterator[Venue]:
    """A room of one's own."""
    venue = Venue(server)
    yield venue
    await venue.close()


@pytest_asyncio.fixture(loop_scope="module")
async def http(server: Server) -> AsyncIterator[ClientSession]:
    """A session that shows bodies as they are on the wire."""
    async with ClientSession(f"http://127.0.0.1:{server.port}", auto_decompress=False) as session:
        yield session


async def _swap(http: ClientSession, link: str) -> dict[str, Any]:
    async with http.post("/api/tickets", json={"token": link}) as answer:
        assert answer.status == 200
        assert answer.headers["Cache-Control"] == "no-store"
        body: dict[str, Any] = await answer.json()
        return body


async def _refusal(http: ClientSession, body: bytes) -> tuple[int, int]:
    async with http.post("/api/tickets", data=body) as answer:
        assert answer.content_type == "application/problem+json"
        problem = await answer.json(content_type=None)
        assert problem["reason"]
        assert problem["message"]
        return answer.status, problem["code"]


async def test_a_link_becomes_a_ticket(venue: Venue, http: ClientSession) -> None:
    """It opens the seat of the link's person, and says what the room asks of them."""
    ticket = await _swap(http, token(venue.room, "ann", Role.MODERATOR, title="Tuesday"))
    assert (ticket["role"], ticket["name"]) == ("moderator", "ann")
    assert ticket["room"] == {
        "title": "Tuesday",
        "agreement": {"version": 1, "text": "Be kind."},
        "camera_policy": "optional",
        "camera_reason": "",
        "crisis_lines": [],
        "exit_url": "",
    }
    ann = await venue.person().connect(token=ticket["ticket"], agreement=1)
    assert ann.welcome.participant == "ann"


async def test_a_request_may_come_in_pieces(venue: Venue) -> None:
    """A long token, or a slow network: the body is read to its end, not to the end of its first packet."""
    body = json.dumps({"token": token(venue.room)}).encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", venue.server.port)
    head = f"POST /api/tickets HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body[:50])
    await asyncio.sleep(0.1)
    writer.write(body[50:])
    async with asyncio.timeout(8):
        assert (await reader.readline()).split()[1] == b"200"
        await reader.read()
    writer.close()


@pytest.mark.parametrize(("site", "status"), [("cross-site", 403), ("same-site", 200), ("same-origin", 200)])
async def test_another_site_does_not_use_up_tickets(
    venue: Venue, http: ClientSession, monkeypatch: pytest.MonkeyPatch, site: str, status: int
) -> None:
    """A page somewhere else, open in a browser of the clinic, could send six hundred of them (Fetch Metadata)."""
    asked: list[str] = []

    def wait_ms(_: TicketLimit, address: str) -> int:
        asked.append(address)
        return 0

    monkeypatch.setattr(TicketLimit, "wait_ms", wait_ms)
    body = json.dumps({"token": token(venue.room)})
    async with http.post("/api/tickets", data=body, headers={"Sec-Fetch-Site": site}) as answer:
        assert answer.status == status
    assert len(asked) == (status == 200)


async def test_the_agreement_is_asked_for(venue: Venue, http: ClientSession) -> None:
    """Without the version that is in force there is no seat."""
    ticket = await _swap(http, token(venue.room, "ann", Role.MODERATOR))
    assert await venue.refused(token=ticket["ticket"]) == DisconnectCode.AGREEMENT_REQUIRED
    assert await venue.refused(token=ticket["ticket"], agreement=2) == DisconnectCode.AGREEMENT_REQUIRED


async def test_a_link_and_its_ticket_are_the_same_person(venue: Venue, http: ClientSession) -> None:
    """Swapped or not, twice or once: one seat."""
    link = token(venue.room, "ann", Role.MODERATOR)
    first = await venue.person().connect(token=link, agreement=1)
    ticket = await _swap(http, link)
    second = await venue.person().connect(token=(await _swap(http, ticket["ticket"]))["ticket"], agreement=1)
    await first.until(lambda: first.gone)
    assert first.disconnecting == DisconnectCode.SUPERSEDED
    assert list(second.view.participants) == [ParticipantId("ann")]


async def test_an_invite_becomes_somebody_new_each_time(venue: Venue, http: ClientSession) -> None:
    """Two swaps are two people; each ticket keeps its person."""
    link = token(venue.room, None, Role.MODERATOR)
    subs = {
        jwt.decode((await _swap(http, link))["ticket"], SECRET, ["HS256"], audience="holdspace")["sub"]
        for _ in range(2)
    }
    assert len(subs) == 2
    ticket = (await _swap(http, link))["ticket"]
    people = [(await venue.person().connect(token=ticket, agreement=1)).welcome.participant for _ in range(2)]
    assert people[0] == people[1]


async def test_a_ticket_does_not_outlive_its_link(venue: Venue, http: ClientSession) -> None:
    """It expires with the link, or after the time that is set, whichever is sooner."""
    now = int(time.time())
    for life, expected in ((60, 60), (10 * 24 * 3600, 4 * 3600)):
        ticket = (await _swap(http, token(venue.room, exp=now + life)))["ticket"]
        expires = jwt.decode(ticket, SECRET, ["HS256"], audience="holdspace")["exp"]
        assert abs(expires - now - expected) <= 5


async def test_a_single_use_link_is_refused_once_it_was_used(venue: Venue, http: ClientSession) -> None:
    """Before the seat is taken it may be swapped again, as by a reload; after that it says so."""
    link = token(venue.room, "ann", Role.MODERATOR, single_use=True, jti="j")
    await _swap(http, link)
    ticket = (await _swap(http, link))["ticket"]
    await venue.person().connect(token=ticket, agreement=1)
    assert await _refusal(http, json.dumps({"token": link}).encode()) == (403, DisconnectCode.TICKET_USED)


async def test_removed_people_hear_it_at_the_link(venue: Venue, http: ClientSession) -> None:
    """Before they choose a name and a camera."""
    ann = await venue.join("ann", Role.MODERATOR, agreement=1)
    await venue.join("bob", agreement=1)
    await ann.do(c.Remove(ParticipantId("bob")))
    assert await _refusal(http, json.dumps({"token": token(venue.room, "bob")}).encode()) == (
        403,
        DisconnectCode.REMOVED,
    )


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        (b"", (400, DisconnectCode.BAD_MESSAGE)),
        (b"[]", (400, DisconnectCode.BAD_MESSAGE)),
        (b'{"token": 1}', (400, DisconnectCode.BAD_MESSAGE)),
        (b'{"token": "x", "role": "moderator"}', (400, DisconnectCode.BAD_MESSAGE)),
        (b"[" * 8000, (400, DisconnectCode.BAD_MESSAGE)),
        (b'{"token": "\xff"}', (400, DisconnectCode.BAD_MESSAGE)),
        (b'{"token": "x"}', (403, DisconnectCode.TOKEN_INVALID)),
        (b'{"token": "' + b"x" * 9000 + b'"}', (413, DisconnectCode.BAD_MESSAGE)),
    ],
)
async def test_bad_requests_get_their_numbers(http: ClientSession, body: bytes, answer: tuple[int, int]) -> None:
    """Whatever is posted, the answer is one of ours."""
    assert await _refusal(http, body) == answer


async def test_health_and_readiness_are_told_apart(http: ClientSession) -> None:
    """The loop runs; and media and the door are open."""
    async with http.get("/healthz") as answer:
        assert (answer.status, await answer.json()) == (200, {"ok": True})
    async with http.get("/readyz") as answer:
        assert (answer.status, await answer.json()) == (200, {"ok": True, "checks": {"media": True, "open": True}})


async def test_a_draining_server_is_alive_but_not_ready(tmp_path: Path) -> None:
    """Load balancers send nobody new, and do not kill it."""
    async with Server(config(tmp_path)) as server, ClientSession(f"http://127.0.0.1:{server.port}") as http:
        venue = Venue(server)
        server.drain()
        async with http.get("/readyz") as answer:
            assert answer.status == 503
        async with http.get("/healthz") as answer:
            assert answer.status == 200
        assert await venue.refused(token=token(venue.room)) == DisconnectCode.SERVER_RESTARTING
        await venue.close()


async def test_the_page_and_its_files_are_served(http: ClientSession) -> None:
    """The page is asked for again each time, hashed files are kept for good, side files are used."""
    async with http.get("/") as answer:
        assert (answer.status, await answer.text()) == (200, PAGE)
        assert answer.headers["Cache-Control"] == "no-cache"
    async with http.get("/assets/app-1234.js", headers={"Accept-Encoding": "identity"}) as answer:
        assert await answer.text() == SCRIPT
        assert "immutable" in answer.headers["Cache-Control"]
        assert answer.content_type in ("text/javascript", "application/javascript")
    for encoding, body in (("br", b"as brotli"), ("gzip", b"as gzip")):
        async with http.get("/assets/app-1234.js", headers={"Accept-Encoding": encoding}) as answer:
            assert answer.headers["Content-Encoding"] == encoding
            assert await answer.read() == body


@pytest.mark.parametrize(
    "path",
    ["/assets/", "/nothing", "/../secret.txt", "/assets/..%2f..%2fsecret.txt", "/%2e%2e/secret.txt", "//etc/passwd"],
)
async def test_nothing_else_is_served(http: ClientSession, path: str) -> None:
    """Names are looked up, never made into paths."""
    async with http.get(f"http://{http._base_url.host}:{http._base_url.port}{path}") as answer:  # type: ignore[union-attr] # noqa: SLF001
        assert answer.status == 404


@pytest.mark.parametrize("path", ["/", "/nothing", "/healthz", "/assets/app-1234.js", "/socket.io/"])
async def test_every_answer_carries_the_policy(http: ClientSession, path: str) -> None:
    """Also errors and files."""
    async with http.get(path) as answer:
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'self'" in policy
        assert "frame-ancestors 'self'" in policy
        assert f"connect-src 'self' ws://{answer.url.host}:{answer.url.port} wss://" in policy
        assert "unsafe" not in policy
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "camera=(self), microphone=(self)" in answer.headers["Permissions-Policy"]
        assert len(answer.headers["X-Request-Id"]) == 16


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("0123456789abcdef0123456789abcdef", True),
        ("6F9619FF-8B86-D011-B42D-00CF4FC964FF", True),
        ("canaryword", False),
        ("0123456789abcdef\u00e9", False),
        ("0" * 64, False),
        ("", False),
    ],
)
async def test_a_proxy_may_give_a_request_its_id(http: ClientSession, given: str, kept: bool) -> None:
    """If it is one: random digits, nothing that could say something."""
    async with http.get("/healthz", headers={"X-Request-Id": given}) as answer:
        assert (answer.headers["X-Request-Id"] == given.lower()) is kept


async def test_a_strange_host_does_not_get_into_the_policy() -> None:
    """A Host header cannot add sources."""
    assert "evil" not in content_security_policy("x; script-src evil")
