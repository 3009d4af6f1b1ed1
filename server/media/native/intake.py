# SPDX-License-Identifier: Apache-2.0
"""What arrives, handled in C where it simply continues a stream; all else goes the way of the pure path, in its turn.

C asks about a datagram before it looks at the next one, so the order is that of their coming, whoever handles them.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from server.media.budget import budget_of_peer, budget_of_source
from server.media.entry import Entry
from server.media.inbox import BATCH, Names
from server.media.native.fields import integer
from server.media.native.library import CData, ffi
from server.media.native.stream import (
    CompiledArrivals,
    CompiledBudget,
    CompiledMeter,
    CompiledStatistics,
    CompiledVoice,
)
from server.media.rtp import Packet
from server.media.sdp_codecs import CodecName, MediaKind
from server.media.streams import HISTORY, Layer
from server.media.vp8 import read_vp8

if TYPE_CHECKING:
    from server.ids import ParticipantId
    from server.media.dtls import SrtpPair
    from server.media.forwarder import Forwarder
    from server.media.ice import Path
    from server.media.line import Line
    from server.media.peer import Peer
    from server.media.streams import Source

MAX_STREAMS: Final = 16
"""Of one peer, that C knows by SSRC."""

_NO_TYPE: Final = 0xFF
_RAW: Final = 1
_UNKNOWN: Final = 3


class CompiledEntry(Entry):
    """See `Entry`. `struct` points to what the objects made here own, so they are kept."""

    def __init__(self, functions: CData) -> None:
        self._functions = functions
        self.struct = ffi.new("struct entry *")
        self.budget = budget = budget_of_peer(partial(CompiledBudget, functions))
        self.struct.budget = budget.struct
        self._kept: list[object] = [budget]
        self._srtp: SrtpPair | None = None

    def keys(self, srtp: SrtpPair | None) -> None:
        """See `Entry`."""
        self.struct.session = srtp.receiver if srtp is not None else ffi.NULL
        self.struct.heard = 0
        self._srtp = srtp

    def let_go(self) -> None:
        """See `Entry`."""
        self.struct.count = 0
        self._kept = [each for each in self._kept if not isinstance(each, CompiledLayer)]

    def arrivals(self, number_id: int) -> CompiledArrivals:
        """See `Entry`."""
        arrivals = CompiledArrivals()
        self._kept.append(arrivals)
        self.struct.number_id = number_id
        self.struct.state, self.struct.numbers, self.struct.times = arrivals.state, arrivals.numbers, arrivals.times
        return arrivals

    def source_budget(self, kind: MediaKind) -> CompiledBudget:
        """See `Entry`."""
        return budget_of_source(kind, partial(CompiledBudget, self._functions))

    def voice(self, participant: ParticipantId, level_id: int | None) -> CompiledVoice:
        """See `Entry`."""
        return CompiledVoice(self._functions, participant, level_id)

    def layer(self, source: Source, index: int, rid: str, ssrc: int | None, rtx_ssrc: int | None) -> CompiledLayer:
        """See `Entry`."""
        return CompiledLayer(self._functions, source, index, rid, ssrc, rtx_ssrc)

    def learn(self, ssrc: int, layer: Layer | None) -> None:
        """Packets with this SSRC are media of this layer."""
        at = self.struct.count
        if isinstance(layer, CompiledLayer) and at < MAX_STREAMS:
            self._kept.append(layer)
            self.struct.streams[at].ssrc = ssrc
            self.struct.streams[at].stream = layer.struct
            self.struct.count = at + 1


class _History(list[Packet | None]):
    """Packets that Python handled; C is told, so that of two with the same place the later one counts."""

    def __init__(self, told: Callable[[CData, int], None], stream: CData) -> None:
        super().__init__([None] * HISTORY)
        self._told = told
        self._stream = stream

    def __setitem__(self, at: Any, packet: Any) -> None:  # noqa: ANN401 - as the base class has it
        super().__setitem__(at, packet)
        self._told(self._stream, at)


class CompiledLayer(Layer):
    """See `Layer`."""

    __slots__ = ("_codec", "_functions", "_lines", "_pending", "struct")

    arrived_ns: int = integer("arrived_ns")

    def __init__(
        self,
        functions: CData,
        source: Source,
        index: int,
        rid: str,
        ssrc: int | None,
        rtx_ssrc: int | None,
    ) -> None:
        self._functions = functions
        self.struct = ffi.gc(ffi.new("struct stream *"), functions.stream_forget)
        super().__init__(source, index, rid, ssrc, rtx_ssrc)
        self.statistics = CompiledStatistics(functions, self.struct, self.clock_rate)
        self.meter = CompiledMeter(functions, self.struct)
        self.struct.audio = self.kind is MediaKind.AUDIO
        if isinstance(source.budget, CompiledBudget):
            self.struct.budget = source.budget.struct
        if isinstance(source.voice, CompiledVoice):
            source.voice.feed(self.struct)

    @property
    def codec(self) -> CodecName:
        """See `Layer`."""
        return self._codec

    @codec.setter
    def codec(self, codec: CodecName) -> None:
        self._codec = codec
        self.struct.payload_type = self._type_of(codec) if codec in {CodecName.OPUS, CodecName.VP8} else _NO_TYPE
        self.struct.redundant_type = self._type_of(CodecName.RED)

    @property
    def lines(self) -> tuple[Line, ...]:
        """See `Layer`. C does not know the new ones before they are served once."""
        return self._lines

    @lines.setter
    def lines(self, lines: tuple[Line, ...]) -> None:
        self._lines = lines
        self.struct.count = 0
        self.struct.routed = not lines

    @property
    def pending(self) -> tuple[Line, ...]:
        """See `Layer`."""
        return self._pending

    @pending.setter
    def pending(self, lines: tuple[Line, ...]) -> None:
        self._pending = lines
        self.struct.pending = len(lines)

    def _type_of(self, codec: CodecName) -> int:
        return next((value for value, name in self.source.formats.items() if name is codec), _NO_TYPE)

    def serve(self, array: CData, count: int, version: int) -> None:
        """C may send to these lines, which are all of `lines`, as long as the routes have this version."""
        self.struct.lines = array
        self.struct.count = count
        self.struct.version = version
        self.struct.routed = True

    def forget(self) -> None:
        """See `Layer`."""
        super().forget()
        self._functions.stream_forget(self.struct)

    def _places(self) -> _History:
        return _History(self._functions.stream_pass, self.struct)

    def recall(self, extended: int) -> Packet | None:
        """See `Layer`."""
        kept = self._functions.stream_recall(self.struct, extended)
        if kept == ffi.NULL or kept.extended < 0:
            return super().recall(extended)
        if kept.extended != extended or not kept.length:
            return None
        packet = Packet(bytes(ffi.buffer(kept.packet, kept.length)))
        packet.extended = extended
        # C keeps pictures of VP8 alone, and only what it could read.
        packet.picture = read_vp8(packet.payload)
        return packet


class CompiledIntake:
    """The receiving side of one forwarder, and of its addresses."""

    def __init__(self, functions: CData, pointer: CData, forwarder: Forwarder, begun: Callable[[], None]) -> None:
        self._functions = functions
        self._pointer = pointer
        self._handed = functions.intake_handed(pointer)
        self._forwarder = forwarder
        self._begun = begun
        self._entries: dict[Path, CompiledEntry] = {}
        forwarder.ice.owned = self._owned

    def receive(self, peer: Peer, data: bytes, now_ns: int) -> None:
        """See `Forwarder.receive`."""
        entry = peer.entry
        if not isinstance(entry, CompiledEntry):
            raise TypeError(entry)
        verdict = self._functions.intake_take(self._pointer, entry.struct, data, len(data), now_ns)
        if verdict == _RAW:
            self._forwarder.receive(peer, data, now_ns)
        elif verdict:
            self._decrypted(peer, verdict)
        self._count()

    def read(self, descriptor: int, names: Names) -> bool:
        """Handle a batch of datagrams; whether it was a full one. Raises OSError as `recvfrom` does."""
        functions, pointer, forwarder = self._functions, self._pointer, self._forwarder
        others = 0
        verdict = functions.intake_read(pointer, descriptor, names.index)
        while verdict > 0:
            path = names.path(bytes(ffi.buffer(self._handed.name))[: names.length])
            peer = forwarder.ice.owner_of(path) if verdict != _RAW else None
            if peer is not None:
                self._decrypted(peer, verdict)
            elif verdict == _RAW:
                others += 1
                forwarder.datagram(self._data(), path)
            verdict = functions.intake_next(pointer)
        received: int = self._handed.received
        self._count()
        if verdict < 0:
            raise OSError(-verdict, "recvmmsg")
        return received + others >= BATCH

    def _data(self) -> bytes:
        return bytes(ffi.buffer(self._handed.data, self._handed.length))

    def _decrypted(self, peer: Peer, verdict: int) -> None:
        data = self._data()
        self._forwarder.decrypted(peer, data, self._handed.size, self._handed.now_ns)
        if verdict == _UNKNOWN and isinstance(peer.entry, CompiledEntry):
            ssrc = int.from_bytes(data[8:12])
            peer.entry.learn(ssrc, peer.layer_with_ssrc(ssrc))

    def _count(self) -> None:
        handed, forwarder = self._handed, self._forwarder
        forwarder.received += handed.received
        forwarder.dropped += handed.dropped
        if handed.forwarded:
            forwarder.forwarded += handed.forwarded
            self._begun()
        handed.received = handed.dropped = handed.forwarded = 0

    def _owned(self, path: Path, peer: Peer | None) -> None:
        """The address belongs to this peer from now on, or to nobody."""
        index, (host, port) = path
        if index < 0:
            return
        entry = peer.entry if peer is not None and isinstance(peer.entry, CompiledEntry) else None
        address = socket.inet_pton(socket.AF_INET6 if ":" in host else socket.AF_INET, host)
        pointer = entry.struct if entry is not None else ffi.NULL
        self._functions.intake_own(self._pointer, index, address, len(address), port, pointer)
        self._entries.pop(path, None)
        if entry is not None:
            self._entries[path] = entry


class CompiledInbox:
    """See `server.media.inbox.Inbox`."""

    def __init__(self, intake: CompiledIntake, sock: socket.socket, index: int) -> None:
        self._intake = intake
        self._socket = sock
        self._names = Names(sock.family, index)

    def deliver(self, on_datagram: Callable[[bytes, Path], None]) -> bool:  # noqa: ARG002 - the intake knows to whom
        """See `server.media.inbox.Inbox`."""
        return self._intake.read(self._socket.fileno(), self._names)
