# SPDX-License-Identifier: Apache-2.0
"""Stories of packets, switches and repeats, told on one packet path: what two paths must agree on."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest import mock

from hypothesis import strategies as st
from pylibsrtp import Error

from server.media.budget import Budget
from server.media.meter import Meter
from server.media.packet_path import PacketPath
from server.media.picture import Picture
from server.media.receive import ReceiveStatistics
from server.media.rewriter import Rewriter
from server.media.rtcp import negative_acknowledgement
from server.media.rtp import Packet
from server.media.speakers import Talker
from server.media.streams import Source
from tests.media.circle import Circle, Encoding, Seat
from tests.media.offers import LEVEL_ID, MICROPHONE_SSRC, OPUS, RED
from tests.media.packets import red, rtp

RIDS = ("q", "h", "f")
OTHER_OPUS = 109
PAYLOADS: dict[str, Callable[[int], bytes]] = {
    "long": lambda number: bytes([0x90, 0xC0]) + (0x8000 | number & 0x7FFF).to_bytes(2) + bytes([number & 0xFF]),
    "short": lambda number: bytes([0x90, 0x80, number & 0x7F]),
    "tl0 alone": lambda number: bytes([0x90, 0x40, number & 0xFF]),
    "long alone": lambda number: bytes([0x90, 0x80]) + (0x8000 | number & 0x7FFF).to_bytes(2),
    "no ids": lambda _: bytes([0x10]),
}


@dataclass(frozen=True)
class Sent:
    """A packet of one layer, `step` numbers on."""

    layer: int
    step: int
    keyframe: bool
    form: str
    size: int
    marker: bool
    leap: int
    """Of the picture id."""


@dataclass(frozen=True)
class Spoken:
    """A packet of the voice, `step` numbers on."""

    step: int
    padding: int
    repeated: int = 0
    """Earlier blocks in it; below zero: malformed."""
    size: int = 50


@dataclass(frozen=True)
class Ruled:
    """What the room lets of the voice through, and whether there are people who do not get it."""

    heard: bool
    claims: bool


@dataclass(frozen=True)
class Chosen:
    """What one subscriber should get."""

    subscriber: int
    layer: int | None


@dataclass(frozen=True)
class Missed:
    """A subscriber asks again for what it got lately."""

    subscriber: int
    back: int


@dataclass(frozen=True)
class Padded:
    """Bytes that measure a subscriber's link."""

    subscriber: int
    size: int


subscribers = st.integers(0, 2)
steps = st.one_of(st.integers(-5, 5), st.sampled_from([1, 1, 1, 1, 300, 1_023, 1_024, 1_500, 40_000]))
sent = st.builds(
    Sent,
    layer=st.integers(0, 2),
    step=steps,
    keyframe=st.booleans(),
    form=st.sampled_from(sorted([*PAYLOADS, "empty"])),
    size=st.sampled_from([0, 1, 40, 900, 900, 900, 1_180]),
    marker=st.booleans(),
    leap=st.sampled_from([0, 0, 1, 1, 200, -200, 0x3FFE, 0x3FFF, 0x4000]),
)
spoken = st.builds(
    Spoken,
    step=steps,
    padding=st.integers(0, 8),
    repeated=st.sampled_from([-1, 0, 0, 1, 2, 2, 2, 8, 9]),
    size=st.sampled_from([0, 1, 50, 140, 600]),
)
actions = st.one_of(
    sent,
    sent,
    sent,
    spoken,
    st.builds(Ruled, heard=st.booleans(), claims=st.booleans()),
    st.builds(Chosen, subscriber=subscribers, layer=st.one_of(st.none(), st.integers(0, 2))),
    st.builds(Missed, subscriber=subscribers, back=st.integers(0, 20)),
    st.builds(Padded, subscriber=subscribers, size=st.integers(1, 1_000)),
)


Action = Sent | Spoken | Ruled | Chosen | Missed | Padded


