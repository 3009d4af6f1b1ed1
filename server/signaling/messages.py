# SPDX-License-Identifier: Apache-2.0
"""Schema root of the wire: every message between a client and the server, as typed structs.

The TypeScript types in `clients/web` and the tables of `PROTOCOL.md` are generated from here. Three Socket.IO event
names carry them: `command` (client to server, acknowledged), `event` (sequenced) and `notice` (unsequenced).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final

from msgspec import UNSET, Meta, Struct, UnsetType, field

from server.errors import (
    DISCONNECT_MESSAGES,
    REJECT_MESSAGES,
    CommandRejected,
    DisconnectCode,
    RejectCode,
    is_final,
)
from server.ids import CommandId, ParticipantId, RoomId
from server.ports import Epoch, Quality, QualityReason, Seq, Slot, VoiceLevel, Watch
from server.rooms.commands import Name, RoomCommand
from server.rooms.events import Event
from server.rooms.state import Agreement, CameraPolicy, Role, RoomView

PROTOCOL_VERSION: Final = 1
MAX_COMMAND_BYTES: Final = 16 * 1024
MAX_OFFER_BYTES: Final = 128 * 1024
MIN_CLAIM: Final = 22
"""As many characters as 128 random bits have in base64."""
MAX_MESH_SDP: Final = 12 * 1024
"""An offer of one microphone and one camera; it fits into a command."""


# -- connecting --------------------------------------------------------------------------------------------------------


class Resume(Struct, frozen=True, forbid_unknown_fields=True):
    """Come back to a seat: the position last seen, and the secret of the last Welcome, good until the next was used.

    `seq` 0 asks for a snapshot, as after a reload, when the page knows its secret and its epoch but no view.
    """

    epoch: Epoch
    seq: Seq
    secret: Annotated[str, Meta(max_length=128)]


class Connect(Struct, frozen=True, forbid_unknown_fields=True):
    """The Socket.IO `auth` payload. With a valid `resume` the token may have expired.

    `name` replaces the token's at the first join. `agreement` is the version the person accepted. `microphone` and
    `camera` tell what this client is sending right now (false after a reload). `claim` is a random text of the client's
    own, the same at each attempt before its first Welcome: with it a ticket that can be used once may be shown again.
    """

    token: Annotated[str, Meta(max_length=4096)]
    protocol: int
    name: Name | UnsetType = UNSET
    agreement: int = 0
    microphone: bool = False
    camera: bool = False
    resume: Resume | None = None
    claim: Annotated[str, Meta(min_length=MIN_CLAIM, max_length=64)] | UnsetType = UNSET


class ConnectRefused(Struct, frozen=True):
    """`data` of the Socket.IO connect error, and the body of a refused POST /api/tickets.

    `reason` is the code's name in lower case. `detail` is for the author of the client: with `bad_message`, what is
    wrong. Not to be shown.
    """

    code: DisconnectCode
    reason: str
    message: str
    reconnect: bool
    detail: str = ""


# -- command -----------------------------------------------------------------------------------------------------------


class MediaOffer(Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="media_offer"):
    """A complete SDP offer for the one RTCPeerConnection; the answer comes as `media_answer` with the same number."""

    offer: int
    sdp: Annotated[str, Meta(max_length=MAX_OFFER_BYTES)]


ConnectionName = Annotated[str, Meta(max_length=32)]


class SdpType(StrEnum):
    """RTCSdpType, without those that nobody sends."""

    OFFER = "offer"
    ANSWER = "answer"


class Description(Struct, frozen=True, forbid_unknown_fields=True):
    """An RTCSessionDescription for the other person of a mesh room."""

    type: SdpType
    sdp: Annotated[str, Meta(max_length=MAX_MESH_SDP)]


class Candidate(Struct, frozen=True, forbid_unknown_fields=True):
    """An RTCIceCandidate; an empty `candidate` ends them."""

    candidate: Annotated[str, Meta(max_length=1024)]
    mid: Annotated[str, Meta(max_length=16)]


class PeerSignal(Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="peer_signal"):
    """In a room whose `media_mode` is a mesh: word for the other's RTCPeerConnection, who gets it as `peer_said`.

    `connection`: a random name of one's own RTCPeerConnection. `other`: that of the one it is for, empty as long as it
    is not known; then neither description nor candidate means: here I am, offer.
    """

    to: ParticipantId
    connection: ConnectionName
    other: ConnectionName = ""
    description: Description | None = None
    candidate: Candidate | None = None


class Playback(Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="playback"):
    """What the person has really seen and heard since this page connected its media: totals, at most every 10 s.

    `freezes` and `frozen_ms`: pictures that stood still. `concealed_ms` of `played_ms` of sound were made up.
    """

    freezes: Annotated[int, Meta(ge=0)]
    frozen_ms: Annotated[int, Meta(ge=0)]
    concealed_ms: Annotated[int, Meta(ge=0)]
    played_ms: Annotated[int, Meta(ge=0)]


class Resync(Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="resync"):
    """Ask for a snapshot, after a gap in `from`/`to`."""


ClientCommand = RoomCommand | MediaOffer | Watch | Playback | PeerSignal | Resync


class CommandFrame(Struct, frozen=True, forbid_unknown_fields=True):
    """The one argument of `command`. A retry carries the same `id`, which has one effect only."""

    id: Annotated[CommandId, Meta(min_length=1, max_length=64)]
    command: ClientCommand


class Ok(Struct, frozen=True, tag_field="type", tag="ok"):
    """Committed; `seq` is the position of its entry in the log (for commands without an entry: the present one).

    `safe` false: applied, but not yet safe. It was one of the commands that must not be undone (removal, role, phase,
    breakouts, admission, end), and no second copy of the log has confirmed it: if the first one fails right now, it may
    be lost. Look at the room again before relying on it.
    """

    seq: Seq
    safe: bool = True


class Reject(Struct, frozen=True, tag_field="type", tag="reject"):
    """Refused; nothing has changed. `reason` is the code's name in lower case, `message` plain English.

    `detail` is for the author of the client: which field is wrong, or which problem an offer has. Not to be shown.
    """

    code: RejectCode
    reason: str
    message: str
    retry_after_ms: int | None = None
    detail: str = ""


Acknowledgement = Ok | Reject


# -- event -------------------------------------------------------------------------------------------------------------


class IceServer(Struct, frozen=True):
    """TURN servers for the RTCConfiguration of a client, with a credential that soon ends."""

    urls: tuple[str, ...]
    username: str
    credential: str


class Welcome(Struct, frozen=True, tag_field="type", tag="welcome"):
    """First `event` of every connection: who one is, where the log stands, and the room.

    Exactly one of `view` (a snapshot) and `tail` (the events missed since `resume.seq`) is set. `relay_only`: media may
    go through `ice_servers` only. `others`: addresses of further servers that know this room, such as
    https://b.example.org, to resume at when this one is gone; empty if the address in use leads to a living one.
    """

    participant: ParticipantId
    room: RoomId
    epoch: Epoch
    seq: Seq
    secret: str
    now_ms: int
    view: RoomView | None = None
    tail: tuple[Event, ...] | None = None
    ice_servers: tuple[IceServer, ...] = ()
    relay_only: bool = False
    others: tuple[str, ...] = ()


class Events(Struct, frozen=True, tag_field="type", tag="events"):
    """What one may see of the entries `from` to `to`; the next message starts at `to` + 1."""

    epoch: Epoch
    first: Seq = field(name="from")
    to: Seq
    now_ms: int
    events: tuple[Event, ...]


class Snapshot(Struct, frozen=True, tag_field="type", tag="snapshot"):
    """One's whole view at `seq`: sent when what one may see has changed (a move, an admission, a new role)."""

    epoch: Epoch
    seq: Seq
    now_ms: int
    view: RoomView


