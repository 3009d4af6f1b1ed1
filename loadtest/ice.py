# SPDX-License-Identifier: Apache-2.0
"""The controlling side of ICE against a lite agent (RFC 8445, RFC 7675): one socket, few checks, no gathering.

A lite agent learns our address from our checks, so we tell no candidates and need no other server.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
import struct
from collections.abc import Callable
from typing import Final, cast

from aioice import stun
from msgspec import Struct

Address = tuple[str, int]

CHECK_EVERY_S: Final = 0.1
CONSENT_EVERY_S: Final = 2.5
"""As Chromium checks a path in use; RFC 7675 section 5.1 allows twice that. It bounds how long a NAT that took another
port keeps media away: a lite agent takes nothing from an address that was not checked."""
REPEAT_EVERY_S: Final = 0.5
"""While an answer is due."""
CONSENT_S: Final = 30.0
MAX_ASKED: Final = 64
PRIORITY: Final = 1_845_501_695
"""Of a peer-reflexive candidate, RFC 8445 section 5.1.2.1."""


class Remote(Struct, frozen=True):
    """The lite agent as its answer describes it; candidates with the best first."""

    ufrag: str
    pwd: str
    candidates: tuple[Address, ...]


class IceClient(asyncio.DatagramProtocol):
    """One path to a lite agent. `on_data` gets every datagram of the chosen path that is not STUN."""

    def __init__(self, on_data: Callable[[bytes], None], on_lost: Callable[[], None]) -> None:
        self.ufrag = secrets.token_hex(4)
        self.pwd = secrets.token_hex(16)
        self._on_data = on_data
        self._on_lost = on_lost
        self._loop = asyncio.get_running_loop()
        self._tie_breaker = secrets.randbits(64)
        self._transport: asyncio.DatagramTransport | None = None
        self._remote = Remote("", "", ())
        self._closed = asyncio.Event()
        self._asked: dict[bytes, Address] = {}
        self._chosen: asyncio.Future[Address] = self._loop.create_future()
        self._address: Address | None = None
        self._answered_s = 0.0
        self._consent: asyncio.TimerHandle | None = None

    async def connect(self, remote: Remote, port: socket.socket | None = None) -> None:
        """Check all candidates until one answers, and nominate it. Bound the time from outside.

        `port`: send from this socket, which is ours from now on, and not from a new one.
        """
        self._remote = remote
        family = socket.AF_INET6 if all(":" in host for host, _ in remote.candidates) else socket.AF_INET
        if port is None:
            port = socket.socket(family, socket.SOCK_DGRAM)
            port.bind(("::" if family is socket.AF_INET6 else "0.0.0.0", 0))  # noqa: S104 - a client's own port
        port.setblocking(False)  # noqa: FBT003 - the socket's own signature
        await self._loop.create_datagram_endpoint(lambda: self, sock=port)
        usable = [address for address in remote.candidates if (":" in address[0]) == (family is socket.AF_INET6)]
        while not self._chosen.done():
            for address in usable:
                self._check(address, nominate=False)
            await asyncio.wait([self._chosen], timeout=CHECK_EVERY_S)
        self._address = self._chosen.result()
        self._answered_s = self._loop.time()
        self._asked.clear()
        self._keep_consent()

    def send(self, data: bytes) -> None:
        """One datagram on the chosen path."""
        if self._transport is not None and self._address is not None:
            self._transport.sendto(data, self._address)

    async def close(self) -> None:
        """Give the port back; nothing is reported any more."""
        if self._consent is not None:
            self._consent.cancel()
        if self._transport is not None:
            self._transport.close()
            await self._closed.wait()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the event loop."""
        self._transport = cast("asyncio.DatagramTransport", transport)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - as the base class has it
        """Called by the event loop."""
        self._closed.set()

    def error_received(self, exc: Exception) -> None:
        """An ICMP error of an earlier datagram: silence or consent will tell if it matters."""

    def datagram_received(self, data: bytes, addr: tuple[str, int] | tuple[str, int, int, int]) -> None:
        """Called by the event loop; from anywhere but the chosen path only answers to our checks count."""
        if data and data[0] < 4:
            self._answer(data)
        elif addr[:2] == self._address:
            self._on_data(data)

    def _check(self, address: Address, *, nominate: bool) -> None:
        attributes: dict[str, object] = {
            "USERNAME": f"{self._remote.ufrag}:{self.ufrag}",
            "PRIORITY": PRIORITY,
            "ICE-CONTROLLING": self._tie_breaker,
        }
        if nominate:
            attributes["USE-CANDIDATE"] = None
        request = stun.Message(stun.Method.BINDING, stun.Class.REQUEST, attributes=attributes)
        request.add_message_integrity(self._remote.pwd.encode())
        self._asked[request.transaction_id] = address
        if self._transport is not None:
            self._transport.sendto(bytes(request), address)

    def _answer(self, data: bytes) -> None:
        try:
            message = stun.parse_message(data)
        except (ValueError, struct.error):
            return
        address = self._asked.pop(message.transaction_id, None)
        if address is None or message.message_class is not stun.Class.RESPONSE:
            return
        if not message.check_message_integrity(self._remote.pwd.encode()):
            return
        self._answered_s = self._loop.time()
        if not self._chosen.done():
            self._chosen.set_result(address)
        elif self._consent is not None:
            self._asked.clear()
            self._consent.cancel()
            self._consent = self._loop.call_later(CONSENT_EVERY_S, self._keep_consent)

    def _keep_consent(self) -> None:
        """Nominate now, repeat that until an answer comes, again every few seconds; after 30 s the path is gone."""
        if self._address is None:
            return
        if self._loop.time() - self._answered_s > CONSENT_S:
            self._consent = None
            self._on_lost()
            return
        if len(self._asked) >= MAX_ASKED:
            self._asked.clear()
        self._check(self._address, nominate=True)
        self._consent = self._loop.call_later(REPEAT_EVERY_S, self._keep_consent)
