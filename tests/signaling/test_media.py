# SPDX-License-Identifier: Apache-2.0
"""Offers, answers, slots and routes, as signaling handles them."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from server.app import Server
from server.cluster.clock import MonotonicClock
from server.cluster.memory import MemoryLog
from server.errors import CommandRejected, DisconnectCode, RejectCode
from server.ids import MAIN, CommandId, ConnectionId, ParticipantId, PeerId, RoomId
from server.ports import (
    MediaReport,
    PeerAdopted,
    PeerAnswered,
    PeerClosed,
    PeerMissing,
    PeerRefused,
    Quality,
    QualityChanged,
    QualityReason,
    Slot,
    SlotsChanged,
    Tile,
    VoiceLevel,
    VoicesHeard,
    Watch,
)
from server.rooms import commands as c
from server.rooms.commands import TakeSeat
from server.rooms.events import RoomOpened
from server.rooms.evolve import opened
from server.rooms.routes import RouteGroup
from server.rooms.state import Role, RoomSettings
from server.rooms.templates import default_agenda
from server.runner.core import ROOM_RULES
from server.runner.registry import Rooms
from server.runner.settings import Environment
from server.signaling.codec import notice_frame
from server.signaling.delivery import Client
from server.signaling.gateway import NO_RELAYS, Hall
from server.signaling.limits import OFFER_RATE
from server.signaling.link import Link
from server.signaling.media import fresh_peer
from server.signaling.messages import ConnectionQuality, MediaAnswer, MediaLost, MediaOffer, Ok, Playback, Slots
from tests.signaling.clients import Venue, code_of, config

pytestmark = pytest.mark.asyncio(loop_scope="session")

CHROMIUM = (Path(__file__).parents[1] / "media" / "offers" / "chromium.sdp").read_text()
ANN, BOB = ParticipantId("ann"), ParticipantId("bob")


class RecordingPlane:
    """The twin of the embedded media plane: remembers what was asked of it, and says what a test lets it say."""

    def __init__(self) -> None:
        self.sinks: dict[RoomId, Callable[[MediaReport], None]] = {}
        self.routes: list[tuple[RouteGroup, ...]] = []
        self.opened: list[tuple[PeerId, ParticipantId]] = []
        self.closed: list[PeerId] = []
        self.watched: list[tuple[PeerId, Watch]] = []
        self.asked: list[tuple[str, ParticipantId]] = []

    def open_room(self, room: RoomId, sink: Callable[[MediaReport], None]) -> None:
        self.sinks[room] = sink

    def open_peer(self, peer: PeerId, room: RoomId, participant: ParticipantId, sdp: str) -> None:
        if not sdp:
            raise CommandRejected(RejectCode.NO_MEDIA)
        assert room in self.sinks
        self.opened.append((peer, participant))

    def close_peer(self, peer: PeerId) -> None:
        self.closed.append(peer)

    def adopt(self, room: RoomId, participant: ParticipantId) -> None:
        self.asked.append(("adopt", participant))
        assert room in self.sinks

    def dismiss(self, room: RoomId, participant: ParticipantId) -> None:
        self.asked.append(("dismiss", participant))
        assert room in self.sinks

    def watch(self, peer: PeerId, watch: Watch) -> None:
        self.watched.append((peer, watch))

    def set_routes(self, room: RoomId, groups: tuple[RouteGroup, ...]) -> None:
        assert room in self.sinks
        self.routes.append(groups)

    def close_room(self, room: RoomId) -> None:
        del self.sinks[room]

    def check_offer(self, sdp: str) -> None:
        if sdp == "bad":
            raise CommandRejected(RejectCode.BAD_OFFER)


class Ear(Link):
    """A connection that keeps what is sent to it."""

    def __init__(self) -> None:
        super().__init__()
        self.frames: list[bytes] = []

    def send(self, frame: bytes) -> None:
        self.frames.append(frame)


class Stage:
    """A room without sockets: its hall, and a plane that is watched."""

    def __init__(self, rooms: Rooms, hall: Hall, plane: RecordingPlane) -> None:
        self.rooms = rooms
        self.hall = hall
        self.plane = plane
        self._count = 0

    async def do(self, command: c.Command, actor: ParticipantId | None = None) -> None:
        self._count += 1
        await self.hall.runner.submit(command, actor, CommandId(str(self._count)))

    async def seat(self, participant: ParticipantId, role: Role = Role.PARTICIPANT) -> None:
        connection = ConnectionId(f"connection of {participant}")
        await self.do(TakeSeat(participant, participant, role, connection, ""))

    def arrive(self, participant: ParticipantId) -> tuple[Client, list[bytes]]:
        """A client of this participant, and what it is told after Welcome."""
        ear = Ear()
        client = self.hall.delivery.welcome(ear, participant, "", None)
        ear.frames.clear()
        return client, ear.frames


@pytest_asyncio.fixture(loop_scope="session")
async def stage() -> AsyncIterator[Stage]:
    """Ann and Bob in main."""
    clock = MonotonicClock()
    rooms = Rooms(Environment(MemoryLog(clock), ROOM_RULES, clock, lambda: 7))
    event = RoomOpened(RoomId("r"), RoomSettings("R", auto_admit=True), default_agenda(), clock.now_ms())
    runner = await rooms.open(RoomId("r"), opened(event))
    plane = RecordingPlane()
    stage = Stage(rooms, Hall(runner, clock, plane, NO_RELAYS, lambda: None), plane)
    await stage.seat(ANN, Role.MODERATOR)
    await stage.seat(BOB)
    yield stage
    await rooms.close()


async def test_routes_follow_the_room(stage: Stage) -> None:
    """Set whenever they differ, and only then."""
    await stage.do(c.SetMicrophone(on=True), BOB)
    assert stage.plane.routes[-1] == (RouteGroup(MAIN, (ANN, BOB), (BOB,), (), staff=(ANN,)),)
    count = len(stage.plane.routes)
    await stage.do(c.SendChat("no media in this"), BOB)
    assert len(stage.plane.routes) == count
    await stage.do(c.SetHardMute(BOB, on=True), ANN)
    assert stage.plane.routes[-1][0].audio == ()


async def test_a_person_who_leaves_takes_their_peer_along(stage: Stage) -> None:
    """Their media stops with their seat, whoever ended it."""
    stage.hall.media.offer(BOB, MediaOffer(1, "good"))
    await stage.do(c.Remove(BOB), ANN)
    assert stage.plane.closed == [stage.plane.opened[0][0]]
    assert stage.plane.routes[-1] == (RouteGroup(MAIN, (ANN,), (), (), staff=(ANN,)),)


async def test_a_lost_connection_keeps_its_peer(stage: Stage) -> None:
    """Media may go on while signaling is away."""
    stage.hall.media.offer(BOB, MediaOffer(1, "good"))
    await stage.do(c.LoseConnection(BOB, ConnectionId(f"connection of {BOB}")))
    assert stage.plane.closed == []
    assert stage.plane.routes[-1][0].members == (ANN, BOB)


async def test_the_lobby_has_no_media(stage: Stage) -> None:
    """No peer is opened, and nobody there is in a route."""
    await stage.do(c.SetAutoAdmit(auto_admit=False), ANN)
    await stage.seat(ParticipantId("cid"))
    with pytest.raises(CommandRejected) as rejection:
        stage.hall.media.offer(ParticipantId("cid"), MediaOffer(1, "good"))
    assert rejection.value.code == RejectCode.NOT_ADMITTED
    assert all("cid" not in group.members for group in stage.plane.routes[-1])


@pytest.mark.parametrize(("sdp", "code"), [("bad", RejectCode.BAD_OFFER), ("", RejectCode.NO_MEDIA)])
async def test_a_refused_offer_leaves_the_earlier_peer(stage: Stage, sdp: str, code: RejectCode) -> None:
    """What cannot be answered replaces nothing."""
    stage.hall.media.offer(BOB, MediaOffer(1, "good"))
    with pytest.raises(CommandRejected) as rejection:
        stage.hall.media.offer(BOB, MediaOffer(2, sdp))
    assert rejection.value.code is code
    assert stage.plane.closed == []
    assert len(stage.plane.opened) == 1


async def test_an_offer_that_came_to_nothing_by_us_costs_nothing(stage: Stage) -> None:
    """While there is no worker, or one dies, people offer again and again, and must not wait for it afterwards."""
    bucket = stage.hall.offers.of(BOB, 0)
    bucket.take(OFFER_RATE.burst)
    with pytest.raises(CommandRejected):
        stage.hall.media.offer(BOB, MediaOffer(1, ""))
    assert bucket.wait_ms(1, 0) == 0
    bucket.take(1)
    for number, (reason, free) in enumerate((("worker_lost", True), ("moved", True), ("closed", False)), 2):
        stage.hall.media.offer(BOB, MediaOffer(number, "good"))
        stage.plane.sinks[RoomId("r")](PeerClosed(stage.plane.opened[-1][0], reason))
        assert (bucket.wait_ms(1, 0) == 0) is free
        bucket.take(1 if free else 0)
    stage.hall.media.offer(BOB, MediaOffer(5, "good"))
    stage.plane.sinks[RoomId("r")](PeerRefused(stage.plane.opened[-1][0], "no_media"))
    assert bucket.wait_ms(1, 0) == 0


async def test_reports_of_an_earlier_peer_are_not_passed_on(stage: Stage) -> None:
    """A late word about the peer that was replaced does not end the new one."""
    stage.hall.media.offer(BOB, MediaOffer(1, "good"))
    stage.hall.media.offer(BOB, MediaOffer(2, "good"))
    (first, _), (second, _) = stage.plane.opened
    sink = stage.plane.sinks[RoomId("r")]
    sink(PeerClosed(first, "replaced"))
    sink(PeerAnswered(first, "v=0", 1))
    sink(SlotsChanged(PeerId("unknown"), 1, (Slot(0, ANN, audio=True, video=False),)))
    sink(VoicesHeard(RoomId("r"), MAIN, (VoiceLevel(ANN, 20),)))
    stage.hall.media.close_peer(BOB)
    assert stage.plane.closed == [second]


async def test_what_is_shown_holds_for_the_next_peer(stage: Stage) -> None:
    """A watch goes to the present peer, and to one opened later, until the media is closed for good."""
    watch = Watch((Tile(ANN, 360, pinned=True),), others=4, others_height=180)
    stage.hall.media.watch(BOB, watch)
    assert stage.plane.watched == []
    stage.hall.media.offer(BOB, MediaOffer(1, "good"))
    stage.hall.media.offer(BOB, MediaOffer(2, "good"))
    stage.hall.media.watch(BOB, Watch((), 0, 0))
    (first, _), (second, _) = stage.plane.opened
    assert stage.plane.watched == [(first, watch), (second, watch), (second, Watch((), 0, 0))]
    stage.hall.media.close_peer(BOB)
    stage.hall.media.offer(BOB, MediaOffer(3, "good"))
    assert len(stage.plane.watched) == 3


async def test_a_peer_of_another_node_is_taken_over(stage: Stage) -> None:
    """Its client resumes here: slots go to it, and an end is told with the number of the offer it once made."""
    client, told = stage.arrive(BOB)
    stage.hall.media.remind(client)
    assert stage.plane.asked == [("adopt", BOB)]
    sink, peer = stage.plane.sinks[RoomId("r")], fresh_peer(41)
    slots = (Slot(0, ANN, audio=True, video=False),)
    sink(PeerAdopted(peer, BOB))
    sink(SlotsChanged(peer, 3, slots))
    sink(PeerClosed(peer, "moved"))
    assert told == [notice_frame(Slots(3, slots)), notice_frame(MediaLost("moved", 41))]


async def test_a_client_whose_peer_has_ended_meanwhile_is_told(stage: Stage) -> None:
    """Unless it has made a new offer before that is known."""
    client, told = stage.arrive(BOB)
    stage.hall.media.remind(client)
    stage.plane.sinks[RoomId("r")](PeerMissing(BOB))
    assert told == [notice_frame(MediaLost("closed", 0))]
    stage.hall.media.remind(client)
    stage.hall.media.offer(BOB, MediaOffer(1, "good"))
    stage.plane.sinks[RoomId("r")](PeerMissing(BOB))
    assert len(told) == 1


async def test_a_client_that_begins_anew_ends_its_earlier_peer(stage: Stage) -> None:
    """The one known here is closed; otherwise the plane is to look for it with the other nodes."""
    stage.hall.media.begin_anew(BOB)
    assert stage.plane.asked == [("dismiss", BOB)]
    stage.hall.media.offer(BOB, MediaOffer(1, "good"))
    stage.hall.media.begin_anew(BOB)
    assert stage.plane.closed == [stage.plane.opened[0][0]]
    assert len(stage.plane.asked) == 1


async def test_a_room_that_ends_gives_its_media_back(stage: Stage) -> None:
    """The plane forgets the room with the runner."""
    await stage.rooms.close()
    assert stage.plane.sinks == {}


# -- with the real media plane -----------------------------------------------------------------------------------------


async def test_an_offer_is_acknowledged_then_answered(venue: Venue) -> None:
    """Ok first, then `media_answer` with the number of the offer."""
    ann = await venue.join("ann", Role.MODERATOR)
    assert isinstance(await ann.send(MediaOffer(5, CHROMIUM)), Ok)
    await ann.until(lambda: bool(ann.notices))
    answer = ann.notices[0]
    assert isinstance(answer, MediaAnswer)
    assert answer.offer == 5
    assert answer.sdp.startswith("v=0")
    assert "a=ice-lite" in answer.sdp


async def test_a_second_tab_ends_the_media_of_the_first(venue: Venue) -> None:
    """Its peer is closed at once, without waiting for a timeout of ICE."""
    first = await venue.join("ann", Role.MODERATOR)
    await first.do(MediaOffer(1, CHROMIUM))
    desk = venue.server.gateway._halls[venue.room].media  # noqa: SLF001 - what the server knows of peers
    assert list(desk._peers) == [ANN]  # noqa: SLF001
    await venue.join("ann", Role.MODERATOR)
    await first.until(lambda: first.gone)
    assert first.disconnecting == DisconnectCode.SUPERSEDED
    assert desk._peers == {}  # noqa: SLF001


async def test_a_dead_worker_is_told_and_replaced(tmp_path: Path) -> None:
    """`media_lost` to its peers, `no_media` while there is none, and a new offer works after it is back."""
    async with Server(config(tmp_path)) as server:
        venue = Venue(server)
        ann = await venue.join("ann", Role.MODERATOR)
        await ann.do(MediaOffer(1, CHROMIUM))
        await ann.until(lambda: len(ann.notices) == 1)
        pid = server.local.pids[0]
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        await ann.until(lambda: len(ann.notices) == 2)
        assert ann.notices[1] == MediaLost("worker_lost", offer=1)
        assert code_of(await ann.send(MediaOffer(2, CHROMIUM))) == RejectCode.NO_MEDIA
        await server.local.until_ready()
        await ann.do(MediaOffer(3, CHROMIUM))
        await ann.until(lambda: len(ann.notices) == 3)
        assert isinstance(ann.notices[2], MediaAnswer)
        await venue.close()


async def test_a_weak_connection_is_told_to_its_own_client(venue: Venue) -> None:
    """Only to the one whose connection it is; what the client tells of its playback is counted."""
    ann, bob = await venue.join("ann", Role.MODERATOR), await venue.join("bob")
    await ann.do(MediaOffer(1, CHROMIUM))
    await ann.until(lambda: bool(ann.notices))
    desk = venue.server.gateway._halls[venue.room].media  # noqa: SLF001 - the plane calls it so
    report = QualityChanged(desk._peers[ANN].id, Quality.GOOD, Quality.WEAK, QualityReason.LOSS)  # noqa: SLF001
    desk._report(report)  # noqa: SLF001
    told = ConnectionQuality(Quality.GOOD, Quality.WEAK, QualityReason.LOSS)
    await ann.until(lambda: told in ann.notices)
    playback = Playback(freezes=1, frozen_ms=800, concealed_ms=40, played_ms=60_000)
    registry = venue.server.observatory.metrics.registry
    counted = [("holdspace_playback_seconds_total", {"what": what}) for what in ("frozen", "concealed", "played")]
    before = [registry.get_sample_value(*sample) or 0 for sample in counted]
    await ann.do(playback)
    await bob.do(playback)  # who has no media cannot have seen or heard any
    after = [registry.get_sample_value(*sample) or 0 for sample in counted]
    assert [now - then for now, then in zip(after, before, strict=True)] == pytest.approx([0.8, 0.04, 60])
    assert told not in bob.notices
