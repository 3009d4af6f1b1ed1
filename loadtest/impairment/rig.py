# SPDX-License-Identifier: Apache-2.0
"""The UDP end of the impairment: any number of clients on one address, one server behind it."""

from __future__ import annotations

import asyncio
import random
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Final

from msgspec import Struct

from loadtest.impairment.departures import Departures, Lateness
from loadtest.impairment.profile import Link
from loadtest.impairment.transit import Counts, Transit

Address = tuple[str, int]

MOST_CLIENTS: Final = 500
_BUFFER_BYTES: Final = 1 << 22
"""The kernel's own queues must not lose what the link lets through."""
_BATCH: Final = 64
_LARGEST: Final = 65_535
_NOBODY: Final = (BlockingIOError, ConnectionRefusedError)
"""Nothing more to read, or nobody there (any more) to whom we sent: peers find that out by themselves."""


class Report(Struct):
    """What a rig did so far. `refused`: datagrams of clients beyond `MOST_CLIENTS`."""

    up: Counts
    down: Counts
    lateness: Lateness
    clients: int
    refused: int


class Wire:
    """Both directions of one link."""

    def __init__(self, link: Link, seed: str) -> None:
        self.up = Transit(link.up, random.Random(f"{seed} up"))
        self.down = Transit(link.down, random.Random(f"{seed} down"))

    def change(self, link: Link) -> None:
        """Another link from now on."""
        self.up.profile, self.down.profile = link.up, link.down


class Rig:
    """Forwards both ways between clients and the server at `to`, through `link`.

    Each client has a link of its own, whose fate follows from `seed` and the order in which the clients came;
    `shared`: they all share one link, and compete for its rate.
    """

    def __init__(
        self, to: Address, link: Link, *, seed: int, listen: Address = ("127.0.0.1", 0), shared: bool = False
    ) -> None:
        self._to = to
        self._link = link
        self._seed = seed
        self._loop = asyncio.get_running_loop()
        self._departures = Departures()
        self._socket = _bound(listen)
        self._clients: dict[Address, _Client] = {}
        self._wires: list[Wire] = []
        self._shared = shared
        self._refused = 0
        self._loop.add_reader(self._socket, self._read)

    @property
    def address(self) -> Address:
        """Where clients send to."""
        return _name(self._socket)

    def change(self, link: Link) -> None:
        """Another link from now on, for all clients."""
        self._link = link
        for wire in self._wires:
            wire.change(link)

    def rebind(self) -> None:
        """All clients get a new source port towards the server, as from a NAT that forgot them."""
        for client in self._clients.values():
            client.open(self._to)

    def report(self) -> Report:
        """Sums over all clients."""
        up, down = total(wire.up.counts for wire in self._wires), total(wire.down.counts for wire in self._wires)
        return Report(up, down, self._departures.lateness, len(self._clients), self._refused)

    def close(self) -> None:
        """Give all ports back; what is under way is lost."""
        self._loop.remove_reader(self._socket)
        self._socket.close()
        for client in self._clients.values():
            client.close()
        self._departures.close()

    def _read(self) -> None:
        now_ns = time.monotonic_ns()
        for data, address in _datagrams(self._socket):
            client = self._clients.get(address) or self._accept(address)
            if client is not None:
                self._pass(client.wire.up, data, client.to_server, now_ns)
        self._departures.flush()

    def _accept(self, address: Address) -> _Client | None:
        if len(self._clients) >= MOST_CLIENTS:
            self._refused += 1
            return None
        client = self._clients[address] = _Client(address, self._wire(), self._socket, self._answer)
        client.open(self._to)
        return client

    def _wire(self) -> Wire:
        if self._shared and self._wires:
            return self._wires[0]
        wire = Wire(self._link, f"{self._seed} {len(self._wires)}")
        self._wires.append(wire)
        return wire

    def _answer(self, client: _Client, datagrams: Iterator[tuple[bytes, Address]]) -> None:
        now_ns = time.monotonic_ns()
        for data, _ in datagrams:
            self._pass(client.wire.down, data, client.to_client, now_ns)
        self._departures.flush()

    def _pass(self, way: Transit, data: bytes, depart: Callable[[bytes], None], now_ns: int) -> None:
        for due_ns in way.arrivals(len(data), now_ns):
            self._departures.add(due_ns, depart, data)


class _Client:
    """Somebody who sent to the rig, and the port under which the server knows them."""

    def __init__(
        self,
        address: Address,
        wire: Wire,
        listener: socket.socket,
        answer: Callable[[_Client, Iterator[tuple[bytes, Address]]], None],
    ) -> None:
        self.wire = wire
        self._address = address
        self._listener = listener
        self._answer = answer
        self._loop = asyncio.get_running_loop()
        self._port: socket.socket | None = None

    def open(self, to: Address) -> None:
        """Take a new port; the old one is forgotten with all that is on its way to it."""
        self.close()
        self._port = port = _bound(("::" if ":" in to[0] else "0.0.0.0", 0))  # noqa: S104 - a client's own port
        port.connect(to)
        self._loop.add_reader(port, lambda: self._answer(self, _datagrams(port)))

    def close(self) -> None:
        """Give the port back."""
        if self._port is not None:
            self._loop.remove_reader(self._port)
            self._port.close()
            self._port = None

    def to_server(self, data: bytes) -> None:
        """What came out at the server's end of the link."""
        if self._port is not None:
            with suppress(*_NOBODY):
                self._port.send(data)

    def to_client(self, data: bytes) -> None:
        """What came out at the client's end of the link."""
        with suppress(*_NOBODY):
            self._listener.sendto(data, self._address)


def total(counts: Iterator[Counts]) -> Counts:
    """All of them together; the longest wait is the longest of any."""
    whole = Counts()
    for one in counts:
        for name in Counts.__struct_fields__:
            before, more = getattr(whole, name), getattr(one, name)
            setattr(whole, name, max(before, more) if name == "longest_wait_ms" else before + more)
    return whole


def _bound(address: Address) -> socket.socket:
    made = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET, socket.SOCK_DGRAM)
    made.setblocking(False)  # noqa: FBT003 - the socket's own signature
    for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
        made.setsockopt(socket.SOL_SOCKET, option, _BUFFER_BYTES)
    made.bind(address)
    return made


def _name(bound: socket.socket) -> Address:
    host, port = bound.getsockname()[:2]
    return str(host), int(port)


def _datagrams(port: socket.socket) -> Iterator[tuple[bytes, Address]]:
    """What has come, at most a batch of it."""
    for _ in range(_BATCH):
        try:
            data, address = port.recvfrom(_LARGEST)
        except _NOBODY:
            return
        yield data, address[:2]
