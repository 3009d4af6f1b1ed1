# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from pylibsrtp import Policy

from server.media.dtls import MOST_STREAMS
from server.media.ice import IceSession
from server.media.inbox import BATCH
from server.media.packet_path import PacketPath, PurePath
from server.media.sdp_codecs import MediaKind
from tests.media.circle import KEY_BYTES, Circle, Seat, _session
from tests.media.offers import CAMERA_SSRC, MICROPHONE_SSRC, OPUS, RED, VP8
from tests.media.packets import red, rtp, vp8
from tests.media.paths import compiled_path

PATHS = pytest.mark.parametrize("make", [PurePath, compiled_path], ids=["pure", "compiled"])


def steady(kind: MediaKind, number: int, *, redundant: bool = False) -> bytes:
    """A packet that only continues its stream."""
    if kind is MediaKind.VIDEO:
        payload = vp8(number, number, keyframe=number == 1)
        return rtp(number, ssrc=CAMERA_SSRC, payload_type=VP8, payload=payload, timestamp=3_000 * number)
    payload, payload_type = (red(b"a", b"b"), RED) if redundant else (b"voice", OPUS)
    return rtp(number, ssrc=MICROPHONE_SSRC, payload_type=payload_type, payload=payload, timestamp=960 * number)


@pytest.mark.parametrize(
    ("kind", "redundant"), [(MediaKind.VIDEO, False), (MediaKind.AUDIO, False), (MediaKind.AUDIO, True)]
)
def test_a_steady_stream_never_reaches_python(kind: MediaKind, redundant: bool) -> None:
    """After the first two packets: one says whose the stream is, the other who gets it."""
    circle = Circle(compiled_path())
    ana, bo = (circle.seat(name, red_of=OPUS) for name in ("ana", "bo"))
    bo.audio().attach(ana.microphone)
    circle.watch(bo.video(), ana.camera.layers[0])
    for number in (1, 2):
        ana.send(steady(kind, number, redundant=redundant))
    vars(circle.forwarder)["decrypted"] = None
    for number in range(3, 200):
        circle.wait(20)
        ana.send(steady(kind, number, redundant=redundant))
    assert [packet.sequence for packet in bo.packets] == list(
        range(bo.packets[0].sequence, bo.packets[0].sequence + 199)
    )


class Port:
    """A circle with a socket that datagrams come to."""

    def __init__(self, path: PacketPath) -> None:
        self.circle = Circle(path)
        self.socket = self.circle.open_socket()
        self.inbox = path.inbox(self.socket, 0)
        self.ice = self.circle.forwarder.ice
        self.sessions: dict[str, Any] = {}

    def seat(self, name: str) -> tuple[Seat, IceSession[Any]]:
        """A participant whom ICE knows."""
        seat = self.circle.seat(name)
        session: IceSession[Any] = IceSession(seat.peer, name, "password", "remote", 0)
        self.ice.add(session)
        self.sessions[name] = _session(name.encode().ljust(KEY_BYTES, b"u"), Policy.SSRC_ANY_OUTBOUND)
        return seat, session

    def own(self, session: IceSession[Any], sock: socket.socket) -> None:
        """A check came through from there."""
        self.ice._checked(session, (0, sock.getsockname()), 0, 0, nominated=False)  # noqa: SLF001

    def send(self, sock: socket.socket, name: str, *packets: bytes) -> bool:
        """A batch from this socket, with the keys of this participant; whether the inbox says that it was full."""
        for packet in packets:
            sock.sendto(self.sessions[name].protect(packet), self.socket.getsockname())
        return self.inbox.deliver(self.circle.forwarder.datagram)


@contextmanager
def port(make: Any) -> Iterator[Port]:  # noqa: ANN401
    """On this packet path."""
    yield Port(make())


@PATHS
def test_only_a_checked_address_gets_in(make: Any) -> None:  # noqa: ANN401
    """Nobody's packets are dropped, and those of an address that was taken back; one that moves on is the other's."""
    with port(make) as on:
        (ana, hers), (bo, _), (_, theirs) = on.seat("ana"), on.seat("bo"), on.seat("cleo")
        bo.audio().attach(ana.microphone)
        home, away = on.circle.open_socket(), on.circle.open_socket()
        on.own(hers, home)
        packets = (steady(MediaKind.AUDIO, number) for number in range(1, 100))
        on.send(home, "ana", *(next(packets) for _ in range(5)))
        assert len(bo.heard()) == 5
        on.send(away, "ana", *(next(packets) for _ in range(5)))
        assert len(bo.heard()) == 5
        assert on.circle.forwarder.dropped == 5
        on.own(theirs, home)
        on.send(home, "ana", *(next(packets) for _ in range(5)))
        assert len(bo.heard()) == 5
        on.own(hers, home)
        on.send(home, "ana", *(next(packets) for _ in range(5)))
        assert len(bo.heard()) == 10
        on.ice.remove(hers)
        on.send(home, "ana", *(next(packets) for _ in range(5)))
        assert len(bo.heard()) == 10


