# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import base64
import hashlib
import hmac
from pathlib import Path

import pytest

from server.app import Server
from server.ids import ParticipantId, RoomId
from server.rooms.commands import Admit
from server.rooms.state import Role
from server.signaling.messages import IceServers
from server.signaling.relays import LIFE_S, REFRESH_S, Relays, is_turn_url
from tests.signaling.clients import Venue, config

NOW = 1_795_299_334
RELAYS = Relays(urls=("turn:turn.example.org:3478",), secret="s" * 32, wall=lambda: NOW + 0.9)
ROOM, OTHER = RoomId("tue"), RoomId("wed")
ANA, BO = ParticipantId("ana"), ParticipantId("bo")


def test_a_credential_is_what_a_turn_server_computes() -> None:
    """The name begins with its end, the password is the HMAC-SHA1 of the name in base64 (as coturn has it)."""
    (server,) = RELAYS.servers(ROOM, ANA)
    expiry, _, opaque = server.username.partition(":")
    assert int(expiry) == NOW + LIFE_S
    digest = hmac.new(b"s" * 32, server.username.encode(), hashlib.sha1).digest()
    assert base64.b64decode(server.credential) == digest
    assert opaque.isalnum()


def test_a_credential_is_short_lived_and_replaced_in_time() -> None:
    """Five minutes at most, and a minute is left when the next one comes (fault 60)."""
    assert LIFE_S <= 300
    assert REFRESH_S <= LIFE_S - 60


def test_the_name_stays_with_a_person_in_a_room_and_says_nothing() -> None:
    """Quotas count by it; nobody is recognised by it in another room."""
    names = {key: RELAYS.servers(*key)[0].username for key in ((ROOM, ANA), (ROOM, BO), (OTHER, ANA))}
    assert len(set(names.values())) == 3
    assert names[ROOM, ANA] == RELAYS.servers(ROOM, ANA)[0].username
    assert "ana" not in names[ROOM, ANA]


def test_without_servers_there_is_nothing() -> None:
    """No address, no credential."""
    assert Relays().servers(ROOM, ANA) == ()


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("turn:turn.example.org", True),
        ("turns:turn.example.org:443?transport=tcp", True),
        ("turn:[2001:db8::1]:3478?transport=udp", True),
        ("stun:stun.example.org", False),
        ("turn:turn.example.org?transport=sctp", False),
        ("https://turn.example.org", False),
        ("turn:a b", False),
    ],
)
def test_addresses_are_those_a_browser_takes(text: str, good: bool) -> None:
    """RFC 7065."""
    assert is_turn_url(text) is good


@pytest.mark.asyncio(loop_scope="session")
async def test_relays_are_given_to_those_inside_only(tmp_path: Path) -> None:
    """Whoever waits in the lobby could use them for anything; they come with being let in, before the room does."""
    turn = {"turn_urls": ("turn:t.example.org",), "turn_secret": "s" * 32}
    async with Server(config(tmp_path, auto_admit=False, **turn)) as server:
        venue = Venue(server)
        moderator, guest = await venue.join("mo", Role.MODERATOR), await venue.join("guest")
        assert len(moderator.welcome.ice_servers) == 1
        assert guest.welcome.ice_servers == ()
        server.gateway.refresh_relays()
        await moderator.until(lambda: len(moderator.notices) == 1)
        await moderator.do(Admit((ParticipantId("guest"),)))
        await guest.until(lambda: guest.snapshots == 2)
        assert [type(notice) for notice in guest.notices] == [IceServers]
        await venue.close()
