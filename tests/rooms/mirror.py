# SPDX-License-Identifier: Apache-2.0
"""What reaches one person, as the gateway sends it: events of their audience, or a new snapshot."""

from __future__ import annotations

import msgspec

from server.ids import ParticipantId
from server.rooms.audience import audience_of, viewer_of
from server.rooms.context import Events
from server.rooms.events import Event
from server.rooms.evolve import evolve
from server.rooms.state import RoomState, RoomView
from server.rooms.view import view_of


def as_state(view: RoomView) -> RoomState:
    """The state of somebody who knows nothing but their view."""
    return RoomState(**{name: getattr(view, name) for name in RoomView.__struct_fields__})


def as_view(state: RoomState) -> RoomView:
    """The part of a state that a view consists of."""
    return RoomView(**{name: getattr(state, name) for name in RoomView.__struct_fields__})


def apply(view: RoomView, event: Event) -> RoomView:
    """A view after one event, folded as a client does."""
    return as_view(evolve(as_state(view), event))


def received(before: RoomState, events: Events, participant: ParticipantId) -> Events | RoomView | None:
    """What this person gets of an entry: events, a snapshot, or None when they are not in the room after it."""
    after = before
    heard: list[Event] = []
    viewer = viewer_of(before, participant)
    for event in events:
        after = evolve(after, event)
        if viewer is not None and audience_of(event, after).includes(viewer):
            heard.append(event)
    now = viewer_of(after, participant)
    if now is None:
        return None
    return tuple(heard) if now == viewer else view_of(after, participant)


def canonical(value: object) -> bytes:
    """Bytes that are equal for equal values, whatever the order of their sets and keys."""
    return msgspec.json.encode(value, order="deterministic")
