# SPDX-License-Identifier: Apache-2.0
"""Rooms of two whose browsers negotiate with each other."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from server.app import Server
from server.config import Config, ConfigError
from server.errors import RejectCode
from server.ids import ParticipantId
from server.rooms.state import MediaMode, Presence, Role
from server.signaling.limits import CONNECTION_RATE
from server.signaling.messages import Candidate, Description, MediaOffer, PeerSaid, PeerSignal, Reject, SdpType
from tests.signaling.clients import Person, Venue, code_of, config

pytestmark = pytest.mark.asyncio(loop_scope="session")

ANN, BOB = ParticipantId("ann"), ParticipantId("bob")
OFFER = Description(SdpType.OFFER, "v=0")


@pytest_asyncio.fixture(loop_scope="session")
async def pair(tmp_path: Path) -> AsyncIterator[tuple[Venue, Person, Person]]:
    """Two people in a mesh room."""
    async with Server(config(tmp_path, media_mode=MediaMode.MESH, capacity=2)) as server:
        venue = Venue(server)
        yield venue, await venue.join("ann", Role.MODERATOR), await venue.join("bob")
        await venue.close()


async def test_word_reaches_the_other_and_nobody_else(pair: tuple[Venue, Person, Person]) -> None:
    """As it was sent, with the sender's name put to it by the server; in order."""
    _, ann, bob = pair
    signals = (
        PeerSignal(BOB, "a1", description=OFFER),
        PeerSignal(BOB, "a1", "b1", candidate=Candidate("candidate:1 1 udp 1 192.0.2.1 9 typ host", "0")),
    )
    for signal in signals:
        await ann.do(signal)
    await bob.until(lambda: len(bob.notices) == 2)
    assert bob.notices == [PeerSaid(ANN, one.connection, one.other, one.description, one.candidate) for one in signals]
    assert ann.notices == []


async def test_media_of_a_mesh_room_does_not_go_through_the_server(pair: tuple[Venue, Person, Person]) -> None:
    """An offer to the server is refused, so that a client that missed the mode is told."""
    _, ann, _ = pair
    assert code_of(await ann.send(MediaOffer(1, "v=0"))) == RejectCode.NOT_NOW


async def test_there_is_nobody_else_to_talk_to(pair: tuple[Venue, Person, Person]) -> None:
    """Neither oneself, nor somebody who is not here, nor somebody whose connection is away."""
    venue, ann, bob = pair
    assert code_of(await ann.send(PeerSignal(ANN, "a1"))) == RejectCode.NOT_HERE
    assert code_of(await ann.send(PeerSignal(ParticipantId("eve"), "a1"))) == RejectCode.NOT_HERE
    await bob.close()
    await ann.until(lambda: venue.state.participants[BOB].presence is not Presence.CONNECTED)
    assert code_of(await ann.send(PeerSignal(BOB, "a1"))) == RejectCode.NOT_HERE


async def test_signals_are_limited(pair: tuple[Venue, Person, Person]) -> None:
    """A flood of candidates is refused, long before it costs the other anything."""
    _, ann, _ = pair
    answers = [await ann.send(PeerSignal(BOB, "a1")) for _ in range(int(CONNECTION_RATE.burst) + 10)]
    assert RejectCode.RATE_LIMITED in [answer.code for answer in answers if isinstance(answer, Reject)]


async def test_through_relays_nobody_tells_where_they_are(tmp_path: Path) -> None:
    """Candidates of hosts are refused, those in a description left out, and the address behind a relay is blanked."""
    relay = "candidate:3 1 udp 1 203.0.113.9 49152 typ relay raddr 192.0.2.7 rport 50000 generation 0"
    blank = "candidate:3 1 udp 1 203.0.113.9 49152 typ relay raddr 0.0.0.0 rport 9 generation 0"
    host = "candidate:1 1 udp 1 192.0.2.1 9 typ host"
    mode = {"media_mode": MediaMode.MESH_RELAY, "turn_urls": ("turn:t.example.org",), "turn_secret": "s" * 32}
    async with Server(config(tmp_path, capacity=2, **mode)) as server:
        venue = Venue(server)
        ann, bob = await venue.join("ann", Role.MODERATOR), await venue.join("bob")
        assert code_of(await ann.send(PeerSignal(BOB, "a1", candidate=Candidate(host, "0")))) == RejectCode.BAD_OFFER
        offer = Description(SdpType.OFFER, f"v=0\r\na={host}\r\na={relay}\r\na=mid:0\r\n")
        for word in ({"candidate": Candidate(relay, "0")}, {"description": offer}, {"candidate": Candidate("", "0")}):
            await ann.do(PeerSignal(BOB, "a1", **word))
        await bob.until(lambda: len([said for said in bob.notices if isinstance(said, PeerSaid)]) == 3)
        first, second, last = [said for said in bob.notices if isinstance(said, PeerSaid)]
        assert first.candidate == Candidate(blank, "0")
        assert second.description == Description(SdpType.OFFER, f"v=0\r\na={blank}\r\na=mid:0\r\n")
        assert last.candidate == Candidate("", "0")
        await venue.close()


async def test_in_other_rooms_people_do_not_negotiate(venue: Venue) -> None:
    """Where media goes through the server, nobody learns anything of another's network."""
    ann = await venue.join("ann", Role.MODERATOR)
    await venue.join("bob")
    assert code_of(await ann.send(PeerSignal(BOB, "a1", description=OFFER))) == RejectCode.NOT_NOW


@pytest.mark.parametrize("setting", [{"capacity": 3}, {"media_mode": MediaMode.MESH_RELAY, "capacity": 2}])
async def test_settings_that_cannot_work_are_refused(setting: dict[str, object]) -> None:
    """A mesh is for two, and a relay needs to be named."""
    with pytest.raises(ConfigError):
        Config(**{"media_mode": MediaMode.MESH, **setting})  # type: ignore[arg-type]
