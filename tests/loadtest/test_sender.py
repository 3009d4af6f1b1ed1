# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from itertools import pairwise

from aiortc.codecs.vpx import VpxPayloadDescriptor
from aiortc.rtp import RtcpPacket, RtcpSdesPacket, RtcpSrPacket, RtpPacket, unpack_header_extensions

from loadtest.camera import Camera, Numbers, VideoStream
from loadtest.clip import prepared
from loadtest.rtp import REPAIRED_RID_ID, RID_ID, numbered, read_packet, read_red
from loadtest.sender import AudioStream, Stream, Voice


class Sent(list[bytes]):
    """What a stream has sent."""

    def packets(self) -> list[RtpPacket]:
        return [RtpPacket.parse(data) for data in self]


def run(stream: Stream, start_s: float, seconds: float) -> float:
    """Step in perfect time; returns when the next step is due."""
    due = start_s
    while due < start_s + seconds - 1e-9:
        due = stream.step(due)
    return due


def test_audio_goes_on_without_a_break_over_the_loop() -> None:
    """Over more than a loop the sequence rises by one and the time by 960 for every packet."""
    sent = Sent()
    stream = AudioStream(sent.append, 1234, "0", prepared(0))
    stream.voice = Voice.STEADY
    run(stream, 10.0, 2.5)
    packets = sent.packets()
    assert len(packets) == 125
    assert {packet.ssrc for packet in packets} == {1234}
    pairs = list(pairwise(packets))
    assert {(after.sequence_number - before.sequence_number) & 0xFFFF for before, after in pairs} == {1}
    assert {(after.timestamp - before.timestamp) & 0xFFFFFFFF for before, after in pairs} == {960}
    assert [packet.marker for packet in packets] == [1] + [0] * 124


def test_a_stream_knows_when_it_sent_something_loud() -> None:
    """Speech does, in its phrases only; a quiet room never does, although it is sent."""
    sent = Sent()
    stream = AudioStream(sent.append, 1234, "0", prepared(0))
    stream.voice = Voice.QUIET
    due = run(stream, 0.0, 1.0)
    assert not stream.spoken
    assert len(sent) == 50
    stream.voice = Voice.SPEECH
    run(stream, due, 2.5)
    # Eight syllables of a quarter of a second, and a pause.
    assert 80 < len(stream.spoken) <= 101
    assert 1.0 <= stream.spoken[0] < 1.1
    assert stream.spoken[-1] <= 3.02


def test_time_goes_on_while_the_microphone_is_off() -> None:
    """Off sends nothing; afterwards the sequence has no gap and the time has moved with the clock."""
    sent = Sent()
    stream = AudioStream(sent.append, 1, "0", prepared(0))
    stream.voice = Voice.STEADY
    due = run(stream, 0.0, 0.1)
    stream.voice = None
    due = run(stream, due, 1.0)
    assert len(sent) == 5
    stream.voice = Voice.SPEECH
    run(stream, due, 0.1)
    before, after = sent.packets()[4:6]
    assert (after.sequence_number - before.sequence_number) & 0xFFFF == 1
    assert (after.timestamp - before.timestamp) & 0xFFFFFFFF == 960 * 51
    assert after.marker == 1


def test_packets_carry_level_and_mid() -> None:
    """The header extensions say which line it is and how loud it is."""
    sent = Sent()
    clip = prepared(0)
    stream = AudioStream(sent.append, 1, "0", clip)
    stream.voice = Voice.STEADY
    run(stream, 0.0, 0.2)
    data = sent[-1]
    length = 4 * int.from_bytes(data[14:16], "big")
    extensions = dict(unpack_header_extensions(0xBEDE, data[16 : 16 + length]))
    assert extensions[4] == b"0"
    assert extensions[1][0] == 0x80 | clip.steady[9].level
    assert RtpPacket.parse(data).payload == clip.steady[9].payload


def test_video_is_answered_with_a_keyframe_at_once() -> None:
    """After a request the next picture is a keyframe, with sequence, time and picture id as if nothing was."""
    sent = Sent()
    stream = VideoStream(sent.append, Numbers(7, 8), "1", prepared(0).video[0])
    stream.on = True
    due = run(stream, 0.0, 5 / 15)
    before = len(sent)
    stream.ask_keyframe()
    run(stream, due, 1 / 15)
    packets = sent.packets()
    assert packets[before].payload[4:] in [frame.chunks[0] for frame in prepared(0).video[0].frames if frame.keyframe]
    assert (packets[before].sequence_number - packets[before - 1].sequence_number) & 0xFFFF == 1
    assert (packets[before].timestamp - packets[before - 1].timestamp) & 0xFFFFFFFF == 6000
    ids = [VpxPayloadDescriptor.parse(packet.payload)[0].picture_id for packet in packets]
    assert ids[before - 1] is not None
    assert ids[before] == (ids[before - 1] or 0) + 1 & 0x7FFF
    assert stream.keyframes_asked == 1


def test_video_frames_end_with_the_marker() -> None:
    """Each picture is one time stamp, begins a partition once, and its last packet has the marker."""
    sent = Sent()
    clip = prepared(0)
    stream = VideoStream(sent.append, Numbers(7, 8), "1", clip.video[0])
    stream.on = True
    run(stream, 0.0, 1.0)
    packets = sent.packets()
    assert sum(packet.marker for packet in packets) == 15
    assert len({packet.timestamp for packet in packets}) == 15
    starts = [VpxPayloadDescriptor.parse(packet.payload)[0].partition_start for packet in packets]
    assert sum(starts) == 15
    assert b"".join(packet.payload[4:] for packet in packets if packet.timestamp == packets[0].timestamp) == b"".join(
        clip.video[0].frames[0].chunks
    )


