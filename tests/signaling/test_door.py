# SPDX-License-Identifier: Apache-2.0
"""Sockets that say nothing, or too many from one place: they are ended in time, and others still come in."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from aiohttp import ClientSession, WSServerHandshakeError, web

from server.errors import DisconnectCode
from server.rooms import commands as c
from server.signaling import door
from server.signaling.door import Strangers, TicketLimit, address_of
from tests.signaling.clients import RawSocket, Venue, token

served = pytest.mark.asyncio(loop_scope="session")

AWAY = {"X-Forwarded-For": "203.0.113.7"}
OTHER = {"X-Forwarded-For": "203.0.113.8"}
SILENT = 200


@pytest_asyncio.fixture(loop_scope="session")
async def http() -> AsyncIterator[ClientSession]:
    """A client session."""
    async with ClientSession() as session:
        yield session


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("127.0.0.1", None, ""),
        ("::1", None, ""),
        ("10.0.0.9", None, "10.0.0.9"),
        ("127.0.0.1", "203.0.113.7", "203.0.113.7"),
        ("10.0.0.9", "198.51.100.1, 203.0.113.7", "203.0.113.7"),
        ("8.8.8.8", "203.0.113.7", "8.8.8.8"),
        ("2001:4860::1:2:3:4", None, "2001:4860::"),
        ("2001:4860:0:1:2:3:4:5", None, "2001:4860:0:1::"),
        ("fe80::1%eth0", None, "fe80::"),
        ("::ffff:8.8.8.8", None, "8.8.8.8"),
        ("127.0.0.1", "anything else", "127.0.0.1"),
        (None, None, "unknown"),
    ],
)
def test_who_has_sent_a_request(peer: str | None, forwarded: str | None, address: str) -> None:
    """A proxy's word counts, a stranger's does not; one subscriber is one /64."""
    assert address_of(peer, forwarded) == address


def test_strangers_are_counted_until_they_are_known() -> None:
    """Who has left once is not taken off twice, and nothing is kept of an address where nobody is left."""
    strangers = Strangers()
    leaves = [strangers.enter("203.0.113.7") for _ in range(door.FROM_ONE_ADDRESS)]
    assert not strangers.may_enter("203.0.113.7")
    assert strangers.may_enter("203.0.113.8")
    leaves[0]()
    leaves[0]()
    assert strangers.may_enter("203.0.113.7")
    strangers.enter("203.0.113.7")
    assert not strangers.may_enter("203.0.113.7")


def test_tickets_come_back_with_time() -> None:
    """Each address has its own, this machine is not limited."""
    now = [0]
    limit = TicketLimit(lambda: now[0])
    burst = int(door.TICKET_RATE.burst)
    assert [limit.wait_ms("a") for _ in range(burst + 1)][-2:] == [0, 101]
    assert limit.wait_ms("b") == 0
    assert not any(limit.wait_ms("") for _ in range(burst + 1))
    now[0] = 101
    assert limit.wait_ms("a") == 0


def test_aiohttp_still_counts_requests() -> None:
    """What the doorkeeper looks at is there: a release that renames it fails here."""
    assert "self._request_count += 1" in inspect.getsource(web.RequestHandler.data_received)
    assert {"_request_count", "_payload_parser"} <= {*web.RequestHandler.__slots__}


@served
async def test_slow_headers_are_ended_and_others_come_in(venue: Venue, monkeypatch: pytest.MonkeyPatch) -> None:
    """Slowloris: two hundred sockets send a byte now and then and are gone in time; somebody joins meanwhile."""
    monkeypatch.setattr(door, "HEADER_DEADLINE_S", 1.0)
    sockets = [await asyncio.open_connection("127.0.0.1", venue.server.port) for _ in range(SILENT)]
    begun = time.monotonic()

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ended = asyncio.create_task(reader.read())
        writer.write(b"GET /socket.io/ HTTP/1.1\r\n")
        while not ended.done():
            writer.write(b"X")
            await asyncio.wait([ended], timeout=0.2)
        assert isinstance(ended.exception(), ConnectionError) or ended.result() == b""
        writer.close()

    drips = asyncio.gather(*(drip(*each) for each in sockets))
    await venue.join("ann")
    async with asyncio.timeout(20):
        await drips
    assert time.monotonic() - begun < 15


@served
async def test_connections_that_only_stay_are_bounded(venue: Venue, monkeypatch: pytest.MonkeyPatch) -> None:
    """One request makes nobody a guest for an hour: the newest of one public address go, people in a room stay."""
    monkeypatch.setattr(door, "HTTP_FROM_ONE_ADDRESS", 20)
    ann = await venue.join("ann")
    monkeypatch.setattr(door, "is_public", lambda peer: peer == "127.0.0.1")
    sockets = [await asyncio.open_connection("127.0.0.1", venue.server.port) for _ in range(60)]
    for _, writer in sockets:
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: here\r\n\r\n")
    reads = [asyncio.create_task(reader.read()) for reader, _ in sockets]
    async with asyncio.timeout(20):
        while sum(read.done() for read in reads) < 40:
            await asyncio.wait([read for read in reads if not read.done()], return_when=asyncio.FIRST_COMPLETED)
    assert not reads[0].done()
    await ann.do(c.RaiseHand())
    for _, writer in sockets:
        writer.close()
    await asyncio.gather(*reads, return_exceptions=True)


@served
async def test_silent_sockets_of_one_address_are_bounded(venue: Venue, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those above the bound go at the next look, long before the deadline for headers; the others stay."""
    monkeypatch.setattr(door, "FROM_ONE_ADDRESS", 20)
    monkeypatch.setattr(door, "HEADER_DEADLINE_S", 600.0)
    monkeypatch.setattr(door, "LOOK_S", 0.1)
    monkeypatch.setattr(door, "address_of", lambda _peer, _forwarded: "203.0.113.9")
    sockets = [await asyncio.open_connection("127.0.0.1", venue.server.port) for _ in range(30)]
    reads = [asyncio.create_task(reader.read()) for reader, _ in sockets]
    async with asyncio.timeout(20):
        while sum(read.done() for read in reads) < 10:
            await asyncio.wait([read for read in reads if not read.done()], return_when=asyncio.FIRST_COMPLETED)
    assert sum(read.done() for read in reads) == 10
    for _, writer in sockets:
        writer.close()
    await asyncio.gather(*reads, return_exceptions=True)


