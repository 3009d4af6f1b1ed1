# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import pytest
from aiortc.rtp import RtcpPsfbPacket, RtcpReceiverInfo, RtcpRtpfbPacket, RtcpSrPacket

from server.media.congestion.feedback import parse
from server.media.rtcp import (
    PLI_INTERVAL_MS,
    PLI_REPEAT_MS,
    negative_acknowledgement,
    picture_loss,
    receiver_estimate,
    receiver_report,
    sender_report,
)
from server.media.streams import MAX_PAYLOAD
from server.media.vp8 import read_vp8
from tests.media.circle import MS, Circle, Encoding, Seat
from tests.media.offers import MICROPHONE_SSRC, MID_ID, OPUS, RID_ID, RTX, TRANSPORT_CC_ID, VP8
from tests.media.packets import rtp, vp8

pytestmark = pytest.mark.usefixtures("packet_path")

RIDS = ("q", "h", "f")


class Pair:
    """Ana sends three layers, Bo has her in his first slot."""

    def __init__(self, *, transport_cc: bool = False) -> None:
        self.circle = Circle()
        self.ana = self.circle.seat("ana", rids=RIDS)
        self.bo = self.circle.seat("bo", transport_cc=transport_cc)
        self.q, self.h, self.f = (Encoding(self.ana, rid, 5000 + 10 * index) for index, rid in enumerate(RIDS))
        self.line = self.bo.video()

    def choose(self, index: int | None) -> None:
        """The layer that Bo should get."""
        self.circle.watch(self.line, self.ana.camera.layers[index] if index is not None else None)


@pytest.fixture
def pair() -> Pair:
    """Nothing chosen yet."""
    return Pair()


def losses(seat: Seat) -> list[int]:
    """SSRCs of the keyframe requests that came."""
    return [r.media_ssrc for r in seat.reports if isinstance(r, RtcpPsfbPacket) and r.fmt == 1]


def test_streams_are_known_by_rid_once(pair: Pair) -> None:
    """One SSRC for each RID and one for each repaired RID; others under the same names, or under none, are foreign."""
    for index, encoding in enumerate((pair.q, pair.h, pair.f)):
        encoding.send(vp8(keyframe=True))
        encoding.repeat(vp8(), 90, 1)
        layer = pair.ana.camera.layers[index]
        assert (layer.rid, layer.ssrc, layer.rtx_ssrc) == (encoding.rid, encoding.ssrc, encoding.ssrc + 1)
    dropped = pair.circle.forwarder.dropped
    Encoding(pair.ana, "q", 7000).send(vp8(keyframe=True))
    Encoding(pair.ana, "x", 7010).send(vp8(keyframe=True))
    Encoding(pair.ana, "", 7020).send(vp8(keyframe=True))
    assert pair.circle.forwarder.dropped == dropped + 3
    assert pair.ana.camera.layers[0].ssrc == pair.q.ssrc


def test_a_rid_does_not_count_on_another_line(pair: Pair) -> None:
    """A camera's name on the microphone's line makes no layer."""
    extensions = [(MID_ID, b"0"), (RID_ID, b"q")]
    pair.ana.send(rtp(1, ssrc=7000, payload_type=VP8, payload=vp8(keyframe=True), extensions=extensions))
    assert pair.ana.camera.layers[0].ssrc is None


def test_the_former_layer_goes_on_until_the_keyframe(pair: Pair) -> None:
    """A larger picture is chosen: the small one is shown until the large one can be, then it stops."""
    pair.choose(0)
    pair.q.send(vp8(10, keyframe=True, body=b"q1"))
    pair.choose(1)
    pair.q.send(vp8(11, body=b"q2"))
    pair.h.send(vp8(500, body=b"h1"))
    pair.q.send(vp8(12, body=b"q3"))
    pair.h.send(vp8(501, keyframe=True, body=b"h2"))
    pair.q.send(vp8(13, body=b"q4"))
    pair.h.send(vp8(502, body=b"h3"))
    seen = pair.bo.seen()
    assert [packet.payload[-2:] for packet in seen] == [b"q1", b"q2", b"q3", b"h2", b"h3"]
    assert [packet.sequence - seen[0].sequence & 0xFFFF for packet in seen] == [0, 1, 2, 3, 4]
    assert [read_vp8(packet.payload).picture_id for packet in seen] == [10, 11, 12, 13, 14]
    assert pair.line.flowing is pair.ana.camera.layers[1]


