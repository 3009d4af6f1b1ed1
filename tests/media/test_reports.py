# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from aiortc.rtp import RtcpSrPacket

from server.media.rtcp import sender_report
from tests.media.circle import Circle, Encoding, Seat
from tests.media.offers import CAMERA_SSRC
from tests.media.packets import vp8


def reports(seat: Seat) -> list[RtcpSrPacket]:
    """Sender reports that came."""
    return [report for report in seat.reports if isinstance(report, RtcpSrPacket)]


def test_reports_go_on_once_a_second() -> None:
    """An encoder may send five; the newest counts for whoever begins meanwhile, who gets one at once."""
    circle = Circle()
    ana, bo, cleo = (circle.seat(name) for name in ("ana", "bo", "cleo"))
    camera = Encoding(ana, "", CAMERA_SSRC)
    circle.watch(bo.video(), ana.camera.layers[0])
    camera.send(vp8(keyframe=True))
    for step in range(20):
        circle.wait(200)
        ana.send_report(sender_report(CAMERA_SSRC, (1000 << 32) + step * (1 << 32) // 5, 3000 * step, 1, 1))
    assert len(reports(bo)) == 4
    circle.watch(cleo.video(), ana.camera.layers[0])
    circle.wait(20)
    camera.send(vp8(keyframe=True))
    (told,) = reports(cleo)
    before = reports(bo)[-1]
    passed = (told.sender_info.ntp_timestamp - before.sender_info.ntp_timestamp) / (1 << 32)
    assert 0 < passed < 1