@served
async def test_an_idle_connection_is_not_kept_for_an_hour(venue: Venue) -> None:
    """Longer than proxies keep theirs, so that none sends a request into the end of it."""
    runner = venue.server._runner  # noqa: SLF001 - waiting for it would take two minutes
    assert isinstance(runner.server, web.Server)
    reader, writer = await asyncio.open_connection("127.0.0.1", venue.server.port)
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: here\r\n\r\n")
    await reader.readuntil(b"\r\n\r\n")
    assert {each.keepalive_timeout for each in runner.server.connections} == {door.KEEP_ALIVE_S}
    writer.close()


@served
async def test_a_flood_from_one_address_leaves_the_door_open(
    venue: Venue, http: ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """503 for the next one from there, none for another address; whoever has a seat is not counted."""
    monkeypatch.setattr(door, "FROM_ONE_ADDRESS", 20)
    inside = await RawSocket.open(http, venue.url, **AWAY)
    await inside.connect(token=token(venue.room, "ann"))
    flood = [await RawSocket.open(http, venue.url, **AWAY) for _ in range(20)]
    with pytest.raises(WSServerHandshakeError) as refusal:
        await RawSocket.open(http, venue.url, **AWAY)
    assert refusal.value.status == 503
    other = await RawSocket.open(http, venue.url, **OTHER)
    await other.connect(token=token(venue.room, "bob"))
    for raw in flood:
        await raw.websocket.close()
    again = await RawSocket.open(http, venue.url, **AWAY)
    await again.connect(token=token(venue.room, "cid"))
    for raw in (inside, other, again):
        await raw.websocket.close()


@served
async def test_tickets_are_limited_by_address(venue: Venue, http: ClientSession) -> None:
    """429 with a time to come back, before anything is read of the request."""
    url = f"http://127.0.0.1:{venue.server.port}/api/tickets"
    statuses: list[int] = []
    # While it asks, some comes back: more on a busy machine.
    while 429 not in statuses and len(statuses) < 3 * door.TICKET_RATE.burst:
        async with http.post(url, data=b"", headers=AWAY) as answer:
            statuses.append(answer.status)
    assert statuses[0] == 400
    assert len(statuses) > door.TICKET_RATE.burst
    assert statuses[-1] == 429
    async with http.post(url, data=b"", headers=AWAY) as answer:
        assert int(answer.headers["Retry-After"]) >= 1
        assert (await answer.json(content_type=None))["code"] == DisconnectCode.RATE_LIMITED
    async with http.post(url, data=b"", headers=OTHER) as answer:
        assert answer.status == 400


@served
async def test_invites_that_are_not_swapped_count_too(
    venue: Venue, http: ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One address cannot fill rooms with new people by leaving the swap out; a link for one person is not counted."""
    asked: list[str] = []

    def wait_ms(_: TicketLimit, address: str) -> int:
        asked.append(address)
        return len(asked) - 1

    monkeypatch.setattr(TicketLimit, "wait_ms", wait_ms)
    codes = []
    for sub in (None, None, "ann"):
        raw = await RawSocket.open(http, venue.url, **AWAY)
        await raw.send({"type": 0, "nsp": "/", "data": {"token": token(venue.room, sub), "protocol": 1}})
        answer = await raw.receive()
        codes.append(answer["data"].get("data", {}).get("code"))
        await raw.websocket.close()
    assert codes == [None, DisconnectCode.RATE_LIMITED, None]
    assert asked == ["203.0.113.7"] * 2


@served
async def test_a_body_that_never_ends_is_not_waited_for(
    venue: Venue, http: ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """408 in time."""
    monkeypatch.setattr("server.api.tickets.BODY_DEADLINE_S", 0.2)

    async def drip() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.sleep(3)

    async with http.post(f"http://127.0.0.1:{venue.server.port}/api/tickets", data=drip(), headers=OTHER) as answer:
        assert answer.status == 408
