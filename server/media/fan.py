# SPDX-License-Identifier: Apache-2.0
"""From one received packet to everybody who gets its layer: the loop that costs most of a worker's time."""

from __future__ import annotations

from collections.abc import Iterable

from server.media.line import Line
from server.media.rtp import Packet
from server.media.streams import Layer


def fan(layer: Layer, packet: Packet, now_ns: int) -> int:
    """Rewrite, protect and send to every line of the layer; returns the packets that left.

    What came from before a line began with this layer is not for that line.
    """
    if packet.redundancy is None:
        return put(layer.lines, packet, now_ns)
    forms: dict[Packet, list[Line]] = {}
    for line in layer.lines:
        forms.setdefault(packet.redundancy.form(line), []).append(line)
    return sum(put(lines, form, now_ns) for form, lines in forms.items())


def put(lines: Iterable[Line], packet: Packet, now_ns: int) -> int:
    """The same packet to all these lines, in the form it has."""
    extended = packet.extended
    sent = 0
    for line in lines:
        if extended >= line.rewriter.start and line.put(packet, now_ns):
            sent += 1
    return sent
