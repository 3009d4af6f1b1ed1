# SPDX-License-Identifier: Apache-2.0
"""DTLS-SRTP of a client by aiortc; the only file of the load test that knows its private names.

`tests/loadtest/test_dtls.py` fails when one of `PRIVATE_NAMES` is gone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

from aiortc.rtcdtlstransport import (
    SRTP_AEAD_AES_128_GCM,
    RTCCertificate,
    RTCDtlsFingerprint,
    RTCDtlsParameters,
    RTCDtlsTransport,
)
from aiortc.rtp import is_rtcp
from pylibsrtp import Error as SrtpError
from pylibsrtp import Session

PRIVATE_NAMES: Final = ("_set_role", "_srtp_profiles", "_rx_srtp", "_tx_srtp")


class HandshakeFailed(Exception):
    """No keys: wrong certificate, no common profile, or the path went away."""


class SecureChannel:
    """Encrypts and decrypts on one path. `on_packet(data, is_rtcp)` gets what was decrypted."""

    def __init__(self, send: Callable[[bytes], None], on_packet: Callable[[bytes, bool], None]) -> None:
        certificate = RTCCertificate.generateCertificate()
        prints = {item.algorithm: item.value for item in certificate.getFingerprints()}
        self.fingerprint: str = prints["sha-256"]
        self.refused = 0
        """Packets that did not decrypt."""
        self._send = send
        self._on_packet = on_packet
        self._wire = _Wire(send)
        self._transport: Any = RTCDtlsTransport(self._wire, [certificate])  # type: ignore[arg-type]
        self._transport._set_role("client")

    def insist_on_aes_128_gcm(self) -> None:
        """Offer only this profile, so that servers which are compared encrypt alike; before `connect`."""
        self._transport._srtp_profiles = [SRTP_AEAD_AES_128_GCM]

    @property
    def sessions(self) -> tuple[Session, Session]:
        """The SRTP sessions for receiving and sending, once connected: for who handles packets without us."""
        return self._transport._rx_srtp, self._transport._tx_srtp

    async def connect(self, fingerprint: str, on_closed: Callable[[], None]) -> None:
        """Shake hands; `on_closed` is called when the other side says goodbye later."""
        await self._transport.start(RTCDtlsParameters(fingerprints=[RTCDtlsFingerprint("sha-256", fingerprint)]))
        if self._transport.state != "connected":
            raise HandshakeFailed
        self._transport.on("statechange", on_closed)

    def receive(self, data: bytes) -> None:
        """A datagram of the path that is not STUN, RFC 7983 section 7."""
        if 19 < data[0] < 64:
            self._wire.put(data)
        elif self._transport._rx_srtp is not None:
            self._decrypt(data)

    def send_rtp(self, data: bytes) -> None:
        """Protect and send one RTP packet; before the handshake nothing leaves."""
        if self._transport._tx_srtp is not None:
            self._send(self._transport._tx_srtp.protect(data))

    def send_rtcp(self, data: bytes) -> None:
        """As `send_rtp`, for one compound RTCP packet."""
        if self._transport._tx_srtp is not None:
            self._send(self._transport._tx_srtp.protect_rtcp(data))

    async def close(self) -> None:
        """Say goodbye."""
        self._transport.remove_all_listeners()
        await self._transport.stop()

    def _decrypt(self, data: bytes) -> None:
        session = self._transport._rx_srtp
        feedback = is_rtcp(data)
        try:
            packet = session.unprotect_rtcp(data) if feedback else session.unprotect(data)
        except SrtpError:
            self.refused += 1
            return
        self._on_packet(packet, feedback)


class _Wire:
    """What `RTCDtlsTransport` asks of an ICE transport."""

    role = "controlling"
    state = "completed"

    def __init__(self, send: Callable[[bytes], None]) -> None:
        self._queue: asyncio.Queue[bytes] = asyncio.Queue()
        self._out = send

    def put(self, data: bytes) -> None:
        self._queue.put_nowait(data)

    async def _recv(self) -> bytes:
        return await self._queue.get()

    async def _send(self, data: bytes) -> None:
        self._out(data)
