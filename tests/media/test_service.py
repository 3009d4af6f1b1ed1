# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import asyncio
import secrets
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeVar

import pytest
from aiortc.rtp import RtcpPsfbPacket, RtcpRrPacket, RtcpSrPacket, unpack_remb_fci

from server.ids import MAIN, ParticipantId, PeerId, Placement, RoomId
from server.media import ice, service
from server.media.channel import (
    ClosePeer,
    CloseRoom,
    FromWorker,
    OpenPeer,
    PeerAnswered,
    PeerClosed,
    PeerConnected,
    PeerRefused,
    SetRoutes,
    Slot,
    SlotsChanged,
    VoicesHeard,
    WorkerReady,
)
from server.media.rtcp import negative_acknowledgement, picture_loss, sender_report
from server.media.rtp import Packet, Vp8
from server.media.service import MediaService
from server.rooms.routes import RouteGroup
from tests.media.offers import CAMERA_RTX_SSRC, CAMERA_SSRC, MICROPHONE_SSRC, MID_ID, OPUS, RTX
from tests.media.packets import rtp, vp8
from tests.media.peer import RawPeer
from tests.media.waiting import until

ROOM = RoomId("room")
M = TypeVar("M")


class Stage:
    """A media service on loopback and the participants in it."""

    def __init__(self) -> None:
        self.said: list[FromWorker] = []
        self.service = MediaService(self.said.append, ("127.0.0.1",), 0)
        self.peers: list[RawPeer] = []
        self.revision = 0
        self.service.start()

    def open(self, peer: RawPeer) -> PeerAnswered:
        """Offer and answer."""
        self.service.apply(
            OpenPeer(peer=PeerId(f"p-{peer.name}"), room=ROOM, participant=ParticipantId(peer.name), sdp=peer.offer)
        )
        return next(m for m in reversed(self.said) if isinstance(m, PeerAnswered))

    async def join(self, *names: str, slots: int = 2, with_ssrcs: bool = True) -> list[RawPeer]:
        """Participants, connected."""
        joined = [RawPeer(name, slots, with_ssrcs=with_ssrcs) for name in names]
        for peer in joined:
            self.peers.append(peer)
            await peer.connect(self.open(peer).sdp)
            await until(lambda name=peer.name: self.last(PeerConnected, name))  # type: ignore[misc]
        return joined

    def route(self, *groups: RouteGroup) -> None:
        """The next routes."""
        self.revision += 1
        self.service.apply(SetRoutes(room=ROOM, revision=self.revision, groups=groups))

    def last(self, kind: type[M], name: str) -> M | None:
        """The last message of a kind about this participant's peer."""
        found = [m for m in self.said if isinstance(m, kind) and getattr(m, "peer", "") == f"p-{name}"]
        return found[-1] if found else None

    async def settled(self) -> None:
        """Everything sent before this has been handled: one more datagram went in and out."""
        # Loopback UDP and the loop keep order, so an answered check is behind everything sent before it.
        for peer in self.peers:
            peer.arrived.clear()
            peer.check()
            await asyncio.wait_for(peer.arrived.wait(), 5)
        await asyncio.sleep(0.02)


def group(*members: str, audio: str | None = None, video: str | None = None, placement: Placement = MAIN) -> RouteGroup:
    """One placement; by default everyone is heard and seen. Names are words in one string."""
    return RouteGroup(
        placement=placement,
        members=tuple(map(ParticipantId, members)),
        audio=tuple(map(ParticipantId, members if audio is None else audio.split())),
        video=tuple(map(ParticipantId, members if video is None else video.split())),
    )


@asynccontextmanager
async def staged() -> AsyncIterator[Stage]:
    """Up, and down without anything left behind."""
    made = Stage()
    try:
        yield made
    finally:
        for peer in made.peers:
            await peer.close()
        await made.service.close()


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    """A stage for one test."""
    async with staged() as made:
        yield made


async def test_voice_and_picture_reach_the_other(stage: Stage) -> None:
    """Payloads arrive as they were sent, under the SSRCs of the slot, without the sender's extensions."""
    ana, bo = await stage.join("ana", "bo")
    stage.route(group("ana", "bo"))
    ana.speak(b"hello")
    picture = vp8(5, keyframe=True, body=secrets.token_bytes(900))
    ana.show(picture)
    await bo.until(lambda: len(bo.packets) == 2)
    assert bo.heard() == [b"hello"]
    assert [packet.payload for packet in bo.seen()] == [picture]
    assert all(not packet.extensions for packet in bo.packets)
    await stage.settled()
    assert ana.packets == []


