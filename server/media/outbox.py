# SPDX-License-Identifier: Apache-2.0
"""Media on its way to the kernel: packets are encrypted where they lie and leave together (sendmmsg).

One system call for every packet costs more than all that is done to the packet. So those of one receive batch wait
here, and what goes to one address in packets of one size becomes a single message that the kernel cuts up again
(UDP_SEGMENT, udp(7)). Nothing waits longer than the batch: `UdpMux` flushes at its end.
"""

from __future__ import annotations

import errno
import ipaddress
import socket
import struct
from array import array
from collections.abc import Callable
from typing import Any, Final

from cffi import FFI

from server.media.batches import BATCHES, address_of, memory
from server.media.dtls import Sender, SrtpError, SrtpPair, protect_in_place
from server.media.ice import Path

CAPACITY: Final = 2_048
"""Packets that wait: more than one batch of datagrams makes for a room of twelve."""

MAX_PACKET: Final = 1_472
"""Bytes of one packet before protection; more does not come through an Ethernet in one piece."""

MAX_SEGMENTS: Final = 32
"""Packets in one message: the kernel takes 64, and not more bytes than one datagram can have."""

_SLOT: Final = 2_048
_PACKET_AT: Final = 16
"""In a slot: its length stands right before it, and behind it is room for what libsrtp adds."""

LENGTH_BYTES: Final = 4
_WORD: Final = 8
_VECTOR_WORDS: Final = 2
"""Of a struct iovec: address and length."""

_MESSAGE_WORDS: Final = 8
"""Of a struct mmsghdr: name and its length, vectors and how many, control and its length, flags, how much was sent."""

_CONTROL: Final = struct.Struct("@NiiH0N")
"""A struct cmsghdr with the size of a segment."""
_CONTROL_LENGTH: Final = struct.calcsize("@NiiH")
_SOL_UDP: Final = 17
_UDP_SEGMENT: Final = 103
_TOO_LARGE: Final = frozenset((errno.EINVAL, errno.EMSGSIZE))
"""What the kernel says to a message it does not cut up, for instance of packets above the MTU of the route."""

_UNABLE: Final = frozenset((errno.EIO, errno.EOPNOTSUPP, errno.ENOPROTOOPT))
"""What it says when it can cut up none."""

_ffi: Final = FFI()
_ffi.cdef("int sendmmsg(int, void *, unsigned int, int);")
_libc: Final = _ffi.dlopen(None)


def _controls() -> tuple[Any, int]:
    """What tells the kernel to cut up a message, for each size of a segment: memory, and where it lies."""
    owner, at, view = memory(_SLOT * _CONTROL.size)
    for size in range(_SLOT):
        _CONTROL.pack_into(view, size * _CONTROL.size, _CONTROL_LENGTH, _SOL_UDP, _UDP_SEGMENT, size)
    return owner, at


_CONTROLS, _CONTROLS_AT = _controls()


class Destination:
    """An address that packets go to from one socket.

    `vector` are addresses and lengths of the packets in the message that still takes more, all `size` long.
    """

    __slots__ = ("_raw", "address", "box", "length", "pointer", "size", "vector")

    def __init__(self, box: Outbox, address: tuple[str, int]) -> None:
        self.box = box
        self.address = address
        self._raw = _ffi.from_buffer(socket_address(*address))
        self.pointer = address_of(self._raw)
        self.length = len(self._raw)
        self.size = 0
        self.vector: list[int] | None = None


def socket_address(host: str, port: int) -> bytes:
    """The `sockaddr_in` or `sockaddr_in6` of an address in text."""
    address = ipaddress.ip_address(host)
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    layout = "!H4s8x" if address.version == 4 else "!H4x16s4x"
    return struct.pack("=H", family) + struct.pack(layout, port, address.packed)


def segments_of(sock: socket.socket) -> int:
    """How many packets one message of this socket may have: 1 where the kernel does not know how to cut it up."""
    try:
        sock.getsockopt(_SOL_UDP, _UDP_SEGMENT)
    except OSError:
        return 1
    return MAX_SEGMENTS


