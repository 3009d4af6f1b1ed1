# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import TypeVar

import pytest

from server.errors import CommandRejected, RejectCode
from server.ids import ParticipantId, PeerId, Placement, RoomId
from server.media import plane as plane_module
from server.media.plane import WorkerPlane
from server.media.supervisor import WorkerOptions
from server.ports import MediaReport, PeerAnswered, PeerClosed, PeerConnected
from server.rooms.routes import RouteGroup
from tests.media.peer import RawPeer
from tests.media.waiting import until

Report = TypeVar("Report")

LOOPBACK = WorkerOptions(addresses=("127.0.0.1",))


class Room:
    """A room on the plane, with two people in it."""

    def __init__(self, plane: WorkerPlane, name: str) -> None:
        self.plane = plane
        self.id = RoomId(name)
        self.reports: list[MediaReport] = []
        self.people = tuple(ParticipantId(f"{name}-{number}") for number in range(2))
        self.peers: dict[ParticipantId, RawPeer] = {}
        self.port = 0
        """Of the worker that carries this room."""
        self._opened = 0
        plane.open_room(self.id, self.reports.append)
        group = RouteGroup(placement=Placement("main"), members=self.people, audio=self.people, video=self.people)
        plane.set_routes(self.id, (group,))

    async def join(self) -> None:
        """Both connect, again if need be."""
        await self.close()
        for person in self.people:
            await self._connect(person)

    async def _connect(self, person: ParticipantId) -> None:
        self._opened += 1
        peer, identifier = RawPeer(person, slots=1), PeerId(f"{person}-{self._opened}")
        self.peers[person] = peer
        self.plane.open_peer(identifier, self.id, person, peer.offer)
        answer = await until(lambda: next((m for m in self._of(PeerAnswered) if m.peer == identifier), None))
        self.port = int(answer.sdp.split("m=audio ", 1)[1].split(" ", 1)[0])
        await peer.connect(answer.sdp)
        await until(lambda: next((m for m in self._of(PeerConnected) if m.peer == identifier), None))

    async def close(self) -> None:
        """Both go away without a word."""
        for peer in self.peers.values():
            await peer.close(say_goodbye=False)
        self.peers.clear()

    def closed(self) -> list[str]:
        """Why peers went away so far."""
        return [report.reason for report in self._of(PeerClosed)]

    def _of(self, kind: type[Report]) -> list[Report]:
        return [report for report in self.reports if isinstance(report, kind)]


@pytest.fixture
async def plane() -> AsyncIterator[WorkerPlane]:
    """Two workers."""
    plane = WorkerPlane(LOOPBACK, workers=2)
    await plane.start()
    yield plane
    await plane.close()


@pytest.fixture
async def rooms(plane: WorkerPlane) -> AsyncIterator[tuple[Room, Room]]:
    """Two rooms with two people each, connected."""
    rooms = Room(plane, "left"), Room(plane, "right")
    for room in rooms:
        await room.join()
    yield rooms
    for room in rooms:
        await room.close()


async def test_rooms_spread_over_the_workers(rooms: tuple[Room, Room]) -> None:
    """The second room goes where the first one is not."""
    left, right = rooms
    assert left.port != right.port


async def test_a_room_whose_worker_dies_goes_on_at_another(plane: WorkerPlane, rooms: tuple[Room, Room]) -> None:
    """Its people are told and can connect at once; the other room notices nothing."""
    left, right = rooms
    pid = plane.pids[0]
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    await until(lambda: left.closed() or None)
    assert left.closed() == ["worker_lost"] * 2
    await left.join()
    assert left.port == right.port
    assert not right.closed()


async def test_a_drained_worker_hands_its_rooms_over_and_starts_afresh(
    plane: WorkerPlane, rooms: tuple[Room, Room]
) -> None:
    """Its rooms move to the other worker; a new process takes its place and takes rooms again."""
    left, right = rooms
    before = plane.pids[0]
    assert await plane.drain(0)
    assert left.closed() == ["moved"] * 2
    await left.join()
    assert left.port == right.port
    await until(lambda: plane.pids[0] not in (None, before) or None)
    await plane.until_ready()
    third = Room(plane, "third")
    await third.join()
    assert third.port != right.port
    await third.close()


@pytest.mark.slow
async def test_a_worker_that_dies_while_it_is_drained_is_not_ended_twice(
    plane: WorkerPlane, rooms: tuple[Room, Room], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process in its place is ready before the drain is over: it goes on, with the rooms it may have by then."""
    fresh = asyncio.Event()

    async def wait(_: float) -> None:
        await fresh.wait()

    monkeypatch.setattr(plane_module, "asyncio", SimpleNamespace(sleep=wait, gather=asyncio.gather))
    left, _ = rooms
    before = plane.pids[0]
    assert before is not None
    draining = asyncio.create_task(plane.drain(0))
    await until(lambda: left.closed() or None)
    os.kill(before, signal.SIGKILL)
    await until(lambda: plane.pids[0] not in (None, before) or None)
    await plane.until_ready()
    after = plane.pids[0]
    fresh.set()
    assert await draining
    await until(lambda: plane.stats[0])
    assert plane.pids[0] == after


async def test_the_only_worker_is_not_drained() -> None:
    """Moving rooms to nowhere would end their media."""
    plane = WorkerPlane(LOOPBACK)
    await plane.start()
    room = Room(plane, "only")
    await room.join()
    assert not await plane.drain(0)
    assert not room.closed()
    await room.close()
    await plane.close()


async def test_a_plane_promised_to_rooms_takes_no_more(plane: WorkerPlane) -> None:
    """New rooms are refused while there is still room for those that are carried to grow."""
    assert [plane.full] == [False]
    crowd = tuple(ParticipantId(f"c{number}") for number in range(80))
    group = RouteGroup(placement=Placement("main"), members=crowd, audio=crowd, video=crowd)
    rooms = [Room(plane, name) for name in ("large", "larger")]
    for room in rooms:
        await room.join()
        plane.set_routes(room.id, (group,))
    assert [plane.full] == [True]
    for room in rooms:
        plane.close_room(room.id)
        await room.close()
    assert [plane.full] == [False]


async def test_nobody_is_carried_before_a_worker_is_up() -> None:
    """A peer that came too early is refused with the reason, so that its client tries again."""
    plane = WorkerPlane(LOOPBACK)
    plane.open_room(RoomId("early"), lambda _: None)
    with pytest.raises(CommandRejected) as refused:
        plane.open_peer(PeerId("p"), RoomId("early"), ParticipantId("a"), "")
    assert refused.value.code is RejectCode.NO_MEDIA
