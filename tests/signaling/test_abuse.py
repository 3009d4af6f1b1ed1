# SPDX-License-Identifier: Apache-2.0
"""Hostile and broken clients: each reaction is a documented one, and other rooms do not notice."""

from __future__ import annotations

import asyncio
import random
import socket
import struct
from collections.abc import AsyncIterator

import msgspec
import pytest
import pytest_asyncio
from aiohttp import ClientSession, WSMsgType, WSServerHandshakeError

from server.errors import DisconnectCode, RejectCode
from server.ids import MAIN, CommandId, ParticipantId, RoomId
from server.rooms import commands as c
from server.rooms.state import MAX_CHAT_MESSAGES, Presence, Reaction, Role
from server.signaling import outbox, transport
from server.signaling.delivery import Client
from server.signaling.limits import Buckets, Rate
from server.signaling.messages import MAX_COMMAND_BYTES, MAX_OFFER_BYTES
from tests.signaling.clients import RawSocket, Venue, code_of, fresh_room, token

pytestmark = pytest.mark.asyncio(loop_scope="session")

EVE = ParticipantId("eve")
EVENT = {"type": 2, "nsp": "/", "id": 1}


@pytest_asyncio.fixture(loop_scope="session")
async def http() -> AsyncIterator[ClientSession]:
    """A client session."""
    async with ClientSession() as session:
        yield session


async def _joined(venue: Venue, http: ClientSession, sub: str = "eve", role: Role = Role.MODERATOR) -> RawSocket:
    raw = await RawSocket.open(http, venue.url)
    await raw.connect(token=token(venue.room, sub, role))
    return raw


def _deep(depth: int, opcode: bytes = b"\x91") -> bytes:
    """A command whose data is nested this deep."""
    return b"\x83\xa4type\x02\xa3nsp\xa1/\xa4data" + opcode * depth + b"\xc0"


def _wide(count: int, filler: bytes) -> bytes:
    """A command whose data is one array of many tiny values."""
    return b"\x83\xa4type\x02\xa3nsp\xa1/\xa4data\xdd" + struct.pack(">I", count) + filler * count


BROKEN = {
    "empty": b"",
    "not MessagePack": b"\xc1",
    "text": b"hello",
    "a number": b"\x07",
    "truncated": b"\x83\xa4type",
    "length of four thousand million": b"\x83\xa4type\x02\xa3nsp\xa1/\xa4data\xdd\xff\xff\xff\xff",
    "deep arrays": _deep(100_000),
    "deep maps": _deep(30_000, b"\x81\xa1a"),
    "wide empties": _wide(100_000, b"\x80"),
    "wide nils": _wide(120_000, b"\xc0"),
    "huge extension": b"\x83\xa4type\x02\xa3nsp\xa1/\xa4data\xc9" + struct.pack(">I", 100_000) + b"\x05" * 100_001,
    "unknown packet type": msgspec.msgpack.encode({"type": 9, "nsp": "/", "data": []}),
    "float packet type": msgspec.msgpack.encode({"type": 2.5, "nsp": "/", "data": []}),
    "not-a-number": b"\x83\xa4type\xcb\x7f\xf8\0\0\0\0\0\0\xa3nsp\xa1/\xa4data\x90",
    "binary event": msgspec.msgpack.encode({"type": 5, "nsp": "/", "data": []}),
    "no namespace": msgspec.msgpack.encode({"type": 2, "data": []}),
    "foreign namespace": msgspec.msgpack.encode({"type": 2, "nsp": "/admin", "data": ["command", {}]}),
    "second connect": msgspec.msgpack.encode({"type": 0, "nsp": "/", "data": {}}),
    "foreign event": msgspec.msgpack.encode(EVENT | {"data": ["message", {}]}),
    "event connect": msgspec.msgpack.encode(EVENT | {"data": ["connect", {}]}),
    "event disconnect": msgspec.msgpack.encode(EVENT | {"data": ["disconnect", {}]}),
    "event __proto__": msgspec.msgpack.encode(EVENT | {"data": ["__proto__", {}]}),
    "no event": msgspec.msgpack.encode(EVENT | {"data": []}),
    "event that is no name": msgspec.msgpack.encode(EVENT | {"data": [7, {}]}),
    "forged acknowledgement": msgspec.msgpack.encode({"type": 3, "nsp": "/", "id": 1, "data": []}),
    "negative packet id": msgspec.msgpack.encode({"type": 2, "nsp": "/", "id": -1, "data": ["command", {}]}),
    "keys that are no text": msgspec.msgpack.encode({1: 2, b"x": 3}),
}


