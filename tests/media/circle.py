# SPDX-License-Identifier: Apache-2.0
"""Peers around one forwarder without handshakes or clocks: real SRTP over loopback, and time as the test has it."""

from __future__ import annotations

import socket
import weakref
from types import SimpleNamespace
from typing import Any

from aiortc.rtp import AnyRtcpPacket, RtcpPacket, is_rtcp
from pylibsrtp import Policy, Session

from server.ids import ParticipantId, PeerId, RoomId
from server.media.dtls import SrtpPair
from server.media.forwarder import Forwarder
from server.media.ice import Path
from server.media.line import Line
from server.media.packet_path import Outlet, PacketPath
from server.media.peer import Peer
from server.media.rtcp import split_feedback
from server.media.rtp import Packet, rtx_payload
from server.media.sdp import parse_offer
from server.media.sdp_answer import plan_lines
from server.media.streams import Layer, Source
from tests.media.offers import (
    CAMERA_MID,
    MID_ID,
    REPAIRED_RID_ID,
    RID_ID,
    RTX,
    TRANSPORT_CC_ID,
    VP8,
    make_offer,
    with_red,
)
from tests.media.packets import rtp
from tests.media.paths import Chosen

MS = 1_000_000
PROFILE = Policy.SRTP_PROFILE_AEAD_AES_128_GCM
KEY_BYTES = 28


class Seat:
    """One participant. What it sends goes into the forwarder.

    `packets`, `reports` and transport-wide `feedback` is what it got, decrypted.
    """

    def __init__(self, circle: Circle, name: str, offer: str, *, stream: bool = False) -> None:
        parsed = parse_offer(offer)
        self.circle = circle
        self._packets: list[Packet] = []
        self._numbers = 0
        self.reports: list[AnyRtcpPacket] = []
        self.feedback: list[bytes] = []
        self._socket = circle.open_socket()
        self._stream = stream
        outlet = Outlet(self._arrived, lambda _: None if stream else circle.box, circle.path)
        self.peer = Peer(PeerId(name), RoomId("room"), ParticipantId(name), parsed, plan_lines(parsed), outlet)
        up, down = name.encode().ljust(KEY_BYTES, b"u"), name.encode().ljust(KEY_BYTES, b"d")
        self.peer.srtp = SrtpPair(receive_key=up, send_key=down, profile=PROFILE)
        ice: Any = SimpleNamespace(selected=(0, self._socket.getsockname()))
        self.peer.ice = ice
        self.peer.moved(ice.selected)
        self._out = _session(up, Policy.SSRC_ANY_OUTBOUND)
        self._in = _session(down, Policy.SSRC_ANY_INBOUND)

    @property
    def packets(self) -> list[Packet]:
        """All RTP that came."""
        self.circle.box.flush()
        while True:
            try:
                data = self._socket.recv(2_048)
            except BlockingIOError:
                return self._packets
            self._packets.append(Packet(self._in.unprotect(data)))

    @property
    def camera(self) -> Source:
        """What others see."""
        assert self.peer.camera is not None
        return self.peer.camera

    @property
    def microphone(self) -> Source:
        """What others hear."""
        assert self.peer.microphone is not None
        return self.peer.microphone

    def video(self, slot: int = 0) -> Line:
        """The video line of a slot."""
        return self.peer.slots[slot][1]

    def audio(self, slot: int = 0) -> Line:
        """The audio line of a slot."""
        return self.peer.slots[slot][0]

    def number(self) -> list[tuple[int, bytes]]:
        """The header extension with the transport-wide number of its next packet, if it numbers them."""
        self._numbers += 1
        return [(TRANSPORT_CC_ID, (self._numbers & 0xFFFF).to_bytes(2))] if self.peer.number_id else []

    def send(self, data: bytes) -> None:
        """One RTP packet, protected."""
        self.circle.receiver.receive(self.peer, self._out.protect(data), self.circle.now_ns)

    def send_report(self, data: bytes) -> None:
        """One compound RTCP packet, protected."""
        self.circle.receiver.receive(self.peer, self._out.protect_rtcp(data), self.circle.now_ns)

    def seen(self, slot: int = 0) -> list[Packet]:
        """Packets received on the video line of a slot."""
        return [packet for packet in self.packets if packet.ssrc == self.video(slot).rewriter.ssrc]

    def heard(self, slot: int = 0) -> list[Packet]:
        """Packets received on the audio line of a slot."""
        return [packet for packet in self.packets if packet.ssrc == self.audio(slot).rewriter.ssrc]

    def repeats(self, slot: int = 0) -> list[Packet]:
        """Packets received on the retransmission stream of a slot."""
        return [packet for packet in self.packets if packet.ssrc == self.video(slot).rtx_ssrc]

    def _arrived(self, data: bytes, path: Path) -> None:
        assert path == (0, self._socket.getsockname())
        if not is_rtcp(data):
            assert self._stream, "media waits in the outbox"
            self._packets.append(Packet(self._in.unprotect(data)))
            return
        transport, rest = split_feedback(self._in.unprotect_rtcp(data))
        self.feedback += transport
        self.reports += RtcpPacket.parse(rest) if rest else []


