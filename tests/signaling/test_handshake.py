# SPDX-License-Identifier: Apache-2.0
"""Clients that begin in a way that is not ours: each is told so in its own words, and what to do instead."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
import pytest_asyncio
import socketio
from aiohttp import ClientSession, WSMsgType

from server.errors import DisconnectCode
from server.signaling.handshake import flaw_of
from server.signaling.messages import PROTOCOL_VERSION
from tests.signaling.clients import RawSocket, Venue, token

served = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(loop_scope="session")
async def http() -> AsyncIterator[ClientSession]:
    """A client session."""
    async with ClientSession() as session:
        yield session


WELL = {"EIO": "4", "transport": "websocket"}


@pytest.mark.parametrize(
    ("method", "query", "upgrade", "code"),
    [
        ("GET", WELL, "websocket", None),
        ("GET", WELL | {"t": "a1", "b64": "1"}, "WebSocket", None),
        ("GET", WELL | {"transport": "polling"}, "", 0),
        ("GET", WELL | {"transport": "webtransport"}, "", 0),
        ("GET", {"EIO": "4"}, "websocket", 0),
        ("GET", {}, "", 0),
        ("GET", WELL | {"sid": "abc"}, "websocket", 1),
        ("POST", WELL | {"transport": "polling"}, "", 2),
        ("PUT", WELL, "websocket", 2),
        ("HEAD", WELL, "websocket", 2),
        ("GET", WELL, "", 3),
        ("GET", WELL, "h2c", 3),
        ("GET", WELL | {"EIO": "3"}, "websocket", 5),
        ("GET", WELL | {"EIO": "abc"}, "websocket", 5),
        ("GET", {"transport": "websocket"}, "websocket", 5),
    ],
)
def test_what_is_wrong_with_a_handshake(method: str, query: dict[str, str], upgrade: str, code: int | None) -> None:
    """The numbers of the Engine.IO server of the Socket.IO project; whatever else is in the query does not matter."""
    flaw = flaw_of(method, query, upgrade)
    assert (None if flaw is None else flaw.code) == code


@served
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "OPTIONS"])
async def test_polling_is_refused_in_words(venue: Venue, http: ClientSession, method: str) -> None:
    """No long polling: one surface less. The answer names the transport that there is."""
    async with http.request(method, f"{venue.url}/socket.io/?EIO=4&transport=polling", data=b"4hello") as answer:
        assert answer.status == 400
        assert answer.content_type == "application/json"
        flaw = await answer.json()
    assert flaw["code"] == (0 if method == "GET" else 2)
    assert "WebSocket" in flaw["message"]


@served
async def test_the_stock_python_client_tells_why_polling_fails(venue: Venue) -> None:
    """With its defaults it polls first: its error carries our words."""
    client = socketio.AsyncClient(reconnection=False, handle_sigint=False)
    told: list[Any] = []
    client.on("connect_error", told.append)
    with pytest.raises(socketio.exceptions.ConnectionError):
        await client.connect(venue.url, auth={"token": token(venue.room), "protocol": PROTOCOL_VERSION})
    await client.disconnect()
    assert "only WebSocket" in told[0]["message"]


@served
@pytest.mark.parametrize(("text", "name"), [("40", ""), ('40{"token":"x"}', ""), ('40/admin,{"a":1}', "/admin,")])
async def test_a_client_in_json_is_answered_in_json(venue: Venue, http: ClientSession, text: str, name: str) -> None:
    """A CONNECT_ERROR that the stock parser reads, for the namespace that was asked for; then the end."""
    raw = await RawSocket.open(http, venue.url)
    await raw.websocket.send_str(text)
    answer = await raw.websocket.receive_str()
    assert answer.startswith(f"44{name}{{")
    refusal = json.loads(answer[2 + len(name) :])
    assert "msgpack" in refusal["message"]
    assert refusal["data"]["code"] == DisconnectCode.BAD_MESSAGE
    assert "MessagePack" in refusal["data"]["detail"]
    assert (await raw.websocket.receive()).type is WSMsgType.CLOSE


@served
async def test_another_namespace_is_refused_by_its_name(venue: Venue, http: ClientSession) -> None:
    """A CONNECT_ERROR in that namespace: a stock client hears nothing that is said in another one."""
    raw = await RawSocket.open(http, venue.url)
    await raw.send({"type": 0, "nsp": "/admin", "data": {"token": token(venue.room), "protocol": 1}})
    refusal = await raw.receive()
    assert (refusal["type"], refusal["nsp"]) == (4, "/admin")
    assert refusal["data"]["message"] == "Invalid namespace"
    assert refusal["data"]["data"]["code"] == DisconnectCode.BAD_MESSAGE
    assert (await raw.websocket.receive()).type is WSMsgType.CLOSE


@served
@pytest.mark.parametrize(
    ("auth", "detail"),
    [
        (None, "auth: there is none"),
        ({"protocol": 1}, "`token`"),
        ({"token": 5, "protocol": 1}, "$.token"),
        ({"token": "x", "protocol": "1"}, "$.protocol"),
        ({"token": "x", "protocol": 1, "name": None}, "$.name"),
        ({"token": "x", "protocol": 1, "surname": "y"}, "`surname`"),
        ({"token": "x", "protocol": 1, "claim": "short"}, "$.claim"),
        ({"token": "x", "protocol": 1, "resume": {"epoch": 1, "seq": 1}}, "`secret`"),
        ({"token": "x", "protocol": 1, "name": "x" * 9000}, "8192 bytes"),
    ],
)
async def test_a_wrong_auth_payload_is_explained(venue: Venue, http: ClientSession, auth: object, detail: str) -> None:
    """`detail` names the field, since its author has nothing else to go by."""
    raw = await RawSocket.open(http, venue.url)
    await raw.send({"type": 0, "nsp": "/"} | ({} if auth is None else {"data": auth}))
    refusal = await raw.receive()
    assert refusal["type"] == 4
    assert refusal["data"]["data"]["code"] == DisconnectCode.BAD_MESSAGE
    assert detail in refusal["data"]["data"]["detail"]


@served
@pytest.mark.parametrize(
    ("packet", "detail"),
    [
        (b"\xc1", "not a Socket.IO packet in MessagePack"),
        (msgspec.msgpack.encode({"type": 2, "nsp": "/admin", "data": []}), "$.nsp"),
        (msgspec.msgpack.encode({"type": 2, "nsp": "/", "data": ["chat", {}]}), "not `command`"),
        (msgspec.msgpack.encode({"type": 0, "nsp": "/", "data": {}}), "another packet than EVENT"),
        ('42["command",{}]', "a text frame"),
    ],
)
async def test_the_last_notice_says_what_was_wrong(
    venue: Venue, http: ClientSession, packet: bytes | str, detail: str
) -> None:
    """An author who sends what is no packet of ours sees which rule was broken."""
    raw = await RawSocket.open(http, venue.url)
    await raw.connect(token=token(venue.room))
    await (raw.websocket.send_str(packet) if isinstance(packet, str) else raw.websocket.send_bytes(packet))
    while (notice := (await raw.receive())["data"])[0] != "notice":
        pass
    assert notice[1]["code"] == DisconnectCode.BAD_MESSAGE
    assert detail in notice[1]["detail"]
    await raw.websocket.close()


@served
async def test_a_body_that_cannot_be_unpacked_is_no_fault(venue: Venue, http: ClientSession) -> None:
    """What is said to be compressed and is not: a bad request, and no other status."""
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    async with http.post(f"{venue.url}/api/tickets", data=b"no gzip", headers=headers) as answer:
        assert answer.status == 400


@served
async def test_a_ticket_request_is_explained(venue: Venue, http: ClientSession) -> None:
    """The same for the page that swaps a link."""
    async with http.post(f"{venue.url}/api/tickets", json={"tokn": "x"}) as answer:
        assert answer.status == 400
        assert "`tokn`" in (await answer.json(content_type=None))["detail"]
