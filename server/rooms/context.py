# SPDX-License-Identifier: Apache-2.0
"""What a decision needs from the outside world, and what it gives back."""

from __future__ import annotations

from msgspec import Struct

from server.ids import ConnectionId
from server.rooms.events import Event


class Context(Struct, frozen=True):
    """`now_ms`: log time. `seed`: fresh for every command; shuffles draw from it alone.

    `connection`: through which the actor says it; None: through none, as the system and the API.
    """

    now_ms: int
    seed: int = 0
    connection: ConnectionId | None = None


Events = tuple[Event, ...]
"""What a decision brings; empty when the wish is already fulfilled."""
