# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pylibsrtp import Error, Policy, Session

from server.media.receive import ReceiveStatistics
from server.media.rewriter import Rewriter
from server.media.rtp import Packet
from server.media.vp8 import read_vp8
from tests.media.packets import rtp, vp8

SECOND = 1_000_000_000
PAYLOAD_TYPE = 100


class Feed:
    """A source as the forwarder sees it: unwrapped, without duplicates."""

    def __init__(self) -> None:
        self.statistics = ReceiveStatistics(90_000)

    def audio(self, out: Rewriter, data: bytes, now_ns: int) -> Packet | None:
        """The outgoing packet for one that arrives."""
        return self._pass(out, Packet(data), now_ns)

    def video(self, out: Rewriter, data: bytes, now_ns: int) -> Packet | None:
        """The outgoing packet for one that arrives."""
        return self._pass(out, described(Packet(data)), now_ns)

    def _pass(self, out: Rewriter, packet: Packet, now_ns: int) -> Packet | None:
        extended = self.statistics.accept(packet.sequence)
        if extended is None:
            return None
        packet.extended = extended
        if out.waiting:
            if packet.picture is not None and not packet.picture.keyframe:
                return None
            out.begin(packet, PAYLOAD_TYPE, now_ns)
        elif extended < out.start:
            return None
        return Packet(out.head(packet, 0) + packet.tail)


def described(packet: Packet) -> Packet:
    """A VP8 packet with what a layer reads of it."""
    packet.picture = read_vp8(packet.payload)
    return packet


def line(clock_rate: int = 48_000, sequence: int = 10) -> Rewriter:
    """An outgoing line with known starts."""
    return Rewriter(ssrc=7, clock_rate=clock_rate, sequence=sequence, timestamp=1_000_000)


arrivals = st.lists(
    st.tuples(
        st.sampled_from(["one", "two", "three"]),
        st.integers(-30, 40),
        st.booleans(),
        st.integers(0, 9).map(lambda value: value == 0),
    ),
    min_size=1,
    max_size=200,
)


LATE_OVER_TWO_SWITCHES = [
    ("one", 1, True, False),
    ("one", 30, True, False),
    ("two", 0, True, True),
    ("two", -1, True, False),
    ("one", 0, True, True),
    ("one", -3, True, False),
]


