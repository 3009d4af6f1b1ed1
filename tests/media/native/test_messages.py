# SPDX-License-Identifier: Apache-2.0
"""How packets share messages to the kernel; what they carry is for tests/media/test_outbox.py."""

from __future__ import annotations

import socket
import sys
from contextlib import ExitStack

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pylibsrtp import Policy

from server.media.dtls import SrtpPair
from server.media.rtp import HEADER
from tests.media.paths import compiled_path

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="UDP_GRO is Linux's")

UDP_GRO = 104
SOL_UDP = 17
KEY = b"k" * 28
OVERHEAD = 28
PICTURE, VOICE, LAST = 1_000, 100, 600


class Stand:
    """One subscriber, whose kernel leaves messages whole."""

    def __init__(self, stack: ExitStack) -> None:
        ours, self.theirs = (stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for _ in range(2))
        for sock in (ours, self.theirs):
            sock.bind(("127.0.0.1", 0))
            sock.setblocking(False)
        self.theirs.setsockopt(SOL_UDP, UDP_GRO, 1)
        path = compiled_path()
        self.box = path.outbox(ours, lambda: None)
        self.leg = path.leg(lambda _, __: None, None)
        self.srtp = SrtpPair(receive_key=KEY, send_key=KEY, profile=Policy.SRTP_PROFILE_AEAD_AES_128_GCM)
        self.leg.keys(self.srtp)
        self.leg.move((0, self.theirs.getsockname()), self.box)
        self.numbers: dict[int, int] = {}

    def send(self, ssrc: int, size: int) -> bytes:
        """The next packet of a stream, so long with its header and its tag; returns the header."""
        number = self.numbers[ssrc] = self.numbers.get(ssrc, 0) + 1
        header = HEADER.pack(0x80, 96, number, 0, ssrc)
        assert self.leg.send(ssrc, header, bytes(size - OVERHEAD)) == size
        return header

    def messages(self) -> list[list[bytes]]:
        """What left: of each message the packets."""
        self.box.flush()
        found: list[list[bytes]] = []
        while True:
            try:
                data, controls, *_ = self.theirs.recvmsg(65_535, 64)
            except BlockingIOError:
                return found
            size = int.from_bytes(controls[0][2][:2], sys.byteorder) if controls else len(data)
            found.append([data[at : at + size] for at in range(0, len(data), size)])


def sizes(*sent: tuple[int, int]) -> list[list[int]]:
    """Of the packets in each message, when these were sent."""
    with ExitStack() as stack:
        on = Stand(stack)
        for ssrc, size in sent:
            on.send(ssrc, size)
        return [[len(packet) for packet in message] for message in on.messages()]


def test_voices_do_not_end_the_message_of_a_picture() -> None:
    """However they come mixed, it is two messages."""
    mixed = [(1, PICTURE), (2, VOICE), (1, PICTURE), (3, VOICE), (1, PICTURE), (2, VOICE)]
    assert sizes(*mixed) == [[PICTURE] * 3, [VOICE] * 3]


def test_a_single_packet_needs_no_message_of_its_own() -> None:
    """It ends the one before it."""
    assert sizes((1, PICTURE), (2, VOICE), (1, PICTURE)) == [[PICTURE, PICTURE, VOICE]]
    assert sizes((1, PICTURE), (1, LAST)) == [[PICTURE, LAST]]


def test_a_stream_does_not_overtake_itself() -> None:
    """The message of its first packet takes nothing that belongs behind a later one."""
    assert sizes((1, PICTURE), (1, LAST), (1, PICTURE)) == [[PICTURE, LAST], [PICTURE]]
    assert sizes((1, VOICE), (1, PICTURE), (1, VOICE)) == [[VOICE], [PICTURE, VOICE]]


def test_with_more_sizes_than_messages_a_shorter_packet_ends_one() -> None:
    """The one that it fits best."""
    assert sizes((1, PICTURE), (2, LAST), (3, LAST), (4, VOICE), (5, PICTURE)) == [
        [PICTURE, PICTURE], [LAST, LAST, VOICE],
    ]  # fmt: skip


@given(
    st.lists(
        st.tuples(st.integers(1, 3), st.sampled_from([VOICE, VOICE + 1, LAST, PICTURE, PICTURE, PICTURE + 1])),
        max_size=50,
    )
)
def test_each_stream_keeps_its_order(sent: list[tuple[int, int]]) -> None:
    """And every packet arrives once, whatever messages they share."""
    with ExitStack() as stack:
        on = Stand(stack)
        wanted = [on.send(ssrc, size) for ssrc, size in sent]
        came = [packet[:12] for message in on.messages() for packet in message]
        assert sorted(came) == sorted(wanted)
        for ssrc in {ssrc for ssrc, _ in sent}:
            assert [at for at in came if at[8:] == ssrc.to_bytes(4)] == [
                at for at in wanted if at[8:] == ssrc.to_bytes(4)
            ]
