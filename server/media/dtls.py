# SPDX-License-Identifier: Apache-2.0
"""DTLS-SRTP by aiortc under a transport of ours (RFC 5764, RFC 8842); the only file that knows its private names.

`tests/media/test_dtls.py` fails when one of `PRIVATE_NAMES` is gone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, Final, cast

from aiortc.rtcdtlstransport import (
    SRTP_AEAD_AES_128_GCM,
    SRTP_AEAD_AES_256_GCM,
    SRTP_AES128_CM_SHA1_80,
    RTCCertificate,
    RTCDtlsFingerprint,
    RTCDtlsParameters,
    RTCDtlsTransport,
)
from OpenSSL import SSL
from pylibsrtp import ERRORS, Policy, Session, _binding
from pylibsrtp import Error as SrtpError
from pylibsrtp._binding import ffi
from pylibsrtp._binding import lib as libsrtp

PRIVATE_NAMES: Final = ("_set_role", "_ssl", "_srtp_profiles")
"""Of aiortc's transport; of pylibsrtp's session `_srtp`, and its `_binding.lib`."""

MAX_QUEUED: Final = 32
"""Datagrams of a handshake that wait to be read; more are dropped, DTLS sends again."""

REPLAY_WINDOW: Final = 1024
SEND_WINDOW: Final = 512
"""How far behind the newest a late packet may still go out: seconds of a picture. A wider one costs time per packet."""

MAX_PROTECTED: Final = 1_500
_TRAILER: Final = 148
"""Room that libsrtp may use behind a report: SRTP_MAX_TRAILER_LEN, and the index of SRTCP."""

_PROFILES: Final = [SRTP_AEAD_AES_128_GCM, SRTP_AEAD_AES_256_GCM, SRTP_AES128_CM_SHA1_80]

_OVERHEADS: Final = {
    Policy.SRTP_PROFILE_AEAD_AES_128_GCM: 16,
    Policy.SRTP_PROFILE_AEAD_AES_256_GCM: 16,
    Policy.SRTP_PROFILE_AES128_CM_SHA1_80: 10,
}
"""Bytes of the authentication tag (RFC 7714 section 12, RFC 3711 section 5.2)."""

_SCRATCH: Final = ffi.new("char[]", MAX_PROTECTED)
_LENGTH: Final = ffi.new("int *")
"""Where packets are decrypted and reports encrypted, one at a time."""

__all__ = [
    "Certificate",
    "DtlsSession",
    "HandshakeFailed",
    "Sender",
    "SrtpError",
    "SrtpPair",
    "gcm_key_bytes",
    "is_dtls",
    "make_sender",
    "openssl_library",
    "protect_function",
    "protect_in_place",
    "unprotect_function",
]


protect_in_place: Final[Callable[[Any, Any, Any], int]] = libsrtp.srtp_protect
"""Takes pointers to the session, to the packet with 144 bytes of room behind it, and to its length; 0 when done."""


class HandshakeFailed(Exception):
    """No keys: wrong certificate, no common profile, or the transport went away."""


def protect_function() -> int:
    """Where libsrtp's `srtp_protect` lies, for compiled code."""
    return int(ffi.cast("uintptr_t", ffi.addressof(libsrtp, "srtp_protect")))


def unprotect_function() -> int:
    """The same of `srtp_unprotect`."""
    return int(ffi.cast("uintptr_t", ffi.addressof(libsrtp, "srtp_unprotect")))


def openssl_library() -> str:
    """The file through which the OpenSSL that libsrtp uses can be reached, where it can."""
    return str(_binding.__file__)


def gcm_key_bytes(profile: int) -> int | None:
    """Length of the key of a profile with AES-GCM, whose salt follows it; None for any other profile."""
    return {Policy.SRTP_PROFILE_AEAD_AES_128_GCM: 16, Policy.SRTP_PROFILE_AEAD_AES_256_GCM: 32}.get(profile)


def is_dtls(data: bytes) -> bool:
    """RFC 7983 section 7."""
    return 19 < data[0] < 64


class Certificate:
    """The certificate of one worker process."""

    def __init__(self) -> None:
        self.rtc = RTCCertificate.generateCertificate()
        prints = {item.algorithm: item.value for item in self.rtc.getFingerprints()}
        self.fingerprint: str = prints["sha-256"]
        """SHA-256, upper case hexadecimal pairs joined by colons (RFC 8122)."""


class Sender:
    """SRTP of all that one connection sends: with a session for each stream the keys of some would not stay in a cache.

    Of each SSRC it remembers what went out, so that no number can go out twice.
    `pointer` is libsrtp's session; it is good as long as this object. `overhead` bytes are added to each packet.
    """

    __slots__ = ("_session", "overhead", "pointer", "protect")

    def __init__(self, policy: Policy, overhead: int) -> None:
        self._session = Session(policy)
        self.pointer: Any = self._session._srtp[0]
        self.protect: Callable[[bytes], bytes] = self._session.protect
        self.overhead = overhead


