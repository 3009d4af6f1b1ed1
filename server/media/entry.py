# SPDX-License-Identifier: Apache-2.0
"""Where the packets of one peer come in: makes what is counted and kept of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from server.media.budget import Budget, budget_of_peer, budget_of_source
from server.media.congestion.arrivals import Arrivals
from server.media.streams import Layer
from server.media.voices import Voice

if TYPE_CHECKING:
    from server.ids import ParticipantId
    from server.media.dtls import SrtpPair
    from server.media.sdp_codecs import MediaKind
    from server.media.streams import Source


class Entry:
    """Of the pure path. `budget` is that of everything the peer sends."""

    def __init__(self) -> None:
        self.budget: Budget = budget_of_peer(Budget)

    def keys(self, srtp: SrtpPair | None) -> None:
        """Nothing gets in without keys."""

    def let_go(self) -> None:
        """Nothing will come in any more: see `Peer.let_go`."""

    def arrivals(self, number_id: int) -> Arrivals:  # noqa: ARG002 - who parses packets elsewhere needs it
        """Of packets with a transport-wide number in the header extension with this id."""
        return Arrivals()

    def source_budget(self, kind: MediaKind) -> Budget:
        """Of one track."""
        return budget_of_source(kind, Budget)

    def voice(self, participant: ParticipantId, level_id: int | None) -> Voice:
        """Of a microphone; `level_id` of the header extension with the level, None when it does not say it."""
        return Voice(participant, level_id)

    def layer(self, source: Source, index: int, rid: str, ssrc: int | None, rtx_ssrc: int | None) -> Layer:
        """One RTP stream of a track."""
        return Layer(source, index, rid, ssrc, rtx_ssrc)