@pytest.mark.parametrize("case", BROKEN)
async def test_a_broken_packet_ends_in_a_number(venue: Venue, http: ClientSession, case: str) -> None:
    """BAD_MESSAGE, then the end; no traceback."""
    raw = await _joined(venue, http)
    await raw.websocket.send_bytes(BROKEN[case])
    assert await raw.goodbye() == DisconnectCode.BAD_MESSAGE


@pytest.mark.parametrize(
    "text", ["2", "3probe", "4hello", "40", '42["command",{}]', "b4AAAA", "6", "x" * 100_000, "451-"]
)
async def test_text_packets_end_in_a_number(venue: Venue, http: ClientSession, text: str) -> None:
    """A client without the MessagePack parser, probes, and attachments of binary events have no place here."""
    raw = await _joined(venue, http)
    await raw.websocket.send_str(text)
    assert await raw.goodbye() == DisconnectCode.BAD_MESSAGE


async def test_pongs_that_nobody_asked_for_do_nothing(venue: Venue, http: ClientSession) -> None:
    """A flood of them makes no task each, and the connection goes on."""
    raw = await _joined(venue, http)
    tasks = len(asyncio.all_tasks())
    for _ in range(200):
        await raw.websocket.send_str("3")
    await raw.send(EVENT | {"data": ["command", {"id": "1", "command": {"type": "raise_hand"}}]})
    while (await raw.receive())["type"] != 3:
        pass
    assert len(asyncio.all_tasks()) <= tasks + 2
    await raw.websocket.close()


async def test_frames_beyond_all_measure_are_closed(venue: Venue, http: ClientSession) -> None:
    """WebSocket close 1009 (message too big) for what is not even read."""
    raw = await _joined(venue, http)
    await raw.websocket.send_bytes(b"\x00" * (3 * MAX_OFFER_BYTES))
    await raw.goodbye()
    assert raw.websocket.close_code == 1009


async def test_a_large_packet_is_not_unfolded(venue: Venue, http: ClientSession) -> None:
    """What is bigger than a command and no offer is refused as bytes: no list of 100,000 is made."""
    raw = await _joined(venue, http)
    people = b"\xdd" + struct.pack(">I", 100_000) + b"\xa0" * 100_000
    body = b"\x82\xa2id\xa11\xa7command\x82\xa4type\xa4mute\xacparticipants" + people
    frame = b"\x84\xa4type\x02\xa3nsp\xa1/\xa2id\x01\xa4data\x92\xa7command" + body
    await raw.websocket.send_bytes(frame)
    while (answer := await raw.receive())["type"] != 3:
        pass
    assert answer["data"][0]["code"] == RejectCode.TOO_LARGE
    assert "16384 bytes" in answer["data"][0]["detail"]
    await raw.websocket.close()


