# SPDX-License-Identifier: Apache-2.0
"""From one received packet to everybody who gets its layer: the loop that costs most of a worker's time.

What `Line.put`, `Rewriter.head`, `SendHistory` and `Outbox.send` do one after the other for any packet, `put` does in
one piece for the usual one. Each rule is explained there; tests hold both to the same bytes and the same state.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from functools import cache
from struct import Struct as Layout
from typing import Any, Final

from server.media.congestion.history import SIZE, SendHistory
from server.media.dtls import Sender, protect_in_place
from server.media.line import Line
from server.media.outbox import LENGTH_BYTES, MAX_PACKET, PLACES, Leg, Tray
from server.media.red import Redundancy
from server.media.rtp import NUMBERED, Packet
from server.media.run import Run, RunningRewriter, run_of
from server.media.streams import Layer

_SEQUENCE: Final = 0xFFFF
_TIMESTAMP: Final = 0xFFFFFFFF
_ENTRY: Final = SIZE - 1
"""Of a number in the history: its size is a power of two."""

_PAYLOAD_AT: Final = LENGTH_BYTES + NUMBERED.size

Lane = tuple[
    int, int, int, int, bytes, RunningRewriter | None, Tray, list[tuple[int, Any, Any]], bytearray, memoryview,
    Any, int, list[int], list[int], list[int],
]  # fmt: skip
"""A line by datagrams and with transport-wide numbers, taken apart: its offsets of sequence and timestamp; payload
types, plain and redundant; the constant part of the header; its rewriter, if that changes the payload; tray, its
places, memory and lengths; libsrtp's session and what it adds to a packet; state, times and sizes of the history.
"""


Running = tuple[Line, RunningRewriter, Tray, Sender, SendHistory]
"""What a lane is made of; a session of libsrtp lives as long as its sender."""


class Route:
    """The lines of a layer, prepared: those of the `run` with their `lanes`, and the `others`.

    Good as long as `lines` and `version` are the same, and the run is whole.
    """

    __slots__ = ("lanes", "lines", "others", "run", "running", "version")

    def __init__(self, lines: tuple[Line, ...], version: int, run: Run, running: list[Running]) -> None:
        self.lines = lines
        self.version = version
        self.run = run
        self.running = running
        self.lanes = [_lane(*each) for each in running]
        taken = {id(line) for line, *_ in running}
        self.others = [line for line in lines if id(line) not in taken]


def _route(lines: tuple[Line, ...], version: int, packet: Packet) -> Route | None:
    """From this packet on; None if the lines are not at the same place."""
    running = [each for line in lines if (each := _running(line)) is not None]
    run = run_of(packet, [rewriter for _, rewriter, *_ in running])
    return Route(lines, version, run, running) if run is not None else None


def _running(line: Line) -> Running | None:
    """What a lane is made of, None for a line that can have none."""
    rewriter, leg, history = line.rewriter, line.leg, line.history
    if not isinstance(leg, Leg) or not isinstance(rewriter, RunningRewriter):
        return None
    if leg.to is None or leg.sender is None or history is None:
        return None
    return line, rewriter, leg.to.tray(rewriter.ssrc), leg.sender, history


def _lane(_: Line, rewriter: RunningRewriter, tray: Tray, sender: Sender, history: SendHistory) -> Lane:
    renames = rewriter.picture_offset or rewriter.tl0_offset
    return (
        rewriter.sequence_offset, rewriter.timestamp_offset, rewriter.payload_type, rewriter.redundant_type,
        rewriter.numbered, rewriter if renames else None, tray, tray.places, tray.memory, tray.lengths,
        sender.pointer, sender.overhead, history.state, history.times, history.sizes,
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
        redundancy = packet.redundancy
        octets = len(packet.payload) if redundancy is None else 0
        route: Route | None = layer.route
        if (
            route is None
            or route.lines is not layer.lines
            or route.version != self._version
            or not route.run.take(packet, octets)
        ):
            route = layer.route = _route(layer.lines, self._version, packet)
            if route is None or not route.run.take(packet, octets):
                return _send_each(layer.lines, packet, now_ns)
        sent = _send_each(route.others, packet, now_ns) if route.others else 0
        if redundancy is not None:
            return sent + _put_forms(route, redundancy, now_ns)
        return sent + put(route.lanes, packet, now_ns)


def _send_each(lines: Iterable[Line], packet: Packet, now_ns: int) -> int:
    """By each line itself."""
    extended = packet.extended
    return sum([line.send(packet, now_ns) for line in lines if extended >= line.rewriter.start])


def _put_forms(route: Route, redundancy: Redundancy, now_ns: int) -> int:
    """To each line the form of the packet that is for it."""
    forms: dict[Packet, list[Lane]] = {}
    for (line, rewriter, *_), lane in zip(route.running, route.lanes, strict=True):
        form = redundancy.form(line)
        rewriter.add_octets(len(form.payload))
        forms.setdefault(form, []).append(lane)
    return sum([put(lanes, form, now_ns) for form, lanes in forms.items()])


def put(lanes: Iterable[Lane], packet: Packet, now_ns: int) -> int:
    """A packet of a run to all these lines, in the form it has."""
    extended, theirs, payload, redundant = packet.extended, packet.timestamp, packet.payload, packet.redundant
    size = NUMBERED.size + len(payload)
    if size > MAX_PACKET:
        return 0
    picture = packet.picture
    ids = picture if picture is not None and picture.head else None
    length_bytes = size.to_bytes(LENGTH_BYTES, sys.byteorder)
    kind = (0x90 | packet.flags & 0x20) << 8 | packet.marker
    write, protect = _layout(len(payload)), protect_in_place
    sent = known = left = 0
    for (
        sequence_offset, timestamp_offset, payload_type, redundant_type, numbered, rewriter, tray, places, memory,
        lengths, session, overhead, state, times, sizes,
    ) in lanes:  # fmt: skip
        place = tray.count
        if place == PLACES:
            tray.to.box.flush()
            place = 0
        at, pointer, length = places[place]
        number = state[0]
        state[0] = number + 1
        write(
            memory, at, length_bytes, kind | (redundant_type if redundant else payload_type),
            extended + sequence_offset & _SEQUENCE, theirs + timestamp_offset & _TIMESTAMP,
            numbered, number & _SEQUENCE, payload,
        )  # fmt: skip
        if rewriter is not None and ids is not None:
            ids.write_ids(
                memory, at + _PAYLOAD_AT, ids.picture_id + rewriter.picture_offset, ids.tl0 + rewriter.tl0_offset
            )
        entry = number & _ENTRY
        if protect(session, pointer, length):
            tray.to.leg.refused += 1
            times[entry] = 0
            continue
        if overhead != known:
            # Mostly the same for all: one number is kept for all of them.
            known, left = overhead, size + overhead
        lengths[place] = left
        if not place:
            tray.to.box.wait(tray.to)
        tray.count = place + 1
        times[entry] = now_ns
        sizes[entry] = left
        state[1] += left
        sent += 1
    return sent


@cache
def _layout(octets: int) -> Callable[..., None]:
    """Writes its length, the header with a transport-wide number, and a payload of so many bytes."""
    return Layout(f"!{LENGTH_BYTES}sHHI9sHx{octets}s").pack_into