RoomMessage = Welcome | Events | Snapshot


# -- notice ------------------------------------------------------------------------------------------------------------


class MediaAnswer(Struct, frozen=True, tag_field="type", tag="media_answer"):
    """The SDP answer to the offer of this number."""

    offer: int
    sdp: str


class MediaLost(Struct, frozen=True, tag_field="type", tag="media_lost"):
    """The peer is gone on the server; make a new RTCPeerConnection and a new offer.

    `reason`: closed, consent_expired, dtls_closed, replaced, worker_lost, moved, no_media (nothing can take it right
    now), renegotiated, or no_common_codec.
    `offer` is the number that the peer was offered with: ignore it if that is not the last one of this page, since the
    peer of a page before it (a reload) may end late. Begin with a random number to tell them apart. It is 0 after a
    resume if the peer ended while nobody could be told: then it concerns any peer but one that is not answered yet.
    """

    reason: str
    offer: int = 0


class Slots(Struct, frozen=True, tag_field="type", tag="slots"):
    """Whom each receive slot carries from now on; slots not listed are empty. Blank a tile whose source changed."""

    revision: int
    slots: tuple[Slot, ...]


class Voices(Struct, frozen=True, tag_field="type", tag="voices"):
    """Who is audible right now in one's placement; level 0 (loud) to 127 (silence), RFC 6464."""

    levels: tuple[VoiceLevel, ...]


