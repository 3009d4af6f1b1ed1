# SPDX-License-Identifier: Apache-2.0
"""Redundant audio (RFC 2198): each packet repeats what the ones before it carried, and a lost one is not missed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from server.media.rtp import MalformedPacket, Packet

if TYPE_CHECKING:
    from server.media.line import Line

MAX_REPEATED: Final = 8
"""Earlier blocks in one packet; more are a waste that nobody sends."""

_TIMESTAMP: Final = 0xFFFFFFFF
_MORE: Final = 0x80
_LONG_HEADER: Final = 4


class Redundancy:
    """The forms in which one packet of redundant audio goes on: to each line the one that it can read and may have.

    `plain` is its newest block alone. Raises MalformedPacket unless every block has the payload type `opus`.
    """

    __slots__ = ("_forms", "_headers", "_packet", "depth", "plain", "reach")

    def __init__(self, packet: Packet, opus: int) -> None:
        self._packet = packet
        self._headers, repeated, self.reach = _headers(packet.payload, opus)
        end = packet.media_length()
        begin = self._headers[-1] + 1 + repeated
        if begin > end:
            raise MalformedPacket
        self.depth = len(self._headers) - 1
        """How many packets back its oldest block was new, if each was repeated in turn. `reach` says the same in ticks:
        a sender may leave packets out between blocks."""
        self.plain = packet.with_payload(packet.payload[begin:end])
        self._forms: dict[int, Packet] = {}

    def form(self, line: Line) -> Packet:
        """For this line. What was said before the line began with this voice was not for it, and is left out."""
        packet, rewriter = self._packet, line.rewriter
        early = (
            packet.extended - rewriter.start < self.depth
            or packet.timestamp - rewriter.began & _TIMESTAMP < self.reach
        )  # fmt: skip
        if early or not line.redundant:
            return self.plain
        return self.carrying(line.rewriter.payload_type)

    def carrying(self, opus: int) -> Packet:
        """All blocks, under the payload type that the subscriber gave to Opus."""
        form = self._forms.get(opus)
        if form is None:
            payload = bytearray(self._packet.payload)
            for at in self._headers:
                payload[at] = payload[at] & _MORE | opus
            form = self._forms[opus] = self._packet.with_payload(bytes(payload), redundant=True)
            form.flags = self._packet.flags
        return form


def _headers(payload: bytes, opus: int) -> tuple[list[int], int, int]:
    """Where the headers of the blocks stand, the newest block last, the bytes of all others, and their farthest age."""
    found: list[int] = []
    repeated = reach = at = 0
    try:
        while payload[at] & _MORE:
            repeated += (payload[at + 2] & 0x03) << 8 | payload[at + 3]
            reach = max(reach, payload[at + 1] << 6 | payload[at + 2] >> 2)
            found.append(at)
            at += _LONG_HEADER
    except IndexError:
        raise MalformedPacket from None
    found.append(at)
    if at >= len(payload) or len(found) > MAX_REPEATED + 1 or any(payload[at] & 0x7F != opus for at in found):
        raise MalformedPacket
    return found, repeated, reach
