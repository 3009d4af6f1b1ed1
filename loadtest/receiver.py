# SPDX-License-Identifier: Apache-2.0
"""What arrives in the receive slots: counted per line, and per source as the payloads themselves tell it."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Final, NamedTuple, Protocol

from loadtest.clip import Signatures
from loadtest.rtp import RED_PAYLOAD_TYPE, VIDEO_CLOCK_RATE, NotRtp, Packet, read_packet, read_red
from loadtest.sequences import Sequences
from loadtest.transport_cc import Arrivals as TransportArrivals
from loadtest.voice import SAMPLE_RATE
from loadtest.watching import Pictures, Sound, part_of

_SEQUENCE_BYTES: Final = 2
"""The original sequence number before the payload of a retransmission, RFC 4588 section 4."""


class Kind(StrEnum):
    """The two lines of a slot."""

    AUDIO = "audio"
    VIDEO = "video"


class Line:
    """Statistics of one receive line."""

    def __init__(self, slot: int, kind: Kind, ssrc: int = 0) -> None:
        self.slot = slot
        self.kind = kind
        self.ssrc = ssrc
        self.sequences = Sequences()
        self.pictures = Pictures()
        self.sound = Sound()
        self.octets = 0
        self.frames = 0
        """Packets that end a picture."""
        self.recovered = 0
        """Came as retransmissions, in place of those that were lost."""
        self.jitter = 0.0
        """RFC 3550 section 6.4.1, in units of the media clock."""
        self._clock_rate = SAMPLE_RATE if kind is Kind.AUDIO else VIDEO_CLOCK_RATE
        self._transit: float | None = None

    @property
    def packets(self) -> int:
        """Received, each once."""
        return self.sequences.received

    @property
    def lost(self) -> int:
        """Packets expected and not received, after repair."""
        return self.sequences.lost

    def count(self, packet: Packet, now_s: float, *, recovered: bool = False) -> bytes | None:
        """One packet came; its media payload, None when it came before. Raises NotRtp for broken RED."""
        number = self.sequences.take(packet.sequence, now_s * 1_000)
        if number is None:
            return None
        self.octets += len(packet.payload)
        self.frames += packet.marker
        self.recovered += recovered
        if not recovered:
            self._note_jitter(packet, now_s)
        if self.kind is Kind.VIDEO:
            self.pictures.take(number, part_of(packet), now_s * 1_000)
            return packet.payload
        copies, payload = read_red(packet.payload) if packet.payload_type == RED_PAYLOAD_TYPE else ((), packet.payload)
        self.sound.take(number, packet.timestamp, copies, now_s * 1_000)
        return payload

    def _note_jitter(self, packet: Packet, now_s: float) -> None:
        transit = now_s * self._clock_rate - packet.timestamp
        if self._transit is not None:
            difference = abs(transit - self._transit)
            # A jump of seconds is a wrapped or another clock, not jitter.
            self.jitter += (difference - self.jitter) / 16 if difference < self._clock_rate else 0
        self._transit = transit


class Source(NamedTuple):
    """Where something was heard or seen, and whose clip it was; `clip` None: not one of the known clips."""

    slot: int
    kind: Kind
    clip: int | None


class Arrival:
    """Packets of one source in one line; times are those of the event loop's clock (s)."""

    __slots__ = ("first_s", "last_s", "longest_gap_s", "packets")

    def __init__(self, now_s: float) -> None:
        self.first_s = self.last_s = now_s
        self.longest_gap_s = 0.0
        self.packets = 0

    def count(self, now_s: float) -> None:
        """One more packet."""
        self.longest_gap_s = max(self.longest_gap_s, now_s - self.last_s)
        self.last_s = now_s
        self.packets += 1


Arrivals = dict[Source, Arrival]
"""What came in a span of time."""


class Observer(Protocol):
    """Told of media at the moment it comes: sound by the packet, pictures when they are whole."""

    def sound(self, clip: int | None, now_s: float) -> None:
        """A packet of this clip."""

    def picture(self, clip: int | None, now_s: float) -> None:
        """A picture of this clip can be shown."""


class Reception:
    """All receive lines of one peer, found by the SSRCs that the answer gave them; `repairs` by those of RTX."""

    def __init__(self, lines: dict[int, Line], signatures: Signatures, repairs: dict[int, Line] | None = None) -> None:
        self.lines = lines
        self.strays = 0
        """Packets in no line of ours, or not RTP at all."""
        self.octets = 0
        """Of all packets, padding and retransmissions included."""
        self.padding = 0
        """Packets of nothing but padding."""
        self.arrivals: Arrivals = {}
        """Since the start or the last `take`."""
        self.observer: Observer | None = None
        self.transport = TransportArrivals()
        self._repairs = repairs or {}
        self._signatures = signatures

    def receive(self, data: bytes, now_s: float) -> None:
        """One decrypted RTP packet."""
        self.octets += len(data)
        try:
            packet = read_packet(data)
            if packet.number is not None:
                self.transport.record(packet.number, round(now_s * 1e9))
            self._sort(packet, now_s)
        except NotRtp:
            self.strays += 1

    def of_kind(self, kind: Kind) -> Iterator[Line]:
        """All lines of this kind."""
        return (line for line in self.lines.values() if line.kind is kind)

    def take(self) -> Arrivals:
        """What has arrived since the last call; counting starts anew."""
        taken, self.arrivals = self.arrivals, {}
        return taken

    @property
    def last_sound_s(self) -> float | None:
        """When a voice was last heard; None: not since the last `take`."""
        heard = [arrival.last_s for source, arrival in self.arrivals.items() if source.kind is Kind.AUDIO]
        return max(heard, default=None)

    def clips(self, kind: Kind | None = None) -> frozenset[int | None]:
        """Whose media has arrived since the last `take`."""
        return frozenset(source.clip for source in self.arrivals if kind in (None, source.kind))

    def _sort(self, packet: Packet, now_s: float) -> None:
        line = self.lines.get(packet.ssrc)
        if line is not None:
            self._count(line, packet, line.count(packet, now_s), now_s)
        elif (line := self._repairs.get(packet.ssrc)) is not None:
            self._repair(line, packet, now_s)
        else:
            self.strays += 1

    def _repair(self, line: Line, packet: Packet, now_s: float) -> None:
        if len(packet.payload) <= _SEQUENCE_BYTES:
            self.padding += 1
            return
        sequence = int.from_bytes(packet.payload[:_SEQUENCE_BYTES], "big")
        original = packet._replace(sequence=sequence, payload=packet.payload[_SEQUENCE_BYTES:])
        self._count(line, original, line.count(original, now_s, recovered=True), now_s)

    def _count(self, line: Line, packet: Packet, payload: bytes | None, now_s: float) -> None:
        if payload is None or not packet.payload:
            return
        whose = self._signatures.of_audio if line.kind is Kind.AUDIO else self._signatures.of_video
        source = Source(line.slot, line.kind, whose(payload))
        arrival = self.arrivals.get(source)
        if arrival is None:
            arrival = self.arrivals[source] = Arrival(now_s)
        arrival.count(now_s)
        if self.observer is None:
            return
        if line.kind is Kind.AUDIO:
            self.observer.sound(source.clip, now_s)
        elif line.pictures.shown_ms == now_s * 1_000:
            self.observer.picture(source.clip, now_s)
