# SPDX-License-Identifier: Apache-2.0
"""What must hold over any order of packets, losses, repeats, changes of layers and changes of people."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec import Struct

from server.media.packet_path import PacketPath, PurePath
from server.media.receive import ReceiveStatistics
from server.media.rtcp import PLI_REPEAT_MS, negative_acknowledgement
from server.media.rtp import Packet
from tests.media.circle import Circle, Encoding, Seat
from tests.media.offers import MICROPHONE_SSRC, OPUS, RED, TRANSPORT_CC_ID, make_offer, with_red
from tests.media.packets import red, rtp, vp8
from tests.media.paths import compiled_path
from tests.media.test_layers import losses

PEOPLE = ("ana", "cleo")
RIDS = ("q", "h")
TAG_BYTES = 8
_TAG = re.compile(rb"(?:ana|cleo) {4,5}(.{4})", re.DOTALL)
FRAME_MS = 50


class Frame(Struct, frozen=True):
    """Somebody sends the packet `distance` ahead of the newest of this layer; a negative one comes late."""

    person: int
    layer: int
    distance: int
    keyframe: bool
    repeated: bool


class Speech(Struct, frozen=True):
    """The same for a voice, with redundancy or without."""

    person: int
    distance: int
    redundant: bool


class Attach(Struct, frozen=True):
    """Another person comes into the slot, or nobody."""

    person: int | None


class Choose(Struct, frozen=True):
    """Another layer of whoever is in the slot, or none."""

    layer: int | None


class Miss(Struct, frozen=True):
    """The subscriber asks for what went out `back` packets ago, whether it got it or not."""

    back: int


class Pad(Struct, frozen=True):
    """The link is measured."""

    size: int


distances = st.sampled_from([1] * 6 + [2, 3, 40, 1_500, 32_000, 0, -1, -2, -30])
frames = st.builds(
    Frame,
    st.integers(0, 1),
    st.integers(0, 1),
    distances,
    st.integers(0, 3).map(lambda value: value == 0),
    st.booleans(),
)
steps = st.lists(
    st.one_of(
        frames,
        frames,
        st.builds(Speech, st.integers(0, 1), distances, st.booleans()),
        st.builds(Attach, st.sampled_from([0, 1, 0, 1, None])),
        st.builds(Choose, st.sampled_from([0, 1, 0, 1, None])),
        st.builds(Miss, st.integers(0, 40)),
        st.builds(Pad, st.sampled_from([1, 200, 1_000])),
    ),
    min_size=1,
    max_size=120,
)
Step = Frame | Speech | Attach | Choose | Miss | Pad

LATE_OVER_TWO_SWITCHES: list[Step] = [
    Attach(0),
    Choose(0),
    Frame(0, 0, 1, True, False),
    Frame(0, 0, 3, False, False),
    Choose(1),
    Frame(0, 1, 1, True, False),
    Frame(0, 0, -1, False, True),
    Choose(0),
    Frame(0, 0, 1, True, False),
    Frame(0, 0, -3, False, True),
    Attach(1),
    Choose(0),
    Frame(1, 0, 1, True, False),
    Attach(0),
    Choose(0),
    Frame(0, 0, 1, True, False),
    Frame(0, 0, -4, True, True),
    Miss(0),
    Miss(1),
    Miss(2),
]

BEFORE_THE_START: list[Step] = [
    Attach(0),
    Choose(0),
    Frame(0, 0, 1, True, False),
    *[Frame(0, 0, 1, False, False)] * 4,
    Frame(0, 0, 0, False, True),
    Attach(1),
    Choose(0),
    Frame(1, 0, 1, False, False),
    Frame(1, 0, 2, True, False),
    Frame(1, 0, -1, False, True),
    Miss(2),
]
"""A packet comes twice, one of just before a keyframe comes late, one is asked for whose number was another's."""

HEARD_FROM_THE_MIDDLE: list[Step] = [Speech(0, 1, True), Speech(0, 1, True), Attach(0), *[Speech(0, 1, True)] * 3]


