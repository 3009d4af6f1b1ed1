# SPDX-License-Identifier: Apache-2.0
"""Commands that were committed lately, so that a retry has one effect, whichever node it reaches."""

from __future__ import annotations

from itertools import islice

from msgspec.structs import replace

from server.rooms.state import MAX_LATEST_COMMANDS, MAX_RECENT_COMMANDS, RoomState


def remember(state: RoomState, key: str, seq: int) -> RoomState:
    """Note the position of this command's entry; the oldest are forgotten when there are too many."""
    latest = {**state.latest, key: seq}
    noted = replace(state, latest=latest)
    # Copying hundreds of them for every command would be the most expensive part of it.
    return noted if len(latest) < MAX_LATEST_COMMANDS else settled(noted)


def settled(state: RoomState) -> RoomState:
    """The same with all of them in one place, as every version reads it from a snapshot."""
    if not state.latest:
        return state
    recent = {**state.recent, **state.latest}
    for oldest in tuple(islice(recent, max(0, len(recent) - MAX_RECENT_COMMANDS))):
        del recent[oldest]
    return replace(state, recent=recent, latest={})


def recall(state: RoomState, key: str) -> int | None:
    """The position of this command's entry, if it was committed lately."""
    seq = state.latest.get(key)
    return state.recent.get(key) if seq is None else seq
