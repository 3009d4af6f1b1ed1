# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import asyncio
import resource
import socket
import time
from collections.abc import AsyncIterator

import pytest

from server.media import tcp
from server.media.ice import Path
from server.media.tcp import MAX_FRAME, TcpMux
from tests.media.waiting import until


class Port:
    """A listening port; what came in, which connections went, and a clock by hand."""

    def __init__(self) -> None:
        self.packets: list[tuple[bytes, Path]] = []
        self.lost: list[Path] = []
        self.now_ms = 0
        self.mux = TcpMux(
            ("127.0.0.1",),
            0,
            lambda data, path: self.packets.append((data, path)),
            self.lost.append,
            lambda: self.now_ms,
        )
        self._clients: list[socket.socket] = []

    def _packet(self, data: bytes, path: Path) -> None:
        self.packets.append((data, path))

    async def client(self) -> socket.socket:
        """A connection to it."""
        sock = socket.socket()
        sock.setblocking(False)
        self._clients.append(sock)
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", self.mux.port))
        return sock

    async def path(self) -> tuple[socket.socket, Path]:
        """A connection that has sent something, and how it is known here."""
        sock = await self.client()
        before = len(self.packets)
        await write(sock, framed(b"hello"))
        await until(lambda: len(self.packets) > before or None)
        return sock, self.packets[-1][1]

    def close(self) -> None:
        """All of it."""
        self.mux.close()
        for sock in self._clients:
            sock.close()


@pytest.fixture
async def port() -> AsyncIterator[Port]:
    """For one test."""
    made = Port()
    yield made
    made.close()


def framed(data: bytes) -> bytes:
    """RFC 4571."""
    return len(data).to_bytes(2) + data


async def write(sock: socket.socket, data: bytes) -> None:
    """All of it."""
    await asyncio.get_running_loop().sock_sendall(sock, data)


async def read(sock: socket.socket, length: int) -> bytes:
    """Exactly so many bytes, or what came before the end."""
    data = b""
    while len(data) < length:
        more = await asyncio.wait_for(asyncio.get_running_loop().sock_recv(sock, length - len(data)), 5)
        if not more:
            break
        data += more
    return data


async def test_packets_come_whole_however_they_were_cut(port: Port) -> None:
    """Several in one segment, one in many, empty ones left out; the path has a negative number."""
    sock = await port.client()
    await write(sock, framed(b"one") + framed(b"") + framed(b"two"))
    for byte in framed(b"three"):
        await write(sock, bytes([byte]))
        await asyncio.sleep(0)
    await until(lambda: len(port.packets) == 3 or None)
    assert [data for data, _ in port.packets] == [b"one", b"two", b"three"]
    assert {path for _, path in port.packets} == {(-1, sock.getsockname())}


async def test_packets_go_out_in_frames(port: Port) -> None:
    """To the connection of the path; to one that is gone nothing goes."""
    sock, path = await port.path()
    port.mux.send(b"answer", path)
    assert await read(sock, 8) == framed(b"answer")
    port.mux.send(b"nobody", (-99, path[1]))


async def test_too_long_a_frame_ends_the_connection(port: Port) -> None:
    """Nothing of it is kept, and whoever had the path is told."""
    sock, path = await port.path()
    await write(sock, (MAX_FRAME + 1).to_bytes(2))
    assert await read(sock, 1) == b""
    assert port.lost == [path]
    assert port.mux.connections == 0


@pytest.mark.parametrize("checked", [False, True])
async def test_a_flood_of_tiny_frames_ends_the_connection(port: Port, checked: bool) -> None:
    """Soon if it has proven nothing; at the rate that nobody needs if it is somebody's."""
    sock, path = await port.path()
    most = tcp.MAX_STRANGE
    if checked:
        port.mux.send(b"reply", path)
        assert await read(sock, 7) == framed(b"reply")
        most = 5_001
    await write(sock, framed(b"x") * 8_000)
    await until(lambda: port.lost or None)
    assert port.lost == [path]
    assert len(port.packets) == most


async def test_a_slow_reader_loses_packets_and_costs_little_memory(port: Port, monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes out later is whole frames, and the newest ones come through once it reads again."""
    monkeypatch.setattr(tcp, "MAX_PENDING", 8_192)
    sock, path = await port.path()
    for number in range(4_000):
        port.mux.send(number.to_bytes(4) + bytes(1_000), path)
    assert port.mux.dropped > 1_000
    received = 0
    frame = 2 + 1_004
    kept = 4_000 - port.mux.dropped
    for _ in range(kept):
        data = await read(sock, frame)
        assert data[:2] == (1_004).to_bytes(2)
        received += 1
    assert received == kept
    port.mux.send(b"fresh", path)
    assert await read(sock, 7) == framed(b"fresh")


async def test_a_connection_that_proves_nothing_is_closed(port: Port) -> None:
    """After some seconds; one that was answered stays while it is somebody's, and not longer."""
    silent, _ = await port.path()
    checked, path = await port.path()
    port.mux.send(b"reply", path)
    port.now_ms = tcp.UNCHECKED_MS - 1
    port.mux.sweep(lambda known: known == path)
    assert port.mux.connections == 2
    port.now_ms = tcp.UNCHECKED_MS
    port.mux.sweep(lambda known: known == path)
    assert await read(silent, 1) == b""
    assert port.mux.connections == 1
    port.mux.sweep(lambda _: False)
    assert await read(checked, 8) == framed(b"reply")
    assert await read(checked, 1) == b""


async def test_connections_of_one_source_are_limited(port: Port, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those beyond are closed at once; room is made by a check that proves itself, and by one that leaves."""
    monkeypatch.setattr(tcp, "MAX_UNCHECKED_PER_SOURCE", 2)
    _, path = await port.path()
    second, _ = await port.path()
    refused = await port.client()
    assert await read(refused, 1) == b""
    assert port.mux.refused == 1
    port.mux.send(b"reply", path)
    await port.path()
    second.close()
    await until(lambda: port.mux.connections == 2 or None)
    await port.path()
    assert port.mux.refused == 1


async def test_without_descriptors_it_rests_and_goes_on(port: Port, monkeypatch: pytest.MonkeyPatch) -> None:
    """A waiting connection that cannot be taken must not spin the loop; it is taken once descriptors are there."""
    monkeypatch.setattr(tcp, "REST_S", 0.2)
    sock, _ = await port.path()
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    waiting = socket.socket()
    waiting.setblocking(False)
    resource.setrlimit(resource.RLIMIT_NOFILE, (sock.fileno(), before[1]))
    try:
        await asyncio.get_running_loop().sock_connect(waiting, ("127.0.0.1", port.mux.port))
        busy_s = time.process_time()
        await asyncio.sleep(0.5)
        assert time.process_time() - busy_s < 0.25
        assert port.mux.connections == 1
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    await until(lambda: port.mux.connections == 2 or None)
    waiting.close()
