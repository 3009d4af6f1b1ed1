# SPDX-License-Identifier: Apache-2.0
"""The keys of what C sends: with AES-GCM it calls OpenSSL itself, everything else is left to libsrtp's sessions."""

from __future__ import annotations

from functools import cache
from typing import Final, NamedTuple

from cffi import FFI

from server.media.dtls import (
    Sender,
    SrtpError,
    SrtpPair,
    gcm_key_bytes,
    make_sender,
    openssl_library,
    protect_function,
)
from server.media.native.library import CData, ffi
from server.media.outbox import MAX_PACKET

_SALT_BYTES: Final = 12
_KEY_LABEL: Final = 0
_SALT_LABEL: Final = 2
_LABEL_AT: Final = 7
_NONCE_BYTES: Final = 16
_ROOM: Final = 144
_CIPHERS: Final = {16: b"AES-128-GCM", 32: b"AES-256-GCM"}
_COUNTERS: Final = {16: b"AES-128-CTR", 32: b"AES-256-CTR"}

_openssl: Final = FFI()
_openssl.cdef("""
void *EVP_CIPHER_fetch(void *, const char *, const char *);
void EVP_CIPHER_free(void *);
void *EVP_CIPHER_CTX_new(void);
void EVP_CIPHER_CTX_free(void *);
int EVP_EncryptInit_ex(void *, const void *, void *, const uint8_t *, const uint8_t *);
int EVP_EncryptUpdate(void *, uint8_t *, int *, const uint8_t *, int);
int EVP_EncryptFinal_ex(void *, uint8_t *, int *);
int EVP_CIPHER_CTX_ctrl(void *, int, int, void *);
""")


class _OpenSsl(NamedTuple):
    """The functions, and where those lie that C calls."""

    functions: CData
    begin: int
    update: int
    finish: int
    control: int


@cache
def _load() -> _OpenSsl | None:
    """The one that libsrtp uses; None when it cannot be reached from outside, or is of another kind."""
    try:
        library: CData = _openssl.dlopen(openssl_library())
        names = ("EVP_EncryptInit_ex", "EVP_EncryptUpdate", "EVP_EncryptFinal_ex", "EVP_CIPHER_CTX_ctrl")
        found = [int(_openssl.cast("uintptr_t", _openssl.addressof(library, name))) for name in names]
        _openssl.addressof(library, "EVP_CIPHER_fetch")
    except (OSError, AttributeError):
        return None
    return _OpenSsl(library, *found)


@cache
def _crypto() -> CData:
    """The functions as C takes them."""
    crypto = ffi.new("struct crypto *")
    crypto.protect = ffi.cast("protect_function", protect_function())
    openssl = _load()
    if openssl is not None:
        crypto.begin = ffi.cast("begin_function", openssl.begin)
        crypto.update = ffi.cast("update_function", openssl.update)
        crypto.finish = ffi.cast("finish_function", openssl.finish)
        crypto.control = ffi.cast("control_function", openssl.control)
    return crypto


def _cipher(openssl: _OpenSsl, name: bytes, key: bytes, nonce: bytes | None) -> CData:
    """A cipher that encrypts; it is freed with what is returned."""
    functions = openssl.functions
    kind = _openssl.gc(functions.EVP_CIPHER_fetch(_openssl.NULL, name, _openssl.NULL), functions.EVP_CIPHER_free)
    cipher = _openssl.gc(functions.EVP_CIPHER_CTX_new(), functions.EVP_CIPHER_CTX_free)
    if functions.EVP_EncryptInit_ex(cipher, kind, _openssl.NULL, key, nonce or _openssl.NULL) != 1:
        raise SrtpError(name.decode())
    return cipher


def _derived(openssl: _OpenSsl, master: bytes, salt: bytes, label: int, octets: int) -> bytes:
    """RFC 3711 section 4.3, with the salt of RFC 7714 section 11 and a key derivation rate of zero."""
    nonce = bytearray(salt.ljust(_NONCE_BYTES, b"\0"))
    nonce[_LABEL_AT] ^= label
    cipher = _cipher(openssl, _COUNTERS[len(master)], master, bytes(nonce))
    out, length = _openssl.new("uint8_t[]", octets), _openssl.new("int *")
    if openssl.functions.EVP_EncryptUpdate(cipher, out, length, bytes(octets), octets) != 1:
        raise SrtpError("key derivation")
    return bytes(_openssl.buffer(out))


class CompiledSender:
    """See `server.media.dtls.Sender`; `struct` is what C sends by: with this cipher and salt, or by libsrtp."""

    __slots__ = ("_functions", "_kept", "struct")

    def __init__(self, functions: CData, cipher: CData, salt: bytes, libsrtp: Sender | None) -> None:
        crypto = _crypto()
        self._functions = functions
        self._kept = crypto, cipher, libsrtp
        self.struct = ffi.new("struct sender *")
        self.struct.crypto = crypto
        self.struct.highest = -1
        if libsrtp is not None:
            self.struct.session = libsrtp.pointer
            return
        self.struct.cipher = ffi.cast("void *", int(_openssl.cast("uintptr_t", cipher)))
        self.struct.salt = salt

    def protect(self, packet: bytes) -> bytes:
        """One RTP packet as it goes out. Raises SrtpError for a number used before, ValueError for a long packet."""
        if len(packet) > MAX_PACKET:
            raise ValueError(len(packet))
        place = ffi.new("uint8_t[]", len(packet) + _ROOM)
        ffi.memmove(place, packet, len(packet))
        length = self._functions.sender_protect(self.struct, place, len(packet))
        if not length:
            raise SrtpError("replay check failed")
        return bytes(ffi.buffer(place, length))


class CompiledKeys:
    """What is sent under one key (with its salt). Every SSRC has one sender, so that no number goes out twice."""

    __slots__ = ("_cipher", "_functions", "_libsrtp", "_salt", "_senders")

    def __init__(self, functions: CData, key: bytes, profile: int) -> None:
        self._functions = functions
        self._senders: dict[int, CompiledSender] = {}
        self._cipher: CData = None
        self._salt = b""
        self._libsrtp: Sender | None = None
        openssl, key_bytes = _load(), gcm_key_bytes(profile)
        if openssl is None or key_bytes is None:
            self._libsrtp = make_sender(key, profile)
            return
        master, salt = key[:key_bytes], key[key_bytes:]
        self._salt = _derived(openssl, master, salt, _SALT_LABEL, _SALT_BYTES)
        sealing = _derived(openssl, master, salt, _KEY_LABEL, key_bytes)
        self._cipher = _cipher(openssl, _CIPHERS[key_bytes], sealing, None)

    def sender(self, ssrc: int) -> CompiledSender:
        """See `SrtpPair`."""
        sender = self._senders.get(ssrc)
        if sender is None:
            sender = self._senders[ssrc] = CompiledSender(self._functions, self._cipher, self._salt, self._libsrtp)
        return sender


def keys_of(functions: CData, srtp: SrtpPair) -> CompiledKeys:
    """Always the same for the same pair."""
    keys: CompiledKeys | None = srtp.compiled
    if keys is None:
        keys = srtp.compiled = CompiledKeys(functions, srtp.send_key, srtp.profile)
    return keys
