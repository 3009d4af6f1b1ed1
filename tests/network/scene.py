# SPDX-License-Identifier: Apache-2.0
"""A real media worker in its own process, and headless peers that reach it through bad networks."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from loadtest.clip import Clip, Signatures, prepared
from loadtest.impairment.control import RemoteRig, RigProcess, rig_process
from loadtest.impairment.profile import PERFECT, Link
from loadtest.offer import read_answer
from loadtest.pacer import Pacer
from loadtest.peer import Peer
from loadtest.sender import Voice
from server.ids import ParticipantId, PeerId, Placement, RoomId
from server.media.channel import ClosePeer, FromWorker, OpenPeer, PeerAnswered, PeerRefused, SetRoutes, WatchTiles
from server.media.supervisor import MediaWorker, WorkerOptions
from server.ports import Slot, SlotsChanged, Tile, Watch
from server.rooms.routes import RouteGroup
from tests.media.waiting import until

ROOM = RoomId("network")
ANYWHERE: Final = WorkerOptions()
HEIGHTS: Final = {135: 15, 270: 20, 540: 20}
"""Frames per second of the layers by their height."""
FULL_HEIGHT: Final = 540


class Guest:
    """One peer with its link. The clip's number is the person's number."""

    def __init__(self, number: int, peer: Peer, rig: RemoteRig | None) -> None:
        self.number = number
        self.peer = peer
        self.rig = rig
        self.incarnation = PeerId("")
        self.showing = True

    @property
    def id(self) -> ParticipantId:
        """As the server knows this person."""
        return ParticipantId(f"p{self.number}")


class Scene:
    """Guests of one room, whom a test puts into groups."""

    def __init__(
        self, worker: MediaWorker, rigs: RigProcess, messages: list[FromWorker], clips: Sequence[Clip]
    ) -> None:
        self.worker = worker
        self.pacer = Pacer()
        self.guests: dict[int, Guest] = {}
        self.said = messages
        """Everything that the worker has said."""
        self._rigs = rigs
        self._clips = clips
        self._signatures = Signatures(clips)
        self._revision = 0
        self._joined = 0

    async def join(
        self, number: int, link: Link | None, *, slots: int, speaks: bool = True, port: socket.socket | None = None
    ) -> Guest:
        """Connect over a perfect network, then let `link` begin; None: without a rig. Sends at once."""
        self._joined += 1
        peer = Peer(self._clips[number], self.pacer, signatures=self._signatures, slots=slots, red=True)
        identity = PeerId(f"peer{self._joined}")
        self.worker.send(OpenPeer(peer=identity, room=ROOM, participant=ParticipantId(f"p{number}"), sdp=peer.offer()))
        answer = await until(lambda: self._answer(identity))
        rig = None
        if link is not None:
            rig = await self._rigs.open(read_answer(answer).remote.candidates[0], PERFECT, seed=self._joined)
        await peer.connect(answer, through=rig.address if rig else None, port=port)
        guest = self.guests[number] = Guest(number, peer, rig)
        guest.incarnation = identity
        if speaks:
            peer.speak(Voice.STEADY)
        peer.show(on=True)
        if rig is not None and link is not None:
            await rig.change(link)
        return guest

    async def leave(self, number: int) -> None:
        """Gone, link and all."""
        guest = self.guests.pop(number)
        self.worker.send(ClosePeer(peer=guest.incarnation))
        await guest.peer.close()
        if guest.rig is not None:
            await guest.rig.close()

    def group(self, *groups: Sequence[int]) -> None:
        """Put people into groups; everybody there may be heard, and seen with the camera on."""
        self._revision += 1
        made = []
        for index, members in enumerate(groups):
            people = tuple(self.guests[number].id for number in members)
            shown = tuple(self.guests[number].id for number in members if self.guests[number].showing)
            made.append(RouteGroup(Placement(f"b{index}"), members=people, audio=people, video=shown))
        self.worker.send(SetRoutes(room=ROOM, revision=self._revision, groups=tuple(made)))

    def watch(self, guest: Guest, height: int, first: int | None = None) -> None:
        """Show everybody at this height, this person before the others."""
        tiles = () if first is None else (Tile(ParticipantId(f"p{first}"), height),)
        watch = Watch(tiles=tiles, others=9, others_height=height)
        self.worker.send(WatchTiles(peer=guest.incarnation, watch=watch))

    def slots(self, guest: Guest) -> tuple[Slot, ...]:
        """What the server last said about this guest's slots."""
        told = (m for m in reversed(self.said) if isinstance(m, SlotsChanged) and m.peer == guest.incarnation)
        found = next(told, None)
        return found.slots if found is not None else ()

    async def close(self) -> None:
        """Everybody goes."""
        for number in list(self.guests):
            await self.leave(number)
        self.pacer.close()

    def _answer(self, peer: PeerId) -> str | None:
        for message in reversed(self.said):
            assert not (isinstance(message, PeerRefused) and message.peer == peer), message
            if isinstance(message, PeerAnswered) and message.peer == peer:
                return message.sdp
        return None


@asynccontextmanager
async def scene(people: int, options: WorkerOptions = ANYWHERE) -> AsyncIterator[Scene]:
    """Worker and rigs up, and down again, for guests with these first numbers."""
    # Before the worker is there: it would take a parent that stands still for so long for dead.
    clips = [prepared(number, simulcast=True) for number in range(people)]
    messages: list[FromWorker] = []
    ended: list[bool] = []
    worker = MediaWorker(messages.append, lambda: ended.append(True), options)
    await worker.start()
    try:
        async with rig_process() as rigs:
            made = Scene(worker, rigs, messages, clips)
            try:
                yield made
                assert not ended, "the worker did not live to the end"
            finally:
                await made.close()
                await asyncio.sleep(0.1)
    finally:
        await worker.close()
