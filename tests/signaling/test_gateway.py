# SPDX-License-Identifier: Apache-2.0
"""The gateway when something beside it fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from server.app import Server
from server.cluster.memory import MemoryLog
from server.errors import DisconnectCode
from server.ids import MAIN, ParticipantId
from server.ports import Clock
from server.rooms import commands as c
from server.rooms.state import Presence, Role
from tests.runner.faulty import FaultyLog
from tests.signaling.clients import Venue, config, token

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_seat_that_is_taken_after_a_refusal_is_not_held_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log was away, the person was told SERVER_BUSY; if the seat comes to be all the same, its grace begins."""
    logs: list[FaultyLog] = []

    def behind_a_network(clock: Clock) -> FaultyLog:
        logs.append(FaultyLog(MemoryLog(clock)))
        return logs[-1]

    monkeypatch.setattr("server.app.MemoryLog", behind_a_network)
    async with Server(config(tmp_path)) as server:
        venue = Venue(server)
        ann = await venue.join("ann", Role.MODERATOR)
        logs[0].down = True
        assert await venue.refused(token=token(venue.room, "bob")) == DisconnectCode.SERVER_BUSY
        logs[0].down = False
        bob = ParticipantId("bob")
        await ann.until(lambda: bob in ann.view.participants)
        await ann.until(lambda: ann.view.participants[bob].presence is Presence.LOST)
        await venue.close()


async def test_a_fault_while_telling_leaves_no_hidden_gap(venue: Venue, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever might have missed something is sent away with INTERNAL, comes back, and gets the whole view."""
    ann, bob = await venue.join("ann", Role.MODERATOR), await venue.join("bob")

    def broken(_: object) -> bytes:
        raise ArithmeticError

    with monkeypatch.context() as patched:
        patched.setattr("server.signaling.delivery.event_frame", broken)
        await ann.send(c.SendChat("to both"))
    for person in (ann, bob):
        await person.until(lambda person=person: person.gone)  # type: ignore[misc]
        assert person.disconnecting == DisconnectCode.INTERNAL
    again = await venue.back(bob, token=token(venue.room, "bob"))
    assert again.welcome.view is not None
    assert [message.text for message in again.view.chat[MAIN]] == ["to both"]
