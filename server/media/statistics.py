# SPDX-License-Identifier: Apache-2.0
"""What a worker can tell of one peer: its counters as structs, and once a second how its connection does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from server.media.channel import LayerStats, PeerStats, SlotStats
from server.media.quality import LastSecond, Watchman
from server.ports import PauseReason

if TYPE_CHECKING:
    from aiortc.rtp import RtcpReceiverInfo

    from server.media.line import Line
    from server.media.peer import Peer
    from server.media.streams import Layer

LEAST_EXPECTED: Final = 20
"""Packets a second that must have been due before a share of them means anything."""

_NTP_MIDDLE: Final = 0xFFFFFFFF
_MAX_RTT_MS: Final = 10_000.0


class Reported:
    """What a subscriber's receiver reports say of what we send (RFC 3550 section 6.4.1)."""

    __slots__ = ("_losses", "rtt_ms")

    def __init__(self) -> None:
        self.rtt_ms = 0.0
        """Smoothed; 0 until a report tells."""
        self._losses: list[int] = []

    def add(self, blocks: list[RtcpReceiverInfo], now_ntp: int) -> None:
        """Blocks that came at `now_ntp`, our clock in units of 2**-32 s."""
        for block in blocks:
            self._losses.append(block.fraction_lost)
            if block.lsr:
                units = (now_ntp >> 16) - block.lsr - block.dlsr & _NTP_MIDDLE
                sample_ms = units * 1000 / 65_536
                if sample_ms < _MAX_RTT_MS:
                    self.rtt_ms += (sample_ms - self.rtt_ms) / 4 if self.rtt_ms else sample_ms

    def take_loss(self) -> float:
        """The share lost on all lines since the last call, 0 when nothing was reported."""
        losses, self._losses = self._losses, []
        return sum(losses) / len(losses) / 256 if losses else 0.0


class Observer:
    """Watches one peer; `look` is called once a second."""

    __slots__ = ("_peer", "_seen", "watchman")

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self._seen: dict[Layer, tuple[int, int]] = {}
        self.watchman = Watchman()

    def look(self) -> LastSecond:
        """The last second of this connection."""
        peer = self._peer
        layers = [layer for source in peer.sources.values() for layer in source.layers]
        estimator = peer.downlink.estimator if peer.downlink is not None else None
        pictures = [video for _, video in peer.slots]
        return LastSecond(
            up_loss=max(map(self._lost, layers), default=0.0),
            up_jitter_ms=max(map(_jitter_ms, (layer for layer in layers if layer.lines)), default=0.0),
            down_loss=peer.reported.take_loss(),
            queue_ms=estimator.queue_ms if estimator is not None else 0.0,
            rtt_ms=peer.reported.rtt_ms,
            target_bps=estimator.target_bps if estimator is not None else None,
            paused=sum(line.paused is PauseReason.BANDWIDTH for line in pictures),
        )

    def stats(self, now_ns: int) -> PeerStats:
        """Everything there is to tell of this peer."""
        peer = self._peer
        downlink = peer.downlink
        estimator = downlink.estimator if downlink is not None else None
        return PeerStats(
            peer=peer.id,
            room=peer.room,
            rtt_ms=round(peer.reported.rtt_ms, 1),
            target_bps=int(downlink.target_bps) if downlink is not None else 0,
            delivered_bps=int(estimator.delivered_bps) if estimator is not None else 0,
            queue_ms=round(estimator.queue_ms, 1) if estimator is not None else 0.0,
            up=self.watchman.told.up,
            down=self.watchman.told.down,
            refused=peer.budget.refused + sum(source.budget.refused for source in peer.sources.values()),
            layers=tuple(
                _layer(purpose.value, layer, now_ns)
                for purpose, source in peer.sources.items()
                for layer in source.layers
                if layer.statistics.received
            ),
            slots=tuple(
                _slot(index, audio, video)
                for index, (audio, video) in enumerate(peer.slots)
                if audio.source is not None or video.source is not None
            ),
        )

    def _lost(self, layer: Layer) -> float:
        """Share of the packets of a layer that did not come in the last second, after repair."""
        expected, received = layer.statistics.expected, layer.statistics.received
        before_expected, before_received = self._seen.get(layer, (expected, received))
        self._seen[layer] = expected, received
        due = expected - before_expected
        return max(0.0, 1 - (received - before_received) / due) if due >= LEAST_EXPECTED else 0.0


def _jitter_ms(layer: Layer) -> float:
    return layer.statistics.jitter * 1000 / layer.clock_rate


def _layer(line: str, layer: Layer, now_ns: int) -> LayerStats:
    return LayerStats(
        line=line,
        rid=layer.rid,
        bitrate_bps=layer.bitrate_bps(now_ns),
        height=layer.height,
        packets=layer.statistics.received,
        lost=layer.statistics.lost(),
        jitter_ms=round(_jitter_ms(layer), 2),
        keyframes=layer.keyframes,
        subscribers=len(layer.lines),
    )


def _slot(index: int, audio: Line, video: Line) -> SlotStats:
    flowing = video.flowing
    return SlotStats(
        index=index,
        layer=flowing.index if flowing is not None else None,
        height=flowing.height if flowing is not None else 0,
        wanted_height=video.height,
        paused=video.paused,
        audio_packets=audio.rewriter.packets,
        video_packets=video.rewriter.packets,
        video_octets=video.rewriter.octets,
        resent=video.resent,
        padded_octets=video.padded,
        switches=video.switches,
    )