class Scene:
    """Two people with two layers and a voice each, and a subscriber with one slot that changes all the time."""

    def __init__(self, starts: list[int], path: PacketPath) -> None:
        self.circle = Circle(path)
        self.people = [Seat(self.circle, name, with_red(make_offer(1, rids=RIDS))) for name in PEOPLE]
        self.bo = Seat(self.circle, "bo", with_red(make_offer(1, transport_cc=True)))
        self.encodings = [
            [Encoding(seat, rid, 5_000 + 10 * index, starts.pop()) for index, rid in enumerate(RIDS)]
            for seat in self.people
        ]
        self.voices = [starts.pop() for _ in PEOPLE]
        self.said = [b"" for _ in PEOPLE]
        self.since = 0
        """How many packets there had been when the present person came into the slot."""
        self.repeats = 0
        self.count = 0
        for encodings in self.encodings:
            for encoding in encodings:
                encoding.send(self.picture(encoding.seat, keyframe=False))

    def do(self, step: Step) -> None:
        """One thing happens."""
        self.circle.wait(7)
        line = self.bo.video()
        match step:
            case Frame():
                self._frame(step)
            case Speech():
                self._speech(step)
            case Attach(person):
                self._attach(self.people[person] if person is not None else None)
            case Choose(layer):
                if line.source is not None:
                    line.choose(line.source.layers[layer] if layer is not None else None)
            case Miss(back):
                number = line.rewriter.next - 1 - back & 0xFFFF
                self.bo.send_report(negative_acknowledgement(1, line.rewriter.ssrc, [number]))
            case Pad(size):
                line.pad(size, self.circle.now_ns)

    @property
    def shown(self) -> bytes:
        """The name of whoever is in the slot."""
        source = self.bo.video().source
        return source.publisher.participant.encode() if source is not None else b"nobody"

    def _attach(self, seat: Seat | None) -> None:
        self.bo.video().attach(seat.camera if seat is not None else None)
        if self.bo.audio().attach(seat.microphone if seat is not None else None):
            self.since = self.count

    def _frame(self, step: Frame) -> None:
        encoding = self.encodings[step.person][step.layer]
        payload = self.picture(encoding.seat, keyframe=step.keyframe)
        number = encoding.sequence + step.distance
        encoding.sequence = max(encoding.sequence, number)
        if step.repeated:
            self.repeats += 1
            encoding.repeat(payload, number, self.repeats)
        else:
            encoding.send(payload, number)

    def _speech(self, step: Speech) -> None:
        seat = self.people[step.person]
        number = self.voices[step.person] + step.distance
        self.voices[step.person] = max(self.voices[step.person], number)
        tag = self._tag(seat)
        payload = red(self.said[step.person], tag) if step.redundant else tag
        self.said[step.person] = tag
        payload_type = RED if step.redundant else OPUS
        seat.send(rtp(number, timestamp=number * 960, ssrc=MICROPHONE_SSRC, payload_type=payload_type, payload=payload))

    def picture(self, seat: Seat, *, keyframe: bool) -> bytes:
        """The next payload of a camera."""
        return vp8(self.count, self.count & 0xFF, keyframe=keyframe, body=self._tag(seat))

    def _tag(self, seat: Seat) -> bytes:
        """Different each time, so that a repeated number would show as another plaintext."""
        self.count += 1
        return seat.peer.participant.encode().ljust(TAG_BYTES) + self.count.to_bytes(4)


@pytest.mark.parametrize("make", [PurePath, compiled_path], ids=["pure", "compiled"])
@settings(max_examples=200, deadline=None)
@given(starts=st.lists(st.integers(0, 0xFFFF), min_size=6, max_size=6), order=steps)
@example(starts=[65_530, 0, 0, 32_000, 65_535, 7], order=LATE_OVER_TWO_SWITCHES)
@example(starts=[65_530, 0, 0, 32_000, 65_535, 7], order=BEFORE_THE_START)
@example(starts=[65_530, 0, 0, 32_000, 65_535, 7], order=HEARD_FROM_THE_MIDDLE)
def test_a_number_stands_for_one_plaintext(
    make: Callable[[], PacketPath], starts: list[int], order: list[Step]
) -> None:
    """Trap 1: each (SSRC, extended number) goes out once, and libsrtp, which would refuse a second time, never has to.

    Of a voice nothing is heard that was said before its listener came.
    Trap 2: what goes out is of the person in the slot at that moment, retransmissions included, and a retransmission is
    byte for byte what went out under its number.
    """
    scene = Scene(list(starts), make())
    outgoing: dict[int, ReceiveStatistics] = {}
    first_sent: dict[int, Packet] = {}
    for step in order:
        before = len(scene.bo.packets)
        scene.do(step)
        for packet in scene.bo.packets[before:]:
            numbers = outgoing.setdefault(packet.ssrc, ReceiveStatistics(90_000))
            assert numbers.accept(packet.sequence) is not None
            if packet.ssrc == scene.bo.video().rtx_ssrc:
                _check_repeat(packet, first_sent, scene.shown)
            else:
                assert scene.shown in packet.payload
                assert not any(name.encode() in packet.payload for name in PEOPLE if name.encode() != scene.shown)
            if packet.ssrc == scene.bo.audio().rewriter.ssrc:
                assert all(int.from_bytes(tag) > scene.since for tag in _TAG.findall(packet.payload))
            if packet.ssrc == scene.bo.video().rewriter.ssrc:
                first_sent[packet.sequence] = packet
    assert scene.bo.peer.dropped == 0
    transport = [packet.extension(TRANSPORT_CC_ID) for packet in scene.bo.packets]
    assert [int.from_bytes(value or b"") for value in transport] == list(range(1, len(transport) + 1))