def test_a_camera_that_comes_on_begins_with_a_keyframe() -> None:
    """Nobody has to ask for the first picture."""
    sent = Sent()
    stream = VideoStream(sent.append, Numbers(7, 8), "1", prepared(0).video[0])
    stream.on = True
    due = run(stream, 0.0, 3 / 15)
    stream.on = False
    due = run(stream, due, 2 / 15)
    count = len(sent)
    stream.on = True
    run(stream, due, 1 / 15)
    assert sent.packets()[count].payload[4:] == prepared(0).video[0].frames[15].chunks[0]


def test_a_standstill_is_left_out() -> None:
    """A process that stood still for two seconds does not send two seconds in a burst."""
    sent = Sent()
    stream = AudioStream(sent.append, 1, "0", prepared(0))
    stream.voice = Voice.STEADY
    due = run(stream, 0.0, 0.1)
    run(stream, due + 2.0, 0.1)
    assert len(sent) <= 11
    last, first = sent.packets()[4:6]
    assert (first.timestamp - last.timestamp) & 0xFFFFFFFF == 960 * 101


def test_sender_reports_tie_time_stamps_to_the_clock() -> None:
    """A report names its stream, counts what was sent and extrapolates the RTP time to now."""
    sent = Sent()
    stream = AudioStream(sent.append, 77, "0", prepared(0))
    assert stream.report(0.0, "me") == b""
    stream.voice = Voice.STEADY
    run(stream, 5.0, 1.0)
    report, description = RtcpPacket.parse(stream.report(6.0, "me"))
    assert isinstance(report, RtcpSrPacket)
    assert isinstance(description, RtcpSdesPacket)
    first = sent.packets()[0].timestamp
    assert (report.sender_info.rtp_timestamp - first) & 0xFFFFFFFF == 48_000
    assert report.sender_info.packet_count == 50
    assert description.chunks[0].items == [(1, b"me")]


def elements(data: bytes) -> dict[int, bytes]:
    """Header extension elements of a packet."""
    length = 4 * int.from_bytes(data[14:16], "big")
    return dict(unpack_header_extensions(0xBEDE, data[16 : 16 + length]))


def test_what_is_asked_for_is_sent_again_as_a_retransmission() -> None:
    """With an own SSRC and sequence, the original number before the payload, and the repaired layer's name."""
    sent = Sent()
    stream = VideoStream(sent.append, Numbers(7, 8), "1", prepared(0, simulcast=True).video[0])
    stream.on = True
    run(stream, 0.0, 1.0)
    original = sent[3]
    sequence = read_packet(original).sequence
    assert elements(original)[RID_ID] == b"q"
    count = len(sent)
    stream.resend([sequence, sequence, sequence + 2_000 & 0xFFFF])
    again = [read_packet(data) for data in sent[count:]]
    assert [packet.ssrc for packet in again] == [8, 8]
    assert again[1].sequence == again[0].sequence + 1 & 0xFFFF
    assert again[0].payload == sequence.to_bytes(2, "big") + read_packet(original).payload
    assert again[0].timestamp == read_packet(original).timestamp
    assert elements(sent[count])[REPAIRED_RID_ID] == b"q"
    assert stream.resent == 2


def test_a_limit_leaves_out_the_largest_layers() -> None:
    """And lets them begin with a keyframe when they may come back."""
    sent = Sent()
    movies = prepared(0, simulcast=True).video
    camera = Camera(tuple(VideoStream(sent.append, Numbers(n, n + 10), "1", m) for n, m in enumerate(movies)))
    camera.limit(1)
    camera.show(on=True)
    due = [run(stream, 0.0, 1.0) for stream in camera.streams]
    assert camera.frames == {"q": 15, "h": 0, "f": 0}
    camera.limit(3)
    count = len(sent)
    run(camera.streams[2], due[2], 0.05)
    assert read_packet(sent[count]).payload[4:] == movies[2].frames[0].chunks[0]


def test_redundant_sound_has_the_packet_before() -> None:
    """Two sounds in one packet, 960 samples apart, readable by the receiver's own reader."""
    sent = Sent()
    stream = AudioStream(sent.append, 1, "0", prepared(0))
    stream.redundant, stream.voice = True, Voice.STEADY
    run(stream, 0.0, 0.1)
    first, second = (read_red(read_packet(data).payload) for data in sent[:2])
    assert first == ((), prepared(0).steady[0].payload)
    assert second == ((960,), prepared(0).steady[1].payload)
    assert prepared(0).steady[0].payload in sent[1]


def test_a_transport_wide_number_takes_its_room() -> None:
    """Numbering changes three bytes; without it they are padding that a reader passes over."""
    sent = Sent()
    stream = AudioStream(sent.append, 1, "0", prepared(0))
    stream.voice = Voice.STEADY
    run(stream, 0.0, 0.02)
    assert read_packet(sent[0]).number is None
    assert read_packet(numbered(sent[0], 0x1FFFE)).number == 0xFFFE
    assert elements(numbered(sent[0], 7)) == elements(sent[0]) | {3: b"\0\7"}