def test_a_keyframe_that_comes_late_begins_with_what_came_before_it(pair: Pair) -> None:
    """Its start was overtaken, or lost and sent again: what followed goes out after it, once and in order."""
    pair.choose(0)
    start = pair.q.sequence + 1
    for offset, body in ((1, b"q2"), (2, b"q3")):
        pair.q.send(vp8(1, start=False, body=body), start + offset)
    pair.q.sequence = start + 2
    pair.q.repeat(vp8(1, keyframe=True, body=b"q1"), start, 1)
    pair.q.send(vp8(2, body=b"q4"))
    seen = pair.bo.seen()
    assert [packet.payload[-2:] for packet in seen] == [b"q1", b"q2", b"q3", b"q4"]
    assert [packet.sequence - seen[0].sequence & 0xFFFF for packet in seen] == [0, 1, 2, 3]


def test_a_choice_can_be_taken_back(pair: Pair) -> None:
    """Before its keyframe came: the layer that flows goes on flowing, and the other one begins nowhere."""
    pair.choose(0)
    pair.q.send(vp8(1, keyframe=True, body=b"q1"))
    pair.choose(2)
    pair.choose(0)
    pair.f.send(vp8(9, keyframe=True, body=b"f1"))
    pair.q.send(vp8(2, body=b"q2"))
    assert [packet.payload[-2:] for packet in pair.bo.seen()] == [b"q1", b"q2"]


def test_a_pause_stops_at_once_and_ends_with_a_keyframe(pair: Pair) -> None:
    """Nothing that cannot be decoded comes after it."""
    pair.choose(0)
    pair.q.send(vp8(1, keyframe=True, body=b"q1"))
    assert not pair.line.choose(None)
    pair.q.send(vp8(2, body=b"q2"))
    pair.choose(0)
    pair.q.send(vp8(3, body=b"q3"))
    pair.q.send(vp8(4, keyframe=True, body=b"q4"))
    assert [packet.payload[-2:] for packet in pair.bo.seen()] == [b"q1", b"q4"]


def test_nothing_of_the_person_before_is_shown_while_waiting(pair: Pair) -> None:
    """Unlike a former layer: whoever leaves a slot is out of it at once."""
    cleo = pair.circle.seat("cleo", rids=RIDS)
    pair.choose(0)
    pair.q.send(vp8(1, keyframe=True, body=b"ana"))
    pair.circle.watch(pair.line, cleo.camera.layers[0])
    pair.q.send(vp8(2, keyframe=True, body=b"ana"))
    Encoding(cleo, "q", 5000).send(vp8(1, keyframe=True, body=b"cleo"))
    assert [packet.payload[6:] for packet in pair.bo.seen()] == [b"ana", b"cleo"]


def test_a_layer_of_someone_else_cannot_be_chosen(pair: Pair) -> None:
    """The slot belongs to one person at a time."""
    cleo = pair.circle.seat("cleo", rids=RIDS)
    pair.choose(0)
    with pytest.raises(ValueError, match="another source"):
        pair.line.choose(cleo.camera.layers[0])


