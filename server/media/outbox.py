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
from collections.abc import Callable
from itertools import islice
from typing import Any, Final

from cffi import FFI

from server.media.batches import BATCHES, MESSAGE, address_of, memory
from server.media.dtls import Sender, SrtpError, SrtpPair, protect_in_place
from server.media.ice import Path

PLACES: Final = 16
"""Packets to one destination that wait: some milliseconds of a full room."""

MESSAGES: Final = 1_024
"""In one call: the kernel takes no more."""

MAX_PACKET: Final = 1_472
"""Bytes of one packet before protection; more does not come through an Ethernet in one piece."""

MAX_SEGMENTS: Final = 32
"""Packets in one message: the kernel takes 64, and not more bytes than one datagram can have."""

_PLACE: Final = 2_048
_PACKET_AT: Final = 16
"""In its place: its length stands right before it, and behind it is room for what libsrtp adds."""

LENGTH_BYTES: Final = 4
_VECTOR: Final = struct.Struct("@PN")
_WORD: Final = 8
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
    owner, at, view = memory(_PLACE * _CONTROL.size)
    for size in range(_PLACE):
        _CONTROL.pack_into(view, size * _CONTROL.size, _CONTROL_LENGTH, _SOL_UDP, _UDP_SEGMENT, size)
    return owner, at


_CONTROLS, _CONTROLS_AT = _controls()


