# SPDX-License-Identifier: Apache-2.0
"""Who knocks: how much one address may ask for before anybody there has shown who they are.

A clinic may stand behind one address, so that the limits leave room for a whole workshop that comes at the full hour.
Only people without a seat are counted.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address
from typing import Final

from aiohttp import web

from server.errors import DisconnectCode, JoinRefused
from server.signaling.limits import Buckets, Rate

FROM_ONE_ADDRESS: Final = 200
"""Sockets of one address that nobody has authenticated yet, or that have sent no whole request."""
TICKET_RATE: Final = Rate(per_second=10, burst=600)
"""Join links that one address may swap for tickets."""
HEADER_DEADLINE_S: Final = 5.0
"""How long the first request of a connection may take to arrive; looked at in steps of `LOOK_S`."""
LOOK_S: Final = 1.0
HTTP_FROM_ONE_ADDRESS: Final = 600
"""Connections of one public address that are no WebSocket: idle between two requests, or slow to take an answer."""
KEEP_ALIVE_S: Final = 130.0
"""How long a connection may be idle; proxies give theirs up before, after two minutes at most."""
_NETWORK_BITS: Final = 64


def address_of(peer: str | None, forwarded: str | None) -> str:
    """What stands for whoever has sent a request; empty: this machine, which is not limited.

    `forwarded`: the header X-Forwarded-For, of which the last element is believed if the peer has no public address, as
    a proxy has. An IPv6 address stands for its /64, as one subscriber has at least that many.
    """
    try:
        address = ip_address((peer or "").partition("%")[0])
        if forwarded and not address.is_global:
            address = ip_address(forwarded.rpartition(",")[2].strip())
    except ValueError:
        return peer or "unknown"
    if address.is_loopback:
        return ""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(IPv6Address(int(address) >> _NETWORK_BITS << _NETWORK_BITS))
    return str(address)


def address_behind(request: web.Request) -> str:
    """The same, of a request."""
    return address_of(request.remote, request.headers.get("X-Forwarded-For"))


class Strangers:
    """How many are at the door, by address. `enter` is followed by one `leave`."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def may_enter(self, address: str) -> bool:
        """Whether there is room for one more from there."""
        return address == "" or self._counts[address] < FROM_ONE_ADDRESS

    def enter(self, address: str) -> Callable[[], None]:
        """One more; what is returned lets it go, and does nothing the second time."""
        self._counts[address] += 1
        here = [address]

        def leave() -> None:
            if here:
                left = here.pop()
                self._counts[left] -= 1
                if not self._counts[left]:
                    del self._counts[left]

        return leave


class TicketLimit:
    """How often each address may swap a link, or come in with an invite that was not swapped."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._buckets: Buckets[str] = Buckets(TICKET_RATE)

    def wait_ms(self, address: str) -> int:
        """0: now, which is counted; otherwise how long until the next one."""
        if address == "":
            return 0
        now_ms = self._now_ms()
        bucket = self._buckets.of(address, now_ms)
        wait_ms = bucket.wait_ms(1, now_ms)
        if not wait_ms:
            bucket.take(1)
        return wait_ms

    def knock(self, address: str) -> None:
        """Count somebody new from there. Raises JoinRefused."""
        if self.wait_ms(address):
            raise JoinRefused(DisconnectCode.RATE_LIMITED)


class Doorkeeper:
    """Ends connections that send no whole request in time, and those of one address beyond all measure.

    Of aiohttp's own limits the first is that of keep-alive. A private address may be a proxy with everybody behind it.

    Looked at all together now and then: a timer for each would be made for everybody, to stop hardly anyone. Looks are
    counted, not time: after a server was held up, what has come meanwhile is still to be read.
    """

    def __init__(self, server: web.Server) -> None:
        self._server = server
        self._looks: dict[web.RequestHandler, int] = {}
        self._loop = asyncio.get_running_loop()
        self._timer = self._loop.call_later(LOOK_S, self._look)

    def close(self) -> None:
        """Look no more."""
        self._timer.cancel()

    def _look(self) -> None:
        silent: dict[web.RequestHandler, int] = {}
        silent_from: Counter[str] = Counter()
        http_from: Counter[str] = Counter()
        for handler in self._server.connections:
            transport = handler.transport
            if transport is None or _is_websocket(handler):
                continue
            peer = (transport.get_extra_info("peername") or ("",))[0]
            address = address_of(peer, None)
            http_from[address] += 1
            crowded = http_from[address] > HTTP_FROM_ONE_ADDRESS and is_public(peer)
            if _is_silent(handler):
                silent[handler] = looks = self._looks.get(handler, 0) + 1
                silent_from[address] += 1
                crowded |= address != "" and silent_from[address] > FROM_ONE_ADDRESS
                crowded |= looks * LOOK_S >= HEADER_DEADLINE_S
            if crowded:
                transport.abort()
        self._looks = silent
        self._timer = self._loop.call_later(LOOK_S, self._look)


def is_public(peer: str) -> bool:
    """Whether this is the address of one subscriber or network out there."""
    try:
        return ip_address(peer).is_global
    except ValueError:
        return False


def _is_websocket(handler: web.RequestHandler) -> bool:
    """Whether it is one already."""
    return handler._payload_parser is not None  # noqa: SLF001 - as below


def _is_silent(handler: web.RequestHandler) -> bool:
    """Whether not one request has come whole."""
    return handler._request_count == 0  # noqa: SLF001 - nothing else tells; a test looks whether it is there
