# SPDX-License-Identifier: Apache-2.0
"""Faults in the middle of what a session does; the numbers are those of the fault list."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from holdspace_client.protocol.rooms import commands as c
from holdspace_client.protocol.rooms.state import Role, RoomView
from holdspace_client.protocol.signaling.messages import Ok
from server.errors import DisconnectCode
from server.rooms.state import Role as ServerRole
from tests.faults.checker.history import Refused
from tests.faults.client import Client
from tests.faults.scene import Scene
from tests.faults.workload import split


async def test_33_the_moderator_vanishes_while_opening_breakouts(tmp_path: Path, seed: int) -> None:
    """A split whose author's connection breaks is applied to all or to none, and the retry does not split again."""
    async with Scene(tmp_path, seed=seed) as scene:
        moderator = await scene.gather(12)
        for delay_ms in (0, 1, 2, 4, 8, 16, 50):
            opening = asyncio.create_task(split(moderator))
            await asyncio.sleep(delay_ms / 1000)
            await moderator.cut()
            opened = await opening
            view = await moderator.until(_has_rooms) if opened else moderator.view
            placed = [person.placement for person in view.participants.values() if person.role is Role.PARTICIPANT]
            assert "main" not in placed or set(placed) == {"main"}
            await moderator.insist(c.CloseBreakouts())
        await scene.conclude(33, "the moderator's connection breaks while breakouts open")


@pytest.mark.slow
async def test_34_two_moderators_split_and_merge_at_once(tmp_path: Path, seed: int) -> None:
    """One wins, the other is told so; nobody is in two rooms."""
    async with Scene(tmp_path, seed=seed) as scene:
        one = await scene.gather(8)
        two = scene.client("mod2", ServerRole.MODERATOR)
        await two.arrive()
        for _ in range(4):
            await asyncio.gather(split(one), split(two))
            rooms = one.view.breakouts.rooms
            if len(rooms) > 1:
                merge = c.MergeBreakouts(rooms[0].id, rooms[1].id)
                await asyncio.gather(one.insist(merge), two.insist(c.CloseBreakouts()))
            await asyncio.gather(one.insist(c.CloseBreakouts()), two.insist(c.CloseBreakouts()))
        await scene.conclude(34, "two moderators split and merge at once")


async def test_35_removed_while_reconnecting(tmp_path: Path, seed: int) -> None:
    """Who is removed while away does not come back: not with the secret, not with the link, not on another node."""
    async with Scene(tmp_path, seed=seed) as scene:
        moderator = await scene.gather(8)
        out = scene.clients[1:6]
        for number, client in enumerate(out):
            broken = asyncio.create_task(client.cut())
            await asyncio.sleep(number * 0.01)
            assert isinstance(await moderator.insist(c.Remove(client.person)), Ok)
            await broken
        await asyncio.gather(*(_until_given_up(client) for client in out))
        again = [scene.client(client.person) for client in out]
        await asyncio.gather(*(client.arrive() for client in again))
        entries = [client.person for client in again if client.connected]
        assert entries == []
        codes = {r.code for client in again for r in client.records if isinstance(r, Refused)}
        assert codes == {DisconnectCode.REMOVED}
        await scene.conclude(35, "removed while reconnecting")


@pytest.mark.slow
async def test_38_coming_and_going_during_a_split(tmp_path: Path, seed: int) -> None:
    """Whoever joins, leaves or is admitted while rooms open has one place, and is in the room at the end."""
    async with Scene(tmp_path, seed=seed) as scene:
        moderator = await scene.gather(8)
        await moderator.insist(c.SetAutoAdmit(auto_admit=False))
        late = [scene.client(f"late{number}") for number in range(4)]
        leaving = scene.clients[1:3]
        coming = [asyncio.create_task(client.arrive()) for client in late]
        opening = asyncio.create_task(split(moderator))
        going = [asyncio.create_task(client.insist(c.Leave())) for client in leaving]
        await asyncio.gather(*coming, opening, *going)
        await moderator.insist(c.SetAutoAdmit(auto_admit=True))
        await scene.conclude(38, "people come and go during a split")
        assert {client.placement for client in late} <= {room.id for room in moderator.view.breakouts.rooms}


@pytest.mark.slow
async def test_40_muting_races_with_unmuting(tmp_path: Path, seed: int) -> None:
    """Whatever comes first: who was muted for good is muted for everybody, and no microphone goes on by itself."""
    async with Scene(tmp_path, seed=seed) as scene:
        moderator = await scene.gather(6)
        people = scene.clients[1:]
        for number in range(5):
            pressing = (client.insist(c.SetMicrophone(on=True)) for client in people)
            hard = c.SetHardMute(people[number].person, on=True)
            await asyncio.gather(*pressing, moderator.insist(c.MuteEveryone()), moderator.insist(hard))
        await asyncio.gather(*(client.cut() for client in people))
        await scene.conclude(40, "muting races with unmuting")
        muted = [moderator.view.participants[client.person] for client in people[:5]]
        assert all(person.hard_muted and not person.microphone for person in muted)


def _has_rooms(view: RoomView) -> bool:
    return len(view.breakouts.rooms) > 0


async def _until_given_up(client: Client) -> None:
    async with asyncio.timeout(10):
        while client.staying:  # noqa: ASYNC110 - set by the client's own keeper
            await asyncio.sleep(0.02)
