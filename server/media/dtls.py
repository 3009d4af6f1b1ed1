# SPDX-License-Identifier: Apache-2.0
"""DTLS-SRTP by OpenSSL and libsrtp (RFC 5764, RFC 8842); the only file that knows private names of theirs.

`tests/media/test_dtls.py` fails when one of `PRIVATE_NAMES` is gone.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from functools import partial
from typing import Any, Final, assert_never, cast

from aiortc.rtcdtlstransport import (
    SRTP_AEAD_AES_128_GCM,
    SRTP_AEAD_AES_256_GCM,
    SRTP_AES128_CM_SHA1_80,
    RTCCertificate,
)
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512
from OpenSSL import SSL
from pylibsrtp import ERRORS, Policy, Session, _binding
from pylibsrtp import Error as SrtpError
from pylibsrtp._binding import ffi
from pylibsrtp._binding import lib as libsrtp

from server.media.dtls_records import MAX_REPEATS, SUITE, VERSION, Heard, Records, is_hello

PRIVATE_NAMES: Final = ("_create_ssl_context",)
"""Of aiortc's certificate; of pylibsrtp's session `_srtp`, and its `_binding.lib`."""

MAX_QUEUED: Final = 32
"""Datagrams of a handshake that wait to be read; more are dropped, DTLS sends again."""

REPLAY_WINDOW: Final = 1024
SEND_WINDOW: Final = 512
"""How far behind the newest a late packet may still go out: seconds of a picture. A wider one costs time per packet."""

MOST_STREAMS: Final = 128
"""SSRCs that one connection may send with, RTP and RTCP. Libsrtp keeps a state of each for ever, and looks for it in a
list: who changes the SSRC with every packet would have each of them cost a millisecond within a minute. Honest clients
need a dozen, and some of them one more for each slot, in their reports."""

MAX_PROTECTED: Final = 1_500
_TRAILER: Final = 148
"""Room that libsrtp may use behind a report: SRTP_MAX_TRAILER_LEN, and the index of SRTCP."""

MAX_DATAGRAM: Final = 1_500
_DTLS_1_2: Final = 0xFEFD

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
    """The certificate of one worker process, and what its associations have in common."""

    def __init__(self) -> None:
        self.rtc = RTCCertificate.generateCertificate()
        self._context: Any = self.rtc._create_ssl_context(srtp_profiles=_PROFILES)
        self._context.set_max_proto_version(_DTLS_1_2)
        self._context.set_options(SSL.OP_CIPHER_SERVER_PREFERENCE)
        # Nobody comes back to a session: each connection has a certificate of its own to prove.
        self._context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        self._context.set_mode(SSL.MODE_RELEASE_BUFFERS)
        prints = {item.algorithm: item.value for item in self.rtc.getFingerprints()}
        self.fingerprint: str = prints["sha-256"]
        """SHA-256, upper case hexadecimal pairs joined by colons (RFC 8122)."""

    def accept(self) -> SSL.Connection:
        """The server's side of one association."""
        connection = SSL.Connection(self._context)
        connection.set_accept_state()
        return connection


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
        "_heard", "_protect_rtcp", "_receive", "_unprotect", "_unprotect_rtcp", "compiled", "profile",
        "receiver", "send_key", "sender",
    )  # fmt: skip

    def __init__(self, receive_key: bytes, send_key: bytes, profile: int) -> None:
        self._receive = Session(_policy(receive_key, profile, Policy.SSRC_ANY_INBOUND))
        self.receiver: Any = self._receive._srtp[0]
        """Libsrtp's session of what comes in, for compiled code; it is good as long as this object."""
        self._heard: set[bytes] = set()
        """SSRCs of which something was genuine."""
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
        return self._opened(self._unprotect, packet, packet[8:12])

    def unprotect_rtcp(self, packet: bytes) -> bytes:
        """The compound RTCP packet inside; ValueError for one that is too long."""
        return self._opened(self._unprotect_rtcp, packet, packet[4:8])

    def protect_rtcp(self, packet: bytes) -> bytes:
        """A compound RTCP packet as it goes out; ValueError for one that is too long."""
        return _passed(self._protect_rtcp, packet, MAX_PROTECTED - _TRAILER)

    def _opened(self, function: Callable[[], int], packet: bytes, ssrc: bytes) -> bytes:
        heard = self._heard
        if ssrc in heard:
            return _passed(function, packet, MAX_PROTECTED)
        if len(heard) == MOST_STREAMS:
            raise SrtpError("too many streams")
        opened = _passed(function, packet, MAX_PROTECTED)
        heard.add(ssrc)
        return opened


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


_HASHES: Final = (SHA256(), SHA384(), SHA512())


