# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from itertools import accumulate

from aiortc.rtp import RtcpPacket, RtcpPsfbPacket, RtcpRrPacket, RtcpRtpfbPacket, RtcpSrPacket, unpack_remb_fci
from hypothesis import example, given
from hypothesis import strategies as st

from server.media.receive import ReceiveStatistics
from server.media.rtcp import (
    PLI_INTERVAL_MS,
    KeyframePacer,
    PublisherClock,
    SenderReport,
    is_rtcp,
    layered_bps,
    negative_acknowledgement,
    ntp_units,
    parse_reports,
    picture_bps,
    picture_loss,
    receiver_estimate,
    receiver_report,
    report_block,
    sender_report,
    split_feedback,
)

SECOND_NS = 1_000_000_000
SECOND_NTP = 1 << 32


def test_requests_to_one_publisher_are_300_ms_apart() -> None:
    """Many slots that want a keyframe make one request; one that came too early is sent when it may."""
    pacer = KeyframePacer()
    assert pacer.ask(1_000)
    assert not pacer.ask(1_100)
    assert not pacer.due(1_299, waiting=False)
    assert pacer.due(1_300, waiting=False)
    assert not pacer.due(1_700, waiting=False)


def test_a_keyframe_answers_all_requests_before_it() -> None:
    """What was held back is not asked again when the picture came meanwhile."""
    pacer = KeyframePacer()
    assert pacer.ask(1_000)
    assert not pacer.ask(1_100)
    pacer.fulfilled()
    assert not pacer.due(2_000, waiting=False)
    assert pacer.ask(2_001)


def test_who_begins_soon_after_a_keyframe_waits_little() -> None:
    """They come one after another: 100 ms after an answered request, but never beside one that is under way."""
    pacer = KeyframePacer()
    assert pacer.ask(1_000, begins=True)
    assert not pacer.ask(1_030, begins=True)
    pacer.fulfilled()
    assert not pacer.ask(1_060, begins=True)
    assert not pacer.due(1_099, waiting=False)
    assert pacer.due(1_100, waiting=False)
    pacer.fulfilled()
    assert not pacer.ask(1_300)
    assert pacer.due(1_400, waiting=False)


def test_a_slot_that_still_waits_asks_again_after_500_ms() -> None:
    """The request or the keyframe may have been lost."""
    pacer = KeyframePacer()
    assert pacer.ask(1_000)
    assert not pacer.due(1_499, waiting=True)
    assert pacer.due(1_500, waiting=True)
    assert not pacer.due(1_999, waiting=True)


def test_a_keyframe_that_may_be_on_its_way_is_not_asked_for_again() -> None:
    """A round trip and a bit, but two seconds at most; once it has come the way there does not matter."""
    for rtt_ms, wait_ms in ((1_000.0, 1_200), (9_000.0, 2_000)):
        pacer = KeyframePacer()
        assert pacer.ask(1_000, rtt_ms=rtt_ms)
        assert not pacer.ask(1_000 + wait_ms - 1, rtt_ms=rtt_ms)
        assert not pacer.due(1_000 + wait_ms - 1, waiting=True, rtt_ms=rtt_ms)
        assert pacer.due(1_000 + wait_ms, waiting=True, rtt_ms=rtt_ms)
        pacer.fulfilled()
        assert pacer.ask(1_000 + wait_ms + PLI_INTERVAL_MS, rtt_ms=rtt_ms)


def test_one_offset_serves_voice_and_picture() -> None:
    """Trap 4: the least offset of late, since delay only ever adds; old ones are forgotten (clocks drift)."""
    clock = PublisherClock()
    for delay in (50, 20, 90):
        clock.reported(1_000 * SECOND_NTP, 3_000 * SECOND_NTP + delay, 7 * SECOND_NS)
    assert clock.offset == 2_000 * SECOND_NTP + 20
    assert clock.at(9 * SECOND_NS) == (3_002 * SECOND_NTP + 90, 1_002 * SECOND_NTP + 70)
    for _ in range(32):
        clock.reported(0, 2_000 * SECOND_NTP + 70, 7 * SECOND_NS)
    assert clock.offset == 2_000 * SECOND_NTP + 70


