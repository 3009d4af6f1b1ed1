# SPDX-License-Identifier: Apache-2.0
"""Datagrams of one socket, read many at a time (recvmmsg); one at a time where the system has no such call."""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Callable
from typing import Final

from cffi import FFI

from server.media.batches import BATCHES, MESSAGE, memory
from server.media.ice import Path

BATCH: Final = 128
"""Datagrams read from one socket before other work of the loop gets its turn."""

MAX_DATAGRAM: Final = 2_048
_NAME: Final = 28
_VECTOR: Final = struct.Struct("@PN")
_LENGTH_AT: Final = struct.calcsize("@PIPNPNi0P")
_MAX_KNOWN: Final = 4_096
"""Addresses in text that are kept; a flood from forged ones only costs their making anew."""

_ffi: Final = FFI()
_ffi.cdef("int recvmmsg(int, void *, unsigned int, int, void *);")
_libc: Final = _ffi.dlopen(None)


class Names:
    """Paths by what the kernel calls an address, of the socket with this `index`; names are `length` bytes long."""

    def __init__(self, family: int, index: int) -> None:
        self.index = index
        self.length = 16 if family == socket.AF_INET else _NAME
        self.known: dict[bytes, Path] = {}
        self._family = family

    def path(self, name: bytes) -> Path:
        """Where a datagram came from."""
        return self.known.get(name) or self.meet(name)

    def meet(self, name: bytes) -> Path:
        """The same for a name that is new."""
        if len(self.known) >= _MAX_KNOWN:
            self.known.clear()
        host = name[4:8] if self._family == socket.AF_INET else name[8:24]
        path = self.known[name] = (self.index, (socket.inet_ntop(self._family, host), int.from_bytes(name[2:4])))
        return path


class Inbox:
    """The reading side of one socket that does not block; `index` is its number in the paths."""

    def __init__(self, sock: socket.socket, index: int) -> None:
        self._socket = sock
        self._index = index
        self._names = Names(sock.family, index)
        self._owners, first, self._datagrams = memory(BATCH * MAX_DATAGRAM)
        self._name_owner, names, self._name_memory = memory(BATCH * _NAME)
        self._vector_owner, vectors, vector_memory = memory(BATCH * _VECTOR.size)
        self._messages, _, message_memory = memory(BATCH * MESSAGE.size)
        name_length = self._names.length
        for at in range(BATCH):
            _VECTOR.pack_into(vector_memory, at * _VECTOR.size, first + at * MAX_DATAGRAM, MAX_DATAGRAM)
            message = (names + at * _NAME, name_length, vectors + at * _VECTOR.size, 1, 0, 0, 0, 0)
            MESSAGE.pack_into(message_memory, at * MESSAGE.size, *message)
        self._lengths = message_memory.cast("I")[_LENGTH_AT // 4 :: MESSAGE.size // 4]

    def read(self) -> list[tuple[bytes, Path]]:
        """What is there, at most `BATCH`; an empty list when nothing is. Raises OSError as `recvfrom` does."""
        if not BATCHES:
            return self._read_one()
        count = _libc.recvmmsg(self._socket.fileno(), self._messages, BATCH, 0, _ffi.NULL)
        if count < 0:
            if _ffi.errno in {errno.EAGAIN, errno.EWOULDBLOCK}:
                return []
            raise OSError(_ffi.errno, "recvmmsg")
        datagrams, names, known, meet = self._datagrams, self._name_memory, self._names.known, self._names.meet
        name_length = self._names.length
        found = []
        for at, length in enumerate(self._lengths[:count]):
            start, name_start = at * MAX_DATAGRAM, at * _NAME
            name = bytes(names[name_start : name_start + name_length])
            found.append((bytes(datagrams[start : start + length]), known.get(name) or meet(name)))
        return found

    def deliver(self, on_datagram: Callable[[bytes, Path], None]) -> bool:
        """Hand over what is there, at most `BATCH`; whether it was so much. Raises OSError as `recvfrom` does."""
        found = self.read()
        for data, path in found:
            if data:
                on_datagram(data, path)
        return len(found) >= BATCH

    def _read_one(self) -> list[tuple[bytes, Path]]:
        try:
            data, address = self._socket.recvfrom(MAX_DATAGRAM)
        except BlockingIOError:
            return []
        return [(data, (self._index, address[:2]))]
