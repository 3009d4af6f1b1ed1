# SPDX-License-Identifier: Apache-2.0
"""Whatever somebody with good keys sends, C reads it as the reference does, or leaves it to that."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.media.dtls import SrtpPair
from server.media.line import Line
from server.media.native.compiled import CompiledPath
from server.media.native.library import ffi
from server.media.packet_path import PacketPath, PurePath
from server.media.rtp import HEADER
from server.media.streams import MAX_PAYLOAD
from tests.fuzz.targets import GoodKeys, datagrams
from tests.media.circle import Circle
from tests.media.offers import CAMERA_SSRC, LEVEL_ID, MICROPHONE_SSRC, OPUS, RED, TRANSPORT_CC_ID, VP8
from tests.media.packets import red, rtp, vp8
from tests.media.paths import compiled_library
from tests.media.story import books

CORPUS: Final = sorted((Path(__file__).parents[2] / "fuzz" / "corpus" / "hostile").iterdir())
TYPES: Final = {CAMERA_SSRC: [VP8, VP8, VP8, RED], MICROPHONE_SSRC: [OPUS, RED, RED, VP8]}

DECRYPTED: Final = ffi.callback("int(void *, void *, int *)", lambda _session, _packet, _length: 0)
"""As if every packet had been protected with the right keys."""


@st.composite
def packets(draw: Any) -> tuple[int, int, int, int, bytes]:  # noqa: ANN401
    """First byte, SSRC, step, second byte, and what follows the header: from well-formed to anything."""
    ssrc = draw(st.sampled_from([CAMERA_SSRC, MICROPHONE_SSRC]))
    payload_type = draw(st.sampled_from(TYPES[ssrc]))
    extensions = draw(
        st.sampled_from([None, bytes([LEVEL_ID << 4, 30, TRANSPORT_CC_ID << 4 | 1, 1, 2, 0, 0, 0]), b"\0" * 4])
        | st.binary(min_size=4, max_size=12)
    )
    block = b""
    if extensions is not None:
        profile = draw(st.sampled_from([0xBEDE, 0xBEDE, 0xBEDE, 0x1000, 0x1234]))
        words = draw(st.sampled_from([len(extensions) // 4] * 4 + [0, 1, 300]))
        block = profile.to_bytes(2) + words.to_bytes(2) + extensions[: len(extensions) // 4 * 4]
    payload = draw(
        st.sampled_from(
            [red(b"a", b"bb", b"ccc"), red(b"", b"b"), vp8(3, 4), vp8(5, 6, keyframe=True), vp8(7)[:4], b"x"]
        )
        | st.binary(max_size=20)
        | st.binary(max_size=12).map(lambda rest: b"\x90" + rest)
    )
    first = draw(st.sampled_from([0x80, 0x80, 0xA0, 0x81])) | (0x10 if block else 0)
    step = draw(st.sampled_from([1, 1, 1, 1, 1, 2, 0]))
    return first, ssrc, step, draw(st.sampled_from([0, 0x80])) | payload_type, block + payload


class World:
    """Eve sends, Ana gets her voice and picture."""

    def __init__(self, path: PacketPath) -> None:
        self.circle = Circle(path)
        self.eve = self.circle.seat("eve", transport_cc=True, red_of=OPUS)
        self.ana = self.circle.seat("ana", red_of=109)
        voice = self.eve.microphone.voice
        assert voice is not None
        voice.rule(heard=True, claim=None)
        self.ana.audio().attach(self.eve.microphone)
        self.circle.watch(self.ana.video(), self.eve.camera.layers[0])
        # The keys are those of before: only what they decrypt with is another.
        self.eve.peer.srtp = cast("SrtpPair", GoodKeys(self.eve.peer.srtp))
        self.numbers = {CAMERA_SSRC: 10, MICROPHONE_SSRC: 10}
        self.send(rtp(10, ssrc=CAMERA_SSRC, payload_type=VP8, payload=vp8(1, keyframe=True)))
        self.send(rtp(10, ssrc=MICROPHONE_SSRC, payload_type=OPUS, timestamp=10 * 960))

    def send(self, datagram: bytes) -> None:
        """From Eve."""
        self.circle.wait(5)
        self.circle.receiver.receive(self.eve.peer, datagram, self.circle.now_ns)

    def _came(self, line: Line) -> list[tuple[int, int, int, bytes]]:
        return [
            (packet.flags, packet.marker, packet.payload_type, packet.payload)
            for packet in self.ana.packets
            if packet.ssrc == line.rewriter.ssrc
        ]

    def outcome(self) -> list[object]:
        """What came of it."""
        forwarder, arrivals = self.circle.forwarder, self.eve.peer.arrivals
        return [
            # Which random numbers a line has is another matter.
            self._came(self.ana.audio()),
            self._came(self.ana.video()),
            (forwarder.received, forwarder.forwarded, forwarder.dropped, forwarder.keyframe_requests),
            [books(source, self.circle.now_ns) for source in self.eve.peer.sources.values()],
            [list(each) for each in arrivals.take()] if arrivals is not None else None,
        ]


def both(told: Iterable[bytes]) -> None:
    """The same in both worlds, with the same end."""
    compiled = CompiledPath(compiled_library(), int(ffi.cast("uintptr_t", DECRYPTED)))
    outcomes = []
    datagrams_told = list(told)
    for path in (PurePath(), compiled):
        world = World(path)
        for datagram in datagrams_told:
            world.send(datagram)
        outcomes.append(world.outcome())
    assert outcomes[0] == outcomes[1]


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.name[:8])
def test_the_kept_inputs_come_to_the_same(path: Path) -> None:
    """Whatever once was interesting to the reference."""
    both(datagrams(path.read_bytes()))


LEVEL_AND_NUMBER = bytes([LEVEL_ID << 4, 30, TRANSPORT_CC_ID << 4 | 1, 1, 2, 0, 0, 0])


def raw(ssrc: int, payload_type: int, payload: bytes, block: bytes = b"") -> bytes:
    """The packet that comes next."""
    head = HEADER.pack(0x90 if block else 0x80, payload_type, 11, 11 * 960, ssrc)
    return head + (b"\xbe\xde" + (len(block) // 4).to_bytes(2) + block if block else b"") + payload


@pytest.mark.parametrize(
    "packet",
    [
        raw(MICROPHONE_SSRC, OPUS, b"x", LEVEL_AND_NUMBER),
        raw(MICROPHONE_SSRC, OPUS, b"x", b"\xf0\0\0\0" + LEVEL_AND_NUMBER),
        raw(MICROPHONE_SSRC, OPUS, b"x", LEVEL_AND_NUMBER[:3] + b"\0"),
        raw(MICROPHONE_SSRC, OPUS, b"x", b"\x0f\x10\x05\0"),
        raw(MICROPHONE_SSRC, RED, red(b"secret", b"new", ages=[960 * 5])),
        raw(MICROPHONE_SSRC, RED, red(b"secret", b"new", ages=[1])),
        raw(MICROPHONE_SSRC, RED, red(b"secret", b"new")[:9]),
        raw(MICROPHONE_SSRC, OPUS, bytes(MAX_PAYLOAD)),
        raw(MICROPHONE_SSRC, OPUS, bytes(MAX_PAYLOAD + 1)),
        raw(MICROPHONE_SSRC, OPUS, b""),
        raw(CAMERA_SSRC, VP8, b"\x95\x80\x05" + bytes(20)),
        raw(CAMERA_SSRC, VP8, b"\x90\xb0\x05" + bytes(1)),
        raw(CAMERA_SSRC, VP8, b"\x90\x80\x85"),
        raw(CAMERA_SSRC, VP8, b"\x90\xc0\x85\x01"),
        raw(CAMERA_SSRC, VP8, b"\x90"),
        raw(CAMERA_SSRC, VP8, b""),
    ],
)
def test_the_edges_of_the_formats_come_to_the_same(packet: bytes) -> None:
    """Each in the middle of a stream that goes on after it."""
    after = packet[:2] + (12).to_bytes(2) + (12 * 960).to_bytes(4) + packet[8:12]
    both([packet, after + (b"x" if packet[8:12] == MICROPHONE_SSRC.to_bytes(4) else vp8(9))])


@given(st.lists(packets(), max_size=30))
def test_any_packet_comes_to_the_same(story: list[tuple[int, int, int, int, bytes]]) -> None:
    """Streams that mostly go on, of packets from whole to nonsense."""
    numbers = {CAMERA_SSRC: 10, MICROPHONE_SSRC: 10}

    def told() -> Iterable[bytes]:
        for first, ssrc, step, second, rest in story:
            numbers[ssrc] += step
            yield HEADER.pack(first, second, numbers[ssrc], numbers[ssrc] * 960, ssrc) + rest

    both(told())
