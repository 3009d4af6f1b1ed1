# SPDX-License-Identifier: Apache-2.0
"""Ports: what the runner and the gateway need from the outside, with the guarantee each must give.

Every port has at least two adapters that pass the same contract suite.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, Final, NewType, Protocol

from msgspec import Meta, Struct

from server.ids import ParticipantId, PeerId, Placement, RoomId
from server.rooms.events import Event
from server.rooms.routes import RouteGroup
from server.rooms.state import RoomState

Epoch = NewType("Epoch", int)
"""Which life of a room's log this is. A changed epoch means: resync, do not resume."""

Seq = NewType("Seq", int)
"""Position in a room's log: the number of entries committed so far in this epoch. 0: nothing yet."""


class Entry(Struct, frozen=True, omit_defaults=True, gc=False):
    """The smallest unit that is committed: all events of one command (or time-out), or none of them.

    `command` is the key of the participant's (or the system's) command, or the name of a time-out; a retry carries the
    same one, so that it has one effect. `at_ms` is the log time of the decision, never below that of the entry before.
    `events` is empty if there was nothing left to change. `trace`: with it other nodes continue the trace of the
    command (W3C Trace Context); empty if it is not traced.

    A room keeps hundreds: `gc` spares the collector the walk through them, for no cycle goes through plain data.
    """

    command: str
    at_ms: int
    events: tuple[Event, ...]
    trace: str = ""


class Appended(Struct, frozen=True, tag="appended"):
    """Every entry was stored, in order, from `expected_seq + 1` on.

    `safe`: False where a hard batch has not been confirmed by a replica in time: it counts, but a failover now may undo
    it.
    """

    safe: bool = True


class Duplicates(Struct, frozen=True, tag="duplicates"):
    """The position is current, but commands of the batch are in the log already, at these positions (None: not there).

    Nothing was stored: what follows a duplicate was decided as if it had not happened yet.
    """

    seqs: tuple[Seq | None, ...]


class Conflict(Struct, frozen=True, tag="conflict"):
    """Somebody else appended first. Nothing was stored; `missing` follow `expected_seq` (maybe cut short: read on)."""

    missing: tuple[Entry, ...]


class EpochChanged(Struct, frozen=True, tag="epoch_changed"):
    """This life of the room is over; load it anew. Nothing was stored. Epoch 0: the log does not know the room."""

    epoch: Epoch


class Trimmed(Struct, frozen=True, tag="trimmed"):
    """The log cannot tell what follows this position: it no longer keeps it, or never came that far. Load anew."""


AppendOutcome = Appended | Duplicates | Conflict | EpochChanged
ReadOutcome = tuple[Entry, ...] | Trimmed | EpochChanged


class Loaded(Struct, frozen=True):
    """A room as the log has it: a snapshot (taken at log time `at_ms`), and the entries after it."""

    epoch: Epoch
    snapshot_seq: Seq
    snapshot: RoomState
    entries: tuple[Entry, ...]
    at_ms: int = 0


class LogUnavailable(Exception):
    """The log did not answer in time. Whether an append took effect is unknown: read before saying anything."""


Hint = Callable[[Epoch, Seq, tuple[Entry, ...]], None]
"""Called with the entries of one append, and the position of the first, soon after they are stored.

Nothing is guaranteed: it may come before the reply to that append, late, twice or never. Without entries it only says
where the log stood: right before position `first` of this epoch. Epoch 0: the room is gone or has a new life, load it.
"""


