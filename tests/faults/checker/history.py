# SPDX-License-Identifier: Apache-2.0
"""The history of a run, as values: what every client saw and did, what the log held, what was measured beside it.

Times are milliseconds of the one monotonic clock of the machine that ran the test.
"""

from __future__ import annotations

from msgspec import Struct

from server.errors import DisconnectCode
from server.ids import CommandId, ParticipantId, RoomId
from server.ports import Entry, Epoch, Seq
from server.rooms.state import RoomState
from server.signaling.messages import Acknowledgement, ClientCommand, RoomMessage


class Opening(Struct, frozen=True, tag="opening"):
    """A connection to this node begins; `resumes`: with the secret of the Welcome before."""

    at_ms: int
    node: str
    resumes: bool


class Refused(Struct, frozen=True, tag="refused"):
    """The connection was not let in. None: nobody answered."""

    at_ms: int
    code: DisconnectCode | None


class Ended(Struct, frozen=True, tag="ended"):
    """The connection ended. None: the server said nothing about it."""

    at_ms: int
    code: DisconnectCode | None


class Rested(Struct, frozen=True, tag="rested"):
    """The person lets the connection go on purpose, to come back later."""

    at_ms: int


class Told(Struct, frozen=True, tag="told"):
    """A sequenced message came."""

    at_ms: int
    message: RoomMessage


class Sent(Struct, frozen=True, tag="sent"):
    """A command was sent, maybe not for the first time."""

    at_ms: int
    id: CommandId
    command: ClientCommand


class Answered(Struct, frozen=True, tag="answered"):
    """The command was acknowledged or refused."""

    at_ms: int
    id: CommandId
    answer: Acknowledgement


class Silent(Struct, frozen=True, tag="silent"):
    """No answer came: the command may or may not have had its effect."""

    at_ms: int
    id: CommandId


class Heard(Struct, frozen=True, tag="heard"):
    """Media packets of this person came."""

    at_ms: int
    source: ParticipantId


class Departed(Struct, frozen=True, tag="departed"):
    """The person went away on purpose, and is not waited for any more."""

    at_ms: int


Record = Opening | Refused | Ended | Rested | Told | Sent | Answered | Silent | Heard | Departed


class History(Struct, frozen=True):
    """All that one client went through, in order. Two tabs of one person are two histories."""

    person: ParticipantId
    records: tuple[Record, ...]


class Life(Struct, frozen=True):
    """One epoch of the log, in full: the state at `start`, and every entry after it."""

    epoch: Epoch
    start: Seq
    snapshot: RoomState
    entries: tuple[Entry, ...]


class Gauge(Struct, frozen=True):
    """A quantity that must not pass a cap (I9), such as bytes of an outbox."""

    name: str
    value: float
    cap: float


class Settled(Struct, frozen=True):
    """A quantity that must be back where it was once everybody has gone (I12)."""

    name: str
    before: float
    after: float
    slack: float = 0


class Delays(Struct, frozen=True):
    """Event delays of a room that has nothing to do with the fault (I10)."""

    room: RoomId
    ms: tuple[float, ...]
    p99_cap_ms: float


class Text(Struct, frozen=True):
    """A log, a page of metrics, a list of keys: none may hold one of the `canaries` of the run (I11)."""

    name: str
    content: str


class Run(Struct, frozen=True, kw_only=True):
    """One fault, survived or not.

    `lives`: the log, empty if it could not be read; then clients are compared with each other alone. `finished`: all
    clients were given the time to come back and to catch up before the end.
    """

    histories: tuple[History, ...]
    lives: tuple[Life, ...] = ()
    gauges: tuple[Gauge, ...] = ()
    settled: tuple[Settled, ...] = ()
    delays: tuple[Delays, ...] = ()
    texts: tuple[Text, ...] = ()
    canaries: tuple[str, ...] = ()
    media_grace_ms: int = 1_000
    seat_grace_ms: int = 60_000
    finished: bool = True