def test_a_report_extrapolates() -> None:
    """Half a second of the publisher's clock later its RTP clock has moved half a second, over its wrap."""
    report = SenderReport(ntp=10 * SECOND_NTP, rtp=0xFFFFFFFF, arrived_ns=SECOND_NS)
    assert report.at(10 * SECOND_NTP + SECOND_NTP // 2, 48_000) == 23_999


def test_ntp_units_of_a_quarter() -> None:
    """2**-32 s each."""
    assert ntp_units(SECOND_NS // 4) == 1 << 30


def test_feedback_is_read_by_another_stack() -> None:
    """Keyframe request, loss, estimate and report, as one compound packet."""
    statistics = ReceiveStatistics(90_000)
    for sequence in (65_534, 65_535, 1):
        statistics.accept(sequence)
    report = SenderReport(ntp=0x0001_0002_0003_0004, rtp=0, arrived_ns=0)
    data = receiver_report(5, [report_block(2000, statistics, report, SECOND_NS // 2)])
    data += picture_loss(5, 2000) + negative_acknowledgement(5, 2000, [0]) + receiver_estimate(5, 1_000_000, [2000])
    assert is_rtcp(data)
    received, loss, lost, estimate = RtcpPacket.parse(data)
    assert isinstance(received, RtcpRrPacket)
    block = received.reports[0]
    assert (block.ssrc, block.packets_lost, block.fraction_lost) == (2000, 1, 64)
    assert block.highest_sequence == 0x1_0001
    assert (block.lsr, block.dlsr) == (0x0002_0003, 32_768)
    assert isinstance(loss, RtcpPsfbPacket)
    assert (loss.fmt, loss.media_ssrc) == (1, 2000)
    assert isinstance(lost, RtcpRtpfbPacket)
    assert (lost.media_ssrc, lost.lost) == (2000, [0])
    assert isinstance(estimate, RtcpPsfbPacket)
    bits, ssrcs = unpack_remb_fci(estimate.fci)
    assert abs(bits - 1_000_000) < 8
    assert ssrcs == [2000]


@given(first=st.integers(0, 0xFFFF), gaps=st.lists(st.integers(1, 40), max_size=32))
@example(first=0xFFFF, gaps=[1])
@example(first=0xFFF0, gaps=[16, 1, 16])
def test_what_is_missing_is_asked_for_where_the_numbers_begin_anew(first: int, gaps: list[int]) -> None:
    """Every number, in order, and nothing else: a loss may begin before the wrap and end behind it."""
    lost = [number & 0xFFFF for number in accumulate(gaps, initial=first)]
    (read,) = RtcpPacket.parse(negative_acknowledgement(1, 2, lost))
    assert isinstance(read, RtcpRtpfbPacket)
    assert (read.fmt, read.ssrc, read.media_ssrc) == (1, 1, 2)
    assert [number & 0xFFFF for number in read.lost] == lost


def test_a_sender_report_keeps_to_its_field_widths() -> None:
    """Counters and times wrap, they never overflow into the next field."""
    (parsed,) = RtcpPacket.parse(sender_report(7, (1 << 64) + 5, 9, 1 << 32, (1 << 32) + 1))
    assert isinstance(parsed, RtcpSrPacket)
    info = parsed.sender_info
    assert (info.ntp_timestamp, info.rtp_timestamp, info.packet_count, info.octet_count) == (5, 9, 0, 1)


def test_rtp_is_not_taken_for_rtcp() -> None:
    """RFC 5761: payload types 64 to 95 with the marker are the reports; 96 and 111 are media."""
    assert not is_rtcp(bytes([0x80, 0x80 | 96]) + bytes(10))
    assert not is_rtcp(bytes([0x80, 111]) + bytes(10))
    assert is_rtcp(bytes([0x80, 200]) + bytes(10))
    assert not is_rtcp(bytes([0x80, 200]))


def test_the_picture_rate_falls_as_the_group_grows() -> None:
    """What a subscriber gets in all stays near one figure, between a least and a best picture."""
    assert picture_bps(0) == picture_bps(2) == 1_700_000
    assert 11 * picture_bps(11) <= 8_000_000
    assert picture_bps(300) == 250_000


def test_layers_have_room_while_somebody_wants_them() -> None:
    """In a small circle always, in a crowd for those whom anybody gets."""
    assert layered_bps(12, watched=False) == layered_bps(300, watched=True) == 1_700_000
    assert layered_bps(300, watched=False) == 250_000


def test_transport_feedback_is_taken_out() -> None:
    """A general parser reads it as a list of losses; what stands around it stays, and so does what makes no sense."""
    feedback = bytes([0x8F, 205, 0, 5]) + bytes(20)
    loss = picture_loss(1, 2)
    assert split_feedback(feedback) == ([feedback], b"")
    assert split_feedback(loss + feedback + loss + feedback) == ([feedback, feedback], loss + loss)
    assert split_feedback(loss + feedback[:-1]) == ([], loss + feedback[:-1])
    assert split_feedback(loss + b"\x80\xc8") == ([], loss + b"\x80\xc8")


def packet(kind: int, count: int, body: bytes) -> bytes:
    """One RTCP packet (RFC 3550 section 6.4)."""
    return bytes([0x80 | count, kind]) + (len(body) // 4).to_bytes(2) + body


LOSS = picture_loss(1, 2)
BLOCK = bytes(24)
BESIDE = {
    "reduced size": b"",
    "extended report": packet(207, 0, bytes(4) + b"\x04\x00\x00\x02" + bytes(8)),
    "application": packet(204, 3, bytes(4) + b"name" + bytes(8)),
    "unknown": packet(195, 31, bytes(40)),
    "another feedback": packet(205, 3, bytes(16)),
    "names of two": packet(202, 2, bytes(4) + b"\x01\x01a\x00" + bytes(4) + b"\x01\x02bc\x00\x00\x00\x00"),
    "names in pieces": packet(202, 1, bytes(4) + b"\x01\xffa\x00"),
    "goodbye with a reason": packet(203, 1, bytes(4) + b"\x06reason\x00"),
    "goodbye of too few": packet(203, 4, bytes(4)),
    "feedback too short": packet(206, 1, bytes(4)),
    "wrong version": b"\x41" + LOSS[1:],
}


def test_a_request_is_heard_whatever_comes_with_it() -> None:
    """RFC 3550 section 6.1, RFC 5506: a type nobody knows, a name nobody can read, nothing at all."""
    (wanted,) = RtcpPacket.parse(LOSS)
    for name, beside in BESIDE.items():
        heard = [each for each in parse_reports(beside + LOSS + beside) if isinstance(each, RtcpPsfbPacket)]
        assert heard == [wanted], name
    assert parse_reports(LOSS[:-1]) == []
    assert parse_reports(LOSS + b"\x80\xc8\x00") == [wanted]


def test_a_report_may_be_extended_and_padded() -> None:
    """RFC 3550 sections 6.4.1 and 6.4.3: what a profile adds behind the blocks is passed over."""
    for head, kind in ((bytes(4), 201), (bytes(24), 200)):
        for blocks in range(3):
            (plain,) = parse_reports(packet(kind, blocks, head + BLOCK * blocks))
            extended = packet(kind, blocks, head + BLOCK * blocks + b"more" * 5)
            padded = packet(kind, blocks, head + BLOCK * blocks + b"\x00\x00\x00\x04")
            assert parse_reports(extended + LOSS)[0] == plain
            assert parse_reports(LOSS + bytes([padded[0] | 0x20]) + padded[1:])[1] == plain


@given(st.binary(max_size=200))
def test_any_report_is_read_or_passed_over(data: bytes) -> None:
    """Never raised, whatever it is, and wherever the types stand that we look at."""
    parse_reports(data)
    for kind in (200, 201, 205, 206):
        parse_reports(bytes([0x80 | len(data) % 32, kind]) + (len(data) // 4).to_bytes(2) + data + LOSS)