async def test_the_slot_is_told_before_its_first_packet(stage: Stage) -> None:
    """SlotsChanged stands in the channel when the packet is only being sent."""
    ana, bo = await stage.join("ana", "bo")
    stage.route(group("ana", "bo"))
    told = stage.last(SlotsChanged, "bo")
    assert told is not None
    assert told.slots == (Slot(index=0, source=ParticipantId("ana"), audio=True, video=True),)
    assert told.revision == 1
    assert bo.packets == []
    ana.speak(b"first")
    await bo.until(lambda: bo.heard() == [b"first"])


async def test_a_muted_voice_stops_whatever_the_client_does(stage: Stage) -> None:
    """Nothing of the microphone is forwarded, the picture is; unmuted, it starts with what is new."""
    ana, bo = await stage.join("ana", "bo")
    stage.route(group("ana", "bo"))
    ana.speak(b"heard")
    ana.show(vp8(keyframe=True))
    await bo.until(lambda: len(bo.packets) == 2)
    stage.route(group("ana", "bo", audio="bo"))
    for _ in range(20):
        ana.speak(b"not heard")
    ana.show(vp8(2))
    await bo.until(lambda: len(bo.seen()) == 2)
    await stage.settled()
    assert bo.heard() == [b"heard"]
    stage.route(group("ana", "bo"))
    ana.speak(b"again")
    await bo.until(lambda: len(bo.heard()) == 2)
    numbers = [packet.sequence for packet in bo.packets if packet.ssrc == bo.slot_ssrcs[0][0]]
    assert bo.heard()[1] == b"again"
    assert numbers[1] - numbers[0] & 0xFFFF == 1


async def test_a_picture_that_may_not_be_seen_stops(stage: Stage) -> None:
    """Camera off by a moderator: the voice goes on, the picture does not, keyframes or not."""
    ana, bo = await stage.join("ana", "bo")
    stage.route(group("ana", "bo", video="bo"))
    ana.show(vp8(keyframe=True))
    ana.speak(b"voice")
    await bo.until(lambda: bo.heard() == [b"voice"])
    await stage.settled()
    assert bo.seen() == []
    told = stage.last(SlotsChanged, "bo")
    assert told is not None
    assert [(slot.audio, slot.video) for slot in told.slots] == [(True, False)]


async def test_a_move_changes_the_person_in_the_slot_and_nothing_else(stage: Stage) -> None:
    """Same SSRCs, next sequence numbers, no new answer, nothing of the room left behind."""
    ana, bo, cleo = await stage.join("ana", "bo", "cleo")
    b1, b2 = Placement("b1"), Placement("b2")
    stage.route(group("ana", "bo", placement=b1), group("cleo", placement=b2))
    ana.speak(b"ana")
    ana.show(vp8(9, keyframe=True, body=b"ana" * 9))
    await bo.until(lambda: len(bo.packets) == 2)
    answers = sum(isinstance(message, PeerAnswered) for message in stage.said)
    stage.route(group("ana", placement=b1), group("cleo", "bo", placement=b2))
    ana.speak(b"ana")
    ana.show(vp8(10))
    cleo.show(vp8(700, keyframe=True, body=b"cleo" * 9))
    cleo.speak(b"cleo")
    await bo.until(lambda: len(bo.packets) == 4)
    await stage.settled()
    assert bo.heard() == [b"ana", b"cleo"]
    before, after = bo.seen()
    assert after.sequence - before.sequence & 0xFFFF == 1
    assert Vp8(after.payload).picture_id == 10
    assert after.payload[6:] == b"cleo" * 9
    assert sum(isinstance(message, PeerAnswered) for message in stage.said) == answers
    told = stage.last(SlotsChanged, "bo")
    assert told is not None
    assert [slot.source for slot in told.slots] == ["cleo"]
    assert ana.packets == []


async def test_a_switch_asks_for_a_keyframe_and_waits_for_it(stage: Stage) -> None:
    """The publisher is asked at once and again while the slot waits; nothing is shown that cannot be decoded."""
    ana, bo = await stage.join("ana", "bo")
    ana.show(vp8(keyframe=True))
    await stage.settled()
    stage.route(group("ana", "bo"))
    await ana.until(lambda: len(_losses(ana)) == 1)
    for picture in range(2, 5):
        ana.show(vp8(picture))
    await ana.until(lambda: len(_losses(ana)) == 2)
    assert bo.packets == []
    ana.show(vp8(6, keyframe=True))
    await bo.until(lambda: len(bo.seen()) == 1)