class ConnectionQuality(Struct, frozen=True, tag_field="type", tag="quality"):
    """How one's own connection does from now on; it is good until this says otherwise, also after `media_answer`.

    `up`: what one sends. `down`: what one gets. `reason`: of the worse one, null when both are good.
    """

    up: Quality
    down: Quality
    reason: QualityReason | None


class PeerSaid(Struct, frozen=True, tag_field="type", tag="peer_said"):
    """What the `peer_signal` of the other person said; ignore one whose `other` is neither one's own nor empty."""

    sender: ParticipantId
    connection: str
    other: str
    description: Description | None
    candidate: Candidate | None


class IceServers(Struct, frozen=True, tag_field="type", tag="ice_servers"):
    """Fresh credentials in place of those of Welcome, for the next ICE restart or RTCPeerConnection."""

    ice_servers: tuple[IceServer, ...]


class ReadOnly(Struct, frozen=True, tag_field="type", tag="read_only"):
    """Whether the room cannot change for now: commands about it are refused with `busy`, media goes on.

    Off at each Welcome, until this says otherwise.
    """

    on: bool


class Servers(Struct, frozen=True, tag_field="type", tag="servers"):
    """Addresses of further servers from now on, in place of `others` of Welcome: one has come, or goes."""

    others: tuple[str, ...]


class Disconnecting(Struct, frozen=True, tag_field="type", tag="disconnecting"):
    """Sent right before the server ends the connection. `retry_after_ms`: come back that much later, not at once.

    `detail` is for the author of the client: with `bad_message`, what is wrong. Not to be shown.
    """

    code: DisconnectCode
    reason: str
    message: str
    reconnect: bool
    retry_after_ms: int | None = None
    detail: str = ""


MediaNotice = MediaAnswer | MediaLost | Slots | Voices | ConnectionQuality | PeerSaid | IceServers
Notice = MediaNotice | ReadOnly | Servers | Disconnecting


# -- HTTP: POST /api/tickets -------------------------------------------------------------------------------------------


class TicketRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """A join link carries a token in its fragment; the page swaps it for a ticket."""

    token: Annotated[str, Meta(max_length=4096)]


class RoomInfo(Struct, frozen=True):
    """What a person may know before joining.

    `crisis_lines`: where to find help at once, each with its phone number at the end; none: the client's own.
    `exit_url`: where quick exit leads; empty: to a blank page.
    """

    title: str
    agreement: Agreement
    camera_policy: CameraPolicy
    camera_reason: str
    crisis_lines: tuple[str, ...] = ()
    exit_url: str = ""


class Ticket(Struct, frozen=True):
    """A short-lived token for one person, with what the pre-join page shows."""

    ticket: str
    role: Role
    name: str
    room: RoomInfo
    single_use: bool = False


# -- in the words of their numbers -------------------------------------------------------------------------------------


def reject(refusal: CommandRejected) -> Reject:
    """A refused command."""
    code = refusal.code
    return Reject(code, code.name.lower(), REJECT_MESSAGES[code], refusal.retry_after_ms, refusal.detail)


def refusal_of(code: DisconnectCode, detail: str = "") -> ConnectRefused:
    """A refused connection or ticket."""
    return ConnectRefused(code, code.name.lower(), DISCONNECT_MESSAGES[code], not is_final(code), detail)


def disconnecting(code: DisconnectCode, retry_after_ms: int | None = None, detail: str = "") -> Disconnecting:
    """The last notice of a connection."""
    return Disconnecting(code, code.name.lower(), DISCONNECT_MESSAGES[code], not is_final(code), retry_after_ms, detail)
