# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from aiortc.rtp import RtcpReceiverInfo, RtcpRrPacket, RtcpSrPacket

from server.media.rtcp import ntp_units, sender_report
from server.media.statistics import Observer, Reported
from server.ports import PauseReason
from tests.media.circle import MS, Circle, Encoding
from tests.media.offers import CAMERA_SSRC
from tests.media.packets import vp8

SECOND_NTP = 1 << 32


def block(ssrc: int, *, fraction_lost: int = 0, lsr: int = 0, dlsr: int = 0) -> RtcpReceiverInfo:
    """A report block about one of our lines."""
    return RtcpReceiverInfo(ssrc, fraction_lost, 0, 0, 0, lsr, dlsr)


def test_the_round_trip_is_what_is_left_of_the_way_of_a_report() -> None:
    """Now, less when our report left, less what the client kept it (RFC 3550, 6.4.1)."""
    reported = Reported()
    now_ntp = 1_000 * SECOND_NTP
    left = now_ntp - SECOND_NTP // 2
    reported.add([block(1, lsr=left >> 16 & 0xFFFFFFFF, dlsr=65_536 // 4)], now_ntp)
    assert reported.rtt_ms == pytest.approx(250, abs=1)


def test_a_report_from_before_the_first_of_ours_tells_no_round_trip() -> None:
    """LSR 0 means that the client had no report of ours yet."""
    reported = Reported()
    reported.add([block(1)], 5 * SECOND_NTP)
    assert reported.rtt_ms == 0


def test_loss_is_told_once() -> None:
    """The mean of the blocks since the last look."""
    reported = Reported()
    reported.add([block(1, fraction_lost=64), block(2, fraction_lost=0)], 0)
    assert reported.take_loss() == 0.125
    assert reported.take_loss() == 0


def test_what_is_sent_and_got_is_counted() -> None:
    """Layers of the publisher, slots of the subscriber, with what is shown and why not."""
    circle = Circle()
    ana, ben = circle.seat("ana", rids=("q", "h")), circle.seat("ben")
    circle.watch(ben.video(0), ana.camera.layers[0])
    ben.video(0).height = 180
    encoding = Encoding(ana, "q", 77)
    for number in range(5):
        encoding.send(vp8(number, keyframe=number == 0))
        circle.wait(50)
    publisher = Observer(ana.peer).stats(circle.now_ns)
    (layer,) = publisher.layers
    assert (layer.line, layer.rid, layer.packets, layer.lost, layer.keyframes, layer.subscribers) == (
        "camera", "q", 5, 0, 1, 1
    )  # fmt: skip
    assert layer.bitrate_bps > 0
    (slot,) = Observer(ben.peer).stats(circle.now_ns).slots
    assert (slot.index, slot.layer, slot.wanted_height, slot.video_packets, slot.paused) == (0, 0, 180, 5, None)
    ben.video(0).choose(None)
    ben.video(0).paused = PauseReason.BANDWIDTH
    observer = Observer(ben.peer)
    assert observer.stats(circle.now_ns).slots[0].layer is None
    assert observer.look().paused == 1


def test_loss_on_the_way_up_counts_what_was_not_repaired() -> None:
    """Every other packet is missing; in the next second none."""
    circle = Circle()
    ana = circle.seat("ana", rids=("q", "h"))
    observer = Observer(ana.peer)
    encoding = Encoding(ana, "q", 77)
    encoding.send(vp8(keyframe=True))
    observer.look()
    for sequence in range(102, 182, 2):
        encoding.send(vp8(), sequence)
    assert observer.look().up_loss == pytest.approx(0.5, abs=0.05)
    for sequence in range(182, 242):
        encoding.send(vp8(), sequence)
    assert observer.look().up_loss < 0.03


def test_reports_reach_the_statistics_through_the_packet_path() -> None:
    """A receiver report of a subscriber is what its statistics tell."""
    circle = Circle()
    ben = circle.seat("ben")
    ssrc = ben.video(0).rewriter.ssrc
    ben.send_report(bytes(RtcpRrPacket(ssrc=5, reports=[block(ssrc, fraction_lost=128)])))
    assert Observer(ben.peer).look().down_loss == 0.5
    assert circle.now_ns > MS


def test_a_round_trip_has_nothing_of_the_publishers_way_in_it() -> None:
    """Its reports are late by a second from some time on, as all of its uplink is; the subscriber answers in 40 ms."""

    def ticks(at_ns: int) -> int:
        return at_ns * 9 // 100_000 & 0xFFFFFFFF

    circle = Circle()
    ana, ben = circle.seat("ana"), circle.seat("ben")
    circle.watch(ben.video(), ana.camera.layers[0])
    Encoding(ana, "", CAMERA_SSRC).send(vp8(keyframe=True))
    for second in range(20):
        sent_ns = circle.now_ns
        circle.wait(1_000 if second > 9 else 0)
        ana.send_report(sender_report(CAMERA_SSRC, ntp_units(sent_ns), ticks(sent_ns), 1, 1))
        ben.peer.send_sender_reports(circle.now_ns)
        told = [report for report in ben.reports if isinstance(report, RtcpSrPacket)][-1].sender_info
        assert told.rtp_timestamp - ben.video().rewriter.timestamp_of(ticks(circle.now_ns)) + 2 & 0xFFFFFFFF <= 4
        circle.wait(40)
        lsr = told.ntp_timestamp >> 16 & 0xFFFFFFFF
        ben.send_report(bytes(RtcpRrPacket(ssrc=5, reports=[block(ben.video().rewriter.ssrc, lsr=lsr)])))
        circle.wait(1_000)
    assert Observer(ben.peer).stats(circle.now_ns).rtt_ms == pytest.approx(40, abs=1)
