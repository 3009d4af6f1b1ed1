# SPDX-License-Identifier: Apache-2.0
"""One UDP port on every local address, one socket each: a reply must leave from the address that was asked."""

from __future__ import annotations

import asyncio
import errno
import socket
import time
from collections.abc import Callable
from typing import Final

from server.media.ice import Address, Path
from server.media.latency import ForwardLatency
from server.media.packet_path import InboxPort, OutboxPort, PacketPath

_BUFFER_BYTES: Final = 1 << 20
"""Some 70 ms of five full rooms: enough for a loop that comes late, and no queue in which media grows old."""

_SO_SNDBUFFORCE: Final = 32
_SO_RCVBUFFORCE: Final = 33
"""Linux, socket(7); without the capability for it the sysctl limits hold."""

_PORT_ATTEMPTS: Final = 16


class UdpMux:
    """The sockets of one worker. `on_datagram` runs synchronously for every datagram; `port` 0 takes a free one."""

    def __init__(
        self,
        addresses: tuple[str, ...],
        port: int,
        on_datagram: Callable[[bytes, Path], None],
        packets: PacketPath,
    ) -> None:
        self._on_datagram = on_datagram
        self._sockets = _bind_all(addresses, port)
        self._boxes = [packets.outbox(sock, self._begun) for sock in self._sockets]
        self._flushing = False
        """Whether a flush is to come."""
        self.addresses = addresses
        self.port: int = self._sockets[0].getsockname()[1]
        self._dropped = 0
        self.latency = ForwardLatency()
        self.gap_ns = 0
        """Between the beginnings of two readings of a socket: see `server.media.coalescing`."""
        self._resting: dict[socket.socket, asyncio.TimerHandle] = {}
        """Sockets that are not looked at before their time."""
        self._loop = asyncio.get_running_loop()
        for index, sock in enumerate(self._sockets):
            self._listen(packets.inbox(sock, index), sock)

    def send(self, data: bytes, path: Path) -> None:
        """Send now or never: media that waits is late, and a request comes again."""
        self.send_from(path[0], data, path[1])

    def send_from(self, index: int, data: bytes, address: Address) -> None:
        """As `send`, from the socket with this index."""
        try:
            self._sockets[index].sendto(data, address)
        except OSError:
            self._dropped += 1

    @property
    def dropped(self) -> int:
        """Datagrams that the kernel would not take."""
        return self._dropped + sum(box.dropped for box in self._boxes)

    def outbox(self, path: Path) -> OutboxPort | None:
        """Where media for this path waits; None for a path that is no datagram's."""
        return self._boxes[path[0]] if path[0] >= 0 else None

    def close(self) -> None:
        """Stop reading, send what waits, and give the port back."""
        self._flush()
        self._flushing = True
        for timer in self._resting.values():
            timer.cancel()
        for sock in self._sockets:
            self._loop.remove_reader(sock.fileno())
            sock.close()

    def _listen(self, inbox: InboxPort, sock: socket.socket) -> None:
        self._loop.add_reader(sock.fileno(), self._readable, inbox, sock)

    def _readable(self, inbox: InboxPort, sock: socket.socket) -> None:
        if not self.gap_ns:
            self._read(inbox, sock)
            return
        began_ns = time.monotonic_ns()
        if self._read(inbox, sock):
            return
        rest_ms = (began_ns + self.gap_ns - time.monotonic_ns()) // 1_000_000
        if rest_ms > 0:
            self._loop.remove_reader(sock.fileno())
            self._resting[sock] = self._loop.call_later(rest_ms / 1_000, self._rested, inbox, sock)

    def _rested(self, inbox: InboxPort, sock: socket.socket) -> None:
        del self._resting[sock]
        try:
            self._readable(inbox, sock)
        finally:
            # Also after a fault, as a reader that was never taken away would: else the port were deaf for ever.
            if sock not in self._resting:
                self._listen(inbox, sock)

    def _read(self, inbox: InboxPort, sock: socket.socket) -> bool:
        """A batch, and what it causes; whether there may be more."""
        self._flushing = True
        since_ns = self.latency.begin(sock)
        try:
            return inbox.deliver(self._on_datagram)
        except OSError:
            # An ICMP error of an earlier datagram; the socket stays good, and is readable still.
            return False
        finally:
            self._flush()
            self.latency.end(since_ns)

    def _begun(self) -> None:
        """Media waits that no received datagram caused, or not one of ours."""
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flushing = False
        for box in self._boxes:
            box.flush()


def _bind_all(addresses: tuple[str, ...], port: int) -> list[socket.socket]:
    for _ in range(_PORT_ATTEMPTS):
        bound: list[socket.socket] = []
        chosen = port
        try:
            for address in addresses:
                bound.append(_bind(address, chosen))
                chosen = bound[0].getsockname()[1]
        except OSError as error:
            for sock in bound:
                sock.close()
            if port == 0 and error.errno == errno.EADDRINUSE:
                continue
            raise
        return bound
    raise OSError(errno.EADDRINUSE, "no port is free on all addresses")


def _bind(address: str, port: int) -> socket.socket:
    version6 = ":" in address
    sock = socket.socket(socket.AF_INET6 if version6 else socket.AF_INET, socket.SOCK_DGRAM)
    try:
        sock.settimeout(0)
        if version6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        _enlarge_buffers(sock)
        sock.bind((address, port))
    except OSError:
        sock.close()
        raise
    return sock


def _enlarge_buffers(sock: socket.socket) -> None:
    """Room for the packets of a loop that comes late; above the limit of the system only where that is allowed."""
    for option, forced in ((socket.SO_RCVBUF, _SO_RCVBUFFORCE), (socket.SO_SNDBUF, _SO_SNDBUFFORCE)):
        try:
            sock.setsockopt(socket.SOL_SOCKET, forced, _BUFFER_BYTES)
        except OSError:
            sock.setsockopt(socket.SOL_SOCKET, option, _BUFFER_BYTES)
