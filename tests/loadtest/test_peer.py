# SPDX-License-Identifier: Apache-2.0
"""The peer against the real media service, over real sockets on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from loadtest.clip import Signatures, prepared
from loadtest.dtls import HandshakeFailed
from loadtest.offer import BadAnswer, read_answer
from loadtest.pacer import Pacer
from loadtest.peer import Peer
from loadtest.receiver import Kind, Source
from loadtest.sender import Voice
from server.ids import ParticipantId, PeerId, Placement, RoomId
from server.media.channel import ClosePeer, FromWorker, OpenPeer, PeerAnswered, SetRoutes
from server.media.sdp import parse_offer
from server.media.sdp_answer import SendLine, plan_lines
from server.media.service import MediaService
from server.rooms.routes import RouteGroup

ROOM = RoomId("r")
PEOPLE = tuple(ParticipantId(f"p{number}") for number in range(3))
CLIPS = tuple(prepared(number) for number in range(3))


class Stage:
    """A media service and the peers of three people, whom tests put into rooms."""

    def __init__(self) -> None:
        self.answers: dict[PeerId, str] = {}
        self.service = MediaService(self._emitted, ("127.0.0.1",), 0)
        self.pacer = Pacer()
        self.peers: list[Peer] = []
        self.lost: list[int] = []
        self._revision = 0

    def _emitted(self, message: FromWorker) -> None:
        if isinstance(message, PeerAnswered):
            self.answers[message.peer] = message.sdp

    def answer(self, peer: Peer, number: int) -> str:
        """The service's answer to this peer's offer."""
        identity = PeerId(f"peer{number}")
        self.service.apply(OpenPeer(peer=identity, room=ROOM, participant=PEOPLE[number], sdp=peer.offer()))
        return self.answers[identity]

    def peer(self, number: int) -> Peer:
        """A peer that is closed at the end."""
        peer = Peer(CLIPS[number], self.pacer, signatures=Signatures(CLIPS), slots=3)
        peer.on_lost = lambda: self.lost.append(number)
        self.peers.append(peer)
        return peer

    def routes(self, *rooms: tuple[int, ...]) -> None:
        """Put people into rooms; everybody there may be heard and seen."""
        self._revision += 1
        groups = []
        for index, members in enumerate(rooms):
            people = tuple(PEOPLE[number] for number in members)
            groups.append(RouteGroup(Placement(f"b{index}"), members=people, audio=people, video=people))
        self.service.apply(SetRoutes(room=ROOM, revision=self._revision, groups=tuple(groups)))


@asynccontextmanager
async def three_people() -> AsyncIterator[Stage]:
    """Three connected people who speak and show themselves."""
    stage = Stage()
    stage.service.start()
    for number in range(3):
        peer = stage.peer(number)
        await peer.connect(stage.answer(peer, number))
        peer.speak(Voice.STEADY)
        peer.show(on=True)
    try:
        yield stage
    finally:
        for peer in stage.peers:
            await peer.close()
        stage.pacer.close()
        await stage.service.close()


async def until(condition: Callable[[], bool]) -> None:
    """Packets tell nobody that they came: look every 10 ms, for at most 10 s."""
    for _ in range(1_000):
        if condition():
            return
        await asyncio.sleep(0.01)
    pytest.fail("it did not happen within 10 s")


def test_the_server_understands_the_offer() -> None:
    """Three lines to send on, each with its SSRC, and as many slots as were asked for."""

    async def offered() -> str:
        return Peer(CLIPS[0], Pacer(), signatures=Signatures(()), slots=12).offer()

    offer = parse_offer(asyncio.run(offered()))
    plan = plan_lines(offer)
    assert set(plan.send) == set(SendLine)
    assert all(line.section.ssrc is not None for line in plan.send.values())
    assert len(plan.slots) == 12


def test_an_answer_without_a_transport_is_refused() -> None:
    """A peer does not try to connect to nowhere."""
    with pytest.raises(BadAnswer):
        read_answer("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n")


async def test_everybody_receives_their_room_and_nobody_else() -> None:
    """By the payloads at the subscriber's socket: after a move there is not one packet of the room before."""
    async with three_people() as stage:
        stage.routes((0, 1, 2))
        await until(lambda: all(len(peer.reception.arrivals) == 4 for peer in stage.peers))
        for number, peer in enumerate(stage.peers):
            others = {other for other in range(3) if other != number}
            assert peer.reception.clips(Kind.AUDIO) == others
            assert peer.reception.clips(Kind.VIDEO) == others
        stage.routes((0, 1), (2,))
        await asyncio.sleep(0.2)
        for peer in stage.peers:
            peer.reception.take()
        await until(lambda: all(len(peer.reception.arrivals) == 2 for peer in stage.peers[:2]))
        assert [peer.reception.clips() for peer in stage.peers] == [{1}, {0}, set()]


async def test_slots_get_every_packet_and_whole_pictures() -> None:
    """On loopback nothing is lost: 50 audio packets and 15 pictures a second, and a keyframe was asked for."""
    async with three_people() as stage:
        stage.routes((0, 1))
        first = stage.peers[0]
        await until(lambda: len(first.reception.arrivals) == 2)
        audio = Source(0, Kind.AUDIO, 1)
        await until(lambda: first.reception.arrivals[audio].packets >= 100)
        sound = first.reception.arrivals[audio]
        assert (sound.packets - 1) / (sound.last_s - sound.first_s) == pytest.approx(50, rel=0.1)
        frames = sum(line.frames for line in first.reception.lines.values())
        assert frames / sound.packets == pytest.approx(15 / 50, rel=0.2)
        assert sum(line.lost for line in first.reception.lines.values()) == 0
        assert first.reception.strays == 0
        assert stage.peers[1].keyframes_asked >= 1


async def test_microphone_and_camera_are_off_until_turned_on() -> None:
    """A connected peer sends no media by itself; turning off stops it."""
    async with three_people() as stage:
        silent = stage.peer(0)
        await silent.connect(stage.answer(silent, 0))
        stage.routes((0, 1))
        await asyncio.sleep(0.2)
        assert silent.packets_sent == (0, 0)
        speaker = stage.peers[1]
        speaker.speak(None)
        speaker.show(on=False)
        sent = speaker.packets_sent
        await asyncio.sleep(0.2)
        assert speaker.packets_sent == sent


async def test_a_goodbye_of_the_server_is_told_once() -> None:
    """When the server ends a peer, its owner hears of it."""
    async with three_people() as stage:
        stage.service.apply(ClosePeer(peer=PeerId("peer2")))
        await until(lambda: stage.lost == [2])


async def test_another_certificate_is_refused() -> None:
    """Whoever has not the key of the answer's fingerprint gets no media."""
    stage = Stage()
    stage.service.start()
    peer = stage.peer(0)
    right = read_answer(answer := stage.answer(peer, 0)).fingerprint
    wrong = right[:-2] + ("00" if right[-2:] != "00" else "11")
    with pytest.raises(HandshakeFailed):
        await peer.connect(answer.replace(right, wrong))
    await peer.close()
    stage.pacer.close()
    await stage.service.close()
