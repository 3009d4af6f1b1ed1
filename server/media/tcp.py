# SPDX-License-Identifier: Apache-2.0
"""ICE over TCP, the passive side (RFC 6544): one port, connections bounded in number, time and memory.

Each packet is framed by its length (RFC 4571). A connection that does not soon become a checked path is closed; to
a reader that is too slow packets are dropped, as a congested network would.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import socket
from collections import Counter
from collections.abc import Callable
from typing import Final

from server.media.budget import Budget, budget_of_peer
from server.media.ice import Path

MAX_FRAME: Final = 2_048
"""As the largest datagram; who announces a longer one is cut off."""

MAX_PENDING: Final = 64 * 1024
"""Bytes of one connection that wait for the kernel; what comes on top is dropped."""

UNCHECKED_MS: Final = 5_000
MAX_CONNECTIONS: Final = 2_048
MAX_UNCHECKED: Final = 512
MAX_UNCHECKED_PER_SOURCE: Final = 16
"""Of one IPv4 address or IPv6 /64: a household or an office that joins at once fits in."""

MAX_STRANGE: Final = 8
"""Frames of a connection that was not answered yet; the first is a check, which is answered at once."""

_KERNEL_BUFFER: Final = 128 * 1024
_READ_BYTES: Final = 16_384
"""At once: there is room for thousands of frames in it that are nothing but their length."""

_MS: Final = 1_000_000
_BACKLOG: Final = 128
REST_S: Final = 1.0
"""How long a process without descriptors or memory takes no connection (as asyncio's own servers do)."""

_EXHAUSTED: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_ACCEPTS: Final = 32
"""Connections taken before other work of the loop gets its turn."""


class _Connection:
    """One accepted connection; `path` is how ICE knows it."""

    __slots__ = (
        "answered", "budget", "path", "pending", "received", "since_ms", "sock", "source", "strange", "writing",
    )  # fmt: skip

    def __init__(self, sock: socket.socket, path: Path, source: str, since_ms: int) -> None:
        self.sock = sock
        self.path = path
        self.source = source
        self.since_ms = since_ms
        self.answered = False
        self.strange = 0
        """Frames before the answer; from then on they have a `budget`."""
        self.budget = budget_of_peer(Budget)
        self.received = bytearray()
        self.pending = bytearray()
        self.writing = False


class TcpMux:
    """All connections of one worker. Paths of it have negative numbers, so that they are not taken for UDP.

    `on_packet` runs synchronously for every frame, `on_lost` when a connection is gone, whoever closed it.
    """

    def __init__(
        self,
        addresses: tuple[str, ...],
        port: int,
        on_packet: Callable[[bytes, Path], None],
        on_lost: Callable[[Path], None],
        now_ms: Callable[[], int],
    ) -> None:
        self._on_packet = on_packet
        self._on_lost = on_lost
        self._now_ms = now_ms
        self._loop = asyncio.get_running_loop()
        self._listening = _listen_all(addresses, port)
        self.port: int = self._listening[0].getsockname()[1]
        self.dropped = 0
        """Packets for readers that were too slow."""
        self.refused = 0
        """Connections that came when there were too many."""
        self._connections: dict[int, _Connection] = {}
        self._resting: dict[socket.socket, asyncio.TimerHandle] = {}
        self._unchecked: Counter[str] = Counter()
        self._last = 0
        for sock in self._listening:
            self._loop.add_reader(sock.fileno(), self._acceptable, sock)

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self._connections)

    def send(self, data: bytes, path: Path) -> None:
        """Send now or as soon as the kernel has room for it; dropped when too much waits already."""
        connection = self._connections.get(path[0])
        if connection is None:
            return
        if not connection.answered:
            # The first thing that is sent is the reply to a check that proved itself.
            connection.answered = True
            self._count_down(connection)
        if len(connection.pending) + len(data) > MAX_PENDING:
            self.dropped += 1
            return
        frame = len(data).to_bytes(2) + data
        if connection.pending:
            connection.pending += frame
            return
        sent = _send(connection.sock, frame)
        if sent is None:
            # Closed in the next turn: who sends may be going through the paths right now.
            self._loop.call_soon(self._close, connection)
        elif sent < len(frame):
            connection.pending += frame[sent:]
            self._loop.add_writer(connection.sock.fileno(), self._writable, connection)
            connection.writing = True

    def sweep(self, is_checked: Callable[[Path], bool]) -> None:
        """Close connections that did not become a checked path in time, and those that no longer are one."""
        now_ms = self._now_ms()
        for connection in list(self._connections.values()):
            young = not connection.answered and now_ms - connection.since_ms < UNCHECKED_MS
            if not young and not is_checked(connection.path):
                self._close(connection)

    def close(self) -> None:
        """Stop listening and close every connection."""
        for timer in self._resting.values():
            timer.cancel()
        for sock in self._listening:
            self._loop.remove_reader(sock.fileno())
            sock.close()
        for connection in list(self._connections.values()):
            self._close(connection)

    def _acceptable(self, listening: socket.socket) -> None:
        for _ in range(_ACCEPTS):
            try:
                sock, address = listening.accept()
            except OSError as error:
                # Nobody waits any more, or gave up meanwhile.
                if error.errno in _EXHAUSTED:
                    self._rest(listening)
                return
            source = _source_of(address[0])
            if not self._admits(source):
                self.refused += 1
                sock.close()
                continue
            self._last -= 1
            sock.setblocking(False)  # noqa: FBT003 - the standard library's signature
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _KERNEL_BUFFER)
            connection = _Connection(sock, (self._last, address[:2]), source, self._now_ms())
            self._connections[self._last] = connection
            self._unchecked[source] += 1
            self._loop.add_reader(sock.fileno(), self._readable, connection)

    def _rest(self, listening: socket.socket) -> None:
        """Whoever waits cannot be taken now, and would wake the loop again at once."""
        self._loop.remove_reader(listening.fileno())
        self._resting[listening] = self._loop.call_later(REST_S, self._listen_again, listening)

    def _listen_again(self, listening: socket.socket) -> None:
        del self._resting[listening]
        self._loop.add_reader(listening.fileno(), self._acceptable, listening)

    def _admits(self, source: str) -> bool:
        return (
            len(self._connections) < MAX_CONNECTIONS
            and self._unchecked.total() < MAX_UNCHECKED
            and self._unchecked[source] < MAX_UNCHECKED_PER_SOURCE
        )

    def _count_down(self, connection: _Connection) -> None:
        self._unchecked[connection.source] -= 1
        if not self._unchecked[connection.source]:
            del self._unchecked[connection.source]

    def _readable(self, connection: _Connection) -> None:
        try:
            data = connection.sock.recv(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._close(connection)
            return
        connection.received += data
        handed = self._hand_over(connection)
        if handed is None:
            self._close(connection)
            return
        del connection.received[:handed]

    def _hand_over(self, connection: _Connection) -> int | None:
        """The frames that are whole; returns how many bytes that was, None when the connection has to end."""
        received = connection.received
        at = 0
        while at + 2 <= len(received):
            length = received[at] << 8 | received[at + 1]
            end = at + 2 + length
            if length > MAX_FRAME:
                return None
            if end > len(received):
                break
            if not self._bears(connection, end - at):
                return None
            if length:
                self._on_packet(bytes(received[at + 2 : end]), connection.path)
            at = end
        return at

    def _bears(self, connection: _Connection, octets: int) -> bool:
        """Whether one more frame is looked at; whoever sends more than anybody could need is cut off.

        In a megabyte there may be half a million of them: dropped one by one as datagrams are, they would still cost
        most of a second.
        """
        if connection.answered:
            return connection.budget.take(octets, self._now_ms() * _MS)
        connection.strange += 1
        return connection.strange <= MAX_STRANGE

    def _writable(self, connection: _Connection) -> None:
        sent = _send(connection.sock, connection.pending)
        if sent is None:
            self._close(connection)
            return
        del connection.pending[:sent]
        if not connection.pending:
            self._loop.remove_writer(connection.sock.fileno())
            connection.writing = False

    def _close(self, connection: _Connection) -> None:
        if self._connections.pop(connection.path[0], None) is None:
            return
        self._loop.remove_reader(connection.sock.fileno())
        if connection.writing:
            self._loop.remove_writer(connection.sock.fileno())
        connection.sock.close()
        if not connection.answered:
            self._count_down(connection)
        self._on_lost(connection.path)


def _send(sock: socket.socket, data: bytes | bytearray) -> int | None:
    """Bytes that the kernel took; None when the connection is gone."""
    try:
        return sock.send(data)
    except BlockingIOError:
        return 0
    except OSError:
        return None


def _source_of(host: str) -> str:
    address = ipaddress.ip_address(host)
    return host if address.version == 4 else str(ipaddress.ip_network((address, 64), strict=False))


def _listen_all(addresses: tuple[str, ...], port: int) -> list[socket.socket]:
    """One listening socket on each address, all with the same port."""
    listening: list[socket.socket] = []
    try:
        for address in addresses:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            chosen = port or (listening[0].getsockname()[1] if listening else 0)
            sock = socket.create_server((address, chosen), family=family, backlog=_BACKLOG)
            sock.setblocking(False)  # noqa: FBT003 - the standard library's signature
            listening.append(sock)
    except OSError:
        for sock in listening:
            sock.close()
        raise
    return listening