class Circle:
    """The forwarder, and the time that goes on only when told."""

    def __init__(self, path: PacketPath | None = None) -> None:
        self.now_ns = 1_000 * MS
        self.path = path or Chosen.make()
        self._sockets: list[socket.socket] = []
        weakref.finalize(self, _close_all, self._sockets)
        self.box: Any = self.path.outbox(self.open_socket(), lambda: None)
        self.forwarder = Forwarder(lambda _, __: None, self.path.fan)
        self.receiver = self.path.serve(self.forwarder)

    def open_socket(self) -> socket.socket:
        """One on loopback, closed with the circle."""
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sockets.append(sock)
        sock.bind(("127.0.0.1", 0))
        sock.setblocking(False)
        return sock

    def seat(
        self,
        name: str,
        slots: int = 2,
        *,
        rids: tuple[str, ...] = (),
        transport_cc: bool = False,
        stream: bool = False,
        red_of: int | None = None,
        voices: int = 0,
    ) -> Seat:
        """A connected participant; with `stream` its packets leave one by one, as over TCP.

        `red_of`: it takes redundant audio, and this is its payload type of Opus. `voices`: slots without a picture.
        """
        offer = make_offer(slots, rids=rids, transport_cc=transport_cc, voices=voices)
        return Seat(self, name, with_red(offer, red_of) if red_of is not None else offer, stream=stream)

    def wait(self, milliseconds: int) -> None:
        """Let time go on."""
        self.now_ns += milliseconds * MS

    def watch(self, line: Line, layer: Layer | None) -> None:
        """Put whoever sends the layer into the slot, and ask for that layer; None empties the slot."""
        line.attach(layer.source if layer is not None else None)
        if line.choose(layer) and layer is not None:
            self.forwarder.request_keyframe(layer, self.now_ns // MS)


def _close_all(sockets: list[socket.socket]) -> None:
    for sock in sockets:
        sock.close()


class Encoding:
    """A simulcast stream as a browser sends it: own SSRC, own numbers, named by RID in its first packets."""

    def __init__(self, seat: Seat, rid: str, ssrc: int, sequence: int = 100) -> None:
        self.seat = seat
        self.rid = rid
        self.ssrc = ssrc
        self.sequence = sequence

    def send(self, payload: bytes, sequence: int | None = None, *, marker: bool = True) -> int:
        """The next packet, or one with this number; returns its number."""
        if sequence is None:
            sequence = self.sequence = self.sequence + 1
        self.seat.send(self._rtp(sequence & 0xFFFF, sequence, VP8, self.ssrc, RID_ID, payload, marker=marker))
        return sequence

    def repeat(self, payload: bytes, sequence: int, number: int) -> None:
        """A retransmission of `sequence`; `number` is its own."""
        carried = rtx_payload(sequence & 0xFFFF, payload)
        self.seat.send(self._rtp(number, sequence, RTX, self.ssrc + 1, REPAIRED_RID_ID, carried, marker=True))

    def _rtp(
        self, number: int, sequence: int, payload_type: int, ssrc: int, rid_id: int, payload: bytes, *, marker: bool
    ) -> bytes:
        named = [(rid_id, self.rid.encode())] if self.rid else []
        return rtp(
            number,
            timestamp=sequence * 3000,
            ssrc=ssrc,
            payload_type=payload_type,
            payload=payload,
            marker=marker,
            extensions=[(MID_ID, str(CAMERA_MID).encode()), *named, *self.seat.number()],
        )


def _session(key: bytes, direction: int) -> Session:
    policy = Policy(key=key, ssrc_type=direction, srtp_profile=PROFILE)
    # As a sender that sends a number twice, or late, which is its own affair.
    policy.allow_repeat_tx = True
    policy.window_size = 1024
    return Session(policy)
