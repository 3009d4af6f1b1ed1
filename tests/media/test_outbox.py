# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pylibsrtp import Policy, Session
from pylibsrtp._binding import lib

from server.media import outbox
from server.media.outbox import MAX_PACKET, MAX_SEGMENTS, Destination, Outbox
from server.media.rtp import HEADER

SO_NO_CHECK = 11
KEY = b"k" * 28


def session(ssrc_type: int) -> Session:
    """One direction with the key of the test."""
    policy = Policy(key=KEY, ssrc_type=ssrc_type, srtp_profile=Policy.SRTP_PROFILE_AEAD_AES_128_GCM)
    policy.allow_repeat_tx = False
    return Session(policy)


def header(sequence: int) -> bytes:
    """An RTP header of one stream."""
    return HEADER.pack(0x80, 96, sequence, 0, 7)


class Stand:
    """An outbox and the sockets it sends to; what arrives is decrypted."""

    def __init__(self, stack: ExitStack, receivers: int, host: str = "127.0.0.1") -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.sender, *self.receivers = (
            stack.enter_context(socket.socket(family, socket.SOCK_DGRAM)) for _ in range(receivers + 1)
        )
        for sock in (self.sender, *self.receivers):
            sock.bind((host, 0))
            sock.setblocking(False)
        self.begun = 0
        self.box = Outbox(self.sender, self.begin)
        self.to = [Destination(self.box, sock.getsockname()[:2]) for sock in self.receivers]
        self._out = [session(Policy.SSRC_ANY_OUTBOUND) for _ in self.receivers]
        self._in = [session(Policy.SSRC_ANY_INBOUND) for _ in self.receivers]
        self.protect: list[Callable[[Any, Any], int]] = [partial(lib.srtp_protect, out._srtp[0]) for out in self._out]  # noqa: SLF001

    def begin(self) -> None:
        """Count the batches."""
        self.begun += 1

    def arrived(self, index: int) -> list[bytes]:
        """All packets at one receiver."""
        found = []
        while True:
            try:
                found.append(self._in[index].unprotect(self.receivers[index].recv(65_536)))
            except BlockingIOError:
                return found


@contextmanager
def stand(receivers: int = 1, host: str = "127.0.0.1") -> Iterator[Stand]:
    """An outbox with its receivers, closed at the end."""
    with ExitStack() as stack:
        yield Stand(stack, receivers, host)


@given(st.lists(st.tuples(st.integers(0, 2), st.sampled_from([0, 40, 41, 700, 1_400])), max_size=60))
def test_everything_arrives_as_it_was_and_in_order(sent: list[tuple[int, int]]) -> None:
    """Whatever the sizes and addresses, and so however packets share messages, each arrives alone and intact."""
    with stand(3) as on:
        wanted: list[list[bytes]] = [[], [], []]
        for number, (to, size) in enumerate(sent):
            payload = bytes([number]) * size
            assert on.box.send(on.protect[to], on.to[to], header(number), payload)
            wanted[to].append(header(number) + payload)
        on.box.flush()
        assert [on.arrived(to) for to in range(3)] == wanted
        assert on.begun == bool(sent)
        assert not on.box.dropped


def test_nothing_leaves_before_the_flush_but_a_full_box_empties_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """One batch is bounded; what comes after that waits for the next flush."""
    monkeypatch.setattr(outbox, "CAPACITY", 8)
    with stand() as on:
        for number in range(9):
            on.box.send(on.protect[0], on.to[0], header(number), b"x")
            if number == 7:
                assert not on.arrived(0)
        assert len(on.arrived(0)) == 8
        on.box.flush()
        assert len(on.arrived(0)) == 1
        assert on.begun == 2


def test_a_number_used_before_and_a_long_packet_are_refused() -> None:
    """The last guard of the nonce rule is libsrtp, and no packet leaves its place in memory."""
    with stand() as on:
        assert on.box.send(on.protect[0], on.to[0], header(1), b"one")
        assert not on.box.send(on.protect[0], on.to[0], header(1), b"two")
        assert on.box.send(on.protect[0], on.to[0], header(2), bytes(MAX_PACKET - 12))
        assert not on.box.send(on.protect[0], on.to[0], header(3), bytes(MAX_PACKET - 11))
        on.box.flush()
        assert [len(packet) for packet in on.arrived(0)] == [15, MAX_PACKET]


@pytest.mark.skipif(sys.platform != "linux", reason="SO_NO_CHECK is Linux's")
def test_a_message_that_the_kernel_cannot_cut_up_is_sent_packet_by_packet() -> None:
    """Without a checksum the kernel refuses UDP_SEGMENT: all packets arrive all the same."""
    with stand() as on:
        on.sender.setsockopt(socket.SOL_SOCKET, SO_NO_CHECK, 1)
        for number in range(5):
            on.box.send(on.protect[0], on.to[0], header(number), b"equal")
        on.box.flush()
        assert [packet[:12] for packet in on.arrived(0)] == [header(number) for number in range(5)]
        assert not on.box.dropped


def test_one_address_that_cannot_be_reached_does_not_stop_the_others() -> None:
    """What the kernel refuses is counted, and the rest of the batch leaves."""
    with stand() as on:
        nowhere = Destination(on.box, ("127.0.0.1", 0))
        other = session(Policy.SSRC_ANY_OUTBOUND)
        guard = partial(lib.srtp_protect, other._srtp[0])  # noqa: SLF001
        on.box.send(on.protect[0], on.to[0], header(1), b"x")
        on.box.send(guard, nowhere, header(1), b"x")
        on.box.send(on.protect[0], on.to[0], header(2), bytes(500))
        on.box.flush()
        assert len(on.arrived(0)) == 2
        assert on.box.dropped == 1


def test_a_long_run_of_equal_packets_takes_several_messages() -> None:
    """The kernel's limit of packets in one message is kept."""
    with stand() as on:
        for number in range(2 * MAX_SEGMENTS + 1):
            on.box.send(on.protect[0], on.to[0], header(number), bytes(100))
        on.box.flush()
        assert [packet[:12] for packet in on.arrived(0)] == [header(number) for number in range(2 * MAX_SEGMENTS + 1)]
        assert not on.box.dropped


def test_an_address_of_ipv6() -> None:
    """The native form of both families is right."""
    if not socket.has_ipv6:
        pytest.skip("no IPv6 on this machine")
    with stand(host="::1") as on:
        on.box.send(on.protect[0], on.to[0], header(1), b"six")
        on.box.flush()
        assert on.arrived(0) == [header(1) + b"six"]