def long_story(seed: int) -> list[Action]:
    """Mostly a stream in good order in one form, so that segments last; then everything that can happen to it."""
    dice = random.Random(seed)
    form = dice.choice(sorted(PAYLOADS))
    usual = dice.choice([0, 2])

    def sent(layer: int) -> Sent:
        step = 1 if dice.random() < 0.9 else dice.choice([-3, -1, 2, 5, 300, 1_022, 1_023, 1_024, 1_025, 1_026, 40_000])
        leap = (
            dice.choice([0, 1]) if dice.random() < 0.9 else dice.choice([-130, -127, 127, 128, 0x3FFF, 0x4000, 0x4001])
        )
        own_form = form if dice.random() < 0.95 else dice.choice(sorted([*PAYLOADS, "empty"]))
        size = dice.choice([0, 30, 900, 900, 900, 1_180])
        return Sent(layer, step, dice.random() < 0.15, own_form, size, dice.random() < 0.3, leap)

    def next_action() -> Action:
        kind = dice.random()
        if kind < 0.7:
            return sent(dice.choice([0, 0, 1, 2]))
        if kind < 0.85:
            step = 1 if dice.random() < 0.9 else dice.choice([-2, 3, 1_024, 1_500])
            repeated = usual if dice.random() < 0.9 else dice.choice([-1, 0, 1, 8, 9])
            return Spoken(step, dice.choice([0, 0, 4]), repeated, dice.choice([1, 50, 50, 600]))
        if kind < 0.86:
            return Ruled(heard=dice.random() < 0.8, claims=dice.random() < 0.3)
        if kind < 0.9:
            return Chosen(dice.randrange(3), dice.choice([None, 0, 1, 2]))
        if kind < 0.96:
            return Missed(dice.randrange(3), dice.randrange(12))
        return Padded(dice.randrange(3), dice.choice([1, 200, 900]))

    return [next_action() for _ in range(500)]


@contextmanager
def same_numbers() -> Iterator[None]:
    """The random numbers of connections are the same in both worlds."""
    with mock.patch("server.media.peer.secrets.randbits", random.Random(7).getrandbits):
        yield


class World:
    """Ana sends a voice and three layers; three subscribers: with transport-wide numbers, without, and over TCP.

    Without `streamed` the third one gets datagrams, too.
    """

    def __init__(self, path: PacketPath, *, streamed: bool = True) -> None:
        with same_numbers():
            self.circle = Circle(path)
            self.ana = self.circle.seat("ana", rids=RIDS, transport_cc=True, red_of=OPUS)
            self.seats = [
                self.circle.seat("bo", transport_cc=True, red_of=OPUS),
                self.circle.seat("cleo"),
                self.circle.seat("dan", transport_cc=True, stream=streamed, red_of=OTHER_OPUS),
            ]
        self.layers = [Encoding(self.ana, rid, 5000 + 10 * index) for index, rid in enumerate(RIDS)]
        self.voice = 100
        self.picture = 0
        self.claims: list[int] = []
        self.unsteady = 0
        """Packets that were not handled by compiled code, wholly."""
        self._count_unsteady()
        self.act(Ruled(heard=True, claims=False))
        for seat in self.seats:
            seat.audio().attach(self.ana.microphone)
            self.circle.watch(seat.video(), self.ana.camera.layers[0])

    def _count_unsteady(self) -> None:
        decrypted = self.circle.forwarder.decrypted

        def counted(*of: Any) -> None:  # noqa: ANN401
            self.unsteady += 1
            decrypted(*of)

        vars(self.circle.forwarder)["decrypted"] = counted

    def act(self, action: Action) -> None:
        """One step of the story."""
        self.circle.wait(7)
        try:
            self._act(action)
        except Error:
            # The publisher's own libsrtp does not let a number out twice.
            return

    def _act(self, action: Action) -> None:
        match action:
            case Sent():
                encoding = self.layers[action.layer]
                encoding.sequence += action.step
                self.picture += action.leap
                encoding.send(self._payload(action), encoding.sequence, marker=action.marker)
            case Spoken():
                self.voice += action.step
                packet = rtp(
                    self.voice, timestamp=self.voice * 960, ssrc=MICROPHONE_SSRC,
                    payload_type=RED if action.repeated else OPUS,
                    payload=self._said(action), padding=action.padding,
                    extensions=[(LEVEL_ID, bytes([self.voice * 29 % 128])), *self.ana.number()],
                )  # fmt: skip
                self.ana.send(packet)
            case Ruled():
                assert self.ana.microphone.voice is not None
                self.ana.microphone.voice.rule(
                    heard=action.heard, claim=(lambda _, now_ns: self.claims.append(now_ns)) if action.claims else None
                )
            case Chosen():
                layer = self.ana.camera.layers[action.layer] if action.layer is not None else None
                self.circle.watch(self.seats[action.subscriber].video(), layer)
            case Missed():
                seat = self.seats[action.subscriber]
                line = seat.video()
                number = line.rewriter.next - 1 - action.back & 0xFFFF
                seat.send_report(negative_acknowledgement(1, line.rewriter.ssrc, [number]))
            case Padded():
                self.seats[action.subscriber].video().pad(action.size, self.circle.now_ns)

    def _said(self, action: Spoken) -> bytes:
        if action.repeated < 0:
            return red(b"cut", b"block")[:-6]
        newest = bytes([self.voice & 0xFF]) * action.size
        return red(*[b"e" * 20] * action.repeated, newest) if action.repeated else newest

    def _payload(self, action: Sent) -> bytes:
        if action.form == "empty":
            return b""
        frame = bytes([0 if action.keyframe else 1]) + bytes(action.size)
        return PAYLOADS[action.form](self.picture) + frame

    def outcome(self) -> dict[str, Any]:
        """All that can be told apart: what came, and what is remembered."""
        forwarder = self.circle.forwarder
        return {
            "forwarder": (forwarder.received, forwarder.forwarded, forwarder.dropped, forwarder.keyframe_requests),
            "seats": [self._of(seat) for seat in self.seats],
            "sources": [books(source, self.circle.now_ns) for source in self.ana.peer.sources.values()],
            "peer": _fields(self.ana.peer.budget, Budget),
            "arrivals": [list(each) for each in self.ana.peer.arrivals.take()] if self.ana.peer.arrivals else None,
            "claims": self.claims,
        }

    def _of(self, seat: Seat) -> dict[str, Any]:
        history = seat.peer.history
        lines = [line for slot in seat.peer.slots for line in slot]
        numbers = range(0x10000)
        return {
            "packets": [
                [getattr(packet, name) for name in Packet.__slots__ if name != "picture"]
                # Streams may overtake each other on their way through the outbox; the packets of one do not.
                for packet in sorted(seat.packets, key=lambda packet: packet.ssrc)
            ],
            "reports": [str(report) for report in seat.reports],
            "mapping": [[getattr(line.rewriter, name) for name in Rewriter.__slots__] for line in lines],
            "sequence_of": [[line.rewriter.sequence_of(number) for number in numbers[::101]] for line in lines],
            "lines": [(line.resent, line.padded, line.switches) for line in lines],
            "history": [list(each) for each in (history.state, history.times, history.sizes)]
            if history is not None
            else None,
            "dropped": seat.peer.dropped,
        }


