# SPDX-License-Identifier: Apache-2.0
"""What is done for one peer by the clock, for each at a time of its own: nothing waits for the work of all of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from server.media.channel import FromWorker, QualityChanged
from server.media.forwarder import Forwarder
from server.media.peer import Peer
from server.media.rtcp import layered_bps, picture_bps, receiver_estimate, receiver_report, report_block
from server.media.statistics import Observer

TICKS_PER_SECOND: Final = 20
_ARRIVALS_EVERY: Final = 2
_SCARCE_EVERY: Final = 5
"""Ticks between feedback to a publisher, and over a narrow link: 100 and 250 ms. libwebrtc's own end goes from 50 to
250 ms, so that feedback takes a twentieth of a link; on one of 64 kbit/s more than that is missing in the voice."""

NARROW_BPS: Final = 200_000
_STATS_EVERY_S: Final = 5


class Upkeep:
    """`tick` is called `TICKS_PER_SECOND` times a second with the number of the tick."""

    __slots__ = ("_emit", "_forwarder", "_observer", "_peer", "_phase", "pictures")

    def __init__(self, peer: Peer, forwarder: Forwarder, emit: Callable[[FromWorker], None]) -> None:
        self.pictures: int | None = None
        """How many people are seen in its placement; None: not known yet."""
        self._peer = peer
        self._forwarder = forwarder
        self._emit = emit
        self._observer = Observer(peer)
        self._phase = peer.ssrc >> 1

    def tick(self, ticks: int, now_ns: int) -> None:
        """Feedback to the publisher and a look at the subscriber's link in turns; what is missing, every time."""
        peer, turn = self._peer, ticks + self._phase
        downlink = peer.downlink
        narrow = downlink is not None and downlink.target_bps < NARROW_BPS
        if not (turn + 1) % (_SCARCE_EVERY if narrow else _ARRIVALS_EVERY):
            peer.send_arrivals()
        if downlink is not None and not turn & 1:
            downlink.tick(now_ns)
        for layer in peer.camera.layers if peer.camera is not None else ():
            if layer.lines or layer.pending:
                self._forwarder.request_missing(layer, now_ns)
                self._forwarder.pace_keyframes(layer, now_ns)
        if not turn % TICKS_PER_SECOND:
            self._every_second(turn // TICKS_PER_SECOND, now_ns)

    def _every_second(self, second: int, now_ns: int) -> None:
        self._report_to_publisher(now_ns)
        self._peer.send_sender_reports(now_ns)
        observer = self._observer
        verdict = observer.watchman.look(observer.look())
        if verdict is not None:
            self._emit(QualityChanged(self._peer.id, verdict.up, verdict.down, verdict.reason))
        if not second % _STATS_EVERY_S:
            self._emit(observer.stats(now_ns))

    def _report_to_publisher(self, now_ns: int) -> None:
        """What came of what it sent, and how much of a picture it may send: without both its encoder stays low."""
        peer = self._peer
        sending = [
            (ssrc, layer)
            for source in peer.sources.values()
            for layer in source.layers
            if (ssrc := layer.ssrc) and layer.statistics.received
        ]
        if not sending or self.pictures is None:
            return
        blocks = [report_block(ssrc, layer.statistics, layer.report, now_ns) for ssrc, layer in sending]
        pictures = [ssrc for ssrc, layer in sending if layer.source is peer.camera]
        estimate = receiver_estimate(peer.ssrc, _allowed_bps(peer, self.pictures), pictures) if pictures else b""
        peer.send_rtcp(receiver_report(peer.ssrc, blocks) + estimate)


def _allowed_bps(peer: Peer, pictures: int) -> int:
    """What the camera of this peer may send, all layers together, when so many are seen in its placement."""
    layers = peer.camera.layers if peer.camera is not None else ()
    if len(layers) < 2:
        return picture_bps(pictures)
    return layered_bps(pictures, watched=any(layer.lines or layer.pending for layer in layers))