async def test_five_hundred_hostile_frames(venue: Venue, http: ClientSession) -> None:
    """Random damage to real packets: the connection ends with a number or goes on, and the room is untouched."""
    chance = random.Random(7)
    ann = await venue.join("ann", Role.MODERATOR)
    await venue.join("eve")
    good = msgspec.msgpack.encode(EVENT | {"data": ["command", {"id": "1", "command": {"type": "set_role"}}]})
    before = venue.state.settings, venue.state.agenda, venue.state.participants[ann.welcome.participant]
    raw = await _joined(venue, http, role=Role.PARTICIPANT)
    ended = 0
    for number in range(500):
        data = bytearray(good)
        for _ in range(chance.randint(1, 6)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        data = data[: chance.randint(1, len(data))] if chance.random() < 0.3 else data
        await raw.websocket.send_bytes(bytes(data) if number % 7 else chance.randbytes(chance.randint(0, 400)))
        if raw.websocket.closed or chance.random() < 0.1 or number == 499:
            await raw.websocket.send_bytes(b"\xc1")
            code = await raw.goodbye()
            assert code in (DisconnectCode.BAD_MESSAGE, DisconnectCode.RATE_LIMITED)
            ended += 1
            raw = await _joined(venue, http, role=Role.PARTICIPANT)
    await raw.websocket.close()
    assert ended > 10
    assert (venue.state.settings, venue.state.agenda, venue.state.participants[ann.welcome.participant]) == before
    await ann.do(c.RaiseHand())


async def test_a_flood_ends_in_a_disconnect(venue: Venue, http: ClientSession) -> None:
    """Rejects first; whoever goes on regardless is RATE_LIMITED and may come back."""
    raw = await _joined(venue, http)
    for number in range(200):
        await raw.send(EVENT | {"data": ["command", {"id": str(number), "command": {"type": "raise_hand"}}]})
    assert await raw.goodbye() == DisconnectCode.RATE_LIMITED


async def test_a_new_connection_does_not_refill_the_bucket(venue: Venue) -> None:
    """What a person may ask for is counted over their connections."""
    ann = await venue.join("ann", Role.MODERATOR)
    await asyncio.gather(*(ann.send(c.React(Reaction.HEART)) for _ in range(45)))
    again = await venue.join("ann", Role.MODERATOR)
    answers = await asyncio.gather(*(again.send(c.React(Reaction.HEART)) for _ in range(39)))
    assert RejectCode.RATE_LIMITED in {code_of(answer) for answer in answers if not hasattr(answer, "seq")}


async def test_connecting_again_and_again_is_refused(venue: Venue, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each connection is an entry that everyone is told of; the one that the person has goes on, others may come."""
    monkeypatch.setattr(venue.server.gateway, "_joins", Buckets(Rate(per_second=0.01, burst=3)))
    await venue.join("ann", Role.MODERATOR)
    eve = [await venue.join("eve") for _ in range(3)][-1]
    assert await venue.refused(token=token(venue.room, "eve")) == DisconnectCode.RATE_LIMITED
    assert venue.state.seats[EVE].generation == 3
    await eve.do(c.RaiseHand())
    await venue.join("bob")


@pytest_asyncio.fixture(loop_scope="session")
async def deaf(venue: Venue) -> AsyncIterator[Client]:
    """Somebody with a tiny TCP window who has read the Welcome and never reads again."""
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.connect(("127.0.0.1", venue.server.port))
        await _handshake(sock, token(venue.room, "eve"))
        yield venue.server.gateway._halls[venue.room].delivery.clients[EVE]  # noqa: SLF001 - the server's side of it


async def _handshake(sock: socket.socket, ticket: str) -> None:
    """WebSocket, Engine.IO and Socket.IO by hand."""
    sock.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(
        sock,
        b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
        b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
    )
    seen = b""
    async with asyncio.timeout(5):
        while b'"sid"' not in seen:
            seen += await loop.sock_recv(sock, 4096)
        payload = msgspec.msgpack.encode({"type": 0, "nsp": "/", "data": {"token": ticket, "protocol": 1}})
        await loop.sock_sendall(sock, b"\x82\xfe" + len(payload).to_bytes(2, "big") + bytes(4) + payload)
        while b"welcome" not in seen:
            seen += await loop.sock_recv(sock, 4096)


BIG_FRAME = b"\x82\x7f" + (60_000).to_bytes(8, "big") + b"\xc0" * 60_000


async def test_a_client_that_never_reads_is_dropped(
    venue: Venue, deaf: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its outbox has an end in bytes; the others see that it is gone, and go on."""
    monkeypatch.setattr(outbox, "MAX_OUTBOX_BYTES", 256 * 1024)
    ann = await venue.join("ann", Role.MODERATOR)
    written = 0
    while not deaf.link.over and written < 1 << 22:
        deaf.link.send(BIG_FRAME)
        written += len(BIG_FRAME)
    assert deaf.link.over
    await ann.until(lambda: ann.view.participants[EVE].presence is Presence.LOST)
    await ann.do(c.RaiseHand())


async def test_a_room_full_of_long_words_shuts_nobody_out(venue: Venue, monkeypatch: pytest.MonkeyPatch) -> None:
    """One message may be larger than all that may wait before it: whoever reads gets their Welcome."""
    monkeypatch.setattr(outbox, "MAX_OUTBOX_BYTES", 64 * 1024)
    ann = await venue.join("ann", Role.MODERATOR)
    runner = venue.server.rooms.get(venue.room)
    assert runner is not None
    for number in range(MAX_CHAT_MESSAGES):
        await runner.submit(c.SendChat("\N{SUNFLOWER}" * 2_000), ParticipantId("ann"), CommandId(f"words:{number}"))
    ben = await venue.join("ben", Role.MODERATOR)
    assert len(ben.view.chat[MAIN]) == MAX_CHAT_MESSAGES
    await ben.do(c.RaiseHand())
    await ann.until(lambda: len(ann.view.hands) == 1)


async def test_a_client_that_reads_too_slowly_is_dropped(
    venue: Venue, deaf: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Little, but for too long: the age of the oldest unread message has an end too."""
    monkeypatch.setattr(outbox, "MAX_OUTBOX_AGE_S", 0.3)
    ann = await venue.join("ann", Role.MODERATOR)
    for _ in range(8):
        deaf.link.send(BIG_FRAME)
    assert not deaf.link.over
    await ann.until(lambda: ann.view.participants[EVE].presence is Presence.LOST)
    assert deaf.link.over


async def test_who_does_not_authenticate_is_closed(
    venue: Venue, http: ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An open socket without a token has a few seconds."""
    monkeypatch.setattr(transport, "AUTH_DEADLINE_S", 0.2)
    raw = await RawSocket.open(http, venue.url)
    assert await raw.goodbye() == DisconnectCode.CONNECTION_LOST


async def test_too_many_unauthenticated_sockets_are_turned_away(
    venue: Venue, http: ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """503 with a time to come back; people inside stay."""
    monkeypatch.setattr(transport, "MAX_UNAUTHENTICATED", 3)
    waiting = [await RawSocket.open(http, venue.url) for _ in range(3)]
    with pytest.raises(WSServerHandshakeError) as refusal:
        await RawSocket.open(http, venue.url)
    assert refusal.value.status == 503
    for raw in waiting:
        await raw.websocket.close()


async def test_commands_before_a_seat_end_the_connection(venue: Venue, http: ClientSession) -> None:
    """Nothing is decided for somebody who has not been verified."""
    raw = await RawSocket.open(http, venue.url)
    await raw.send(EVENT | {"data": ["command", {"id": "1", "command": {"type": "raise_hand"}}]})
    assert await raw.goodbye() == DisconnectCode.BAD_MESSAGE


async def test_a_refused_connection_can_do_nothing_more(venue: Venue, http: ClientSession) -> None:
    """After CONNECT_ERROR the socket is closed, and what it still sends is not read."""
    raw = await RawSocket.open(http, venue.url)
    await raw.send({"type": 0, "nsp": "/", "data": {"token": "x", "protocol": 1}})
    await raw.send({"type": 0, "nsp": "/", "data": {"token": token(venue.room), "protocol": 1}})
    assert (await raw.receive())["type"] == 4
    await raw.goodbye()
    assert venue.server.rooms.get(venue.room) is None


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://127.0.0.1", "http://localhost.evil.example", ""]
)
async def test_other_origins_are_refused(venue: Venue, http: ClientSession, origin: str) -> None:
    """Cross-site WebSockets, `null`, look-alike hosts and other ports."""
    with pytest.raises(WSServerHandshakeError) as refusal:
        await RawSocket.open(http, venue.url, Origin=origin)
    assert refusal.value.status == 403


async def test_our_own_origin_may_connect(venue: Venue, http: ClientSession) -> None:
    """The page that this server gave out."""
    raw = await RawSocket.open(http, venue.url, Origin=venue.url)
    await raw.websocket.close()


async def test_compression_is_not_spoken(venue: Venue, http: ClientSession) -> None:
    """permessage-deflate costs 100 KiB a connection, and invites bombs: it is never accepted."""
    url = f"{venue.url}/socket.io/?EIO=4&transport=websocket"
    async with http.ws_connect(url, compress=15) as websocket:
        assert websocket.compress == 0
        assert (await websocket.receive()).type is WSMsgType.TEXT


async def test_names_of_rooms_stay_apart(venue: Venue) -> None:
    """Look-alike room names are other rooms, and odd ones are refused."""
    ann = await venue.join("ann", Role.MODERATOR)
    other = fresh_room()
    assert other != venue.room
    bob = await venue.person().connect(token=token(other, "bob", Role.MODERATOR))
    await bob.do(c.SendChat("another room"))
    assert not ann.events
    for name in ("{x}", "*", "a\nb", "x" * 65, "\N{CHEROKEE LETTER GO}", "../x"):
        assert await venue.refused(token=token(RoomId(name))) == DisconnectCode.TOKEN_INVALID


async def test_a_big_command_within_bounds_is_fine(venue: Venue) -> None:
    """Right below the limit a long agenda still fits."""
    ann = await venue.join("ann", Role.MODERATOR)
    phase = {"id": "p1", "kind": "topic", "title": "Topic", "prompt": "x" * 400}
    phases = [phase | {"id": f"p{number}"} for number in range(30)]
    frame = {"id": "1", "command": {"type": "edit_agenda", "version": ann.view.agenda.version, "phases": phases}}
    assert 12_000 < len(msgspec.msgpack.encode(frame)) < MAX_COMMAND_BYTES
    assert hasattr(await ann.raw(frame), "seq")