class DtlsSession:
    """One DTLS association in the server role. `send` puts a datagram on the selected path."""

    __slots__ = ("_connection", "_fingerprint", "_on_closed", "_queue", "_records", "_send")

    def __init__(self, certificate: Certificate, fingerprint: str, send: Callable[[bytes], None]) -> None:
        self._fingerprint = fingerprint
        self._send = send
        self._on_closed: Callable[[], None] = _nobody_asks
        self._connection: SSL.Connection | None = certificate.accept()
        self._queue: asyncio.Queue[bytes] | None = asyncio.Queue(MAX_QUEUED)
        """Of the handshake; afterwards nothing has to wait."""
        self._records: Records | None = None
        """Takes the place of the connection after the handshake, where it can."""

    def receive(self, data: bytes) -> None:
        """A DTLS datagram from a checked address."""
        if self._queue is not None:
            if not self._queue.full():
                self._queue.put_nowait(data)
        elif self._records is not None:
            self._hear(self._records, data)
        elif self._connection is not None:
            self._read(self._connection, data)

    async def handshake(self, on_closed: Callable[[], None]) -> SrtpPair:
        """The keys, when the peer has proven its fingerprint; `on_closed` is called when it says goodbye later."""
        connection, queue = self._connection, self._queue
        if connection is None or queue is None:
            raise HandshakeFailed
        try:
            flight = await self._agree(connection, queue)
        except SSL.Error as error:
            # Nothing in common, or OpenSSL gave up sending its flight again.
            self._connection = None
            raise HandshakeFailed from error
        certificate = connection.get_peer_certificate(as_cryptography=True)
        if certificate is None or not _proves(certificate, self._fingerprint):
            self._connection = None
            raise HandshakeFailed
        keys = _exported(connection)
        self._records = _records(connection, flight)
        if self._records is not None:
            self._connection = None
        self._on_closed = on_closed
        self._queue = None
        while not queue.empty():
            self.receive(queue.get_nowait())
        return keys

    def close(self) -> None:
        """Say goodbye, unless the other side did, and read nothing any more."""
        connection, records = self._connection, self._records
        self._connection = self._records = None
        self._on_closed = _nobody_asks
        if records is not None:
            self._send(records.goodbye())
        if connection is not None:
            with contextlib.suppress(SSL.Error):
                connection.shutdown()
            self._flush(connection)

    async def _agree(self, connection: SSL.Connection, queue: asyncio.Queue[bytes]) -> tuple[bytes, ...]:
        """Go through the handshake; returns the last flight."""
        flight: tuple[bytes, ...] = ()
        heard, repeats = b"", 0
        while True:
            try:
                connection.do_handshake()
            except SSL.WantReadError:
                sent = self._flush(connection)
            else:
                return self._flush(connection)
            if not sent and repeats < MAX_REPEATS and is_hello(heard):
                # It did not get our flight. OpenSSL would wait for a second, while browsers know their round trip.
                repeats += 1
                for datagram in flight:
                    self._send(datagram)
            flight, heard = sent or flight, b""
            try:
                async with asyncio.timeout(connection.DTLSv1_get_timeout()):
                    heard = await queue.get()
                connection.bio_write(heard)
            except TimeoutError:
                connection.DTLSv1_handle_timeout()

    def _hear(self, records: Records, data: bytes) -> None:
        match records.heard(data):
            case Heard.NOTHING:
                pass
            case Heard.FINISHED_AGAIN:
                for datagram in records.again():
                    self._send(datagram)
            case Heard.GOODBYE:
                self._records = None
                self._leave_soon()
            case _ as never:
                assert_never(never)

    def _read(self, connection: SSL.Connection, data: bytes) -> None:
        connection.bio_write(data)
        try:
            connection.recv(MAX_DATAGRAM)
        except SSL.ZeroReturnError:
            self._connection = None
            self._leave_soon()
        except SSL.Error:
            # As a rule there is nothing to read; and what cannot be read was sent by somebody else.
            pass
        self._flush(connection)

    def _leave_soon(self) -> None:
        """Not in the middle of a batch of datagrams."""
        asyncio.get_running_loop().call_soon(self._leave)

    def _leave(self) -> None:
        self._on_closed()

    def _flush(self, connection: SSL.Connection) -> tuple[bytes, ...]:
        """Send what OpenSSL wants to send; returns it."""
        sent = []
        with contextlib.suppress(SSL.WantReadError):
            while True:
                sent.append(connection.bio_read(MAX_DATAGRAM))
                self._send(sent[-1])
        return tuple(sent)


def _proves(certificate: x509.Certificate, fingerprint: str) -> bool:
    """Which hash it is of, its length tells."""
    algorithm = {3 * each.digest_size - 1: each for each in _HASHES}[len(fingerprint)]
    return certificate.fingerprint(algorithm).hex(":").upper() == fingerprint.upper()


def _exported(connection: SSL.Connection) -> SrtpPair:
    """RFC 5764 section 4.2. Raises HandshakeFailed without a profile in common."""
    name = connection.get_selected_srtp_profile()
    profile = next((profile for profile in _PROFILES if profile.openssl_profile == name), None)
    if profile is None:
        raise HandshakeFailed
    length = 2 * (profile.key_length + profile.salt_length)
    material = connection.export_keying_material(b"EXTRACTOR-dtls_srtp", length)
    return SrtpPair(
        receive_key=profile.get_key_and_salt(material, 0),
        send_key=profile.get_key_and_salt(material, 1),
        profile=profile.libsrtp_profile,
    )


def _records(connection: SSL.Connection, flight: tuple[bytes, ...]) -> Records | None:
    """None where OpenSSL has to go on."""
    if connection.get_cipher_name() != SUITE or connection.get_protocol_version_name() != VERSION:
        return None
    secret, client, server = connection.master_key(), connection.client_random(), connection.server_random()
    return Records(secret, client, server, flight) if secret and client and server else None


def _nobody_asks() -> None:
    pass
