# SPDX-License-Identifier: Apache-2.0
"""Every parser of bytes that strangers send, each with what must hold whatever comes.

A target returns, or raises what its caller in the server expects and handles. Anything else is a defect.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import Final, cast

from aiortc.rtp import RtcpPacket
from msgspec import Raw

from server.errors import CommandRejected, JoinRefused
from server.media.congestion.feedback import MalformedFeedback, parse
from server.media.dtls import SrtpPair
from server.media.h264 import read_h264
from server.media.ice import IceLite, IceSession, is_stun
from server.media.reachable import Candidate
from server.media.red import Redundancy
from server.media.rtcp import split_feedback
from server.media.rtp import MalformedPacket, Packet, audio_level, retransmitted
from server.media.sdp import OfferRefused, parse_offer
from server.media.sdp_answer import Local, SlotSsrcs, answer, plan_lines
from server.media.sdp_lines import MAX_SECTIONS
from server.media.vp8 import read_vp8
from server.media.vp9 import read_vp9
from server.signaling.codec import BadFrame, read_command, read_connect, read_packet
from tests.media.circle import Circle, Encoding
from tests.media.packets import vp8

LOCAL: Final = Local("ufragufrag", "p" * 32, "AB", (Candidate("192.0.2.1", 4000, 1),))
UFRAG: Final = "abcdefgh"
PWD: Final = "0123456789abcdef0123456789abcdef"


def sdp(data: bytes) -> None:
    """An accepted offer has an answer with the same m-lines; nothing of the offer can add lines to it."""
    try:
        offer = parse_offer(data.decode("latin-1"))
    except OfferRefused:
        return
    plan = plan_lines(offer)
    ssrcs = tuple(SlotSsrcs(3 * index + 1, 3 * index + 2, 3 * index + 3) for index in range(len(plan.slots)))
    lines = answer(offer, LOCAL, ssrcs).split("\r\n")
    assert sum(line.startswith("m=") for line in lines) == len(offer.sections) <= MAX_SECTIONS
    assert all(line[1:2] == "=" and line.isprintable() for line in lines[:-1])


def rtp(data: bytes) -> None:
    """Fields stay inside the packet; the edited head of a picture keeps its length."""
    try:
        packet = Packet(data)
    except MalformedPacket:
        return
    for identifier in range(256):
        value = packet.extension(identifier)
        if value:
            assert audio_level(value) < 128
    assert 0 <= packet.media_length() <= len(packet.payload) <= len(data)
    for read in (read_vp8, read_vp9, read_h264):
        try:
            picture = read(packet.payload)
        except MalformedPacket:
            continue
        assert len(picture.with_ids(0x7FFF, 0xFF)) == len(picture.head) <= len(packet.payload)
    _redundant(packet)
    retransmitted(packet, 1, 96)


def _redundant(packet: Packet) -> None:
    try:
        redundancy = Redundancy(packet, packet.payload[-1] & 0x7F if packet.payload else 0)
    except MalformedPacket:
        return
    assert redundancy.plain.payload in packet.payload
    assert len(redundancy.carrying(111).payload) == len(packet.payload)


def stun(data: bytes) -> None:
    """Nothing is answered but a request that knows the password, which a fuzzer does not."""
    ice: IceLite[object] = IceLite()
    ice.add(IceSession(object(), UFRAG, PWD, "theirs", 0))
    if is_stun(data):
        reply = ice.receive(data, (0, ("192.0.2.7", 9)), 1)
        assert reply is None or data[20:] != b""
    assert ice.owner_of((0, ("192.0.2.7", 9))) is None or PWD.encode() not in data


def rtcp(data: bytes) -> None:
    """As the packet path reads decrypted RTCP."""
    try:
        transport, rest = split_feedback(data)
        RtcpPacket.parse(rest)
    except (ValueError, struct.error):
        return
    assert sum(map(len, transport)) + len(rest) <= len(data)


def feedback(data: bytes) -> None:
    """Transport-wide feedback speaks of as many packets as it says, and of arrivals only where it says so."""
    try:
        told = parse(data)
    except MalformedFeedback:
        return
    assert len(told.ticks) == sum(symbol != 0 for symbol in told.symbols)


def signaling(data: bytes) -> None:
    """A frame is a packet of ours, a command or a connect payload, or it is refused by a number."""
    try:
        packet = read_packet(data)
    except BadFrame:
        packet = None
    payload = Raw(data) if packet is None else packet.data
    for read in (read_command, read_connect):
        try:
            read(payload)
        except (CommandRejected, JoinRefused, BadFrame):
            continue


class GoodKeys:
    """As if every packet had been protected with the right keys."""

    unprotect = unprotect_rtcp = staticmethod(bytes)

    def __init__(self, real: object) -> None:
        self._real = real

    def __getattr__(self, name: str) -> object:
        return getattr(self._real, name)


def hostile(data: bytes) -> None:
    """Whatever somebody with good keys sends, the packet path goes on, and the next person's picture comes through."""
    circle = Circle()
    eve, ana, ben = (circle.seat(name, rids=("q", "h"), transport_cc=True) for name in ("eve", "ana", "ben"))
    circle.watch(ana.video(0), eve.camera.layers[0])
    circle.watch(ana.audio(0), eve.microphone.layers[0])
    circle.watch(ben.video(0), ana.camera.layers[0])
    keys = GoodKeys(eve.peer.srtp)
    eve.peer.srtp = cast("SrtpPair", keys)
    for datagram in datagrams(data):
        circle.forwarder.receive(eve.peer, datagram, circle.now_ns)
        circle.wait(5)
    Encoding(ana, "q", 77).send(vp8(keyframe=True))
    assert len(ben.seen()) == 1


def datagrams(data: bytes) -> Iterator[bytes]:
    """The input as packets, each after its length in one byte."""
    at = 0
    while at < len(data):
        size = data[at]
        if size >= 12:
            yield data[at + 1 : at + 1 + size].ljust(12, b"\0")
        at += 1 + size


TARGETS: Final[dict[str, Callable[[bytes], None]]] = {
    target.__name__: target for target in (sdp, rtp, stun, rtcp, feedback, signaling, hostile)
}
