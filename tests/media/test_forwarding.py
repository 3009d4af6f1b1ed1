# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import secrets

import pytest

from server.ids import MAIN, ParticipantId, Placement
from server.media.channel import (
    PeerAnswered,
    SetRoutes,
    Slot,
    SlotsChanged,
    VoicesHeard,
)
from server.media.vp8 import read_vp8
from tests.media.offers import CAMERA_RTX_SSRC, MICROPHONE_SSRC, MID_ID, OPUS, VP8
from tests.media.packets import rtp, vp8
from tests.media.peer import RawPeer
from tests.media.stage import ROOM, Stage, group
from tests.media.waiting import until

pytestmark = pytest.mark.usefixtures("packet_path")


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


async def test_a_move_changes_the_person_in_the_only_slot_and_nothing_else(stage: Stage) -> None:
    """Same SSRCs, next sequence numbers, no new answer, nothing of the room left behind."""
    ana, bo, cleo = await stage.join("ana", "bo", "cleo", slots=1)
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
    assert read_vp8(after.payload).picture_id == 10
    assert after.payload[6:] == b"cleo" * 9
    assert sum(isinstance(message, PeerAnswered) for message in stage.said) == answers
    told = stage.last(SlotsChanged, "bo")
    assert told is not None
    assert [slot.source for slot in told.slots] == ["cleo"]
    assert ana.packets == []


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


async def test_streams_are_told_by_extensions_of_two_bytes(stage: Stage) -> None:
    """RFC 8285 section 4.3: a client with many extensions has ids above 14; camera and screen share their format."""
    (bo,) = await stage.join("bo")
    ana = RawPeer("ana", with_ssrcs=False)
    ana.offer = ana.offer.replace("a=extmap:4 ", "a=extmap:255 ") + "a=extmap-allow-mixed\n"
    stage.peers.append(ana)
    await ana.connect(stage.open(ana).sdp)
    stage.route(group("ana", "bo", video="ana"))
    for number, mid in enumerate((b"2", b"1"), 1):
        picture = vp8(number, keyframe=True)
        extensions = [(200, b""), (255, mid), (17, bytes(20))]
        ana.send_packet(rtp(number, ssrc=number, payload_type=VP8, payload=picture, marker=True, extensions=extensions))
    await bo.until(lambda: len(bo.seen()) == 1)
    assert bo.seen()[0].payload[-10:] == vp8(2, keyframe=True)[-10:]


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


async def test_older_routes_are_ignored(stage: Stage) -> None:
    """A revision from before the present one changes nothing."""
    ana, bo = await stage.join("ana", "bo")
    stage.revision = 5
    stage.route(group("ana", "bo"))
    stage.service.apply(SetRoutes(room=ROOM, revision=5, groups=()))
    ana.speak(b"still")
    await bo.until(lambda: bo.heard() == [b"still"])
