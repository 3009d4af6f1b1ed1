# SPDX-License-Identifier: Apache-2.0
"""The books of received streams in C memory, behind the faces of their Python classes, which are the reference."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from server.ids import ParticipantId
from server.media.budget import Budget
from server.media.congestion.arrivals import MAX_PENDING, Arrivals
from server.media.congestion.history import SIZE, SendHistory
from server.media.meter import Meter
from server.media.native.fields import integer, real
from server.media.native.library import CData, ffi
from server.media.native.memory import zeroed
from server.media.receive import WINDOW, ReceiveStatistics
from server.media.speakers import Talker
from server.media.voices import Voice

UNHEARD: Final = 0
HEARD: Final = 1
CLAIMS: Final = 2
"""What is done with the packets of a voice: nothing, its level is noted, or Python is asked."""


class CompiledBudget(Budget):
    """See `Budget`."""

    __slots__ = ("_functions", "struct")

    _byte_ns: int = integer("byte_ns")
    _bytes_until: int = integer("bytes_until")
    _packet_ns: int = integer("packet_ns")
    _packets_until: int = integer("packets_until")
    refused: int = integer("refused")

    def __init__(self, functions: CData, packets_per_s: int, bytes_per_s: int) -> None:
        self._functions = functions
        self.struct = ffi.new("struct budget *")
        super().__init__(packets_per_s, bytes_per_s)

    def take(self, size_bytes: int, now_ns: int) -> bool:
        """See `Budget`."""
        return bool(self._functions.budget_take(self.struct, size_bytes, now_ns))


class CompiledStatistics(ReceiveStatistics):
    """See `ReceiveStatistics`. `struct` is a part of that of its layer, which is kept with it."""

    __slots__ = ("_functions", "_stream", "struct")

    clock_rate: int = integer("clock_rate")
    highest: int = integer("highest")
    received: int = integer("received")
    jitter: float = real("jitter")
    _base: int = integer("base")
    _earliest: int = integer("earliest")

    def __init__(self, functions: CData, stream: CData, clock_rate: int) -> None:
        self._functions = functions
        self._stream = stream
        self.struct = ffi.addressof(stream[0], "statistics")
        super().__init__(clock_rate)

    @property
    def _transit(self) -> int | None:
        transit = int(self.struct.transit)
        return transit if transit >= 0 else None

    @_transit.setter
    def _transit(self, value: int | None) -> None:
        self.struct.transit = -1 if value is None else value

    @property
    def _seen(self) -> int:
        whole = int.from_bytes(ffi.buffer(self.struct.seen), "little")
        return sum((whole >> (self.highest - back) % WINDOW & 1) << back for back in range(WINDOW))

    @_seen.setter
    def _seen(self, value: int) -> None:
        if value:
            raise ValueError("C keeps it")

    def accept(self, sequence: int) -> int | None:
        """See `ReceiveStatistics`."""
        extended = int(self._functions.statistics_accept(self.struct, sequence))
        return extended if extended >= 0 else None

    def arrived(self, timestamp: int, now_ns: int) -> None:
        """See `ReceiveStatistics`."""
        self._functions.statistics_arrived(self.struct, timestamp, now_ns)


class CompiledMeter(Meter):
    """See `Meter`. `struct` is a part of that of its layer, which is kept with it."""

    __slots__ = ("_functions", "_stream", "struct")

    total: int = integer("total")
    _began_ns: int = integer("began_ns")
    _bytes: int = integer("bytes")
    _steady: float = real("steady")
    _until_ns: int = integer("until_ns")

    def __init__(self, functions: CData, stream: CData) -> None:
        self._functions = functions
        self._stream = stream
        self.struct = ffi.addressof(stream[0], "meter")
        super().__init__()

    @property
    def _filled(self) -> list[int]:
        return list(self.struct.filled)

    @_filled.setter
    def _filled(self, value: list[int]) -> None:
        self.struct.filled = value

    def add(self, size_bytes: int, now_ns: int) -> None:
        """See `Meter`."""
        self._functions.meter_add(self.struct, size_bytes, now_ns)


class CompiledTalker(Talker):
    """See `Talker`."""

    __slots__ = ("_functions", "struct")

    loudest: int = integer("loudest")
    run: int = integer("run")
    spoke_ns: int = integer("spoke_ns")
    strength: int = integer("strength")
    _noise: int = integer("noise")

    def __init__(self, functions: CData, participant: ParticipantId) -> None:
        self._functions = functions
        self.struct = ffi.new("struct talker *")
        super().__init__(participant)

    def hear(self, level: int, now_ns: int) -> bool:
        """See `Talker`."""
        return bool(self._functions.talker_hear(self.struct, level, now_ns))


class CompiledVoice(Voice):
    """See `Voice`."""

    __slots__ = ("_streams",)

    talker: CompiledTalker

    def __init__(self, functions: CData, participant: ParticipantId, level_id: int | None) -> None:
        super().__init__(participant, level_id)
        self.talker = CompiledTalker(functions, participant)
        self._streams: list[CData] = []

    def feed(self, stream: CData) -> None:
        """The packets of this stream are its own."""
        stream.talker = self.talker.struct
        stream.level_id = self._level_id or 0
        self._streams.append(stream)

    def rule(self, *, heard: bool, claim: Callable[[Voice, int], None] | None) -> None:
        """See `Voice`."""
        super().rule(heard=heard, claim=claim)
        for stream in self._streams:
            stream.voice = UNHEARD if not heard else HEARD if claim is None else CLAIMS


class CompiledArrivals(Arrivals):
    """See `Arrivals`."""

    __slots__ = ("numbers", "state", "times")

    def __init__(self) -> None:
        super().__init__()
        self.state = ffi.new("int64_t[]", 1)
        self.numbers = zeroed("uint16_t", MAX_PENDING)
        self.times = zeroed("int64_t", MAX_PENDING)

    def record(self, sequence16: int, now_ns: int) -> None:
        """See `Arrivals`."""
        at = self.state[0]
        if at < MAX_PENDING:
            self.numbers[at] = sequence16
            self.times[at] = now_ns
            self.state[0] = at + 1

    def take(self) -> tuple[Sequence[int], Sequence[int]]:
        """See `Arrivals`."""
        count = int(self.state[0])
        self.state[0] = 0
        return ffi.unpack(self.numbers, count), ffi.unpack(self.times, count)


class SharedHistory(SendHistory):
    """See `SendHistory`. Arrays are no lists, but nothing else is done with these than both can."""

    __slots__ = ()

    def __init__(self, first: int = 1) -> None:
        self.state = ffi.new("int64_t[]", [first, 0])
        self.times = zeroed("int64_t", SIZE)
        self.sizes = zeroed("uint16_t", SIZE)

    def lend(self, struct: CData) -> None:
        """C writes it by this struct from now on, which must not outlive it."""
        struct.state, struct.times, struct.sizes = self.state, self.times, self.sizes
