# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import asyncio

import pytest
from aiortc.rtp import RtcpPsfbPacket, RtcpRrPacket, RtcpSrPacket, unpack_remb_fci

from server.media.forwarder import MAX_FEEDBACK
from server.media.line import Line
from server.media.rtcp import negative_acknowledgement, picture_loss, sender_report
from server.media.rtp import Packet
from tests.media.offers import CAMERA_RTX_SSRC, CAMERA_SSRC, MICROPHONE_SSRC, MID_ID, RTX
from tests.media.packets import rtp, vp8
from tests.media.peer import RawPeer
from tests.media.stage import Stage, group

pytestmark = pytest.mark.usefixtures("packet_path")


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


async def test_a_full_intra_request_may_name_several(stage: Stage) -> None:
    """RFC 5104 section 4.3.1: each entry is for a stream of its own, also if the first one is for nobody's."""
    ana, bo = await stage.join("ana", "bo")
    stage.route(group("ana", "bo", video="ana"))
    ana.show(vp8(keyframe=True))
    await bo.until(lambda: len(bo.seen()) == 1)
    before = len(_losses(ana))
    entries = b"".join(ssrc.to_bytes(4) + bytes(4) for ssrc in (77, bo.slot_ssrcs[0][1]))
    bo.send_report(bytes(RtcpPsfbPacket(fmt=4, ssrc=1, media_ssrc=0, fci=entries)))
    await ana.until(lambda: len(_losses(ana)) > before)


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


async def test_a_camera_that_is_off_is_left_alone(stage: Stage) -> None:
    """No keyframe is asked of a source that never sent, and the first packet without one asks at once."""
    ana, bo = await stage.join("ana", "bo", with_ssrcs=False)
    stage.route(group("ana", "bo"))
    await asyncio.sleep(0.7)
    assert stage.service.forwarder.keyframe_requests == 0
    ana.send_packet(rtp(5, ssrc=CAMERA_SSRC, payload_type=96, payload=vp8(), extensions=[(MID_ID, b"1")]))
    await ana.until(lambda: len(_losses(ana)) == 1, 0.3)
    assert bo.packets == []


async def test_many_reports_in_one_datagram_go_out_once(stage: Stage) -> None:
    """A publisher cannot multiply its traffic: one datagram makes one report for each subscriber."""
    ana, bo = await stage.join("ana", "bo")
    stage.route(group("ana", "bo"))
    ana.show(vp8(keyframe=True))
    await bo.until(lambda: len(bo.seen()) == 1)
    ana.send_report(sender_report(CAMERA_SSRC, 1000 << 32, 3000, 1, 1) * 40)
    await bo.until(lambda: any(isinstance(report, RtcpSrPacket) for report in bo.reports))
    await stage.settled()
    assert len([report for report in bo.reports if isinstance(report, RtcpSrPacket)]) == 1


async def test_what_one_datagram_asks_for_is_bounded(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forty NACKs for sixty packets each cost no more than a long list that is honest."""
    ana, bo = await stage.join("ana", "bo")
    stage.route(group("ana", "bo"))
    ana.show(vp8(keyframe=True))
    await bo.until(lambda: len(bo.seen()) == 1)
    asked: list[int] = []

    def counted(_: Line, sequence: int, __: int) -> bool:
        asked.append(sequence)
        return False

    monkeypatch.setattr(Line, "resend", counted)
    bo.send_report(negative_acknowledgement(1, bo.slot_ssrcs[0][1], list(range(60))) * 40)
    await stage.settled()
    assert 60 <= len(asked) <= MAX_FEEDBACK