class Destination:
    """An address that packets of one leg go to from one socket.

    `count` of its `places` are taken. A place is: where in `memory` the length of its packet stands, as a C int, and
    pointers for libsrtp to the packet behind it and to that length. `lengths` are those of the encrypted packets.
    """

    __slots__ = ("_alone", "_name", "_raw", "_vectors", "address", "box", "count", "leg", "lengths", "memory", "places")

    def __init__(self, leg: Leg, box: Outbox, address: tuple[str, int]) -> None:
        self.leg = leg
        self.box = box
        self.address = address
        self.count = 0
        self.memory = bytearray(PLACES * _PLACE)
        start = _ffi.from_buffer(self.memory)
        self.places = [
            (at - LENGTH_BYTES, start + at, _ffi.cast("int *", start + at - LENGTH_BYTES))
            for at in range(_PACKET_AT, PLACES * _PLACE, _PLACE)
        ]
        self._raw = _ffi.from_buffer(socket_address(*address))
        self._name = address_of(self._raw), len(self._raw)
        owner, vectors, view = memory(PLACES * _VECTOR.size)
        self._vectors = owner, vectors
        for index in range(PLACES):
            _VECTOR.pack_into(view, index * _VECTOR.size, address_of(start) + _PACKET_AT + index * _PLACE, 0)
        self.lengths = view.cast("Q")[1::2]
        self._alone = [self._message(first, 1, 0) for first in range(PLACES)]

    def spans(self, *, joined: bool) -> list[tuple[int, int, int]]:
        """Packets of one size make one message, if joined: first, how many, size. The last may be shorter."""
        if not joined:
            return [(at, 1, 0) for at in range(self.count)]
        sizes = self.lengths[: self.count].tolist()
        found = []
        first, total = 0, len(sizes)
        while first < total:
            size, end = sizes[first], first + 1
            while end < total and sizes[end] == size:
                end += 1
            if end < total and sizes[end] < size:
                end += 1
            found.append((first, end - first, size))
            first = end
        return found

    def messages(self, *, joined: bool) -> list[bytes]:
        """What waits, in the kernel's form."""
        if self.count == 1 or not joined:
            return self._alone[: self.count]
        return [
            self._message(first, count, size) if count > 1 else self._alone[first]
            for first, count, size in self.spans(joined=True)
        ]

    def _message(self, first: int, count: int, size: int) -> bytes:
        # A message of one packet is not to be cut up.
        control = (_CONTROLS_AT + size * _CONTROL.size, _CONTROL.size) if count > 1 else (0, 0)
        return MESSAGE.pack(*self._name, self._vectors[1] + first * _VECTOR.size, count, *control, 0, 0)


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

    `send` is how a packet gets in; `server.media.fan` does the same in its loop, by these rules: it is written and
    encrypted in the next free place of its destination, its length noted; the first there says `wait`.
    """

    __slots__ = ("_begun", "_joins", "_messages", "_messages_view", "_socket", "_waiting", "dropped")

    def __init__(self, sock: socket.socket, begun: Callable[[], None]) -> None:
        self.dropped = 0
        """Packets that the kernel would not take."""
        self._begun = begun
        self._joins = segments_of(sock) > 1
        self._socket = sock
        self._messages, _, self._messages_view = memory(MESSAGES * MESSAGE.size)
        self._waiting: list[Destination] = []

    def send(self, sender: Sender, to: Destination, head: bytes, tail: bytes) -> int:
        """Take one RTP packet, in two parts; returns its length on the wire.

        0 when libsrtp refuses it (a number used before, or too old) and when it is too long.
        """
        if to.count == PLACES:
            self.flush()
        start = len(head)
        size = start + len(tail)
        if size > MAX_PACKET:
            return 0
        place = to.count
        at, packet, length = to.places[place]
        at += LENGTH_BYTES
        to.memory[at : at + start] = head
        to.memory[at + start : at + size] = tail
        length[0] = size
        if protect_in_place(sender.pointer, packet, length):
            return 0
        size += sender.overhead
        to.lengths[place] = size
        if not place:
            self.wait(to)
        to.count = place + 1
        return size

    def wait(self, to: Destination) -> None:
        """Packets wait there."""
        if not self._waiting:
            self._begun()
        self._waiting.append(to)

    def flush(self) -> None:
        """Hand everything to the kernel: now or never, since media that waits is late."""
        waiting = self._waiting
        if not waiting:
            return
        if BATCHES:
            self._send_all(waiting, joined=self._joins)
        else:
            for to in waiting:
                self._send_each(to, 0, to.count)
        for to in waiting:
            to.count = 0
        waiting.clear()

    def _send_all(self, waiting: list[Destination], *, joined: bool) -> None:
        messages: list[bytes] = []
        for to in waiting:
            messages += to.messages(joined=joined)
        descriptor = self._socket.fileno()
        for first in range(0, len(messages), MESSAGES):
            part = messages[first : first + MESSAGES]
            self._messages_view[: len(part) * MESSAGE.size] = b"".join(part)
            done = 0
            while done < len(part):
                taken = _libc.sendmmsg(descriptor, self._messages + done * MESSAGE.size, len(part) - done, 0)
                if taken <= 0:
                    self._refused(_find(waiting, first + done, joined=joined), _ffi.errno)
                done += max(taken, 1)

    def _refused(self, span: tuple[Destination, int, int], error: int) -> None:
        """A message the kernel did not take: cut it up here if that was the reason."""
        to, first, count = span
        if error in _UNABLE:
            self._joins = False
        elif count == 1 or error not in _TOO_LARGE:
            self.dropped += count
            return
        self._send_each(to, first, count)

    def _send_each(self, to: Destination, first: int, count: int) -> None:
        """Packet by packet."""
        for index in range(first, first + count):
            at = to.places[index][0] + LENGTH_BYTES
            try:
                self._socket.sendto(to.memory[at : at + to.lengths[index]], to.address)
            except OSError:
                self.dropped += 1


def _find(waiting: list[Destination], index: int, *, joined: bool) -> tuple[Destination, int, int]:
    """The packets of one message of all these: where they wait, the first place, how many."""
    spans = ((to, first, count) for to in waiting for first, count, _ in to.spans(joined=joined))
    return next(islice(spans, index, None))


class Leg:
    """How RTP gets to one subscriber: by datagrams through an outbox, or packet by packet through `put` (ICE-TCP).

    `rerouted` is called when keys or path change: what was made of them is good no more.
    """

    __slots__ = ("_path", "_put", "_rerouted", "refused", "sender", "to")

    def __init__(self, put: Callable[[bytes, Path], None], rerouted: Callable[[], None]) -> None:
        self.refused = 0
        """Packets that libsrtp would not protect: too long, or a number used before."""
        self.to: Destination | None = None
        """Where datagrams go; None for a path of another kind."""
        self._put = put
        self._rerouted = rerouted
        self.sender: Sender | None = None
        """None without keys."""
        self._path: Path | None = None

    def keys(self, srtp: SrtpPair | None) -> None:
        """Nothing leaves without keys."""
        self.sender = srtp.sender if srtp is not None else None
        self._rerouted()

    def move(self, path: Path | None, box: Outbox | None) -> None:
        """Packets go along this path from now on; `box` is that of its socket, if it has one."""
        self._path = path
        self.to = Destination(self, box, path[1]) if path is not None and box is not None else None
        self._rerouted()

    def send(self, ssrc: int, head: bytes, tail: bytes) -> int:  # noqa: ARG002 - libsrtp reads it in the packet
        """One RTP packet of this SSRC in two parts; returns its length on the wire, 0 if it could not leave."""
        sender, to = self.sender, self.to
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
