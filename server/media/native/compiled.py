# SPDX-License-Identifier: Apache-2.0
"""The packet path in C, behind the face of `PacketPath`. What C keeps is memory that objects here own.

The same SRTP sessions serve both languages: libsrtp's functions are handed over as pointers, so nothing is linked.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable
from pathlib import Path as File
from typing import TYPE_CHECKING, Final

from server.media.congestion.estimator import Estimator
from server.media.dtls import SrtpError, SrtpPair, unprotect_function
from server.media.ice import Path
from server.media.inbox import Inbox
from server.media.line import Line
from server.media.native.build import LIBRARY
from server.media.native.feedback import CompiledFeedback
from server.media.native.fields import integer
from server.media.native.intake import CompiledEntry, CompiledInbox, CompiledIntake, CompiledLayer
from server.media.native.library import CData, ffi, load
from server.media.native.seal import CompiledKeys, keys_of
from server.media.native.stream import SharedHistory
from server.media.outbox import segments_of, socket_address
from server.media.packet_path import Send
from server.media.picture import NO_PICTURE
from server.media.rewriter import Rewriter
from server.media.rtp import Packet
from server.media.streams import Layer

if TYPE_CHECKING:
    from server.media.forwarder import Forwarder


class CompiledOutbox:
    """See `server.media.outbox.Outbox`."""

    def __init__(self, functions: CData, sock: socket.socket, begun: Callable[[], None]) -> None:
        self.begun = begun
        self.dropped = 0
        opened = functions.outbox_open(sock.fileno(), segments_of(sock))
        if opened == ffi.NULL:
            raise MemoryError
        self.pointer: Final = ffi.gc(opened, functions.outbox_close)
        self._flush = functions.outbox_flush

    def flush(self) -> None:
        """See `server.media.outbox.Outbox`."""
        self.dropped += self._flush(self.pointer)


class CompiledLeg:
    """See `server.media.outbox.Leg`. `lines` point to `struct`, and it to the outbox and the history."""

    __slots__ = (
        "_functions", "_history", "_keys", "_path", "_put", "_refused", "_rerouted", "_srtp", "box", "lines", "struct",
    )  # fmt: skip

    def __init__(
        self,
        functions: CData,
        put: Send,
        history: SharedHistory | None,
        rerouted: Callable[[], None],
    ) -> None:
        self.struct = ffi.new("struct leg *")
        self.box: CompiledOutbox | None = None
        self._rerouted = rerouted
        self._functions = functions
        self._put = put
        self._path: Path | None = None
        self._refused = 0
        self._srtp: SrtpPair | None = None
        self._keys: CompiledKeys | None = None
        self.lines: list[CData] = []
        self._history = history
        if history is not None:
            history.lend(self.struct)

    @property
    def refused(self) -> int:
        """See `server.media.outbox.Leg`."""
        return int(self.struct.refused) + self._refused

    def keys(self, srtp: SrtpPair | None) -> None:
        """See `server.media.outbox.Leg`."""
        # Before their memory goes; a route looks them up anew.
        for line in self.lines:
            line.sender = ffi.NULL
        self._srtp = srtp
        self._keys = keys_of(self._functions, srtp) if srtp is not None else None
        self._rerouted()

    def move(self, path: Path | None, box: CompiledOutbox | None) -> None:
        """See `server.media.outbox.Leg`."""
        self._path = path
        raw = socket_address(*path[1]) if path is not None and box is not None else b""
        if not self._functions.leg_move(self.struct, box.pointer if box is not None else ffi.NULL, raw, len(raw)):
            raise ValueError(path)
        if (box is None) is not (self.box is None):
            self._rerouted()
        self.box = box

    def send(self, ssrc: int, head: bytes, tail: bytes) -> int:
        """See `server.media.outbox.Leg`."""
        if self.box is None:
            return self._send_alone(ssrc, head + tail)
        self.box.begun()
        return int(self._functions.leg_send(self.struct, self.sender(ssrc), head, len(head), tail, len(tail)))

    def _send_alone(self, ssrc: int, packet: bytes) -> int:
        if self._path is None or self._keys is None:
            return 0
        try:
            protected = self._keys.sender(ssrc).protect(packet)
        except (SrtpError, ValueError):
            self._refused += 1
            return 0
        self._put(protected, self._path)
        return len(protected)

    def sender(self, ssrc: int) -> CData:
        """Of this SSRC, as C takes it; null without keys."""
        return self._keys.sender(ssrc).struct if self._keys is not None else ffi.NULL


class CompiledRewriter(Rewriter):
    """The same mapping, kept where C reads and writes it."""

    __slots__ = ("leg", "struct")

    began: int = integer("began")
    extension_id: int = integer("extension_id")
    last_timestamp: int = integer("last_timestamp")
    next: int = integer("next")
    octets: int = integer("octets")
    packets: int = integer("packets")
    payload_type: int = integer("payload_type")
    picture_id: int = integer("picture_id")
    picture_offset: int = integer("picture_offset")
    sequence_offset: int = integer("sequence_offset")
    redundant: bool = integer("redundant")
    redundant_type: int = integer("redundant_type")
    ssrc: int = integer("ssrc")
    start: int = integer("start")
    timestamp_offset: int = integer("timestamp_offset")
    tl0: int = integer("tl0")
    tl0_offset: int = integer("tl0_offset")

    def __init__(self, leg: CompiledLeg, ssrc: int, clock_rate: int, extension_id: int, start: tuple[int, int]) -> None:
        self.leg = leg
        self.struct = ffi.new("struct line *")
        self.struct.leg = leg.struct
        leg.lines.append(self.struct)
        super().__init__(ssrc, clock_rate, *start, extension_id)


class _Route:
    """Lines as C takes them, and those it cannot serve (ICE-TCP); good while `lines` and `version` are."""

    __slots__ = ("array", "count", "lines", "others", "version")

    def __init__(self, lines: Iterable[Line], version: int) -> None:
        self.lines = tuple(lines)
        self.version = version
        served = [struct for line in self.lines if (struct := _served(line)) is not None]
        self.array = ffi.new("struct line *[]", served)
        self.count = len(served)
        self.others = tuple(line for line in self.lines if _served(line) is None)


def _served(line: Line) -> CData:
    """Its struct with a sender in it, if C can send on this line."""
    rewriter = line.rewriter
    if not isinstance(rewriter, CompiledRewriter) or rewriter.leg.box is None:
        return None
    rewriter.struct.sender = rewriter.leg.sender(rewriter.ssrc)
    return rewriter.struct


class CompiledPath:
    """See `PacketPath`. Raises NotBuilt when there is no library.

    `unprotect`: where the function lies that decrypts what comes in, None for libsrtp's.
    """

    name = "compiled"

    def __init__(self, library: File = LIBRARY, unprotect: int | None = None) -> None:
        self._functions = load(library)
        self._fan = self._functions.fan
        self._feedback = CompiledFeedback(self._functions)
        self._packet = ffi.new("struct packet *")
        opened = self._functions.intake_open(ffi.cast("unprotect_function", unprotect or unprotect_function()))
        if opened == ffi.NULL:
            raise MemoryError
        self._pointer = ffi.gc(opened, self._functions.intake_close)
        self._intake: CompiledIntake | None = None
        self._version = 0
        self._begun: Callable[[], None] = _nobody_waits

    def serve(self, forwarder: Forwarder) -> CompiledIntake:
        """See `PacketPath`."""
        self._intake = CompiledIntake(self._functions, self._pointer, forwarder, self._begin)
        return self._intake

    def inbox(self, sock: socket.socket, index: int) -> CompiledInbox | Inbox:
        """See `PacketPath`."""
        return CompiledInbox(self._intake, sock, index) if self._intake is not None else Inbox(sock, index)

    def entry(self) -> CompiledEntry:
        """See `PacketPath`."""
        return CompiledEntry(self._functions)

    def outbox(self, sock: socket.socket, begun: Callable[[], None]) -> CompiledOutbox:
        """See `PacketPath`; `begun` is the same for all."""
        self._begun = begun
        return CompiledOutbox(self._functions, sock, begun)

    def history(self) -> SharedHistory:
        """See `PacketPath`."""
        return SharedHistory()

    def leg(self, put: Send, history: SharedHistory | None) -> CompiledLeg:
        """See `PacketPath`."""
        return CompiledLeg(self._functions, put, history, self._rerouted)

    def rewriter(
        self, leg: CompiledLeg, ssrc: int, clock_rate: int, extension_id: int, start: tuple[int, int]
    ) -> CompiledRewriter:
        """See `PacketPath`."""
        return CompiledRewriter(leg, ssrc, clock_rate, extension_id, start)

    def fan(self, layer: Layer, packet: Packet, now_ns: int) -> int:
        """See `PacketPath`."""
        route = layer.route
        if route is None or route.lines is not layer.lines or route.version != self._version:
            route = layer.route = self._routed(layer)
        redundancy = packet.redundancy
        if redundancy is None:
            return self._send(route, packet, now_ns)
        forms: dict[Packet, list[Line]] = {}
        for line in layer.lines:
            forms.setdefault(redundancy.form(line), []).append(line)
        return sum(self._send(_Route(lines, self._version), form, now_ns) for form, lines in forms.items())

    def estimator(self, history: SharedHistory) -> Estimator:
        """See `PacketPath`."""
        return self._feedback.estimator(history)

    def _routed(self, layer: Layer) -> _Route:
        route = _Route(layer.lines, self._version)
        if isinstance(layer, CompiledLayer) and not route.others:
            layer.serve(route.array, route.count, self._version)
        return route

    def _begin(self) -> None:
        self._begun()

    def _rerouted(self) -> None:
        self._version += 1
        self._functions.intake_handed(self._pointer).version = self._version

    def _send(self, route: _Route, packet: Packet, now_ns: int) -> int:
        sent = 0
        for line in route.others:
            sent += packet.extended >= line.rewriter.start and line.put(packet, now_ns)
        if not route.count:
            return sent
        self._begun()
        picture = packet.picture or NO_PICTURE
        head, tail = picture.head, packet.tail
        out = self._packet
        out.extended = packet.extended
        out.now_ns = now_ns
        out.head_length = len(head)
        out.tail_length = len(tail)
        out.timestamp = packet.timestamp
        out.picture_id = picture.picture_id
        out.picture_id_at = picture.picture_id_at
        out.long_picture_id = picture.long_picture_id
        out.tl0 = picture.tl0
        out.tl0_at = picture.tl0_at
        out.padding = packet.flags & 0x20
        out.marker = packet.marker
        out.redundant = packet.redundant
        return sent + int(self._fan(route.array, route.count, out, head, tail))


def _nobody_waits() -> None:
    pass
