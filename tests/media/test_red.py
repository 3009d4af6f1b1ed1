# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.media.red import MAX_REPEATED, Redundancy
from server.media.rtp import MalformedPacket, Packet
from tests.media.circle import Circle, Seat
from tests.media.offers import MICROPHONE_SSRC, OPUS, RED, make_offer, with_red
from tests.media.packets import red, rtp

pytestmark = pytest.mark.usefixtures("packet_path")

FIREFOX_OPUS = 109


class Voice:
    """Ana speaks with redundancy; who listens takes it, has another name for it, or does not know it."""

    def __init__(self) -> None:
        self.circle = Circle()
        self.ana = Seat(self.circle, "ana", with_red(make_offer()))
        self.bo = Seat(self.circle, "bo", with_red(make_offer()))
        self.fay = Seat(self.circle, "fay", with_red(make_offer(), FIREFOX_OPUS))
        self.old = Seat(self.circle, "old", make_offer())
        for seat in (self.bo, self.fay, self.old):
            seat.audio().attach(self.ana.microphone)

    def say(self, sequence: int, payload: bytes, payload_type: int = RED, padding: int = 0) -> None:
        """One packet of Ana's."""
        self.ana.send(
            rtp(
                sequence,
                timestamp=960 * sequence,
                ssrc=MICROPHONE_SSRC,
                payload_type=payload_type,
                payload=payload,
                padding=padding,
            )
        )


def test_each_gets_the_form_that_it_can_read() -> None:
    """As it is, under the listener's own payload types, or the newest block alone."""
    voice = Voice()
    voice.say(1, red(b"a"))
    voice.say(2, red(b"a", b"bb"))
    voice.say(3, red(b"bb", b"ccc"))
    forms = [[(packet.payload_type, packet.payload) for packet in seat.heard()] for seat in (voice.bo, voice.fay)]
    assert forms[0][1:] == [(RED, red(b"a", b"bb")), (RED, red(b"bb", b"ccc"))]
    assert forms[1][1:] == [
        (RED, red(b"a", b"bb", opus=FIREFOX_OPUS)),
        (RED, red(b"bb", b"ccc", opus=FIREFOX_OPUS)),
    ]
    assert [(packet.payload_type, packet.payload) for packet in voice.old.heard()] == [
        (OPUS, b"a"),
        (OPUS, b"bb"),
        (OPUS, b"ccc"),
    ]


def test_nothing_from_before_is_heard() -> None:
    """A listener who comes in gets no block that was said earlier: neither in the first packet nor after it."""
    voice = Voice()
    voice.bo.audio().attach(None)
    voice.say(1, red(b"x", b"y", b"secret"))
    voice.bo.audio().attach(voice.ana.microphone)
    voice.say(2, red(b"y", b"secret", b"one"))
    voice.say(3, red(b"secret", b"one", b"two"))
    voice.say(4, red(b"one", b"two", b"three"))
    heard = [packet.payload for packet in voice.bo.heard()]
    assert heard == [b"one", b"two", red(b"one", b"two", b"three")]


def test_nothing_from_before_is_heard_of_a_sender_that_leaves_packets_out() -> None:
    """Blocks that reach back further than one packet each are told by their age."""
    voice = Voice()
    voice.bo.audio().attach(None)
    voice.say(1, b"secret", OPUS)
    voice.bo.audio().attach(voice.ana.microphone)
    voice.say(2, b"one", OPUS)
    for number in (3, 4):
        voice.say(number, red(b"secret", b"new", ages=[960 * (number - 1)]))
    voice.say(5, red(b"one", b"new", ages=[960 * 3]))
    heard = [packet.payload for packet in voice.bo.heard()]
    assert heard == [b"one", b"new", b"new", red(b"one", b"new", ages=[960 * 3])]


def test_a_thin_link_goes_without() -> None:
    """The line can be told to leave redundancy out, at any packet."""
    voice = Voice()
    voice.say(1, red(b"a"))
    voice.bo.audio().redundant = False
    voice.say(2, red(b"a", b"bb"))
    assert [packet.payload for packet in voice.bo.heard()][1:] == [b"bb"]
    assert voice.bo.heard()[1].payload_type == OPUS


def test_plain_packets_go_between_redundant_ones() -> None:
    """A sender may change from packet to packet; each goes out under the type of its form."""
    voice = Voice()
    voice.say(1, b"a", OPUS)
    voice.say(2, red(b"a", b"bb"))
    voice.say(3, b"ccc", OPUS)
    assert [(packet.payload_type, packet.payload) for packet in voice.bo.heard()] == [
        (OPUS, b"a"),
        (RED, red(b"a", b"bb")),
        (OPUS, b"ccc"),
    ]


def test_padding_is_no_part_of_the_newest_block() -> None:
    """It goes with the whole payload, and not with the block alone."""
    voice = Voice()
    voice.say(1, red(b"a"))
    voice.say(2, red(b"a", b"bb"), padding=4)
    assert voice.old.heard()[1].payload == b"bb"
    assert not voice.old.heard()[1].flags & 0x20
    assert voice.bo.heard()[1].payload[: voice.bo.heard()[1].media_length()] == red(b"a", b"bb")


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xef\x00",
        red(b"a", b"b")[:-2],
        red(b"a", b"b", opus=9),
        red(*[b"a"] * (MAX_REPEATED + 2)),
    ],
    ids=["empty", "cut header", "cut block", "other codec", "too many"],
)
def test_what_nobody_could_play_is_dropped(payload: bytes) -> None:
    """It reaches no listener in any form."""
    voice = Voice()
    voice.say(1, payload)
    assert voice.circle.forwarder.dropped == 1
    assert not voice.bo.packets
    assert not voice.old.packets


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=MAX_REPEATED + 1), st.integers(0, 127))
def test_what_was_written_is_read(blocks: list[bytes], other: int) -> None:
    """Any blocks: the newest comes out, and another type changes nothing but the type."""
    found = Redundancy(Packet(rtp(payload=red(*blocks))), OPUS)
    assert found.plain.payload == blocks[-1]
    assert found.depth == len(blocks) - 1
    assert found.carrying(other).payload == red(*blocks, opus=other)


@given(st.binary(max_size=60))
def test_any_payload_is_red_or_malformed(payload: bytes) -> None:
    """No input raises anything but `MalformedPacket`."""
    try:
        found = Redundancy(Packet(rtp(payload=payload)), OPUS)
    except MalformedPacket:
        return
    assert payload.endswith(found.plain.payload)
