# SPDX-License-Identifier: Apache-2.0
"""One subscriber's link: what it bears, and which layers of the people in its slots it gets."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import TYPE_CHECKING, Final, assert_never

from server.media.congestion.allocation import RAISE, Choice, Offered, Wanted, allocate
from server.media.congestion.fallback import Fallback
from server.media.congestion.feedback import MalformedFeedback
from server.media.overload import Shed
from server.media.sdp_codecs import CodecName
from server.ports import PauseReason

if TYPE_CHECKING:
    from aiortc.rtp import RtcpReceiverInfo

    from server.ids import ParticipantId
    from server.media.line import Line
    from server.media.peer import Peer
    from server.media.streams import Layer

VOICE_BPS: Final = 40_000
"""Kept for voices even while nobody speaks."""

PACKET_BYTES: Final = 64
"""What the link carries around the payload of a voice: IP, UDP and RTP headers, our extension, the tag of SRTP."""

VOICE_MARGIN: Final = 1.05
VIDEO_MARGIN: Final = 1.05
"""For reports and repeats, and for the headers of a picture."""

WANTED_MARGIN: Final = RAISE * 1.1
"""A larger picture is taken only when there is a little more than it needs."""

THIN_BPS: Final = 350_000
COMFORTABLE_BPS: Final = 450_000
"""Below the first a voice goes out without its redundancy, which would double it; above the second with it again."""

LOSSY: Final = 0.01
THINNEST_BPS: Final = 130_000
"""With this share lost the redundancy is worth its room, down to here."""

REVIEW_NS: Final = 1_000_000_000
"""Layers come, go and change their rate: choices are looked at again after this time."""

QUICK_REVIEW_NS: Final = 100_000_000
SHIFT: Final = 0.05
"""A change of the estimate by this share is worth a look before `REVIEW_NS`."""

STALLED_NS: Final = 300_000_000
"""A layer that is silent for this long while a smaller one comes has stopped: its publisher's uplink got narrow. So it
did when too much of it is lost."""

URGENT_MS: Final = 60.0
"""Above this queue a picture that must shrink stops at once; below, it goes on until the smaller one's keyframe."""

LARGEST_PADDING: Final = 1_200
MOST_PADDING_PACKETS: Final = 40
NS: Final = 1_000_000_000