async def test_many_subscribers_make_one_request(stage: Stage) -> None:
    """Ten PLIs of subscribers within a moment: one is passed on, and one more at most if the moment was long."""
    ana, bo, cleo = await stage.join("ana", "bo", "cleo")
    stage.route(group("ana", "bo", "cleo", video="ana"))
    ana.show(vp8(keyframe=True))
    await bo.until(lambda: len(bo.seen()) == 1)
    before = len(_losses(ana))
    for subscriber in (bo, cleo):
        for _ in range(5):
            subscriber.send_report(picture_loss(1, subscriber.slot_ssrcs[0][1]))
    await ana.until(lambda: len(_losses(ana)) > before)
    await stage.settled()
    ana.show(vp8(2, keyframe=True))
    await asyncio.sleep(0.4)
    assert len(_losses(ana)) <= before + 2


def _losses(peer: RawPeer) -> list[RtcpPsfbPacket]:
    return [r for r in peer.reports if isinstance(r, RtcpPsfbPacket) and r.fmt == 1 and r.media_ssrc == CAMERA_SSRC]


async def test_foreign_sources_and_further_tracks_are_dropped(stage: Stage) -> None:
    """Only the SSRCs of the offer (or latched by MID, once) with their payload type are forwarded."""
    ana, bo = await stage.join("ana", "bo")
    stage.route(group("ana", "bo"))
    ana.speak(b"foreign", ssrc=4242)
    mid = [(MID_ID, b"0")]
    ana.send_packet(rtp(1, ssrc=4243, payload_type=OPUS, payload=b"second microphone", extensions=mid))
    ana.send_packet(rtp(1, ssrc=4244, payload_type=OPUS, payload=b"no such line", extensions=[(MID_ID, b"77")]))
    ana.send_packet(rtp(1, ssrc=MICROPHONE_SSRC, payload_type=9, payload=b"other codec"))
    ana.send_packet(rtp(1, ssrc=4245, payload_type=96, payload=vp8(keyframe=True), extensions=[(MID_ID, b"2")]))
    ana.send_packet(rtp(1, ssrc=CAMERA_RTX_SSRC, payload_type=96, payload=vp8(keyframe=True)))
    ana.speak(b"own")
    await bo.until(lambda: b"own" in bo.heard())
    await stage.settled()
    assert [packet.payload for packet in bo.packets] == [b"own"]


async def test_a_source_without_ssrc_lines_is_known_by_its_mid(stage: Stage) -> None:
    """The first SSRC with the MID of a line is that line's; another one later is foreign."""
    ana, bo = await stage.join("ana", "bo", with_ssrcs=False)
    stage.route(group("ana", "bo"))
    for ssrc, payload in ((71, b"first"), (72, b"foreign")):
        ana.send_packet(rtp(5, ssrc=ssrc, payload_type=OPUS, payload=payload, extensions=[(MID_ID, b"0")]))
    ana.send_packet(rtp(6, ssrc=71, payload_type=OPUS, payload=b"second"))
    await bo.until(lambda: len(bo.heard()) == 2)
    await stage.settled()
    assert bo.heard() == [b"first", b"second"]


async def test_a_replayed_and_a_repeated_packet_go_out_once(stage: Stage) -> None:
    """The same datagram again, and the same packet again by RTX: one packet for the subscriber."""
    ana, bo = await stage.join("ana", "bo")
    stage.route(group("ana", "bo"))
    picture = vp8(keyframe=True)
    number = ana.show(picture)
    ana.send_packet(
        rtp(9, timestamp=3000 * number, ssrc=CAMERA_RTX_SSRC, payload_type=RTX, payload=number.to_bytes(2) + picture)
    )
    replayed = ana.dtls._tx_srtp.protect(rtp(number + 1, ssrc=CAMERA_SSRC, payload_type=96, payload=vp8(2)))  # noqa: SLF001
    for _ in range(3):
        ana.send(replayed)
    await bo.until(lambda: len(bo.seen()) == 2)
    await stage.settled()
    assert len(bo.seen()) == 2