@given(starts=st.lists(st.integers(0, 0xFFFF), min_size=3, max_size=3), order=arrivals, video=st.booleans())
@example(starts=[65_530, 0, 0], order=LATE_OVER_TWO_SWITCHES, video=False)
@example(starts=[65_530, 0, 0], order=LATE_OVER_TWO_SWITCHES, video=True)
def test_a_number_never_goes_out_with_another_plaintext(
    starts: list[int], order: list[tuple[str, int, bool, bool]], video: bool
) -> None:
    """Trap 1: over any arrival order, repeats, wraps and switches, each (SSRC, extended number) has one plaintext.

    Checked twice: by unwrapping what goes out, and by libsrtp, which refuses a repeated number.
    """
    out = line(90_000, sequence=0x7FFF)
    guard = _srtp()
    feeds = {name: Feed() for name in ("one", "two", "three")}
    newest = dict(zip(feeds, [start + 0x10000 for start in starts], strict=True))
    current = "one"
    outgoing = ReceiveStatistics(90_000)
    for step, (name, distance, keyframe, switch) in enumerate(order):
        if switch and name != current:
            current = name
            out.stop()
        number = newest[name] + distance
        newest[name] = max(newest[name], number)
        # What stands at a number differs each time: a repeated number must show as another plaintext.
        payload = vp8(number, keyframe=keyframe) if video else name.encode()
        data = rtp(number, timestamp=number * 3000, payload=payload + step.to_bytes(4))
        feed = feeds[name].video if video else feeds[name].audio
        if name != current:
            feeds[name].statistics.accept(number & 0xFFFF)
            continue
        sent = feed(out, data, step * SECOND // 50)
        if sent is not None:
            assert outgoing.accept(sent.sequence) is not None
            guard.protect(rtp(sent.sequence, ssrc=7, payload=sent.payload))


def _srtp() -> Session:
    policy = Policy(key=bytes(30), ssrc_type=Policy.SSRC_ANY_OUTBOUND)
    policy.allow_repeat_tx = False
    policy.window_size = 1024
    return Session(policy)


def test_the_guard_bites() -> None:
    """The session used above does refuse the same number with another plaintext."""
    guard = _srtp()
    guard.protect(rtp(5, payload=b"a"))
    with pytest.raises(Error, match="replay"):
        guard.protect(rtp(5, payload=b"b"))


def test_a_late_packet_of_before_the_switch_is_dropped() -> None:
    """Mapped with the new offset it would take a number of the segment before."""
    out, first, second = line(), Feed(), Feed()
    first.audio(out, rtp(100), 0)
    out.stop()
    assert first.audio(line(), rtp(101), 0) is not None
    second.audio(out, rtp(500, payload=b"x"), SECOND)
    assert second.audio(out, rtp(499), SECOND) is None


def test_numbers_go_on_without_a_gap_over_a_switch() -> None:
    """The receiver sees one stream: next number, our SSRC and payload type, no foreign extension."""
    out, first, second = line(), Feed(), Feed()
    before = first.audio(out, rtp(65_535, extensions=[(1, b"\x05")]), 0)
    out.stop()
    after = second.audio(out, rtp(9, ssrc=3, marker=True), SECOND)
    assert before is not None
    assert after is not None
    assert (before.sequence, after.sequence) == (10, 11)
    assert (after.ssrc, after.payload_type, after.marker, after.extensions) == (7, 100, 0x80, b"")


def test_reordering_inside_a_segment_is_kept() -> None:
    """Numbers move by one offset: order and holes stay as they were, for the receiver to see."""
    out, feed = line(), Feed()
    sent = [feed.audio(out, rtp(number), 0) for number in (50, 53, 52)]
    assert [packet.sequence for packet in sent if packet] == [10, 13, 12]


def test_timestamps_advance_with_wall_time_over_switches() -> None:
    """Trap 3: from the first segment on, a switch after 2.5 s shows as 2.5 s, whatever the sources count."""
    out, first, second = line(90_000), Feed(), Feed()
    start = first.video(out, rtp(1, timestamp=77, payload=vp8(keyframe=True)), 5 * SECOND)
    out.stop()
    after = second.video(out, rtp(9, timestamp=4_000_000_000, payload=vp8(keyframe=True)), 7 * SECOND + SECOND // 2)
    later = second.video(out, rtp(10, timestamp=4_000_003_000, payload=vp8()), 8 * SECOND)
    assert start is not None
    assert after is not None
    assert later is not None
    assert start.timestamp == 1_000_000
    assert after.timestamp == 1_000_000 + 225_000
    assert later.timestamp == after.timestamp + 3_000


def test_a_picture_is_never_older_than_the_one_before() -> None:
    """A source whose clock ran ahead is followed by the next instant, not by the past."""
    out, first, second = line(90_000), Feed(), Feed()
    first.video(out, rtp(1, timestamp=0, payload=vp8(keyframe=True)), 0)
    ahead = first.video(out, rtp(2, timestamp=90_000, payload=vp8()), 1)
    out.stop()
    after = second.video(out, rtp(1, timestamp=0, payload=vp8(keyframe=True)), 2)
    assert ahead is not None
    assert after is not None
    assert after.timestamp == ahead.timestamp + 1


def test_video_waits_for_a_keyframe() -> None:
    """Nothing of a new source is let through that cannot be decoded."""
    out, feed = line(90_000), Feed()
    assert feed.video(out, rtp(1, payload=vp8()), 0) is None
    assert feed.video(out, rtp(2, payload=vp8(keyframe=True, start=False)), 0) is None
    assert out.waiting
    assert feed.video(out, rtp(3, payload=vp8(keyframe=True)), 0) is not None
    assert feed.video(out, rtp(4, payload=vp8()), 0) is not None


def test_picture_ids_go_on_over_a_switch() -> None:
    """Picture id and TL0PICIDX follow on, wrap included."""
    out, first, second = line(90_000), Feed(), Feed()
    first.video(out, rtp(1, payload=vp8(0x7FFF, 255, keyframe=True)), 0)
    out.stop()
    sent = second.video(out, rtp(1, payload=vp8(1234, 56, keyframe=True)), 1)
    following = second.video(out, rtp(2, payload=vp8(1235, 57)), 1)
    assert sent is not None
    assert following is not None
    found = [read_vp8(packet.payload) for packet in (sent, following)]
    assert [(item.picture_id, item.tl0) for item in found] == [(0, 0), (1, 1)]


@pytest.mark.parametrize("bits", [7, 15])
def test_short_picture_ids_go_on_over_a_switch(bits: int) -> None:
    """Seven bits wrap after 127 pictures: what follows is the one after the last, not after the highest ever sent."""
    out, first, second = line(90_000), Feed(), Feed()
    shown = [
        first.video(out, rtp(number, payload=vp8(100 + number, 1, keyframe=number == 0, bits=7)), number)
        for number in range(40)
    ]
    assert shown[-1] is not None
    assert read_vp8(shown[-1].payload).picture_id == 139 - 128
    out.stop()
    sent = [
        second.video(out, rtp(number, payload=vp8(90 + number, 1, keyframe=number == 0, bits=bits)), SECOND)
        for number in range(2)
    ]
    assert [read_vp8(packet.payload).picture_id for packet in sent if packet is not None] == [12, 13]


def test_a_nack_is_served_from_the_present_segment_only() -> None:
    """Trap 2: a number of the person before is unknown; one of the present person is theirs."""
    out, first, second = line(), Feed(), Feed()
    for number in (100, 101, 102):
        first.audio(out, rtp(number), 0)
    base = first.statistics.highest - 2
    assert out.sequence_of(11) == base + 1
    out.stop()
    assert out.sequence_of(11) is None
    second.audio(out, rtp(7), 1)
    assert out.sequence_of(11) is None
    assert out.sequence_of(13) == second.statistics.highest
    assert out.sequence_of(14) is None


def test_a_repeated_packet_carries_the_numbers_it_had() -> None:
    """The payload of a retransmission is that of the first sending, ids included, and moves nothing on."""
    out, first, second = line(90_000), Feed(), Feed()
    first.video(out, rtp(1, payload=vp8(8, 8, keyframe=True)), 0)
    out.stop()
    data = rtp(40, timestamp=5, payload=vp8(100, 100, keyframe=True))
    sent = second.video(out, data, SECOND)
    assert sent is not None
    packet = described(Packet(data))
    packet.extended = second.statistics.highest
    sequence, timestamp, payload = out.repeat(packet)
    assert (sequence, timestamp, payload) == (sent.sequence, sent.timestamp, sent.payload)


def test_padding_goes_through() -> None:
    """The padding bit stays with its bytes, so that the receiver counts what it was sent."""
    out = line()
    sent = Feed().audio(out, rtp(1, payload=b"", padding=4), 0)
    assert sent is not None
    assert (sent.flags, sent.payload) == (0xA0, b"\x00\x00\x00\x04")


def test_a_source_that_leaps_spoils_no_line() -> None:
    """A publisher can make numbers leap at will; with packets lost in between, the line still carries its successor."""
    out = line()
    key = bytes(range(30))
    sending = Session(Policy(key=key, ssrc_type=Policy.SSRC_ANY_OUTBOUND))
    receiving = Session(Policy(key=key, ssrc_type=Policy.SSRC_ANY_INBOUND))

    def send(extended: int, now_ns: int) -> bytes:
        packet = Packet(rtp(extended))
        packet.extended = extended
        if out.waiting:
            out.begin(packet, PAYLOAD_TYPE, now_ns)
        return sending.protect(out.head(packet, 0) + packet.tail)

    receiving.unprotect(send(0x10000, 0))
    for leap in range(1, 9):
        protected = send(0x10000 + 32_000 * leap, SECOND * leap)
        if leap % 2:
            receiving.unprotect(protected)
    out.stop()
    receiving.unprotect(send(0x10000, SECOND * 9))


@pytest.mark.parametrize("idle_s", [7 * 3600, 14 * 3600, 25 * 3600])
def test_the_clock_goes_on_after_a_long_pause(idle_s: int) -> None:
    """A line that was idle for more than half a cycle of its timestamps keeps advancing with time after that."""
    out, feed = line(90_000), Feed()
    assert feed.audio(out, rtp(1, timestamp=5), 0) is not None
    stamps = []
    for second in range(3):
        out.stop()
        after = feed.audio(out, rtp(2 + second, timestamp=777), (idle_s + second) * SECOND)
        assert after is not None
        stamps.append(after.timestamp)
    assert [later - earlier & 0xFFFFFFFF for earlier, later in pairwise(stamps)] == [90_000, 90_000]


def test_a_leap_is_a_hole_of_one_and_a_new_start() -> None:
    """The receiver sees that something is missing; what is from before the leap goes out no more."""
    out, feed = line(), Feed()
    first = feed.audio(out, rtp(10), 0)
    leapt = feed.audio(out, rtp(10 + 5_000), SECOND)
    assert first is not None
    assert leapt is not None
    assert leapt.sequence - first.sequence == 2
    assert feed.audio(out, rtp(10 + 4_990), SECOND) is None
    assert out.sequence_of(leapt.sequence) == 0x10000 + 10 + 5_000
    assert out.sequence_of(leapt.sequence - 1) is None