class Downlink:
    """Joins feedback, estimate, probes and allocation for one peer.

    `keyframe` is called for each layer that a line newly waits for; `retell` when the reason of a pause changed outside
    of `reallocate`. Voices are never paused here: their share is taken off before pictures get theirs.
    """

    __slots__ = (
        "_allocated_ns", "_enough_bps", "_estimated_bps", "_fallback", "_fed", "_heard_ns", "_heard_octets",
        "_keyframe", "_now_ns", "_octets", "_peer", "_retell", "_sent_bps", "_ticked_ns", "_voices_bps",
        "_wanted_bps", "estimator", "shed",
    )  # fmt: skip

    def __init__(self, peer: Peer, keyframe: Callable[[Layer], None], retell: Callable[[ParticipantId], None]) -> None:
        self._peer = peer
        self._keyframe = keyframe
        self._retell = retell
        self._fed = peer.estimator()
        """What takes in feedback, should any come."""
        self.estimator = self._fed
        """What is believed; None: the fallback."""
        self.shed = Shed.NOTHING
        self._fallback = Fallback()
        self._now_ns = 0
        self._ticked_ns = 0
        self._allocated_ns = 0
        self._estimated_bps = 0.0
        self._enough_bps = inf
        self._octets = 0
        self._heard_ns = 0
        self._heard_octets = 0
        self._voices_bps = float(VOICE_BPS)
        self._sent_bps = 0.0
        self._wanted_bps = 0.0

    @property
    def target_bps(self) -> float:
        """What the whole connection may take."""
        return self.estimator.target_bps if self.estimator is not None else self._fallback.target_bps

    @property
    def probing(self) -> bool:
        """Whether `probe` should be called every 10 ms or so."""
        return self.estimator is not None and self.estimator.prober.sending

    def transport_feedback(self, data: bytes, now_ns: int) -> None:
        """One transport-wide feedback message; one that cannot be read says nothing."""
        self._now_ns = now_ns
        if self._fed is None:
            return
        try:
            self._fed.feedback(data, now_ns)
        except MalformedFeedback:
            return
        if self._fed.fed_ns == now_ns:
            self.estimator = self._fed
        self._review(now_ns)

    def remb(self, bits_per_second: int, now_ns: int) -> None:
        """The receiver's own estimate; with transport-wide feedback we know better."""
        self._now_ns = now_ns
        self._doubt(now_ns)
        if self.estimator is None:
            self._fallback.remb(bits_per_second, self._sent_bps, now_ns)

    def receiver_report(self, blocks: list[RtcpReceiverInfo], now_ns: int) -> None:
        """Loss of some lines (RFC 3550 section 6.4.1)."""
        self._now_ns = now_ns
        self._doubt(now_ns)
        if self.estimator is None:
            self._fallback.report(max(block.fraction_lost for block in blocks) / 256, now_ns)

    def moved(self) -> None:
        """The client has another path: Wi-Fi became mobile."""
        if self._fed is not None:
            self._fed.moved()

    def tick(self, now_ns: int) -> None:
        """Every 100 ms or so."""
        self._now_ns = now_ns
        elapsed = now_ns - self._ticked_ns
        self._ticked_ns = now_ns
        self._listen(now_ns)
        if self.estimator is not None:
            self.estimator.tick(now_ns)
            self.probe(now_ns)
        elif elapsed < NS:
            self._measure(elapsed)
            self._fallback.tick(self._sent_bps, self._wanted_bps, elapsed, now_ns)
        self._review(now_ns, stalled=any(_waits_in_vain(video, now_ns) for _, video in self._peer.slots))

    def probe(self, now_ns: int) -> None:
        """Send the padding that is due, on whichever line takes it."""
        if self.estimator is None:
            return
        due = self.estimator.padding(now_ns)
        if due <= 0:
            return
        lines = [video for _, video in self._peer.slots]
        lines.sort(key=lambda line: (line.flowing is None, line.rank))
        for line in lines:
            for _ in range(MOST_PADDING_PACKETS):
                sent = line.pad(min(due, LARGEST_PADDING), now_ns)
                if not sent:
                    break
                self.estimator.prober.spent(sent)
                due -= sent
                if due <= 0:
                    return

    def reallocate(self) -> None:
        """Choose the layer of every picture for the present slots, tiles and estimate. Cheap, and synchronous.

        Which lines wait for a keyframe then is in their `awaited`: asking for it is left to the caller.
        """
        self._allocated_ns = self._now_ns
        self._estimated_bps = self.target_bps
        lines = [video for _, video in self._peer.slots if _shown(video)]
        voices = self._voices_bps
        lossy = self.estimator is not None and max(self.estimator.loss, self.estimator.inherent_loss) > LOSSY
        for audio, _ in self._peer.slots:
            thin = THINNEST_BPS if lossy else THIN_BPS if audio.redundant else COMFORTABLE_BPS
            audio.redundant = CodecName.RED in audio.formats and self._estimated_bps > thin
        wanted = [self._wanted(line) for line in lines]
        before = [_present(line) for line in lines]
        allotment = allocate(self._estimated_bps - voices, wanted, before)
        # From here on more changes nothing: neither pictures nor the redundancy of voices.
        enough = max(COMFORTABLE_BPS, RAISE * allotment.desired_bps + voices)
        self._enough_bps = enough if allotment.complete and self._estimated_bps > COMFORTABLE_BPS else inf
        self._wanted_bps = WANTED_MARGIN * (allotment.desired_bps + voices) if wanted else 0.0
        if self.estimator is not None:
            self.estimator.want(allotment.desired_bps + voices if wanted else 0)
        urgent = self.estimator is not None and self.estimator.queue_ms > URGENT_MS
        for line, choice in zip(lines, allotment.choices, strict=True):
            _apply(line, choice, urgent=urgent)

    def _review(self, now_ns: int, *, stalled: bool = False) -> None:
        since, target = now_ns - self._allocated_ns, self.target_bps
        shifted = target < self._enough_bps and abs(target - self._estimated_bps) > SHIFT * self._estimated_bps
        if since < QUICK_REVIEW_NS or not (shifted or stalled or since >= REVIEW_NS):
            return
        before = [(video.awaited, video.paused) for _, video in self._peer.slots]
        self.reallocate()
        after = [(video.awaited, video.paused) for _, video in self._peer.slots]
        for was, now in zip(before, after, strict=True):
            if now[0] is not None and now[0] is not was[0]:
                self._keyframe(now[0])
        if any(was[1] is not now[1] for was, now in zip(before, after, strict=True)):
            self._retell(self._peer.participant)

    def _listen(self, now_ns: int) -> None:
        """Once a second, what voices really take: with or without redundancy, silences and all."""
        elapsed = now_ns - self._heard_ns
        if elapsed < NS:
            return
        octets = sum(audio.rewriter.octets + PACKET_BYTES * audio.rewriter.packets for audio, _ in self._peer.slots)
        self._voices_bps = max(VOICE_BPS, VOICE_MARGIN * (octets - self._heard_octets) * 8 * NS / elapsed)
        self._heard_octets, self._heard_ns = octets, now_ns

    def _wanted(self, line: Line) -> Wanted:
        layers = line.source.layers if line.source is not None else ()
        return Wanted(
            tuple(_offered(layer, self._now_ns) for layer in layers),
            line.height,
            line.rank,
            line.pinned,
            _limit(self.shed, len(layers), favoured=line.pinned or line.rank == 0),
        )

    def _doubt(self, now_ns: int) -> None:
        """Ask with each report of the client whether feedback is still to be expected."""
        if self.estimator is not None and self._fallback.needed(self.estimator, now_ns):
            self.estimator.prober.cancel()
            self.estimator = None
            self._octets, self._sent_bps = self._sent_octets(), 0.0

    def _sent_octets(self) -> int:
        return sum(line.rewriter.octets for line in self._peer.lines.values())

    def _measure(self, elapsed_ns: int) -> None:
        octets = self._sent_octets()
        rate = (octets - self._octets) * 8 * NS / max(1, elapsed_ns)
        self._octets = octets
        self._sent_bps += (rate - self._sent_bps) * min(1.0, elapsed_ns / NS)


