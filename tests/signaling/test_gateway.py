# SPDX-License-Identifier: Apache-2.0
"""The gateway beside a log that is away."""

from __future__ import annotations

from pathlib import Path

import pytest

from server.app import Server
from server.cluster.memory import MemoryLog
from server.errors import DisconnectCode
from server.ids import ParticipantId
from server.ports import Clock
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
