# SPDX-License-Identifier: Apache-2.0
"""The rig over real sockets: figures of its own process against what was asked for, with wide margins for time."""

from __future__ import annotations

import asyncio
import socket
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import msgspec
import pytest

from loadtest.impairment.control import rig_process
from loadtest.impairment.profile import PERFECT, Link, Profile, adjusted, blackout, same_both_ways
from loadtest.impairment.rig import Address, Rig

pytestmark = pytest.mark.alone


class Endpoint(asyncio.DatagramProtocol):
    """Keeps what came, from whom and when; a server sends everything back."""

    def __init__(self, *, echo: bool = False) -> None:
        self.got: list[tuple[bytes, Address, int]] = []
        self.echo = echo
        self.transport: asyncio.DatagramTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: Address) -> None:
        self.got.append((data, addr, time.monotonic_ns()))
        if self.echo:
            self.transport.sendto(data, addr)

    def error_received(self, exc: Exception) -> None:
        raise AssertionError(exc)


@asynccontextmanager
async def endpoint(*, echo: bool = False) -> AsyncIterator[Endpoint]:
    """On a free port of loopback."""
    loop = asyncio.get_running_loop()
    made = Endpoint(echo=echo)
    await loop.create_datagram_endpoint(lambda: made, local_addr=("127.0.0.1", 0))
    made.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    try:
        yield made
    finally:
        made.transport.close()
        await asyncio.sleep(0)


def address(end: Endpoint) -> Address:
    """Where it listens."""
    host, port = end.transport.get_extra_info("sockname")
    return str(host), int(port)


async def quiet(end: Endpoint, seconds: float = 0.2) -> None:
    """Wait until nothing has come for a while."""
    seen = -1
    while seen != len(end.got):
        seen = len(end.got)
        await asyncio.sleep(seconds)


async def test_clients_are_kept_apart() -> None:
    """Each client is a port of its own towards the server, and gets its own answers only."""
    async with endpoint(echo=True) as server, endpoint() as ana, endpoint() as bo:
        rig = Rig(address(server), PERFECT, seed=1)
        for client, word in ((ana, b"ana"), (bo, b"bo"), (ana, b"ana")):
            client.transport.sendto(word, rig.address)
        await quiet(bo)
        assert {data for data, _, _ in ana.got} == {b"ana"}
        assert {data for data, _, _ in bo.got} == {b"bo"}
        assert len({addr for _, addr, _ in server.got}) == 2
        assert rig.report().clients == 2
        rig.close()


async def test_a_rebinding_is_another_source_port() -> None:
    """As when a NAT forgets: the same client, seen from elsewhere."""
    async with endpoint(echo=True) as server, endpoint() as client:
        rig = Rig(address(server), PERFECT, seed=1)
        for _ in range(2):
            client.transport.sendto(b"x", rig.address)
            await quiet(client, 0.05)
            rig.rebind()
        assert len({addr for _, addr, _ in server.got}) == 2
        assert len(client.got) == 2
        rig.close()


async def test_a_blackout_lets_nothing_through_until_it_ends() -> None:
    """A change of the link holds at once, in both directions."""
    async with endpoint(echo=True) as server, endpoint() as client:
        rig = Rig(address(server), PERFECT, seed=1)
        for link in (blackout(PERFECT), PERFECT):
            client.transport.sendto(b"x", rig.address)
            await quiet(server, 0.05)
            rig.change(link)
        assert len(server.got) == 1
        rig.change(PERFECT)
        client.transport.sendto(b"y", rig.address)
        await quiet(client, 0.05)
        assert [data for data, _, _ in server.got] == [b"x", b"y"]
        rig.close()


async def test_a_shared_link_is_one_bottleneck() -> None:
    """Two clients get together what one gets alone."""
    link = Link(up=Profile(rate_bps=1_000_000, queue_ms=50))
    async with endpoint() as server, endpoint() as ana, endpoint() as bo:
        for shared, most in ((False, 16), (True, 9)):
            server.got.clear()
            rig = Rig(address(server), link, seed=1, shared=shared)
            for client in (ana, bo):
                for _ in range(50):
                    client.transport.sendto(bytes(972), rig.address)
            await quiet(server)
            assert len(server.got) <= most
            assert len(server.got) >= most - 2
            rig.close()


async def test_its_own_process_keeps_rate_delay_and_loss() -> None:
    """400 kbit/s offered to 300 at 40 ms and 10 % loss: rate, delay and shares come out as asked for."""
    link = adjusted(PERFECT, "up.rate_bps=300000 up.queue_ms=100 up.delay_ms=40 up.loss=0.1 up.overhead_bytes=0")
    async with endpoint() as server, endpoint() as client, rig_process() as rigs:
        rig = await rigs.open(address(server), link, seed=7)
        started = time.monotonic()
        for index in range(200):
            client.transport.sendto(time.monotonic_ns().to_bytes(8, "big") + bytes(492), rig.address)
            await asyncio.sleep(max(0.0, started + index * 0.01 - time.monotonic()))
        await quiet(server)
        report = await rig.close()
        delays = [(came - int.from_bytes(data[:8], "big")) / 1e6 for data, _, came in server.got]
        span_s = (server.got[-1][2] - server.got[0][2]) / 1e9
    assert report.up.offered == 200
    assert report.up.delivered == len(server.got)
    assert report.up.lost == pytest.approx(20, abs=12)
    passed = report.up.delivered + report.up.lost
    assert passed * 500 * 8 / span_s == pytest.approx(300_000, rel=0.1)
    assert min(delays) >= 40 + 500 * 8 / 300 - 0.1
    assert max(delays) < 40 + 100 + 14 + 60  # the last is for a busy machine
    assert report.lateness.sent == report.up.delivered
    assert report.lateness.mean_ms < 20


async def test_the_command_line_forwards_and_reports() -> None:
    """It prints the address first, applies changes in time, and reports on the way out."""
    async with endpoint(echo=True) as server, endpoint() as client:
        host, port = address(server)
        command = ["-m", "loadtest.impairment", "run", "--to", f"{host}:{port}", "--link", "both.delay_ms=1"]
        process = await asyncio.create_subprocess_exec(sys.executable, *command, stdout=asyncio.subprocess.PIPE)
        assert process.stdout is not None
        told = msgspec.json.decode(await process.stdout.readline())
        client.transport.sendto(b"x", tuple(told["address"]))
        await quiet(client, 0.1)
        process.terminate()
        report = msgspec.json.decode((await process.communicate())[0])
        assert process.returncode == 0
        assert len(client.got) == 1
        assert (report["up"]["delivered"], report["down"]["delivered"]) == (1, 1)


async def test_many_packets_lose_nothing_of_their_own() -> None:
    """2,000 packets a second over a perfect link all arrive."""
    async with endpoint() as server, endpoint() as client, rig_process() as rigs:
        rig = await rigs.open(address(server), same_both_ways(Profile(delay_ms=20)), seed=1)
        for _ in range(100):
            for _ in range(20):
                client.transport.sendto(bytes(1_100), rig.address)
            await asyncio.sleep(0.01)
        await quiet(server)
        await rig.close()
        assert len(server.got) == 2_000
