# SPDX-License-Identifier: Apache-2.0
"""One transport to a server that is measured: socket, ICE and DTLS here, media by the generator.

The controlling side of RFC 8445 on one socket. After `connect` the socket is connected and nobody reads it here: the
generator does, and hands back what is no media.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
import struct
from typing import Final

from aioice import stun

from loadtest.dtls import SecureChannel
from loadtest.ice import PRIORITY, Address, Remote

CHECK_EVERY_S: Final = 0.1
CONNECT_S: Final = 20.0
_BUFFER_BYTES: Final = 4 << 20
_SO_RCVBUFFORCE: Final = 33
_SO_TIMESTAMPNS: Final = 35
_STUN_BELOW: Final = 4
_DATAGRAM_BYTES: Final = 2_048


class Endpoint:
    """A client's transport; `address` is ours. `feedback`: see `bench.media.sdp.Local`."""

    def __init__(self, address: str, *, feedback: bool) -> None:
        self.feedback = feedback
        self.ufrag = secrets.token_hex(4)
        self.pwd = secrets.token_hex(16)
        self.ssrc = secrets.randbits(31) | 1
        """Of the receiver, in its reports."""
        self.socket = _bound(address)
        self.lost = False
        """The server said goodbye."""
        self.channel = SecureChannel(self._send, _ignore)
        self.channel.insist_on_aes_128_gcm()
        self._loop = asyncio.get_running_loop()
        self._remote = Remote("", "", ())
        self._tie_breaker = secrets.randbits(64)
        self._address: Address | None = None
        self._checked = asyncio.Event()

    async def connect(self, remote: Remote, fingerprint: str) -> None:
        """Checks until one is answered, then the handshake. Raises TimeoutError or HandshakeFailed."""
        self._remote = remote
        self._loop.add_reader(self.socket.fileno(), self._readable)
        try:
            async with asyncio.timeout(CONNECT_S):
                while not self._checked.is_set():
                    for candidate in remote.candidates:
                        self._check(candidate)
                    await _either(self._checked, CHECK_EVERY_S)
                await self.channel.connect(fingerprint, self._goodbye)
        finally:
            self._loop.remove_reader(self.socket.fileno())
        if self._address is not None:
            self.socket.connect(self._address)

    def renew_consent(self) -> None:
        """Ask whether the server still agrees to be sent to, RFC 7675."""
        if self._address is not None:
            self._check(self._address)

    def receive(self, data: bytes) -> None:
        """A datagram that is no media."""
        if data and data[0] < _STUN_BELOW:
            self._stun(data, self._address)
        elif data:
            self.channel.receive(data)

    async def close(self) -> None:
        """Say goodbye and give the port back."""
        await self.channel.close()
        self.socket.close()

    def _readable(self) -> None:
        while True:
            try:
                data, source = self.socket.recvfrom(_DATAGRAM_BYTES)
            except BlockingIOError:
                return
            if data and data[0] < _STUN_BELOW:
                self._stun(data, source)
            elif data:
                self.channel.receive(data)

    def _send(self, data: bytes) -> None:
        if self._address is not None:
            self.socket.sendto(data, self._address)

    def _goodbye(self) -> None:
        self.lost = True

    def _check(self, address: Address) -> None:
        attributes = {
            "USERNAME": f"{self._remote.ufrag}:{self.ufrag}",
            "PRIORITY": PRIORITY,
            "ICE-CONTROLLING": self._tie_breaker,
            "USE-CANDIDATE": None,
        }
        request = stun.Message(stun.Method.BINDING, stun.Class.REQUEST, attributes=attributes)
        request.add_message_integrity(self._remote.pwd.encode())
        self.socket.sendto(bytes(request), address)

    def _stun(self, data: bytes, source: Address | None) -> None:
        try:
            message = stun.parse_message(data)
        except (ValueError, struct.error):
            return
        if message.message_class is stun.Class.REQUEST and message.check_message_integrity(self.pwd.encode()):
            self._reply(message, source)
        elif message.message_class is stun.Class.RESPONSE and self._from_server(message):
            self._address = self._address or source
            self._checked.set()

    def _from_server(self, message: stun.Message) -> bool:
        return bool(message.check_message_integrity(self._remote.pwd.encode()))

    def _reply(self, request: stun.Message, source: Address | None) -> None:
        """A full agent checks us, too."""
        reply = stun.Message(
            stun.Method.BINDING, stun.Class.RESPONSE, request.transaction_id, {"XOR-MAPPED-ADDRESS": source}
        )
        reply.add_message_integrity(self.pwd.encode())
        if source is not None:
            self.socket.sendto(bytes(reply), source)


def _bound(address: str) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.settimeout(0)
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER_BYTES)
    except PermissionError:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
    sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
    sock.bind((address, 0))
    return sock


async def _either(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return


def _ignore(_data: bytes, _is_rtcp: bool) -> None:  # noqa: FBT001 - the channel's callback
    """Media before the generator took over; counted there from its first run on."""
