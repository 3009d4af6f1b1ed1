# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from aiortc.rtp import RtpPacket

from loadtest.clip import Signatures, prepared
from loadtest.receiver import Kind, Line, Reception, Source

AUDIO, VIDEO = 100, 200


def reception() -> Reception:
    """One slot, two known clips."""
    lines = {AUDIO: Line(0, Kind.AUDIO), VIDEO: Line(0, Kind.VIDEO)}
    return Reception(lines, Signatures([prepared(0), prepared(1)]))


def rtp(ssrc: int, sequence: int, payload: bytes, *, marker: int = 0) -> bytes:
    """One packet."""
    packet = RtpPacket(payload_type=111, ssrc=ssrc, sequence_number=sequence, timestamp=1, marker=marker)
    packet.payload = payload
    return packet.serialize()


def test_sources_are_told_by_their_payloads() -> None:
    """What a slot carries is attributed to the clip it was made from, not to what anybody says about the slot."""
    received = reception()
    for index in range(3):
        received.receive(rtp(AUDIO, index, prepared(0).speech[index].payload), 1.0 + index)
    received.receive(rtp(AUDIO, 3, prepared(1).quiet[0].payload), 4.5)
    received.receive(rtp(VIDEO, 0, b"\x90\x80\x80\x01" + prepared(1).video[0].frames[0].chunks[0]), 4.6)
    assert received.clips(Kind.AUDIO) == {0, 1}
    assert received.clips() == {0, 1}
    arrivals = received.take()
    first = arrivals[Source(0, Kind.AUDIO, 0)]
    assert (first.packets, first.first_s, first.last_s, first.longest_gap_s) == (3, 1.0, 3.0, 1.0)
    assert arrivals[Source(0, Kind.VIDEO, 1)].packets == 1
    assert received.take() == {}


def test_unknown_media_is_seen_as_such() -> None:
    """Media of nobody we know is counted under None, never left out."""
    received = reception()
    received.receive(rtp(AUDIO, 0, b"a stranger"), 0.0)
    assert received.clips() == {None}


def test_loss_is_counted_over_the_wrap() -> None:
    """Gaps and late packets count as RFC 3550 says, also where the sequence starts over."""
    received = reception()
    for sequence in (65_533, 65_534, 1, 0, 4):
        received.receive(rtp(AUDIO, sequence, b"x"), 0.0)
    assert received.lines[AUDIO].packets == 5
    assert received.lines[AUDIO].lost == 3


def test_pictures_are_counted_by_their_last_packet() -> None:
    """A picture of two packets is one frame."""
    received = reception()
    received.receive(rtp(VIDEO, 0, b"\x90\x80\x80\x01a"), 0.0)
    received.receive(rtp(VIDEO, 1, b"\x80\x80\x80\x01b", marker=1), 0.0)
    assert received.lines[VIDEO].frames == 1


def test_what_is_not_ours_is_a_stray() -> None:
    """Unknown SSRCs and broken packets do no harm and are not forgotten."""
    received = reception()
    for data in (rtp(999, 0, b"x"), b"", b"\x80\x6f\x00", b"\xb0" + bytes(11)):
        received.receive(data, 0.0)
    assert received.strays == 4
    assert received.clips() == frozenset()
