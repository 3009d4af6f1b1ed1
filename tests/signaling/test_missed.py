# SPDX-License-Identifier: Apache-2.0
"""Whoever comes back to a room that the log has lost: another node may bring it back, or it is gone."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from itertools import count
from typing import Final

import pytest
from msgspec import Struct

from server.cluster.memory import MemoryLog
from server.errors import DisconnectCode, JoinRefused
from server.ids import CommandId, ConnectionId, ParticipantId, RoomId
from server.ports import Epoch, Seq
from server.rooms.commands import EndSession, NextPhase
from server.rooms.state import Role, RoomSettings
from server.rooms.templates import default_agenda
from server.runner import ROOM_RULES, Environment, Rooms, RunnerSettings
from server.runner.settings import RESEED_MS
from server.signaling.joining import Joining, Opening, Seated
from server.signaling.messages import PROTOCOL_VERSION, Connect, Resume
from server.signaling.missed import Missed
from server.signaling.tokens import Claims, TokenKey, sign
from tests.runner.virtual import VirtualClock, virtually

KEY: Final = TokenKey("holdspace", "s" * 40)
ROOM: Final = RoomId("room")
ANN: Final = ParticipantId("ann")
TOKEN: Final = sign(KEY, Claims(iss=KEY.name, exp=5_000, room=ROOM, role=Role.MODERATOR, sub=ANN))
OPENING: Final = Opening(RoomSettings("Circle"), default_agenda(), lambda: False)


class Node(Struct, frozen=True):
    """What of a node lets people in."""

    rooms: Rooms
    joining: Joining

    async def seat(self, name: str, resume: Resume | None = None) -> Seated:
        """Somebody connects."""
        connect = Connect(token=TOKEN, protocol=PROTOCOL_VERSION, resume=resume, name="Ann")
        return await self.joining.seat(connect, ConnectionId(name), lambda _room, _person: None, lambda: None)

    async def refused(self, name: str, resume: Resume) -> DisconnectCode:
        """Somebody connects in vain."""
        with pytest.raises(JoinRefused) as refusal:
            await self.seat(name, resume)
        return refusal.value.code


def node(log: MemoryLog, patience_ms: int = RESEED_MS) -> Node:
    """One of several nodes that share this log."""
    rooms = Rooms(Environment(log, ROOM_RULES, VirtualClock(), count().__next__, RunnerSettings(reseed_ms=patience_ms)))
    joining = Joining(rooms, VirtualClock(), KEY, OPENING, 3600, lambda: 1_000.0)
    return Node(rooms, joining)


def run(scenario: Coroutine[None, None, None]) -> None:
    """In virtual time."""
    virtually(scenario)


def test_who_comes_back_before_the_room_does_is_told_to_try_again() -> None:
    """A node that has not loaded the room must not say that the session is over; soon the seat is there again."""

    async def scenario() -> None:
        log = MemoryLog(VirtualClock())
        there = await node(log).seat("n1.c")
        resume = Resume(there.runner.epoch, Seq(1), there.secret)
        held = there.runner.state
        there.runner.close(RuntimeError("the node that has it is slow"))
        await log.forget(ROOM, there.runner.epoch, over=False)
        other = node(log)
        assert await other.refused("n2.a", resume) is DisconnectCode.SERVER_BUSY
        await log.create(ROOM, held)
        back = await other.seat("n2.b", resume)
        assert back.resume is resume
        assert back.runner.state.seats[ANN].connection == "n2.b"

    run(scenario())


def test_a_room_that_nobody_brings_back_is_begun_anew_by_the_token() -> None:
    """After a while; nobody waits for ever."""

    async def scenario() -> None:
        log = MemoryLog(VirtualClock())
        there = await node(log).seat("n1.c")
        resume = Resume(there.runner.epoch, Seq(1), there.secret)
        there.runner.close(RuntimeError("gone with its node"))
        await log.forget(ROOM, there.runner.epoch, over=False)
        other = node(log)
        assert await other.refused("n2.a", resume) is DisconnectCode.SERVER_BUSY
        await asyncio.sleep(RESEED_MS / 1000 - 0.1)
        assert await other.refused("n2.b", resume) is DisconnectCode.SERVER_BUSY
        await asyncio.sleep(0.1)
        assert (await other.seat("n2.c", resume)).resume is None

    run(scenario())


@pytest.mark.parametrize("over", [True, False])
def test_only_the_end_of_a_session_ends_it(over: bool) -> None:
    """What is said at once to whoever comes back: that it is over, if the log knows that."""

    async def scenario() -> None:
        log = MemoryLog(VirtualClock())
        there = await node(log).seat("n1.c")
        if over:
            await there.runner.submit(NextPhase(), ANN, CommandId("next"))
            await there.runner.submit(EndSession(), ANN, CommandId("end"))
        resume = Resume(there.runner.epoch, Seq(1), there.secret)
        there.runner.close(RuntimeError("not here"))
        await log.forget(ROOM, there.runner.epoch, over=over)
        said = DisconnectCode.SESSION_OVER if over else DisconnectCode.SERVER_BUSY
        assert await node(log).refused("n2.a", resume) is said

    run(scenario())


def test_where_there_are_no_others_nobody_waits_for_them() -> None:
    """A restart on the memory log ends the session."""

    async def scenario() -> None:
        log = MemoryLog(VirtualClock())
        resume = Resume(Epoch(7), Seq(1), "secret")
        assert await node(log, patience_ms=0).refused("n1.a", resume) is DisconnectCode.SESSION_OVER

    run(scenario())


def test_a_wait_begins_with_each_loss() -> None:
    """Once the seat was there, or after a minute, the next question waits anew."""
    missed = Missed(1_000)
    assert missed.may_return(ROOM, ANN, 0)
    assert missed.may_return(ROOM, ANN, 999)
    assert not missed.may_return(ROOM, ANN, 1_000)
    missed.found(ROOM, ANN)
    assert missed.may_return(ROOM, ANN, 1_001)
    assert not missed.may_return(ROOM, ANN, 61_000)
    assert missed.may_return(ROOM, ANN, 61_001)


def test_whoever_asked_long_ago_takes_no_room() -> None:
    """Only the people of the last minute are remembered, whatever has gone before."""
    missed = Missed(1_000)
    for hour in range(50):
        for number in range(100):
            missed.may_return(ROOM, ParticipantId(f"{hour} {number}"), hour * 3_600_000)
    assert len(missed._since) <= 200  # noqa: SLF001 - what it costs cannot be seen from outside