@PATHS
def test_ever_new_ssrcs_of_a_participant_are_not_even_decrypted(make: Any) -> None:  # noqa: ANN401
    """Some are; then libsrtp is not asked to remember another one, and what was there goes on."""
    with port(make) as on:
        (ana, hers), (bo, _) = on.seat("ana"), on.seat("bo")
        bo.audio().attach(ana.microphone)
        home = on.circle.open_socket()
        on.own(hers, home)
        opened: list[bytes] = []
        vars(on.circle.forwarder)["decrypted"] = lambda _, data, *__: opened.append(data[8:12])
        foreign = [rtp(1, ssrc=ssrc, payload_type=OPUS, payload=b"x") for ssrc in range(1_000, 1_000 + 300)]
        for at in range(0, len(foreign), 50):
            on.send(home, "ana", *foreign[at : at + 50])
        assert len(opened) == len(set(opened)) == MOST_STREAMS
        assert on.circle.forwarder.received == len(foreign)
        assert on.circle.forwarder.dropped == len(foreign) - MOST_STREAMS
        on.send(home, "ana", rtp(2, ssrc=1_000, payload_type=OPUS, payload=b"x"))
        assert len(opened) == MOST_STREAMS + 1


@PATHS
def test_it_tells_when_there_may_be_more(make: Any) -> None:  # noqa: ANN401
    """A batch of media and of other datagrams together is a full one; all of it but one is not."""
    with port(make) as on:
        (ana, hers), (bo, _) = on.seat("ana"), on.seat("bo")
        bo.audio().attach(ana.microphone)
        home, stranger = on.circle.open_socket(), on.circle.open_socket()
        on.own(hers, home)
        packets = (steady(MediaKind.AUDIO, number) for number in range(1, 300))
        assert not on.send(home, "ana", *(next(packets) for _ in range(10)))
        for more in (False, True):
            stranger.sendto(b"\x16dtls", on.socket.getsockname())
            assert on.send(home, "ana", *(next(packets) for _ in range(BATCH - 2 + more))) is more
            on.circle.wait(1_000)


@PATHS
def test_without_keys_nothing_gets_in(make: Any) -> None:  # noqa: ANN401
    """Not before the handshake, and not after the end."""
    with port(make) as on:
        (ana, hers), (bo, _) = on.seat("ana"), on.seat("bo")
        bo.audio().attach(ana.microphone)
        home = on.circle.open_socket()
        on.own(hers, home)
        on.send(home, "ana", steady(MediaKind.AUDIO, 1), steady(MediaKind.AUDIO, 2))
        ana.peer.srtp = None
        on.send(home, "ana", steady(MediaKind.AUDIO, 3))
        assert len(bo.heard()) == 2
        assert on.circle.forwarder.dropped == 1


def test_the_order_is_that_of_coming() -> None:
    """Within one batch steady packets, late ones, keyframes and a voice come out as the reference sends them."""
    numbers = [1, 2, 3, 5, 4, 6, 7, 7, 9, 10, 8, 11, 12, 13, 30, 31, 32]
    came = []
    for make in (PurePath, compiled_path):
        with port(make) as on:
            (ana, hers), (bo, _) = on.seat("ana"), on.seat("bo")
            home = on.circle.open_socket()
            on.own(hers, home)
            bo.audio().attach(ana.microphone)
            on.circle.watch(bo.video(), ana.camera.layers[0])
            pictures = [
                rtp(number, ssrc=CAMERA_SSRC, payload_type=VP8, payload=vp8(number, keyframe=number in {1, 12}))
                for number in numbers
            ]
            voices = [steady(MediaKind.AUDIO, number) for number in numbers]
            on.send(home, "ana", *(packet for both in zip(pictures, voices, strict=True) for packet in both))
            ssrcs = [bo.video().rewriter.ssrc, bo.audio().rewriter.ssrc]
            came.append([[packet.payload for packet in bo.packets if packet.ssrc == ssrc] for ssrc in ssrcs])
    assert came[0] == came[1]
    assert sum(map(len, came[0])) > len(numbers)
