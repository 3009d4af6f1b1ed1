# SPDX-License-Identifier: Apache-2.0
"""A microphone in the packet path: its level is noted, and its last packets are kept for those who will hear it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from server.ids import ParticipantId
from server.media.rtp import Packet, audio_level
from server.media.speakers import SILENT, Talker

if TYPE_CHECKING:
    from server.media.line import Line
    from server.media.streams import Layer

EARLY: Final = 8
"""Packets from before a voice was given the floor: about 160 ms, so that the first syllable is whole."""
EARLY_BURST: Final = 1200
"""As many are sent at once at most; with more listeners each gets fewer."""

_ASSUMED: Final = 30
_SMALL: Final = 20
"""A client that does not say its level speaks when its packets are larger than those of comfort noise (bytes)."""

Early = tuple[Packet, int]
"""A packet, and when it came."""


class Voice:
    """What the selection of voices needs of one microphone."""

    __slots__ = ("_early", "_level_id", "claim", "heard", "talker")

    def __init__(self, participant: ParticipantId, level_id: int | None) -> None:
        self.talker = Talker(participant)
        self.heard = False
        """Whether the room lets this voice be heard now."""
        self.claim: Callable[[Voice, int], None] | None = None
        """Called for each packet of speech while there are people who do not get this voice."""
        self._level_id = level_id
        self._early: deque[Early] = deque(maxlen=EARLY)

    def note(self, packet: Packet, now_ns: int) -> None:
        """Take note of a packet before it is forwarded."""
        if not self.heard:
            return
        speaking = self.talker.hear(self._level(packet), now_ns)
        claim = self.claim
        if claim is None:
            return
        if speaking:
            claim(self, now_ns)
        self._early.append((packet, now_ns))

    def rule(self, *, heard: bool, claim: Callable[[Voice, int], None] | None) -> None:
        """What the room lets of this voice through, and whom to ask for the floor when it speaks (None: nobody)."""
        if heard != self.heard or claim is None or self.claim is None:
            # What was said to others, or to nobody, or has been heard, is not said again.
            self.forget()
        self.heard = heard
        self.claim = claim

    def forget(self) -> None:
        """Somebody has come who was not here when the last packets were sent."""
        self._early.clear()

    def early(self, listeners: int) -> list[Early]:
        """The last packets that were not sent to as many listeners, oldest first."""
        most = max(1, EARLY_BURST // max(1, listeners))
        return list(self._early)[-most:]

    def _level(self, packet: Packet) -> int:
        value = packet.extension(self._level_id) if self._level_id is not None else None
        if value:
            return audio_level(value)
        return _ASSUMED if self._level_id is None and len(packet.payload) > _SMALL else SILENT


def begin_early(layer: Layer, lines: Sequence[Line], early: Sequence[Early], now_ns: int) -> int:
    """Begin these lines, which wait for this layer, with what was said just before; returns the packets that left."""
    sent = 0
    for packet, arrived_ns in early:
        for line in lines:
            if line.awaited is layer:
                # Its timestamp is that of its arrival, so that what follows is not taken for late.
                line.begin(packet, arrived_ns)
                line.report(now_ns)
            if packet.extended >= line.rewriter.start:
                sent += line.send(packet, now_ns)
    return sent
