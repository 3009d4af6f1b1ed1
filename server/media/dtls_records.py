# SPDX-License-Identifier: Apache-2.0
"""What is left to do in a DTLS 1.2 association whose handshake is over, where only SRTP follows (RFC 5764). Pure.

The other side may not have got our last flight and ask for it by its own; and each side may say goodbye. That takes two
keys and a number, where OpenSSL keeps 90 KiB of buffers for every association until it ends.

Only for AES-128-GCM (RFC 5288): in any other suite OpenSSL goes on.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from enum import Enum, auto
from itertools import islice
from struct import Struct as Layout
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

SUITE: Final = "ECDHE-ECDSA-AES128-GCM-SHA256"
VERSION: Final = "DTLSv1.2"
"""As OpenSSL calls them."""

MAX_RECORDS: Final = 8
"""Of one datagram that are looked at; a flight has one or two under the keys."""

MAX_REPEATS: Final = 8
"""Flights that are sent again: who has lost that many of them does not get through at all."""

_HEADER: Final = Layout("!BHQH")
"""RFC 6347 section 4.1: type, version, epoch and sequence number in one, length."""

_AUTHENTICATED: Final = Layout("!QBHH")
"""RFC 5246 section 6.2.3.3."""

_NONCE: Final = Layout("!Q")
"""The part of it that stands in the record; the salt before it does not."""

_DTLS_1_2: Final = 0xFEFD
_ALERT: Final = 21
_HANDSHAKE: Final = 22
_FINISHED: Final = 20
_CLOSE_NOTIFY: Final = bytes((1, 0))
"""Level and description, RFC 5246 section 7.2.1."""

_EPOCH: Final = 1
_SEQUENCE_BITS: Final = 48
_KEY: Final = 16
_SALT: Final = 4
_TAG: Final = 16


_CLIENT_HELLO: Final = 1


def is_hello(datagram: bytes) -> bool:
    """Whether a client begins with it, once more perhaps."""
    return len(datagram) > _HEADER.size and datagram[0] == _HANDSHAKE and datagram[_HEADER.size] == _CLIENT_HELLO


class Heard(Enum):
    """What a datagram said."""

    NOTHING = auto()
    FINISHED_AGAIN = auto()
    """Our last flight did not arrive."""
    GOODBYE = auto()


class Records:
    """The server's side. `flight` is the last one, by datagrams; its records go on being counted here.

    Raises ValueError when there is no record in it that was encrypted.
    """

    __slots__ = ("_flight", "_nonce", "_number", "_read_key", "_read_salt", "_repeats", "_write_key", "_write_salt")

    def __init__(self, secret: bytes, client_random: bytes, server_random: bytes, flight: tuple[bytes, ...]) -> None:
        keys = _expanded(secret, b"key expansion" + server_random + client_random, 2 * (_KEY + _SALT))
        self._read_key, self._write_key = keys[:_KEY], keys[_KEY : 2 * _KEY]
        self._read_salt, self._write_salt = keys[2 * _KEY : -_SALT], keys[-_SALT:]
        encrypted = [each for datagram in flight for each in _encrypted(datagram)]
        if not encrypted:
            raise ValueError("nothing was encrypted")
        _, self._number, body = encrypted[-1]
        self._nonce: int = _NONCE.unpack_from(body)[0]
        self._flight = flight
        self._repeats = 0

    def heard(self, datagram: bytes) -> Heard:
        """What the other side said; nothing it cannot have said counts."""
        for kind, number, body in islice(_encrypted(datagram), MAX_RECORDS):
            plain = self._opened(kind, number, body)
            if kind == _ALERT and plain == _CLOSE_NOTIFY:
                return Heard.GOODBYE
            if kind == _HANDSHAKE and plain and plain[0] == _FINISHED:
                return Heard.FINISHED_AGAIN
        return Heard.NOTHING

    def again(self) -> tuple[bytes, ...]:
        """The last flight, the very same bytes, so that no number stands for two plaintexts; nothing in the end."""
        self._repeats += 1
        return self._flight if self._repeats <= MAX_REPEATS else ()

    def goodbye(self) -> bytes:
        """The datagram with our `close_notify`."""
        self._number += 1
        self._nonce = self._nonce + 1 & 0xFFFFFFFFFFFFFFFF
        nonce = _NONCE.pack(self._nonce)
        about = _AUTHENTICATED.pack(self._number, _ALERT, _DTLS_1_2, len(_CLOSE_NOTIFY))
        body = nonce + AESGCM(self._write_key).encrypt(self._write_salt + nonce, _CLOSE_NOTIFY, about)
        return _HEADER.pack(_ALERT, _DTLS_1_2, self._number, len(body)) + body

    def _opened(self, kind: int, number: int, body: bytes) -> bytes | None:
        nonce, sealed = body[: _NONCE.size], body[_NONCE.size :]
        about = _AUTHENTICATED.pack(number, kind, _DTLS_1_2, len(sealed) - _TAG)
        try:
            return AESGCM(self._read_key).decrypt(self._read_salt + nonce, sealed, about)
        except InvalidTag:
            return None


def _encrypted(datagram: bytes) -> Iterator[tuple[int, int, bytes]]:
    """The alerts and handshake messages under the keys: type, epoch with number, body."""
    at = 0
    while at + _HEADER.size <= len(datagram):
        kind, version, number, length = _HEADER.unpack_from(datagram, at)
        at += _HEADER.size
        body = datagram[at : at + length]
        at += length
        whole = len(body) == length > _NONCE.size + _TAG
        if whole and version == _DTLS_1_2 and number >> _SEQUENCE_BITS == _EPOCH and kind in {_ALERT, _HANDSHAKE}:
            yield kind, number, body


def _expanded(secret: bytes, seed: bytes, length: int) -> bytes:
    """RFC 5246 section 5, with SHA-256."""
    made, chain = b"", seed
    while len(made) < length:
        chain = hmac.digest(secret, chain, "sha256")
        made += hmac.digest(secret, chain + seed, "sha256")
    return made[:length]