async def test_a_lost_packet_is_asked_for_and_recovered_by_rtx(stage: Stage) -> None:
    """NACK towards the publisher; its retransmission fills the hole at the subscriber."""
    ana, bo = await stage.join("ana", "bo")
    stage.route(group("ana", "bo"))
    lost = ana.show(vp8(1, keyframe=True)) + 1
    ana.send_packet(rtp(lost + 1, ssrc=CAMERA_SSRC, payload_type=96, payload=vp8(3)))
    await ana.until(lambda: any(getattr(report, "lost", []) == [lost] for report in ana.reports))
    ana.send_packet(rtp(1, ssrc=CAMERA_RTX_SSRC, payload_type=RTX, payload=lost.to_bytes(2) + vp8(2)))
    await bo.until(lambda: len(bo.seen()) == 3)
    numbers = sorted(packet.sequence for packet in bo.seen())
    assert numbers[2] - numbers[0] == 2


async def test_a_subscriber_gets_again_what_it_missed_of_the_present_person_only(stage: Stage) -> None:
    """Trap 2: after the switch a number from before it is not served."""
    ana, bo, cleo = await stage.join("ana", "bo", "cleo", slots=1)
    stage.route(group("ana", "bo"))
    ana.show(vp8(1, keyframe=True, body=b"ana"))
    await bo.until(lambda: len(bo.seen()) == 1)
    line, old = bo.slot_ssrcs[0][1], bo.seen()[0].sequence
    bo.send_report(negative_acknowledgement(1, line, [old]))
    await bo.until(lambda: len(_repeats(bo)) == 1)
    assert _repeats(bo)[0].payload == old.to_bytes(2) + bo.seen()[0].payload
    stage.route(group("cleo", "bo"))
    cleo.show(vp8(1, keyframe=True, body=b"cleo"))
    await bo.until(lambda: len(bo.seen()) == 2)
    bo.send_report(negative_acknowledgement(1, line, [old, old + 1]))
    await bo.until(lambda: len(_repeats(bo)) == 2)
    await stage.settled()
    assert [packet.payload[-4:] for packet in _repeats(bo)[1:]] == [b"cleo"]


def _repeats(peer: RawPeer) -> list[Packet]:
    return [packet for packet in peer.packets if packet.payload_type == RTX]


async def test_reports_keep_lips_in_sync(stage: Stage) -> None:
    """Voice and picture get one NTP offset, and RTP times in the numbers of the slot."""
    ana, bo = await stage.join("ana", "bo")
    stage.route(group("ana", "bo"))
    ana.speak(b"x")
    ana.show(vp8(keyframe=True))
    await bo.until(lambda: len(bo.packets) == 2)
    # The publisher says: both of these packets were taken at its second 1000 sharp.
    ana.send_report(sender_report(MICROPHONE_SSRC, 1000 << 32, 960 * 101, 1, 1))
    ana.send_report(sender_report(CAMERA_SSRC, 1000 << 32, 3000 * 101, 1, 1))
    await bo.until(lambda: len([r for r in bo.reports if isinstance(r, RtcpSrPacket)]) == 2)
    reports = {r.ssrc: r.sender_info for r in bo.reports if isinstance(r, RtcpSrPacket)}
    for kind, (line, rate) in enumerate(zip(bo.slot_ssrcs[0], (48_000, 90_000), strict=True)):
        sent = next(packet for packet in bo.packets if packet.ssrc == line)
        behind = (reports[line].rtp_timestamp - sent.timestamp & 0xFFFFFFFF) / rate
        assert 0 <= behind < 0.5, kind
    spread = reports[bo.slot_ssrcs[0][0]].ntp_timestamp - reports[bo.slot_ssrcs[0][1]].ntp_timestamp
    assert abs(spread) / (1 << 32) < 0.5


async def test_publishers_get_reports_and_an_estimate(stage: Stage) -> None:
    """Once a second: what came, and what the encoder may send; without them Chromium stays at its start."""
    (ana,) = await stage.join("ana")
    ana.speak(b"x")
    ana.show(vp8(keyframe=True))
    await ana.until(lambda: any(isinstance(report, RtcpRrPacket) for report in ana.reports))
    report = next(report for report in ana.reports if isinstance(report, RtcpRrPacket))
    assert {block.ssrc for block in report.reports} == {MICROPHONE_SSRC, CAMERA_SSRC}
    estimate = next(r for r in ana.reports if isinstance(r, RtcpPsfbPacket) and r.fmt == 15)
    bits, ssrcs = unpack_remb_fci(estimate.fci)
    assert bits > 1_000_000
    assert ssrcs == [CAMERA_SSRC]