class RoomLog(Protocol):
    """The only truth about rooms: one ordered, fenced, idempotent log for each room.

    Each call is atomic, and sees every append that was answered before the call began. No call is repeated by the
    adapter. Nothing but `LogUnavailable` is raised.
    """

    async def create(self, room: RoomId, snapshot: RoomState, *, wake_ms: int | None = None) -> Loaded:
        """Start the log of a room unless it exists; returns what is there after that. `wake_ms`: as for `append`.

        A new life has an epoch higher than any before, of this room.
        """

    async def load(self, room: RoomId) -> Loaded | None:
        """The room as it stands, or None if it was never created or has been forgotten."""

    async def append(  # noqa: PLR0913 - each is a part of the compare-and-append
        self,
        room: RoomId,
        epoch: Epoch,
        expected_seq: Seq,
        entries: tuple[Entry, ...],
        snapshot: RoomState | None = None,
        *,
        wake_ms: int | None = None,
        hard: bool = False,
        news: tuple[bytes, ...] = (),
    ) -> AppendOutcome:
        """Append all entries, or none. Checked in this order: epoch, position, commands (remembered for a while).

        `snapshot` is the state after the batch, and replaces the stored one. No command comes twice in a batch.
        `wake_ms`: when the room has to be looked at even if nobody has loaded it; replaces the one before.
        `hard`: wait a little until a replica has it, where there are replicas. `news`: kept with the entries, or not at
        all, until it is told (`webhooks.ports.NewsStand`).
        Raises LogUnavailable when the outcome is unknown (the append may then still take effect later), and when log
        time would go back.
        """

    async def restore(
        self, room: RoomId, epoch: Epoch, seq: Seq, state: RoomState, *, wake_ms: int | None = None, at_ms: int = 0
    ) -> Loaded | None:
        """Load a room anew, for a node that has seen it reach `state` at this position; None if it was forgotten.

        If the log has lost the room, or knows less of it, a new life begins from this state. Several nodes may offer
        theirs: the first one wins, unless a later one knows more and nothing has happened since. All of them get what
        stands then. `at_ms`: log time of the entry at this position. A state so old that the log may no longer remember
        the end of its session brings nothing back: whoever offers it has slept since.
        """

    async def due(self, now_ms: int, limit: int, share: tuple[int, int] = (0, 1)) -> list[RoomId]:
        """At most about `limit` rooms whose `wake_ms` has come; `share` (i, n): of one of n parts of all rooms."""

    async def rooms(self, limit: int, after: RoomId | None = None) -> list[RoomId]:
        """The first `limit` rooms behind `after`, in an order of the log's own; one may have just ceased to be."""

    async def read(self, room: RoomId, epoch: Epoch, after: Seq) -> ReadOutcome:
        """The entries after this position. Raises LogUnavailable."""

    def subscribe(self, room: RoomId, hint: Hint) -> Callable[[], None]:
        """Ask for hints; the returned function ends that."""

    async def forget(self, room: RoomId, epoch: Epoch, *, over: bool = True) -> None:
        """Erase everything about this life of a room; no error if there is nothing, or another life.

        A life that was restored from this one goes with it. `over`: its session is, and `ended` says so.
        """

    async def ended(self, room: RoomId) -> bool:
        """Whether the log does not know this room because its session is over; remembered for a while."""


class Clock(Protocol):
    """Log time: monotonic, in integer milliseconds, shared by all nodes of a log."""

    def now_ms(self) -> int:
        """The present."""


# -- media -------------------------------------------------------------------------------------------------------------

MAX_TILES: Final = 64
MAX_TILE_HEIGHT: Final = 4320
MAX_VOICES: Final = 3
"""How many are heard at once, beside those who are awaited, by somebody with fewer slots than there are people."""
MAX_LEVELS: Final = 16
"""How many people `VoicesHeard` names."""


class PeerAnswered(Struct, frozen=True, tag="peer_answered"):
    """The SDP answer; complete, no candidate follows (ICE-lite)."""

    peer: PeerId
    sdp: str
    slots: int


class PeerRefused(Struct, frozen=True, tag="peer_refused"):
    """The offer cannot be answered; `reason` is a stable word, never a part of the SDP."""

    peer: PeerId
    reason: str


class PeerConnected(Struct, frozen=True, tag="peer_connected"):
    """ICE and DTLS are up: media can flow."""

    peer: PeerId


class PeerClosed(Struct, frozen=True, tag="peer_closed"):
    """The peer is gone; `reason` is one of closed, consent_expired, dtls_closed, replaced, worker_lost, moved."""

    peer: PeerId
    reason: str


class PeerAdopted(Struct, frozen=True, tag="peer_adopted"):
    """The peer that was asked for with `adopt`; what was last reported of it follows."""

    peer: PeerId
    participant: ParticipantId


class PeerMissing(Struct, frozen=True, tag="peer_missing"):
    """The participant that was asked for with `adopt` has no peer."""

    participant: ParticipantId


class MediaPath(StrEnum):
    """Which code brings media packets to everybody."""

    AUTO = "auto"
    """The compiled one where it has been built."""
    PURE = "pure"
    COMPILED = "compiled"


class PauseReason(StrEnum):
    """Why the picture of a slot does not flow although the room lets it through."""

    BANDWIDTH = "bandwidth"
    """The subscriber's link does not bear it."""
    HIDDEN = "hidden"
    """The client does not show it."""
    OVERLOAD = "overload"
    """The server has more to send than it can."""
    CODEC = "codec"
    """The subscriber cannot decode what the publisher sends."""


class Slot(Struct, frozen=True):
    """What one pre-negotiated pair of receive lines carries; `source` None: nothing.

    `audio` and `video`: what the room lets through. `paused`: why the picture does not flow all the same; null when it
    flows, or when the room lets no picture through. The voice is never paused.
    """

    index: int
    source: ParticipantId | None
    audio: bool
    video: bool
    paused: PauseReason | None = None