def _check_repeat(packet: Packet, first_sent: dict[int, Packet], shown: bytes) -> None:
    if packet.media_length() == 0:
        return
    original = first_sent[int.from_bytes(packet.payload[:2])]
    assert packet.payload[2:] == original.payload
    assert (packet.timestamp, packet.marker) == (original.timestamp, original.marker)
    assert shown in packet.payload


@pytest.mark.parametrize("make", [PurePath, compiled_path], ids=["pure", "compiled"])
@settings(max_examples=100, deadline=None)
@given(
    starts=st.lists(st.integers(0, 0xFFFF), min_size=6, max_size=6),
    order=steps,
    person=st.integers(0, 1),
    layer=st.integers(0, 1),
    lost=st.sets(st.integers(0, 2), max_size=2),
)
def test_no_line_is_stuck(
    make: Callable[[], PacketPath], starts: list[int], order: list[Step], person: int, layer: int, lost: set[int]
) -> None:
    """After anything, a layer is chosen whose sender answers keyframe requests, of which the first ones get lost.

    It flows again, from its start on without a hole.
    """
    scene = Scene(list(starts), make())
    for step in order:
        scene.do(step)
    line = scene.bo.video()
    encoding = scene.encodings[person][layer]
    wanted = encoding.seat.camera.layers[layer]
    scene.circle.watch(line, wanted)
    requests = answered = 0
    for _ in range(PLI_REPEAT_MS * (len(lost) + 2) // FRAME_MS):
        scene.circle.wait(FRAME_MS)
        scene.circle.forwarder.pace_keyframes(wanted, scene.circle.now_ns)
        asked = [ssrc for ssrc in losses(encoding.seat) if ssrc == encoding.ssrc]
        keyframe = any(index - answered not in lost for index in range(requests, len(asked)))
        requests = len(asked)
        encoding.send(scene.picture(encoding.seat, keyframe=keyframe))
    assert line.flowing is wanted
    tail = scene.bo.seen()[-3:]
    assert scene.shown in tail[-1].payload
    assert [packet.sequence - tail[0].sequence & 0xFFFF for packet in tail] == list(range(len(tail)))


@pytest.mark.usefixtures("packet_path")
@pytest.mark.parametrize("ppm", [-500, 500])
def test_what_a_microphones_clock_lost_is_not_made_up_for_at_a_switch(ppm: int) -> None:
    """After a minute with it somebody else goes on 20 ms later: for the listener, too."""
    circle = Circle()
    ana, bo, cleo = (circle.seat(name) for name in ("ana", "bo", "cleo"))
    line = bo.audio()
    line.attach(ana.microphone)
    before = 0
    for number in range(1, 3_000):
        circle.wait(20)
        timestamp = number * 960 * (1_000_000 + ppm) // 1_000_000
        ana.send(rtp(number, ssrc=MICROPHONE_SSRC, payload_type=OPUS, timestamp=timestamp))
        before = bo.packets[-1].timestamp
    line.attach(cleo.microphone)
    circle.wait(20)
    cleo.send(rtp(1, ssrc=MICROPHONE_SSRC, payload_type=OPUS))
    assert bo.packets[-1].timestamp - before & 0xFFFFFFFF == pytest.approx(960, abs=100)