def _shown(line: Line) -> bool:
    """Whether there is a picture to choose a layer for."""
    return line.source is not None and not line.hidden and line.plays(line.source)


def _offered(layer: Layer, now_ns: int) -> Offered:
    rate = 0 if _stalled(layer, now_ns) else int(VIDEO_MARGIN * layer.meter.steady_bps(now_ns))
    return Offered(rate, layer.height)


def _stalled(layer: Layer, now_ns: int) -> bool:
    if now_ns - layer.arrived_ns <= STALLED_NS and not layer.holes.hopeless(layer.statistics.received):
        return False
    return any(now_ns - smaller.arrived_ns <= STALLED_NS for smaller in layer.source.layers[: layer.index])


def _waits_in_vain(line: Line, now_ns: int) -> bool:
    """Whether nothing comes of what is awaited, or of what flows while nothing else is awaited."""
    layer = line.awaited or line.flowing
    return layer is not None and layer.index > 0 and _stalled(layer, now_ns)


def _present(line: Line) -> Choice:
    chosen = line.chosen
    return chosen.index if chosen is not None else line.paused or PauseReason.BANDWIDTH


def _apply(line: Line, choice: Choice, *, urgent: bool) -> None:
    if isinstance(choice, PauseReason):
        line.paused = choice
        if line.chosen is not None:
            line.choose(None)
        return
    line.paused = None
    layer = line.source.layers[choice] if line.source is not None else None
    if layer is None or layer is line.chosen:
        return
    if urgent and line.flowing is not None and layer.index < line.flowing.index:
        line.choose(None)
    line.choose(layer)


def _limit(shed: Shed, layers: int, *, favoured: bool) -> int:
    """The highest layer that an overloaded worker still forwards; -1 for none."""
    match shed:
        case Shed.NOTHING:
            return layers
        case Shed.LARGE:
            return max(0, layers - 2)
        case Shed.MIDDLE:
            return 0
        case Shed.MOST:
            return 0 if favoured else -1
        case Shed.ALL_PICTURES:
            return -1
        case _:
            assert_never(shed)
