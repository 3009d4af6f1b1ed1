# SPDX-License-Identifier: Apache-2.0
"""From one received packet to everybody who gets its layer: the loop that costs most of a worker's time."""

from __future__ import annotations

from server.media.rtp import Packet
from server.media.streams import Layer


def fan(layer: Layer, packet: Packet, now_ns: int) -> int:
    """Rewrite, protect and send to every line of the layer; returns the packets that left.

    What came from before a line began with this layer is not for that line.
    """
    extended = packet.extended
    sent = 0
    for line in layer.lines:
        if extended >= line.rewriter.start and line.send(packet, now_ns):
            sent += 1
    return sent
