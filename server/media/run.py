# SPDX-License-Identifier: Apache-2.0
"""What packets do to the rewriters of many lines, kept once: most packets go to all lines of a layer, one by one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from server.media.picture import LONG_ID, SHORT_ID, Picture
from server.media.rewriter import MAX_LEAP, Rewriter
from server.media.rtp import Packet

_TIMESTAMP: Final = 0xFFFFFFFF
_TL0: Final = 0xFF
_PACKETS: Final = Rewriter.__dict__["packets"]
_OCTETS: Final = Rewriter.__dict__["octets"]
_OWN_ID: Final = Rewriter.__dict__["picture_id"]
_OWN_TL0: Final = Rewriter.__dict__["tl0"]


class Run:
    """Packets of one layer that go to all of some lines.

    `next`, `timestamp`, `picture_id` and `tl0` are in the layer's numbers what `Rewriter` has in those of its line; the
    last two only if `pictures`, else each line keeps its own. `mask`: of picture ids in the form they have here.
    `packets` and `octets` are those of the run. From `start` on packets are for all lines. `whole`: nobody has left.
    """

    __slots__ = ("mask", "next", "octets", "packets", "picture_id", "pictures", "start", "timestamp", "tl0", "whole")

    def __init__(self, packet: Packet, rewriters: Sequence[RunningRewriter]) -> None:
        self.whole = True
        self.next = packet.extended
        self.start = max(rewriter.start for rewriter in rewriters)
        self.timestamp = packet.timestamp
        self.packets = 0
        self.octets = 0
        picture = packet.picture
        self.mask = LONG_ID if picture is None or not picture.picture_id_at or picture.long_picture_id else SHORT_ID
        self.picture_id, self.tl0 = _pictures(rewriters[0], self.mask)
        self.pictures = all(_pictures(rewriter, self.mask) == (self.picture_id, self.tl0) for rewriter in rewriters)

    def take(self, packet: Packet, octets: int) -> bool:
        """The packet goes to all lines, with so many bytes of payload for each; False if it cannot."""
        extended, picture = packet.extended, packet.picture
        if not self.whole or not self.start <= extended < self.next + MAX_LEAP:
            return False
        if picture is not None and picture.head and not (self.pictures and self._see(picture)):
            return False
        if extended >= self.next:
            self.next = extended + 1
            self.timestamp = packet.timestamp
        self.packets += 1
        self.octets += octets
        return True

    def _see(self, picture: Picture) -> bool:
        """See `Rewriter.continued`. False if its id is of another form."""
        newest, mask = self.picture_id, self.mask
        if picture.picture_id_at:
            if picture.long_picture_id is (mask == SHORT_ID):
                return False
            if newest < 0 or picture.picture_id - newest & mask <= mask >> 1:
                self.picture_id = picture.picture_id
        if picture.tl0_at and (self.tl0 < 0 or picture.tl0 - self.tl0 & _TL0 <= _TL0 >> 1):
            self.tl0 = picture.tl0
        return True


def run_of(packet: Packet, rewriters: Sequence[RunningRewriter]) -> Run | None:
    """One that begins with this packet, joined by all of these; None if it is old or far ahead for one of them."""
    for rewriter in rewriters:
        rewriter.leave()
    if not rewriters or not all(0 <= _ahead(rewriter, packet) < MAX_LEAP for rewriter in rewriters):
        return None
    run = Run(packet, rewriters)
    for rewriter in rewriters:
        rewriter.run = run
    return run


def _ahead(rewriter: RunningRewriter, packet: Packet) -> int:
    """Of the packet that this line waits for."""
    return packet.extended + rewriter.sequence_offset - rewriter.next


def _pictures(rewriter: RunningRewriter, mask: int) -> tuple[int, int]:
    """The ids of the newest picture in the layer's numbers."""
    return (
        _theirs(rewriter.picture_id, rewriter.picture_offset, mask),
        _theirs(rewriter.tl0, rewriter.tl0_offset, _TL0),
    )


def _theirs(ours: int, offset: int, mask: int) -> int:
    """The layer's number of one of ours; -1 while there is none."""
    return ours - offset & mask if ours >= 0 else -1


def _shared(name: str, find: Callable[[RunningRewriter, Run], int]) -> Any:  # noqa: ANN401 - a property, which the class declares as a number
    """A number of `Rewriter` that the run knows while there is one. Whoever sets it leaves the run."""
    own = Rewriter.__dict__[name]

    def get(rewriter: RunningRewriter) -> int:
        run = rewriter.run
        return int(own.__get__(rewriter)) if run is None else find(rewriter, run)

    def put(rewriter: RunningRewriter, value: int) -> None:
        rewriter.leave()
        own.__set__(rewriter, value)

    return property(get, put)


class RunningRewriter(Rewriter):
    """A rewriter whose line may take part in a `run`: until it leaves, that one knows where it stands."""

    __slots__ = ("run",)

    next: int = _shared("next", lambda own, run: run.next + own.sequence_offset)
    last_timestamp: int = _shared("last_timestamp", lambda own, run: run.timestamp + own.timestamp_offset & _TIMESTAMP)
    packets: int = _shared("packets", lambda own, run: _PACKETS.__get__(own) + run.packets)
    octets: int = _shared("octets", lambda own, run: _OCTETS.__get__(own) + run.octets)
    picture_id: int = _shared(
        "picture_id",
        lambda own, run: _ours(run.picture_id, own.picture_offset, run.mask) if run.pictures else _OWN_ID.__get__(own),
    )
    tl0: int = _shared(
        "tl0", lambda own, run: _ours(run.tl0, own.tl0_offset, _TL0) if run.pictures else _OWN_TL0.__get__(own)
    )

    def __init__(self, ssrc: int, clock_rate: int, sequence: int, timestamp: int, extension_id: int = 0) -> None:
        self.run: Run | None = None
        super().__init__(ssrc, clock_rate, sequence, timestamp, extension_id)

    def leave(self) -> None:
        """Keep the numbers of its own line itself from now on."""
        run = self.run
        if run is None:
            return
        kept = self.next, self.last_timestamp, self.packets, self.octets, self.picture_id, self.tl0
        run.whole = False
        self.run = None
        self.next, self.last_timestamp, self.packets, self.octets, self.picture_id, self.tl0 = kept

    def add_octets(self, octets: int) -> None:
        """Of a packet of the run, to this line alone."""
        _OCTETS.__set__(self, _OCTETS.__get__(self) + octets)

    def begin(self, packet: Packet, payload_type: int, now_ns: int) -> None:
        """See `Rewriter`."""
        self.leave()
        super().begin(packet, payload_type, now_ns)

    def head(self, packet: Packet, number: int) -> bytes:
        """See `Rewriter`."""
        self.leave()
        return super().head(packet, number)


def _ours(theirs: int, offset: int, mask: int) -> int:
    return theirs + offset & mask if theirs >= 0 else -1
