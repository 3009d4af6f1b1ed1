# SPDX-License-Identifier: Apache-2.0
"""What the conducting process and the generator processes say to each other: one JSON value a line. Pure."""

from __future__ import annotations

from msgspec import Struct

from loadtest.measure.recorder import Interval
from loadtest.plan.executors import Visit
from loadtest.plan.scenario import Family
from loadtest.plan.timeline import Happening
from server.ids import RoomId


class Seat(Struct, frozen=True):
    """Where somebody sits: the number decides clip and habits. `speaks`: has something to send."""

    number: int
    clip: int
    url: str
    token: str
    speaks: bool
    far: bool = False
    """Behind the bad network."""
    moderates: bool = False


class RoomJob(Struct, frozen=True):
    """One room for this process. `urls`: nodes, that of the moderator first. Seats of `visits` count from 0."""

    number: int
    room: RoomId
    family: Family
    urls: tuple[str, ...]
    moderator: str
    invite: str
    visits: tuple[Visit, ...]
    far: frozenset[int] = frozenset()
    """Seats behind the bad network."""


class Assignment(Struct, frozen=True, tag=True):
    """The first order: everything that this process will do."""

    number: int
    jobs: tuple[RoomJob, ...]
    happenings: tuple[Happening, ...]
    duration_s: float
    profile: str
    seed: int


class Begin(Struct, frozen=True, tag=True):
    """The clock of the test starts at this time of the machine's monotonic clock."""

    at_s: float


class Struck(Struct, frozen=True, tag=True):
    """A node was killed or drained at this time of the same clock."""

    at_s: float


class Stop(Struct, frozen=True, tag=True):
    """End early, but properly."""


Order = Assignment | Begin | Struck | Stop


class Ready(Struct, frozen=True, tag=True):
    """All moderators are in their rooms."""


class NotReady(Struct, frozen=True, tag=True):
    """A room could not be opened. `reached`: somebody answered."""

    reason: str
    reached: bool


class Ticked(Struct, frozen=True, tag=True):
    """What was noted down in one second."""

    second: int
    interval: Interval


class Marked(Struct, frozen=True, tag=True):
    """Something that everybody should see on the time axis."""

    at_s: float
    text: str


class Over(Struct, frozen=True, tag=True):
    """Everybody has left."""


Report = Ready | NotReady | Ticked | Marked | Over
