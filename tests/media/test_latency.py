# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest

from server.media.latency import SAMPLE_EVERY, ForwardLatency


@pytest.fixture
def sock() -> Iterator[socket.socket]:
    """A socket that sends to itself."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.bind(("127.0.0.1", 0))
        made.connect(made.getsockname())
        made.settimeout(0)
        yield made


def test_the_wait_in_the_kernel_counts(sock: socket.socket) -> None:
    """A packet that lay there while the loop was busy is as late as it is, and is still there to be read."""
    latency = ForwardLatency()
    for _ in range(2 * SAMPLE_EVERY):
        sock.send(b"packet")
        time.sleep(0.002)
        since_ns = latency.begin(sock)
        assert sock.recv(100) == b"packet"
        latency.end(since_ns)
    median, slowest = latency.take_ms()
    assert 2 <= median <= slowest < 1_000


def test_one_of_many_readings_is_looked_at(sock: socket.socket) -> None:
    """And what was taken is not told again."""
    latency = ForwardLatency()
    looked = 0
    for _ in range(10 * SAMPLE_EVERY):
        sock.send(b"packet")
        looked += latency.begin(sock) > 0
        sock.recv(100)
    assert looked == 10
    latency.end(time.time_ns() - 5_000_000)
    assert latency.take_ms()[0] >= 5
    assert latency.take_ms() == (0.0, 0.0)


def test_a_clock_that_was_set_is_no_latency(sock: socket.socket) -> None:
    """Neither from the future nor from long ago; nor is a socket with nothing in it."""
    latency = ForwardLatency()
    latency.end(time.time_ns() + 10**9)
    latency.end(time.time_ns() - 10**12)
    for _ in range(SAMPLE_EVERY):
        latency.end(latency.begin(sock))
    assert latency.take_ms() == (0.0, 0.0)