async def test_voices_are_told_for_those_who_may_be_heard(stage: Stage) -> None:
    """The loudest level since the last report; the muted are not even listened to."""
    ana, bo = await stage.join("ana", "bo")
    stage.route(group("ana", "bo", audio="ana"))
    for level in (60, 12, 90):
        ana.speak(b"x", level=level)
        bo.speak(b"x", level=1)
    heard = await until(lambda: next((m for m in stage.said if isinstance(m, VoicesHeard)), None))
    assert (heard.room, heard.placement) == (ROOM, MAIN)
    assert [(level.participant, level.level) for level in heard.levels] == [("ana", 12)]


async def test_who_is_named_but_no_member_is_not_forwarded(stage: Stage) -> None:
    """Being listed as heard and seen in a group of others is not enough: a source must be a member there."""
    ana, bo, cleo = await stage.join("ana", "bo", "cleo")
    b1, b2 = Placement("b1"), Placement("b2")
    stage.route(group("ana", "cleo", placement=b1), group("bo", audio="ana bo cleo", video="ana bo cleo", placement=b2))
    ana.speak(b"elsewhere")
    await cleo.until(lambda: cleo.heard() == [b"elsewhere"])
    await stage.settled()
    assert bo.packets == []


async def test_a_camera_that_is_off_is_left_alone(stage: Stage) -> None:
    """No keyframe is asked of a source that never sent, and the first packet without one asks at once."""
    ana, bo = await stage.join("ana", "bo", with_ssrcs=False)
    stage.route(group("ana", "bo"))
    await asyncio.sleep(0.7)
    assert stage.service.forwarder.keyframe_requests == 0
    ana.send_packet(rtp(5, ssrc=CAMERA_SSRC, payload_type=96, payload=vp8(), extensions=[(MID_ID, b"1")]))
    await ana.until(lambda: len(_losses(ana)) == 1, 0.3)
    assert bo.packets == []


async def test_older_routes_are_ignored(stage: Stage) -> None:
    """A revision from before the present one changes nothing."""
    ana, bo = await stage.join("ana", "bo")
    stage.revision = 5
    stage.route(group("ana", "bo"))
    stage.service.apply(SetRoutes(room=ROOM, revision=5, groups=()))
    ana.speak(b"still")
    await bo.until(lambda: bo.heard() == [b"still"])


async def test_one_peer_for_each_participant(stage: Stage) -> None:
    """A second offer of the same person closes the first connection and takes its place in the routes."""
    ana, bo = await stage.join("ana", "bo")
    stage.route(group("ana", "bo"))
    again = RawPeer("ana")
    stage.peers.append(again)
    reply = stage.open(again)
    closed = stage.last(PeerClosed, "ana")
    assert closed is not None
    assert closed.reason == "replaced"
    await again.connect(reply.sdp)
    ana.speak(b"old")
    again.speak(b"new")
    await bo.until(lambda: len(bo.heard()) == 1)
    assert bo.heard() == [b"new"]


async def test_a_closed_peer_neither_sends_nor_receives(stage: Stage) -> None:
    """From the message on, and the others' slots are free again."""
    ana, bo = await stage.join("ana", "bo")
    stage.route(group("ana", "bo"))
    stage.service.apply(ClosePeer(peer=PeerId("p-ana")))
    told = stage.last(SlotsChanged, "bo")
    assert told is not None
    assert told.slots == ()
    ana.speak(b"late")
    await asyncio.sleep(0.05)
    assert bo.packets == []


async def test_a_closed_room_is_empty(stage: Stage) -> None:
    """Every peer of it is told closed."""
    await stage.join("ana", "bo")
    stage.route(group("ana", "bo"))
    stage.service.apply(CloseRoom(room=ROOM))
    closed = [stage.last(PeerClosed, name) for name in ("ana", "bo")]
    assert [message.reason for message in closed if message] == ["closed", "closed"]


async def test_goodbye_by_dtls_closes_the_peer(stage: Stage) -> None:
    """A page that closes its connection is gone at once, not after 30 s."""
    (ana,) = await stage.join("ana")
    await ana.close()
    closed = await until(lambda: stage.last(PeerClosed, "ana"))
    assert closed.reason == "dtls_closed"