class Outbox:
    """Packets of one socket that wait for `flush`; `begun` is called when the first of a batch does.

    `send` is how a packet gets in; `server.media.fan` does the same in its loop, by these rules: packet `count` is
    written at `slots[count]`, that is (where its length stands in `memory`, as a C int; pointers for libsrtp to the
    packet behind it and to the length; its address), encrypted there, and joined to the message of its destination.
    """

    __slots__ = (
        "_message_words",
        "_messages",
        "_packets",
        "_socket",
        "_vector_words",
        "_vectors",
        "_vectors_at",
        "_waiting",
        "begun",
        "capacity",
        "count",
        "dropped",
        "full",
        "memory",
        "slots",
    )  # fmt: skip

    def __init__(self, sock: socket.socket, begun: Callable[[], None]) -> None:
        self.dropped = 0
        """Packets that the kernel would not take."""
        self.begun = begun
        self.capacity = CAPACITY
        self.count = 0
        self.full = 2 * segments_of(sock)
        """Length of a `vector` that takes no more."""
        self._socket = sock
        self._packets, first, self.memory = memory(CAPACITY * _SLOT)
        self._vectors, self._vectors_at, vectors = memory(CAPACITY * _VECTOR_WORDS * _WORD)
        self._vector_words = vectors.cast("Q")
        self._messages, _, messages = memory(CAPACITY * _MESSAGE_WORDS * _WORD)
        self._message_words = messages.cast("Q")
        self.slots = [self._slot(first, at) for at in range(_PACKET_AT, CAPACITY * _SLOT, _SLOT)]
        self._waiting: list[tuple[Destination, list[int]]] = []

    def _slot(self, first: int, at: int) -> tuple[int, Any, Any, int]:
        start = at - LENGTH_BYTES
        return start, self._packets + at, _ffi.cast("int *", self._packets + start), first + at

    def send(self, sender: Sender, to: Destination, head: bytes, tail: bytes) -> int:
        """Take one RTP packet, in two parts; returns its length on the wire.

        0 when libsrtp refuses it (a number used before, or too old) and when it is too long.
        """
        if self.count == self.capacity:
            self.flush()
        start = len(head)
        size = start + len(tail)
        if size > MAX_PACKET:
            return 0
        at, packet, length, address = self.slots[self.count]
        at += LENGTH_BYTES
        self.memory[at : at + start] = head
        self.memory[at + start : at + size] = tail
        length[0] = size
        if protect_in_place(sender.pointer, packet, length):
            return 0
        size += sender.overhead
        if not self.count:
            self.begun()
        self.count += 1
        vector = to.vector
        if vector is None or size > to.size or len(vector) == self.full:
            self.begin(to, address, size)
        else:
            vector += (address, size)
            if size < to.size:
                # Only the last one of a message may be shorter.
                to.vector = None
        return size

    def begin(self, to: Destination, address: int, size: int) -> None:
        """Begin a message with this packet."""
        to.vector = [address, size]
        to.size = size
        self._waiting.append((to, to.vector))

    def flush(self) -> None:
        """Hand everything to the kernel: now or never, since media that waits is late."""
        if not self.count:
            return
        self._write()
        if BATCHES:
            self._send_all()
        else:
            self._send_each()
        self._waiting.clear()
        self.count = 0

    def _write(self) -> None:
        """The messages in the kernel's form."""
        at = self._vectors_at
        vectors: list[int] = []
        messages: list[int] = []
        for to, vector in self._waiting:
            to.vector = None
            words = len(vector)
            # A message of one packet is not to be cut up.
            control = _CONTROLS_AT + vector[1] * _CONTROL.size if words > _VECTOR_WORDS else 0
            messages += (
                to.pointer, to.length, at, words // _VECTOR_WORDS, control, _CONTROL.size if control else 0, 0, 0,
            )  # fmt: skip
            vectors += vector
            at += words * _WORD
        self._vector_words[: len(vectors)] = array("Q", vectors)
        self._message_words[: len(messages)] = array("Q", messages)

    def _send_all(self) -> None:
        total, done = len(self._waiting), 0
        descriptor = self._socket.fileno()
        while done < total:
            taken = _libc.sendmmsg(descriptor, self._messages + done * _MESSAGE_WORDS * _WORD, total - done, 0)
            if taken > 0:
                done += taken
            else:
                self._refused(done, _ffi.errno)
                done += 1

    def _refused(self, index: int, error: int) -> None:
        """A message the kernel did not take: cut it up here if that was the reason."""
        to, vector = self._waiting[index]
        count = len(vector) // 2
        if error in _UNABLE:
            self.full = 2
        elif count == 1 or error not in _TOO_LARGE:
            self.dropped += count
            return
        self._send_alone(to, vector)

    def _send_each(self) -> None:
        for to, vector in self._waiting:
            self._send_alone(to, vector)

    def _send_alone(self, to: Destination, vector: list[int]) -> None:
        """Packet by packet."""
        for address, size in zip(vector[::2], vector[1::2], strict=True):
            packet = _ffi.buffer(_ffi.cast("char *", address), size)
            try:
                self._socket.sendto(packet, to.address)
            except OSError:
                self.dropped += 1


class Leg:
    """How RTP gets to one subscriber: by datagrams through an outbox, or packet by packet through `put` (ICE-TCP).

    `rerouted` is called when keys or path change: what was made of them is good no more.
    """

    __slots__ = ("_path", "_put", "_rerouted", "_senders", "_srtp", "refused", "to")

    def __init__(self, put: Callable[[bytes, Path], None], rerouted: Callable[[], None]) -> None:
        self.refused = 0
        """Packets that libsrtp would not protect: too long, or a number used before."""
        self.to: Destination | None = None
        """Where datagrams go; None for a path of another kind."""
        self._put = put
        self._rerouted = rerouted
        self._srtp: SrtpPair | None = None
        self._senders: dict[int, Sender] = {}
        self._path: Path | None = None

    def keys(self, srtp: SrtpPair | None) -> None:
        """Nothing leaves without keys."""
        self._srtp = srtp
        self._senders = {}
        self._rerouted()

    def move(self, path: Path | None, box: Outbox | None) -> None:
        """Packets go along this path from now on; `box` is that of its socket, if it has one."""
        self._path = path
        self.to = Destination(box, path[1]) if path is not None and box is not None else None
        self._rerouted()

    def sender(self, ssrc: int) -> Sender | None:
        """SRTP of this SSRC; None without keys."""
        sender = self._senders.get(ssrc)
        if sender is None and self._srtp is not None:
            sender = self._senders[ssrc] = self._srtp.sender(ssrc)
        return sender

    def send(self, ssrc: int, head: bytes, tail: bytes) -> int:
        """One RTP packet of this SSRC in two parts; returns its length on the wire, 0 if it could not leave."""
        sender = self.sender(ssrc)
        to = self.to
        if sender is None:
            return 0
        if to is None:
            return self._send_alone(sender, head + tail)
        size = to.box.send(sender, to, head, tail)
        if not size:
            self.refused += 1
        return size

    def _send_alone(self, sender: Sender, packet: bytes) -> int:
        if self._path is None:
            return 0
        try:
            protected = sender.protect(packet)
        except (SrtpError, ValueError):
            self.refused += 1
            return 0
        self._put(protected, self._path)
        return len(protected)
