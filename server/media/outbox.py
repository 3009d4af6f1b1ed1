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
from collections.abc import Callable, Iterator
from typing import Final

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
_VECTOR_BYTES: Final = struct.calcsize("@PN")
_CONTROL: Final = struct.Struct("@NiiH0N")
"""A struct cmsghdr with the size of a segment."""
_CONTROL_LENGTH: Final = struct.calcsize("@NiiH")
_SIZE_AT: Final = struct.calcsize("@Nii")
_SOL_UDP: Final = 17
_UDP_SEGMENT: Final = 103
_TOO_LARGE: Final = frozenset((errno.EINVAL, errno.EMSGSIZE))
"""What the kernel says to a message it does not cut up, for instance of packets above the MTU of the route."""

_UNABLE: Final = frozenset((errno.EIO, errno.EOPNOTSUPP, errno.ENOPROTOOPT))
"""What it says when it can cut up none."""

_ffi: Final = FFI()
_ffi.cdef("int sendmmsg(int, void *, unsigned int, int);")
_libc: Final = _ffi.dlopen(None)


class Tray:
    """Packets of one kind to one destination that wait. `count` of its `places` are taken.

    A place is: where in `memory` the length of its packet stands, as a C int, and pointers for libsrtp to the packet
    behind it and to that length. `lengths` are those of the encrypted packets.
    """

    __slots__ = (
        "_controls", "_known", "_name", "_sizes", "_starts", "_vectors", "count", "lengths", "memory", "places", "to",
    )  # fmt: skip

    def __init__(self, to: Destination, name: tuple[int, int]) -> None:
        self.to = to
        self.count = 0
        self.memory = bytearray(PLACES * _PLACE)
        start = _ffi.from_buffer(self.memory)
        self.places = [
            (at - LENGTH_BYTES, start + at, _ffi.cast("int *", start + at - LENGTH_BYTES))
            for at in range(_PACKET_AT, PLACES * _PLACE, _PLACE)
        ]
        self._name = name
        # One more than there are places, for a guest.
        owner, vectors, view = memory((PLACES + 1) * _VECTOR_BYTES)
        self._vectors = owner, vectors
        self._starts = view.cast("Q")[::2]
        self.lengths = view.cast("Q")[1::2]
        for index in range(PLACES):
            self._starts[index] = address_of(start) + _PACKET_AT + index * _PLACE
        owner, controls, view = memory((PLACES + 1) * _CONTROL.size)
        self._controls = owner, controls
        for index in range(PLACES + 1):
            _CONTROL.pack_into(view, index * _CONTROL.size, _CONTROL_LENGTH, _SOL_UDP, _UDP_SEGMENT, 0)
        self._sizes = view.cast("H")[_SIZE_AT // 2 :: _CONTROL.size // 2]
        self._known: dict[tuple[int, int], bytes] = {}

    def join(self, guest: Tray) -> None:
        """Have the first packet of another tray behind those of this one."""
        self._starts[self.count], self.lengths[self.count] = guest._starts[0], guest.lengths[0]

    def leave(self) -> None:
        """That place is for our own packets again."""
        self._starts[self.count] = self._starts[0] + self.count * _PLACE

    def alone(self) -> list[bytes]:
        """What waits, in the kernel's form: a message for each packet."""
        return [self._message(at, 1) for at in range(self.count)]

    def messages(self, first: int, end: int) -> list[bytes]:
        """What waits in these places. Packets of one size make one message; its last may be shorter."""
        sizes = self.lengths[first:end].tolist()
        found = []
        at, total = 0, len(sizes)
        while at < total:
            begun, size = at, sizes[at]
            at += 1
            while at < total and sizes[at] == size:
                at += 1
            if at < total and sizes[at] < size:
                at += 1
            self._sizes[first + begun] = size
            found.append(self._message(first + begun, at - begun))
        return found

    def packets(self) -> Iterator[bytearray]:
        """What waits, as it goes out."""
        for (at, *_), length in zip(self.places[: self.count], self.lengths, strict=False):
            yield self.memory[at + LENGTH_BYTES : at + LENGTH_BYTES + length]

    def _message(self, first: int, count: int) -> bytes:
        """Of these packets; one that is alone is not to be cut up."""
        message = self._known.get((first, count))
        if message is None:
            control = (self._controls[1] + first * _CONTROL.size, _CONTROL.size) if count > 1 else (0, 0)
            vectors = self._vectors[1] + first * _VECTOR_BYTES
            message = self._known[first, count] = MESSAGE.pack(*self._name, vectors, count, *control, 0, 0)
        return message


class Destination:
    """An address that packets of one leg go to from one socket.

    Voices wait apart from pictures: what is between two parts of a picture would end the message of the picture.
    """

    __slots__ = ("_joined", "_raw", "address", "box", "leg", "pictures", "voices", "waits")

    def __init__(self, leg: Leg, box: Outbox, address: tuple[str, int]) -> None:
        self.leg = leg
        self.box = box
        self.address = address
        self.waits = False
        """Whether the outbox knows that packets wait here."""
        self._joined = False
        self._raw = _ffi.from_buffer(socket_address(*address))
        name = address_of(self._raw), len(self._raw)
        self.pictures = Tray(self, name)
        self.voices = Tray(self, name)

    def tray(self, ssrc: int) -> Tray:
        """Where packets of this SSRC wait, always the same: so they keep their order."""
        return self.voices if ssrc in self.leg.voices else self.pictures

    def messages(self, *, joined: bool) -> list[bytes]:
        """What waits, in the kernel's form."""
        pictures, voices = self.pictures, self.voices
        if not joined:
            return pictures.alone() + voices.alone()
        if not pictures.count:
            return voices.messages(0, voices.count)
        if not voices.count:
            return pictures.messages(0, pictures.count)
        # The first voice ends the message of the last picture, mostly: one message less.
        pictures.join(voices)
        self._joined = True
        return pictures.messages(0, pictures.count + 1) + voices.messages(1, voices.count)

    def packets(self) -> Iterator[bytearray]:
        """What waits, as it goes out."""
        yield from self.pictures.packets()
        yield from self.voices.packets()

    def clear(self) -> None:
        """Nothing waits any more."""
        if self._joined:
            self.pictures.leave()
            self._joined = False
        self.pictures.count = self.voices.count = 0
        self.waits = False


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
    encrypted in the next free place of its tray, its length noted; the first there says `wait`.
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

    def send(self, sender: Sender, tray: Tray, head: bytes, tail: bytes) -> int:
        """Take one RTP packet, in two parts; returns its length on the wire.

        0 when libsrtp refuses it (a number used before, or too old) and when it is too long.
        """
        if tray.count == PLACES:
            self.flush()
        start = len(head)
        size = start + len(tail)
        if size > MAX_PACKET:
            return 0
        place = tray.count
        at, packet, length = tray.places[place]
        at += LENGTH_BYTES
        tray.memory[at : at + start] = head
        tray.memory[at + start : at + size] = tail
        length[0] = size
        if protect_in_place(sender.pointer, packet, length):
            return 0
        size += sender.overhead
        tray.lengths[place] = size
        if not place:
            self.wait(tray.to)
        tray.count = place + 1
        return size

    def wait(self, to: Destination) -> None:
        """Packets wait there."""
        if to.waits:
            return
        to.waits = True
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
            self._send_each(waiting)
        for to in waiting:
            to.clear()
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
                    self._refused(done * MESSAGE.size, _ffi.errno)
                done += max(taken, 1)

    def _refused(self, at: int, error: int) -> None:
        """The kernel did not take the message that lies there: cut it up here if that was the reason."""
        view = self._messages_view
        name, name_bytes, vectors, count, *_ = MESSAGE.unpack_from(view, at)
        if error in _UNABLE:
            self._joins = False
        elif count == 1 or error not in _TOO_LARGE:
            self.dropped += count
            return
        for vector in range(vectors, vectors + count * _VECTOR_BYTES, _VECTOR_BYTES):
            MESSAGE.pack_into(view, at, name, name_bytes, vector, 1, 0, 0, 0, 0)
            if _libc.sendmmsg(self._socket.fileno(), self._messages + at, 1, 0) <= 0:
                self.dropped += 1

    def _send_each(self, waiting: list[Destination]) -> None:
        """Packet by packet."""
        for to in waiting:
            for packet in to.packets():
                try:
                    self._socket.sendto(packet, to.address)
                except OSError:
                    self.dropped += 1


class Leg:
    """How RTP gets to one subscriber: by datagrams through an outbox, or packet by packet through `put` (ICE-TCP).

    `rerouted` is called when keys or path change: what was made of them is good no more.
    """

    __slots__ = ("_path", "_put", "_rerouted", "refused", "sender", "to", "voices")

    def __init__(self, put: Callable[[bytes, Path], None], rerouted: Callable[[], None]) -> None:
        self.refused = 0
        """Packets that libsrtp would not protect: too long, or a number used before."""
        self.voices: set[int] = set()
        """SSRCs of what is heard."""
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

    def send(self, ssrc: int, head: bytes, tail: bytes) -> int:
        """One RTP packet of this SSRC in two parts; returns its length on the wire, 0 if it could not leave."""
        sender, to = self.sender, self.to
        if sender is None:
            return 0
        if to is None:
            return self._send_alone(sender, head + tail)
        size = to.box.send(sender, to.tray(ssrc), head, tail)
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