class SrtpPair:
    """The SRTP contexts of one connection; `SrtpError` is raised for what may not pass."""

    __slots__ = (
        "_protect_rtcp", "_receive", "_unprotect", "_unprotect_rtcp", "compiled", "profile",
        "receiver", "send_key", "sender",
    )  # fmt: skip

    def __init__(self, receive_key: bytes, send_key: bytes, profile: int) -> None:
        self._receive = Session(_policy(receive_key, profile, Policy.SSRC_ANY_INBOUND))
        self.receiver: Any = self._receive._srtp[0]
        """Libsrtp's session of what comes in, for compiled code; it is good as long as this object."""
        self._unprotect = partial(libsrtp.srtp_unprotect, self.receiver, _SCRATCH, _LENGTH)
        self._unprotect_rtcp = partial(libsrtp.srtp_unprotect_rtcp, self.receiver, _SCRATCH, _LENGTH)
        self.sender = make_sender(send_key, profile)
        self._protect_rtcp = partial(libsrtp.srtp_protect_rtcp, self.sender.pointer, _SCRATCH, _LENGTH)
        self.send_key = send_key
        self.profile = profile
        self.compiled: Any = None
        """What compiled code made of `send_key`: it sends all or nothing, lest a number goes out twice."""

    def unprotect(self, packet: bytes) -> bytes:
        """The RTP packet inside; ValueError for one that is too long."""
        return _passed(self._unprotect, packet, MAX_PROTECTED)

    def unprotect_rtcp(self, packet: bytes) -> bytes:
        """The compound RTCP packet inside; ValueError for one that is too long."""
        return _passed(self._unprotect_rtcp, packet, MAX_PROTECTED)

    def protect_rtcp(self, packet: bytes) -> bytes:
        """A compound RTCP packet as it goes out; ValueError for one that is too long."""
        return _passed(self._protect_rtcp, packet, MAX_PROTECTED - _TRAILER)


def make_sender(key: bytes, profile: int) -> Sender:
    """There must never be two under one key."""
    policy = _policy(key, profile, Policy.SSRC_ANY_OUTBOUND)
    policy.window_size = SEND_WINDOW
    return Sender(policy, _OVERHEADS[profile])


def _passed(function: Callable[[], int], packet: bytes, most: int) -> bytes:
    """What one of libsrtp's functions makes of a packet of at most so many bytes."""
    length = len(packet)
    if length > most:
        raise ValueError(length)
    ffi.memmove(_SCRATCH, packet, length)
    _LENGTH[0] = length
    status = function()
    if status:
        raise SrtpError(ERRORS[status])
    return cast("bytes", ffi.unpack(_SCRATCH, _LENGTH[0]))


def _policy(key: bytes, profile: int, ssrc_type: int) -> Policy:
    policy = Policy(key=key, ssrc_type=ssrc_type, srtp_profile=profile)
    # With GCM one number used twice gives the key stream away, so libsrtp refuses it as the last guard.
    policy.allow_repeat_tx = False
    policy.window_size = REPLAY_WINDOW
    return policy


class DtlsSession:
    """One DTLS association in the server role. `send` puts a datagram on the selected path."""

    def __init__(self, certificate: Certificate, fingerprint: str, send: Callable[[bytes], None]) -> None:
        self._remote = RTCDtlsParameters(fingerprints=[RTCDtlsFingerprint("sha-256", fingerprint)])
        self._wire = _Wire(send)
        self._transport: Any = RTCDtlsTransport(self._wire, [certificate.rtc])  # type: ignore[arg-type]
        self._transport._set_role("server")
        self._transport._srtp_profiles = _PROFILES

    def receive(self, data: bytes) -> None:
        """A DTLS datagram from a checked address."""
        self._wire.put(data)

    async def handshake(self, on_closed: Callable[[], None]) -> SrtpPair:
        """The keys, when the peer has proven its fingerprint; `on_closed` is called when it says goodbye later."""
        try:
            await self._transport.start(self._remote)
        except SSL.Error as error:
            # OpenSSL gave up sending its flight again.
            raise HandshakeFailed from error
        if self._transport.state != "connected":
            raise HandshakeFailed
        keys = self._export()
        self._transport.on("statechange", on_closed)
        return keys

    async def close(self) -> None:
        """Say goodbye and stop reading."""
        self._transport.remove_all_listeners()
        self._wire.put(None)
        await self._transport.stop()

    def _export(self) -> SrtpPair:
        """RFC 5764 section 4.2; aiortc's own sessions allow a number to be sent twice, hence ours."""
        connection = self._transport._ssl
        name = connection.get_selected_srtp_profile()
        profile = next(profile for profile in _PROFILES if profile.openssl_profile == name)
        length = 2 * (profile.key_length + profile.salt_length)
        material = connection.export_keying_material(b"EXTRACTOR-dtls_srtp", length)
        return SrtpPair(
            receive_key=profile.get_key_and_salt(material, 0),
            send_key=profile.get_key_and_salt(material, 1),
            profile=profile.libsrtp_profile,
        )


class _Wire:
    """What `RTCDtlsTransport` asks of an ICE transport."""

    role = "controlled"
    state = "completed"

    def __init__(self, send: Callable[[bytes], None]) -> None:
        self._queue: asyncio.Queue[bytes | None] = asyncio.Queue(MAX_QUEUED)
        self._put = send

    def put(self, data: bytes | None) -> None:
        if not self._queue.full():
            self._queue.put_nowait(data)

    async def _recv(self) -> bytes:
        data = await self._queue.get()
        if data is None:
            raise ConnectionError
        return data

    async def _send(self, data: bytes) -> None:
        self._put(data)