class SlotsChanged(Struct, frozen=True, tag="slots_changed"):
    """Sent for each subscriber whose slots changed, before the first packet of the new source.

    `revision` is that of the routes it follows from. Only non-empty slots are listed.
    """

    peer: PeerId
    revision: int
    slots: tuple[Slot, ...]


class Tile(Struct, frozen=True, forbid_unknown_fields=True):
    """A person whom a client shows. `height` is that of the picture in device pixels, 0: as small as there is.

    `pinned`: the person at this client chose it; its picture is the last one to be paused or made smaller.
    """

    participant: Annotated[ParticipantId, Meta(min_length=1, max_length=64)]
    height: Annotated[int, Meta(ge=0, le=MAX_TILE_HEIGHT)]
    pinned: bool = False


class Watch(Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="watch"):
    """Whom a client shows, and how large; replaces the one before.

    `tiles`: people, most important first. `others`: for how many more it has room, whom the server chooses, at
    `others_height`. Who is in neither gets no picture (`paused`: `hidden`); their voice goes on.
    """

    tiles: Annotated[tuple[Tile, ...], Meta(max_length=MAX_TILES)]
    others: Annotated[int, Meta(ge=0, le=MAX_TILES)]
    others_height: Annotated[int, Meta(ge=0, le=MAX_TILE_HEIGHT)]


UNTOLD: Final = Watch(tiles=(), others=MAX_TILES, others_height=360)
"""What is taken to be shown until the client says it."""


class VoiceLevel(Struct, frozen=True):
    """Loudest level of a participant since the last report: 0 (loud) to 127 (silence), RFC 6464."""

    participant: ParticipantId
    level: int


class VoicesHeard(Struct, frozen=True, tag="voices_heard"):
    """At most five times a second per placement, only people whose audio is forwarded and not silent.

    The `MAX_LEVELS` loudest, loudest first.
    """

    room: RoomId
    placement: Placement
    levels: tuple[VoiceLevel, ...]


class Quality(StrEnum):
    """How well one direction of a person's connection does."""

    GOOD = "good"
    WEAK = "weak"
    """Others may notice now and then."""
    POOR = "poor"
    """Words get lost."""


class QualityReason(StrEnum):
    """What is the matter with a connection."""

    LOSS = "loss"
    DELAY = "delay"
    BANDWIDTH = "bandwidth"


class QualityChanged(Struct, frozen=True, tag="quality_changed"):
    """A peer's connection does otherwise than was told before; at first it is good.

    `up`: what the person sends. `down`: what they get. `reason`: of the worse one, None when both are good.
    """

    peer: PeerId
    up: Quality
    down: Quality
    reason: QualityReason | None


PeerReport = PeerAnswered | PeerRefused | PeerConnected | PeerClosed | SlotsChanged | QualityChanged
"""What is reported of a peer to whom opened or adopted it."""

MediaReport = PeerReport | PeerAdopted | PeerMissing | VoicesHeard


class MediaPlane(Protocol):
    """What forwards packets between the peers of a room. No call waits; what comes of it is reported later.

    A room's routes say all that may flow: a peer whose participant is in no group neither sends nor receives.
    """

    def open_room(self, room: RoomId, sink: Callable[[MediaReport], None]) -> None:
        """Begin to carry a room; `sink` gets every report about it, and must not block."""

    def open_peer(self, peer: PeerId, room: RoomId, participant: ParticipantId, sdp: str) -> None:
        """Answer this offer, already checked with `check_offer`; replaces the participant's earlier peer.

        Raises CommandRejected with NO_MEDIA while nothing can take a peer.
        """

    def close_peer(self, peer: PeerId) -> None:
        """Stop everything from and to this peer at once; nothing more is reported of it."""

    def adopt(self, room: RoomId, participant: ParticipantId) -> None:
        """This participant's client is back and knows its peer, we do not: report `PeerAdopted` or `PeerMissing`."""

    def dismiss(self, room: RoomId, participant: ParticipantId) -> None:
        """This participant's client begins anew: close the peer that they have somewhere, if any, unreported."""

    def watch(self, peer: PeerId, watch: Watch) -> None:
        """Whom this peer's client shows from now on; `UNTOLD` until the first call."""

    def set_routes(self, room: RoomId, groups: tuple[RouteGroup, ...]) -> None:
        """All that may flow in this room from now on."""

    def close_room(self, room: RoomId) -> None:
        """The session is over: forget its peers and routes."""

    def check_offer(self, sdp: str) -> None:
        """Refuse an offer that cannot be answered: raises CommandRejected with BAD_OFFER. Pure and quick."""