async def test_silence_closes_the_peer(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """No check for the time of consent: nothing more is sent to that address (RFC 7675)."""
    monkeypatch.setattr(ice, "CONSENT_MS", 300)
    (ana,) = await stage.join("ana")
    await ana.close(say_goodbye=False)
    closed = await until(lambda: stage.last(PeerClosed, "ana"))
    assert closed.reason == "consent_expired"


async def test_a_handshake_that_never_comes_is_given_up(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A peer that only answered the offer does not stay for ever."""
    monkeypatch.setattr(service, "HANDSHAKE_S", 0.1)
    stage.open(RawPeer("ana"))
    closed = await until(lambda: stage.last(PeerClosed, "ana"))
    assert closed.reason == "dtls_closed"


async def test_a_bad_offer_is_refused_with_a_word(stage: Stage) -> None:
    """And an offer with no codec of ours has nothing to talk about."""
    for sdp, reason in (("rubbish", "malformed"), (RawPeer("x").offer.replace("opus", "speex"), None)):
        stage.service.apply(OpenPeer(peer=PeerId("p-bad"), room=ROOM, participant=ParticipantId("bad"), sdp=sdp))
        refused = stage.last(PeerRefused, "bad")
        assert refused is not None
        assert refused.reason == reason or reason is None
    plain = RawPeer("x").offer.replace("opus", "speex").replace("VP8/", "H264/")
    stage.service.apply(OpenPeer(peer=PeerId("p-none"), room=ROOM, participant=ParticipantId("none"), sdp=plain))
    refused = stage.last(PeerRefused, "none")
    assert refused is not None
    assert refused.reason == "no_common_codec"


async def test_an_off_path_spray_does_not_stop_handshakes(stage: Stage) -> None:
    """ClientHellos, media and rubbish from addresses that were never checked: 8 of 8 handshakes succeed."""
    port = next(message for message in stage.said if isinstance(message, WorkerReady)).port
    hello = bytes.fromhex("16feff0000000000000000") + (120).to_bytes(2) + b"\x01" + secrets.token_bytes(119)
    spraying = True

    async def spray() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            while spraying:
                for data in (hello, rtp(1), secrets.token_bytes(60), b"\x00", b"\x00\x01" + bytes(18)):
                    sock.sendto(data, ("127.0.0.1", port))
                await asyncio.sleep(0.001)

    attack = asyncio.create_task(spray())
    joined = await stage.join(*(f"person{number}" for number in range(8)))
    spraying = False
    await attack
    assert len(joined) == 8
    stage.route(group("person0", "person1"))
    joined[0].speak(b"clear")
    await joined[1].until(lambda: joined[1].heard() == [b"clear"])


async def test_junk_from_a_checked_address_is_dropped(stage: Stage) -> None:
    """Rubbish of every first byte, and forged media, by someone who is let in: counted, nothing else."""
    ana, bo = await stage.join("ana", "bo")
    stage.route(group("ana", "bo"))
    for first in range(256):
        ana.send(bytes([first]) + secrets.token_bytes(50))
    for header in (b"\x81\xca\xff\xff", b"\xbf\xcd\x00\x01", b"\x9f\xc9\x00\x01", b"\x8f\xce\x00\x02"):
        ana.send_report(header + bytes(8))
    ana.send_packet(rtp(1, ssrc=MICROPHONE_SSRC, payload_type=OPUS, payload=b""))
    ana.send_packet(rtp(1, ssrc=CAMERA_SSRC, payload_type=96, payload=b""))
    ana.send_packet(rtp(2, ssrc=CAMERA_SSRC, payload_type=96, payload=b"\xff"))
    ana.speak(b"fine")
    await bo.until(lambda: b"fine" in bo.heard())
    assert stage.service.forwarder.dropped > 0


async def test_nothing_is_left_after_everyone_went(stage: Stage) -> None:
    """No task, no address, no user fragment."""
    before = len(asyncio.all_tasks())
    ana, bo = await stage.join("ana", "bo")
    stage.route(group("ana", "bo"))
    for peer in (ana, bo):
        await peer.close()
    await until(lambda: stage.last(PeerClosed, "ana") and stage.last(PeerClosed, "bo"))
    stage.service.apply(CloseRoom(room=ROOM))
    await asyncio.sleep(0.05)
    assert len(asyncio.all_tasks()) == before
    held = vars(stage.service.forwarder.ice)
    assert all(not table for table in held.values())
