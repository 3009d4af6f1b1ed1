# SPDX-License-Identifier: Apache-2.0
"""A busy worker reads its sockets by the clock."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.media.coalescing import CALM, FULL, LONGEST_GAP_NS, Coalescing
from server.media.ice import Path
from server.media.inbox import BATCH
from server.media.packet_path import PurePath
from server.media.udp import UdpMux

GAP_NS = 60_000_000


def test_it_waits_only_close_to_its_limit() -> None:
    """Up to a share of the core a packet is read when it comes; with more to do it waits longer."""
    steady = [settled(busy, saved=0.0) for busy in (0.0, CALM, 0.82, 0.88, FULL, 1.2)]
    assert steady[:2] == [0, 0]
    assert steady == sorted(steady)
    assert steady[3] < steady[4] == steady[5] == LONGEST_GAP_NS


@given(st.integers(0, 50_000))
def test_a_reading_takes_all_that_came_together(packets: int) -> None:
    """With a third more packets there is nothing left over, and none waits for longer than people could notice."""
    gap_ns = settled(1.0, packets=packets, saved=0.0)
    assert 0 < gap_ns <= LONGEST_GAP_NS
    assert 4 * packets * gap_ns <= 3 * BATCH * 1e9


@given(st.floats(0.3, 1.0), st.floats(0.0, 0.25))
def test_it_does_not_swing_to_and_fro(alone: float, saved: float) -> None:
    """Though waiting makes the load smaller, by up to a quarter: after some seconds the gap is steady."""
    assert abs(settled(alone, saved=saved, seconds=20) - settled(alone, saved=saved, seconds=21)) < LONGEST_GAP_NS / 50


def test_what_was_too_much_for_a_moment_is_forgotten() -> None:
    """A worker that was full reads at once again when it has less to do, though it is far from idle."""
    coalescing = Coalescing()
    gaps = [coalescing.update(busy, 5_000) for busy in [1.0] * 10 + [CALM - 0.02] * 15]
    assert gaps[9] > 0.9 * LONGEST_GAP_NS
    assert gaps[-1] < LONGEST_GAP_NS / 1_000


def settled(alone: float, *, saved: float, packets: int = 5_000, seconds: int = 60) -> int:
    """The gap after so many seconds of a load that would be `alone` without one, and smaller by `saved` at most."""
    coalescing = Coalescing()
    for _ in range(seconds):
        coalescing.update(alone - saved * coalescing.gap_ns / LONGEST_GAP_NS, packets)
    return coalescing.gap_ns


class Reader:
    """A port whose datagrams are noted as they come, and somebody who sends there."""

    def __init__(self) -> None:
        self.came: list[bytes] = []
        self.fault: Exception | None = None
        """What the handling of a datagram ends with."""
        self._more = asyncio.Event()
        self.mux = UdpMux(("127.0.0.1",), 0, self._noted, PurePath())
        self._sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sender.connect(("127.0.0.1", self.mux.port))

    def send(self, data: bytes) -> None:
        """One datagram."""
        self._sender.send(data)

    async def until(self, count: int) -> None:
        """Wait for so many."""
        async with asyncio.timeout(5):
            while len(self.came) < count:
                self._more.clear()
                await self._more.wait()

    def close(self) -> None:
        """Both ends."""
        self.mux.close()
        self._sender.close()

    def _noted(self, data: bytes, path: Path) -> None:
        del path
        self.came.append(data)
        self._more.set()
        if self.fault is not None:
            raise self.fault


@pytest.fixture
async def reader() -> AsyncIterator[Reader]:
    """Closed at the end."""
    made = Reader()
    yield made
    made.close()


async def test_what_comes_soon_after_a_reading_waits_and_is_read_at_once(reader: Reader) -> None:
    """The first packet is read when it comes, the next ones together when the gap is over."""
    reader.mux.gap_ns = GAP_NS
    began_ns = time.monotonic_ns()
    reader.send(b"first")
    await reader.until(1)
    for number in range(3):
        reader.send(b"%d" % number)
    await reader.until(2)
    assert time.monotonic_ns() - began_ns > GAP_NS * 0.9
    assert reader.came == [b"first", b"0", b"1", b"2"]


async def test_it_listens_again_when_there_is_time(reader: Reader) -> None:
    """After a gap, and when there are none any more."""
    reader.mux.gap_ns = GAP_NS
    for count in range(1, 4):
        reader.send(b"x")
        await reader.until(count)
    reader.mux.gap_ns = 0
    for count in range(4, 20):
        reader.send(b"x")
        await reader.until(count)


async def test_a_fault_with_one_datagram_does_not_make_the_port_deaf(reader: Reader) -> None:
    """It is reported, and what comes after it is read, though the fault came when the gap was over."""
    reported: list[BaseException] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context["exception"]))
    reader.mux.gap_ns = GAP_NS
    reader.send(b"first")
    await reader.until(1)
    reader.fault = ZeroDivisionError()
    reader.send(b"bad")
    await reader.until(2)
    reader.fault = None
    reader.send(b"good")
    await reader.until(3)
    assert reader.came == [b"first", b"bad", b"good"]
    assert [type(error) for error in reported] == [ZeroDivisionError]


async def test_after_a_full_reading_nothing_waits(reader: Reader) -> None:
    """More came than a reading takes: the rest of it is read at once."""
    for _ in range(BATCH + 1):
        reader.send(b"x")
    reader.mux.gap_ns = 3_600_000_000_000
    await reader.until(BATCH + 1)


async def test_it_may_be_closed_meanwhile() -> None:
    """No timer is left behind."""
    reader = Reader()
    reader.mux.gap_ns = GAP_NS
    reader.send(b"x")
    await reader.until(1)
    reader.close()
    await asyncio.sleep(2 * GAP_NS / 1e9)
    assert reader.came == [b"x"]
