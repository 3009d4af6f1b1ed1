# SPDX-License-Identifier: Apache-2.0
"""From one received packet to everybody who gets its layer: the loop that costs most of a worker's time.

What `Line.put`, `Rewriter.head`, `SendHistory` and `Outbox.send` do one after the other for any packet, `put` does in
one piece for the usual one. Each rule is explained there; tests hold both to the same bytes and the same state.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Callable, Iterable
from functools import cache
from struct import Struct as Layout
from typing import Any, Final

from server.media.congestion.history import SIZE
from server.media.dtls import Sender, protect_in_place
from server.media.line import Line
from server.media.outbox import LENGTH_BYTES, MAX_PACKET, Destination, Leg, Outbox
from server.media.rewriter import Rewriter
from server.media.rtp import NUMBERED, Packet
from server.media.streams import Layer

_SEQUENCE: Final = 0xFFFF
_TIMESTAMP: Final = 0xFFFFFFFF
_PICTURE_ID: Final = 0x7FFF
_TL0: Final = 0xFF
_ENTRY: Final = SIZE - 1
"""Of a number in the history: its size is a power of two."""

Lane = tuple[
    Line, Rewriter, Leg, Destination, Outbox, Any, int, bytes, "array[int]", "array[int]", "array[int]"
]  # fmt: skip
"""A line by datagrams and with transport-wide numbers, taken apart: line, rewriter, leg, destination, outbox,
libsrtp's session and what it adds to a packet, the constant part of the header; state, times and sizes of the history.
"""


class Route:
    """The lines of a layer, prepared: `lanes`, and the `others`. Good while `lines` and `version` are the same."""

    __slots__ = ("_senders", "lanes", "lines", "others", "version")

    def __init__(self, lines: tuple[Line, ...], version: int) -> None:
        self.lines = lines
        self.version = version
        self.lanes: list[Lane] = []
        self.others: list[Line] = []
        # A session lives as long as these.
        self._senders: list[Sender] = []
        for line in lines:
            lane = self._lane(line)
            if lane is not None:
                self.lanes.append(lane)
            else:
                self.others.append(line)

    def _lane(self, line: Line) -> Lane | None:
        rewriter, leg, history = line.rewriter, line.leg, line.history
        sender = leg.sender(rewriter.ssrc) if isinstance(leg, Leg) else None
        if not isinstance(leg, Leg) or leg.to is None or sender is None or history is None:
            return None
        self._senders.append(sender)
        return (
            line, rewriter, leg, leg.to, leg.to.box, sender.pointer, sender.overhead, rewriter.numbered,
            history.state, history.times, history.sizes,
        )  # fmt: skip


class Fan:
    """Sends to every line of a layer. `rerouted` says that keys or a path changed."""

    def __init__(self) -> None:
        self._version = 0

    def rerouted(self) -> None:
        """No route is good any more."""
        self._version += 1

    def send(self, layer: Layer, packet: Packet, now_ns: int) -> int:
        """Rewrite, protect and send to every line of the layer; returns the packets that left.

        What came from before a line began with this layer is not for that line.
        """
        route: Route | None = layer.route
        if route is None or route.lines is not layer.lines or route.version != self._version:
            route = layer.route = Route(layer.lines, self._version)
        extended = packet.extended
        sent = sum(line.send(packet, now_ns) for line in route.others if extended >= line.rewriter.start)
        if packet.redundancy is None:
            return sent + put(route.lanes, packet, now_ns)
        forms: dict[Packet, list[Lane]] = {}
        for lane in route.lanes:
            forms.setdefault(packet.redundancy.form(lane[0]), []).append(lane)
        return sent + sum(put(lanes, form, now_ns) for form, lanes in forms.items())


def put(lanes: Iterable[Lane], packet: Packet, now_ns: int) -> int:  # noqa: C901, PLR0915 - a call costs as much as ten of these lines
    """The same packet to all these lines, in the form it has."""
    extended, theirs, payload, picture = packet.extended, packet.timestamp, packet.payload, packet.picture
    octets = len(payload)
    size = NUMBERED.size + octets
    if size > MAX_PACKET:
        return 0
    length_bytes = size.to_bytes(LENGTH_BYTES, sys.byteorder)
    first, marker, redundant = 0x90 | packet.flags & 0x20, packet.marker, packet.redundant
    ids = picture if picture is not None and picture.head else None
    write, protect = _layout(octets), protect_in_place
    sent = 0
    for line, rewriter, leg, to, box, session, overhead, numbered, state, times, sizes in lanes:
        sequence = extended + rewriter.sequence_offset
        if sequence != rewriter.next:  # not in order
            sent += extended >= rewriter.start and line.put(packet, now_ns)
            continue
        rewriter.next = sequence + 1
        rewriter.last_timestamp = timestamp = theirs + rewriter.timestamp_offset & _TIMESTAMP
        rewriter.packets += 1
        rewriter.octets += octets
        state[0] = 1 + (number := state[0])
        if box.count == box.capacity:
            box.flush()
        at, pointer, length, address = box.slots[box.count]
        write(
            box.memory, at, length_bytes,
            first, marker | (rewriter.redundant_type if redundant else rewriter.payload_type), sequence & _SEQUENCE,
            timestamp, numbered, number & _SEQUENCE, payload,
        )  # fmt: skip
        if ids is not None and (
            rewriter.picture_id != ids.picture_id + rewriter.picture_offset & _PICTURE_ID
            or rewriter.tl0 != ids.tl0 + rewriter.tl0_offset & _TL0
            or rewriter.picture_offset
            or rewriter.tl0_offset
        ):
            head = rewriter.continued(ids)
            at += LENGTH_BYTES + NUMBERED.size
            box.memory[at : at + len(head)] = head
        entry = number & _ENTRY
        if protect(session, pointer, length):
            leg.refused += 1
            times[entry] = 0
            continue
        left = size + overhead
        if not box.count:
            box.begun()
        box.count += 1
        vector = to.vector
        if vector is None or left > to.size or len(vector) == box.full:
            box.begin(to, address, left)
        else:
            vector += (address, left)
            if left < to.size:
                to.vector = None
        times[entry] = now_ns
        sizes[entry] = left
        state[1] += left
        sent += 1
    return sent


@cache
def _layout(octets: int) -> Callable[..., None]:
    """Writes its length, the header with a transport-wide number, and a payload of so many bytes."""
    return Layout(f"!{LENGTH_BYTES}sBBHI9sHx{octets}s").pack_into
