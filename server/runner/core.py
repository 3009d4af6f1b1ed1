# SPDX-License-Identifier: Apache-2.0
"""The rules of rooms, as the pipeline takes them."""

from __future__ import annotations

from typing import Final

from server.ports import Entry
from server.rooms.attendance import attend
from server.rooms.decide import decide
from server.rooms.evolve import evolve
from server.rooms.hard import is_hard
from server.rooms.recent import recall, remember
from server.rooms.state import RoomState
from server.rooms.timeouts import decide_timeout, next_timeout, timed
from server.runner.steps import Rules


def _attend(state: RoomState, entry: Entry) -> RoomState:
    return attend(state, entry.events, entry.at_ms)


ROOM_RULES: Final = Rules(decide, evolve, next_timeout, decide_timeout, remember, recall, is_hard, _attend, timed=timed)
