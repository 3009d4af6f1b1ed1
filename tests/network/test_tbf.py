# SPDX-License-Identifier: Apache-2.0
"""The rig's rate limit against the kernel's: the same packets through `tc tbf` and through the rig."""

from __future__ import annotations

import asyncio
import socket
import time
from typing import NamedTuple

import pytest

from loadtest.impairment.control import rig_process
from loadtest.impairment.profile import Link, Profile
from tests.network.namespaces import cable, needs_namespaces

pytestmark = [pytest.mark.slow, needs_namespaces]

SIZE = 1_000
SECONDS = 4.0
QUEUE_MS = 100
ETHERNET_IP_UDP = 42
"""What tbf counts for each datagram."""


class Passed(NamedTuple):
    """What came out."""

    share: float
    rate_bps: float
    median_delay_ms: float


@pytest.mark.parametrize("rate_bps", [300_000, 1_000_000, 5_000_000])
async def test_the_rig_limits_as_the_kernel_does(rate_bps: int) -> None:
    """Offered one and a half times the rate: share, rate and delay in the queue agree with tbf."""
    with cable() as (near, far):
        near.shape(rate_bps, QUEUE_MS)
        client = near.inside(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        server = far.inside(lambda: bound(far.address))
        kernel = await measure(client, server, server.getsockname(), 1.5 * rate_bps)
    link = Link(up=Profile(rate_bps=rate_bps, queue_ms=QUEUE_MS, overhead_bytes=ETHERNET_IP_UDP))
    client, server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), bound("127.0.0.1")
    async with rig_process() as rigs:
        rig = await rigs.open(server.getsockname(), link, seed=1)
        ours = await measure(client, server, rig.address, 1.5 * rate_bps)
        late = (await rig.close()).lateness
    print(f"{rate_bps / 1e6:.1f} Mbit/s: tbf {kernel}, rig {ours}, late {late.mean_ms:.2f} / {late.most_ms:.1f} ms")
    assert ours.share == pytest.approx(kernel.share, rel=0.03)
    assert ours.rate_bps == pytest.approx(kernel.rate_bps, rel=0.03)
    assert ours.median_delay_ms == pytest.approx(kernel.median_delay_ms, rel=0.1, abs=10)


def bound(host: str) -> socket.socket:
    """A receiver that takes whatever comes."""
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    made.bind((host, 0))
    return made


async def measure(client: socket.socket, server: socket.socket, to: tuple[str, int], offered_bps: float) -> Passed:
    """Send at a steady pace, with the time in each datagram."""
    came: list[tuple[int, int]] = []
    loop = asyncio.get_running_loop()

    def read() -> None:
        sent_ns = int.from_bytes(server.recv(2_000)[:8], "big")
        came.append((sent_ns, time.monotonic_ns()))

    with client, server:
        client.setblocking(False)
        server.setblocking(False)
        loop.add_reader(server, read)
        every_s = (SIZE + ETHERNET_IP_UDP) * 8 / offered_bps
        count = round(SECONDS / every_s)
        started = time.monotonic()
        for index in range(count):
            client.sendto(time.monotonic_ns().to_bytes(8, "big") + bytes(SIZE - 8), to)
            await asyncio.sleep(max(0.0, started + (index + 1) * every_s - time.monotonic()))
        await asyncio.sleep(0.5)
        loop.remove_reader(server)
    span_s = (came[-1][1] - came[0][1]) / 1e9
    delays = sorted(came_ns - sent_ns for sent_ns, came_ns in came)
    rate_bps = (len(came) - 1) * (SIZE + ETHERNET_IP_UDP) * 8 / span_s
    return Passed(len(came) / count, rate_bps, delays[len(delays) // 2] / 1e6)