def test_the_layer_that_is_waited_for_is_asked(pair: Pair) -> None:
    """Once at the choice, again while it comes without a keyframe, never another layer."""
    for encoding in (pair.q, pair.h, pair.f):
        encoding.send(vp8())
    pair.choose(1)
    assert losses(pair.ana) == [pair.h.ssrc]
    for _ in range(PLI_REPEAT_MS * 3 // 100):
        pair.circle.wait(100)
        pair.h.send(vp8())
        pair.q.send(vp8())
    assert losses(pair.ana) == [pair.h.ssrc] * 4
    pair.h.send(vp8(keyframe=True))
    pair.circle.wait(PLI_INTERVAL_MS)
    pair.bo.send_report(picture_loss(1, pair.line.rewriter.ssrc))
    assert losses(pair.ana) == [pair.h.ssrc] * 5


def test_a_subscriber_misses_packets_of_the_present_layer(pair: Pair) -> None:
    """A NACK is answered from the layer that flows; a number from before the switch is no more."""
    pair.choose(0)
    pair.q.send(vp8(1, keyframe=True, body=b"q1"))
    pair.choose(1)
    pair.h.send(vp8(7, keyframe=True, body=b"h1"))
    numbers = [packet.sequence for packet in pair.bo.seen()]
    pair.bo.send_report(negative_acknowledgement(1, pair.line.rewriter.ssrc, numbers))
    (repeat,) = pair.bo.repeats()
    assert repeat.payload == numbers[1].to_bytes(2) + pair.bo.seen()[1].payload
    assert repeat.payload_type == RTX


def test_each_layer_is_asked_for_what_it_lost(pair: Pair) -> None:
    """At once, by its own SSRC and numbers, and only layers that somebody gets; the answer fills the hole."""
    pair.choose(1)
    for encoding in (pair.q, pair.h):
        encoding.send(vp8(1, keyframe=True))
        encoding.sequence += 1
        encoding.send(vp8(3))
    asked = [(r.media_ssrc, r.lost) for r in pair.ana.reports if isinstance(r, RtcpRtpfbPacket)]
    assert asked == [(pair.h.ssrc, [pair.h.sequence - 1])]
    pair.h.repeat(vp8(2, body=b"again"), pair.h.sequence - 1, 1)
    assert len(pair.bo.seen()) == 3
    assert pair.bo.seen()[2].payload.endswith(b"again")
    pair.circle.wait(1_000)
    pair.circle.forwarder.request_missing(pair.ana.camera.layers[1], pair.circle.now_ns)
    assert len(pair.ana.reports) == 1


def test_after_a_change_of_path_it_is_asked_for_anew(pair: Pair) -> None:
    """During an ICE restart requests go to the old address until the new one is nominated."""
    pair.choose(1)
    pair.h.send(vp8(1, keyframe=True))
    pair.h.sequence += 1
    pair.h.send(vp8(3))
    before = len(pair.ana.reports)
    assert pair.ana.peer.ice is not None
    pair.ana.peer.moved(pair.ana.peer.ice.selected)
    pair.circle.forwarder.request_missing(pair.ana.camera.layers[1], pair.circle.now_ns)
    assert [r.lost for r in pair.ana.reports[before:] if isinstance(r, RtcpRtpfbPacket)] == [[pair.h.sequence - 1]]


def test_each_layer_has_its_own_clock(pair: Pair) -> None:
    """Sender reports of two layers tell the line the same instant in the numbers that it has then."""
    pair.choose(0)
    for encoding, when in ((pair.q, 90_000), (pair.h, 4_000_000_000)):
        encoding.sequence = when // 3000
        encoding.send(vp8(1, keyframe=True))
        pair.ana.send_report(sender_report(encoding.ssrc, 1000 << 32, encoding.sequence * 3000, 1, 1))
    pair.choose(1)
    pair.circle.wait(40)
    pair.h.send(vp8(2, keyframe=True))
    reports = [report.sender_info for report in pair.bo.reports if isinstance(report, RtcpSrPacket)]
    first, second = reports
    moved = (second.ntp_timestamp - first.ntp_timestamp) * 90_000 / (1 << 32)
    assert abs(moved - 3600) <= 1
    # The keyframe was taken one frame after the one before, and came 40 ms after it: its being late does not count.
    assert second.rtp_timestamp - first.rtp_timestamp == pytest.approx(3600, abs=2)


def test_a_layer_tells_its_size_and_rate(pair: Pair) -> None:
    """Height from the keyframe, bit rate over the last second, without anybody who gets it."""
    size = (640).to_bytes(2, "little") + (360).to_bytes(2, "little")
    layer = pair.ana.camera.layers[1]
    pair.h.send(vp8(1, keyframe=True, body=b"\x00\x00\x9d\x01\x2a" + size + bytes(900)))
    assert layer.height == 360
    for _ in range(20):
        pair.circle.wait(50)
        pair.h.send(vp8(2, body=bytes(900)))
    # 20 packets a second of 900 bytes and what stands around them.
    assert 8 * 20 * 900 < layer.bitrate_bps(pair.circle.now_ns) < 8 * 21 * 970
    pair.circle.wait(2_500)
    assert layer.bitrate_bps(pair.circle.now_ns) == 0


def test_packets_carry_transport_wide_numbers() -> None:
    """Voice, picture and retransmissions of a subscriber count in one row, and each is remembered with its length."""
    pair = Pair(transport_cc=True)
    pair.bo.audio().attach(pair.ana.microphone)
    pair.choose(0)
    pair.q.send(vp8(1, keyframe=True))
    pair.ana.send(rtp(1, ssrc=MICROPHONE_SSRC, payload_type=OPUS))
    pair.q.send(vp8(2, body=bytes(1000)))
    pair.bo.send_report(negative_acknowledgement(1, pair.line.rewriter.ssrc, [pair.bo.seen()[1].sequence]))
    pair.line.pad(100, pair.circle.now_ns)
    # A voice may leave behind the picture that it was among.
    numbered = {int.from_bytes(packet.extension(TRANSPORT_CC_ID) or b""): packet for packet in pair.bo.packets}
    assert len(pair.bo.packets) == 5
    assert sorted(numbered) == [1, 2, 3, 4, 5]
    history = pair.bo.peer.history
    assert history is not None
    assert list(history.times[1:6]) == [pair.circle.now_ns] * 5
    # Header 12, extension 8, GCM 16.
    assert list(history.sizes[1:6]) == [len(packet.payload) + 36 for _, packet in sorted(numbered.items())]


def test_without_the_extension_nothing_is_added(pair: Pair) -> None:
    """A subscriber that did not ask for numbers gets none."""
    pair.choose(0)
    pair.q.send(vp8(1, keyframe=True))
    assert pair.bo.peer.history is None
    assert [packet.extension_profile for packet in pair.bo.packets] == [0]


def test_padding_measures_the_link(pair: Pair) -> None:
    """Padding alone, or the newest packet again when more is wanted; a line without a picture pads too."""
    pair.choose(0)
    pair.q.send(vp8(1, keyframe=True, body=bytes(800)))
    assert pair.line.pad(100, pair.circle.now_ns) == 100 + 12 + 16
    assert pair.line.pad(1000, pair.circle.now_ns) > 800
    padding, again = pair.bo.repeats()
    assert (padding.media_length(), len(padding.payload), padding.marker) == (0, 100, 0)
    assert again.payload == pair.bo.seen()[0].sequence.to_bytes(2) + pair.bo.seen()[0].payload
    pair.line.choose(None)
    assert 0 < pair.line.pad(1000, pair.circle.now_ns) < 300
    assert pair.bo.video(1).pad(100, pair.circle.now_ns) > 0


def test_a_packet_that_cannot_be_sent_again_is_not_taken(pair: Pair) -> None:
    """What would not fit with our header is dropped when it comes, for everybody alike."""
    pair.choose(0)
    room = MAX_PAYLOAD - len(vp8(body=b""))
    pair.q.send(vp8(1, keyframe=True, body=bytes(room)))
    pair.q.send(vp8(1, body=bytes(room + 1)))
    assert len(pair.bo.seen()) == 1
    assert pair.bo.peer.dropped == 0


def test_whoever_leaves_is_in_no_table(pair: Pair) -> None:
    """A source that is detached has no lines, and its lines have no source."""
    pair.choose(0)
    pair.q.send(vp8(1, keyframe=True))
    pair.choose(1)
    pair.ana.camera.detach()
    assert all(not layer.lines and not layer.pending for layer in pair.ana.camera.layers)
    assert (pair.line.source, pair.line.flowing, pair.line.awaited) == (None, None, None)


def test_only_what_is_watched_is_kept(pair: Pair) -> None:
    """A layer that nobody gets keeps no packets; from the keyframe on that a line waits for, it does."""
    layer = pair.ana.camera.layers[0]
    pair.q.send(vp8(1, keyframe=True))
    assert layer.newest() is None
    pair.choose(0)
    pair.q.send(vp8(2, keyframe=True))
    assert layer.newest() is not None
    pair.choose(1)
    pair.h.send(vp8(1, keyframe=True))
    assert layer.newest() is None
    assert pair.ana.camera.layers[1].newest() is not None


def test_time_goes_on_over_layers(pair: Pair) -> None:
    """The picture of another layer is as much later as it came later, whatever its clock says."""
    pair.choose(0)
    pair.q.send(vp8(1, keyframe=True))
    pair.choose(2)
    pair.circle.now_ns += 500 * MS
    pair.f.sequence = 1_000_000
    pair.f.send(vp8(1, keyframe=True))
    before, after = pair.bo.seen()
    assert after.timestamp - before.timestamp & 0xFFFFFFFF == 45_000


class Told:
    """Takes down what a subscriber says of its link."""

    def __init__(self) -> None:
        self.said: list[tuple[str, object]] = []

    def transport_feedback(self, data: bytes, now_ns: int) -> None:
        """As `Downlink` has it."""
        self.said.append(("transport", (data, now_ns)))

    def remb(self, bits_per_second: int, now_ns: int) -> None:
        """As `Downlink` has it."""
        self.said.append(("remb", (bits_per_second, now_ns)))

    def receiver_report(self, blocks: list[RtcpReceiverInfo], now_ns: int) -> None:
        """As `Downlink` has it."""
        self.said.append(("report", ([block.ssrc for block in blocks], now_ns)))


def test_what_a_subscriber_says_of_its_link_is_passed_on(pair: Pair) -> None:
    """Transport feedback as it came, the receiver's estimate, report blocks; a name that is not REMB is nothing."""
    told = Told()
    downlink: Any = told
    pair.bo.peer.downlink = downlink
    feedback = bytes([0x8F, 205, 0, 5]) + bytes(20)
    block = RtcpReceiverInfo(ssrc=9, fraction_lost=0, packets_lost=0, highest_sequence=1, jitter=0, lsr=0, dlsr=0)
    other = bytes(RtcpPsfbPacket(fmt=15, ssrc=1, media_ssrc=0, fci=b"NOPE" + bytes(4)))
    short = bytes(RtcpPsfbPacket(fmt=15, ssrc=1, media_ssrc=0, fci=b"REMB\x09\x00\x00\x00"))
    pair.bo.send_report(receiver_report(1, [block]) + feedback + other + short + receiver_estimate(1, 64_000, [9]))
    now_ns = pair.circle.now_ns
    assert told.said == [("transport", (feedback, now_ns)), ("report", ([9], now_ns)), ("remb", (64_000, now_ns))]


def test_a_publisher_is_told_when_its_packets_came() -> None:
    """Every packet with a number counts, also one that nobody gets; the feedback names an SSRC of the publisher."""
    circle = Circle()
    ana = circle.seat("ana", transport_cc=True)
    for number in (7, 8, 10):
        extension = [(TRANSPORT_CC_ID, number.to_bytes(2))]
        ana.send(rtp(number, ssrc=MICROPHONE_SSRC, payload_type=OPUS, extensions=extension))
        circle.wait(5)
    ana.peer.send_arrivals()
    (sent,) = ana.feedback
    message = parse(sent)
    assert [number for number, _ in message.arrivals()] == [7, 8, 9, 10]
    assert [arrival is not None for _, arrival in message.arrivals()] == [True, True, False, True]
    assert int.from_bytes(sent[8:12]) == MICROPHONE_SSRC


def test_a_very_late_packet_does_not_take_the_place_of_a_newer_one(pair: Pair) -> None:
    """It comes through by RTX after 256 others; what a subscriber has lost since then is still there for it."""
    pair.choose(0)
    first = pair.q.send(vp8(keyframe=True))
    for number in range(1, 300):
        pair.circle.wait(5)
        if number != 3:
            pair.q.send(vp8(number), first + number)
        assert pair.bo.seen()
    lost = pair.bo.seen()[258]
    pair.q.repeat(vp8(3), first + 3, 1)
    assert len(pair.bo.seen()) == 300
    pair.bo.send_report(negative_acknowledgement(1, lost.ssrc, [lost.sequence]))
    assert [packet.payload[2:] for packet in pair.bo.repeats()] == [lost.payload]