def _fields(thing: object, of: type) -> list[object]:
    return [getattr(thing, name) for name in of.__slots__]  # type: ignore[attr-defined]


def _read(packet: Packet) -> list[object]:
    """A packet with its picture."""
    plain = [getattr(packet, name) for name in Packet.__slots__ if name not in {"picture", "redundancy"}]
    return plain + (_fields(packet.picture, Picture) if packet.picture is not None else [])


def books(source: Source, now_ns: int) -> dict[str, Any]:
    """What is counted and kept of a source."""
    voice = source.voice
    return {
        "budget": _fields(source.budget, Budget),
        "voice": (_fields(voice.talker, Talker), [(_read(packet), at) for packet, at in voice.early(1)])
        if voice is not None
        else None,
        "layers": [
            (
                _fields(layer.statistics, ReceiveStatistics),
                _fields(layer.meter, Meter),
                (layer.bitrate_bps(now_ns), layer.meter.steady_bps(now_ns)),
                (layer.ssrc, layer.codec, layer.arrived_ns, layer.height, layer.keyframes, layer.holes.open),
                [
                    _read(packet)
                    for number in range(layer.statistics.highest - 300, layer.statistics.highest + 2)
                    if (packet := layer.recall(number)) is not None
                ],
            )
            for layer in source.layers
        ],
    }


def told_on_both(
    story: list[Action], one: PacketPath, other: PacketPath, *, streamed: bool = True
) -> tuple[World, World]:
    """Both worlds after the story."""
    worlds = World(one, streamed=streamed), World(other, streamed=streamed)
    for action in story:
        for world in worlds:
            world.act(action)
        if isinstance(action, Sent):
            # The kernel keeps only so much for a receiver that does not read.
            counts = [[len(seat.packets) for seat in world.seats] for world in worlds]
            assert counts[0] == counts[1]
    return worlds
