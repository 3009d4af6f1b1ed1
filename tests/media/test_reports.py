# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from aiortc.rtp import RtcpPsfbPacket, RtcpRrPacket, RtcpSdesPacket, RtcpSrPacket

from server.media.rtcp import SenderReport, picture_loss, receiver_report, sender_report
from tests.media.circle import Circle, Encoding, Seat
from tests.media.offers import CAMERA_SSRC, make_offer
from tests.media.packets import vp8


def reports(seat: Seat) -> list[RtcpSrPacket]:
    """Sender reports that came."""
    return [report for report in seat.reports if isinstance(report, RtcpSrPacket)]


def tell(seat: Seat, number: int, ssrc: int = CAMERA_SSRC) -> None:
    """A sender report of its publisher's encoder, 200 ms after the one before."""
    seat.send_report(sender_report(ssrc, (1000 << 32) + number * (1 << 32) // 5, 3000 * number, 1, 1))


def test_reports_go_on_with_the_next_of_the_subscriber() -> None:
    """The first at once, and of five that an encoder sends in a second the newest; nothing new, nothing sent."""
    circle = Circle()
    ana, bo, cleo = (circle.seat(name) for name in ("ana", "bo", "cleo"))
    camera = Encoding(ana, "", CAMERA_SSRC)
    circle.watch(bo.video(), ana.camera.layers[0])
    camera.send(vp8(keyframe=True))
    for step in range(20):
        circle.wait(200)
        tell(ana, step)
        if step % 5 == 4:
            bo.peer.send_sender_reports(circle.now_ns)
    assert len(reports(bo)) == 5
    bo.peer.send_sender_reports(circle.now_ns)
    assert len(reports(bo)) == 5
    circle.watch(cleo.video(), ana.camera.layers[0])
    circle.wait(20)
    camera.send(vp8(keyframe=True))
    (told,) = reports(cleo)
    before = reports(bo)[-1]
    passed = (told.sender_info.ntp_timestamp - before.sender_info.ntp_timestamp) / (1 << 32)
    assert 0 < passed < 1


def test_all_reports_of_a_subscriber_are_one_datagram() -> None:
    """However many people are in the slots: an empty receiver report, then each line's own (RFC 3550 section 6.1)."""
    circle = Circle()
    bo = circle.seat("bo", 30)
    for index in range(30):
        publisher = circle.seat(f"p{index}")
        layer = publisher.camera.layers[0]
        circle.watch(bo.video(index), layer)
        Encoding(publisher, "", CAMERA_SSRC).send(vp8(keyframe=True))
        layer.report = SenderReport((1000 << 32) + index, 0, circle.now_ns)
    bo.peer.send_sender_reports(circle.now_ns)
    assert [type(report) for report in bo.reports[:2]] == [RtcpRrPacket, RtcpSrPacket]
    assert [report.ssrc for report in reports(bo)] == [bo.video(index).rewriter.ssrc for index in range(30)]
    assert bo.reports.count(bo.reports[0]) == 1


def test_feedback_comes_in_a_compound_packet_unless_less_is_allowed() -> None:
    """RFC 5506 section 4: `a=rtcp-rsize` in each section, or a report and a name come first (RFC 3550 section 6.1)."""
    circle, whole = Circle(), make_offer()
    strict = whole.replace("a=rtcp-rsize\n", "", 1)
    for offer, kinds in ((whole, [RtcpPsfbPacket]), (strict, [RtcpRrPacket, RtcpSdesPacket, RtcpPsfbPacket])):
        seat = Seat(circle, "ana", offer)
        assert seat.peer.send_rtcp(picture_loss(seat.peer.ssrc, CAMERA_SSRC))
        assert [type(report) for report in seat.reports] == kinds
        assert {report.ssrc for report in seat.reports if isinstance(report, RtcpRrPacket)} <= {seat.peer.ssrc}
        before = len(seat.reports)
        assert seat.peer.send_rtcp(receiver_report(seat.peer.ssrc, []))
        assert len(seat.reports) == before + 1
