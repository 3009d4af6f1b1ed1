# SPDX-License-Identifier: Apache-2.0
"""What follows when people have moved, left, or changed their role; so that no command needs to think of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from server.ids import ParticipantId, Placement
from server.rooms.context import Context, Events
from server.rooms.events import (
    Event,
    HelpCleared,
    HelpRequested,
    RoundEnded,
    RoundJoined,
    TurnEnded,
    TurnOutcome,
    TurnStarted,
)
from server.rooms.people import by_placement, is_open
from server.rooms.rounds import evolve_round, is_over, members, next_in
from server.rooms.state import Participant, Role, RoomState, Round


def follow_ups(before: RoomState, after: RoomState, ctx: Context) -> Events:
    """The events that `after` still needs to be at rest; `before` tells who has just come."""
    return (*_help(before, after), *_rounds(after, ctx))


def _help(before: RoomState, after: RoomState) -> Iterator[Event]:
    """A call is over when a moderator comes; one that nobody has seen goes with its caller, wherever they are moved."""
    for request in after.help:
        caller = after.participants[request.participant]
        moved = caller.placement != request.placement
        if _moderator_came(before, after, caller.placement) or (moved and request.acknowledged_by is not None):
            yield HelpCleared(request.participant)
        elif moved:
            yield HelpRequested(replace(request, placement=caller.placement))


def _moderator_came(before: RoomState, after: RoomState, placement: Placement) -> bool:
    return bool(_moderators_in(after, placement) - _moderators_in(before, placement))


def _moderators_in(state: RoomState, placement: Placement) -> set[ParticipantId]:
    return {
        person.id
        for person in state.participants.values()
        if person.placement == placement and person.role is Role.MODERATOR
    }


def _rounds(state: RoomState, ctx: Context) -> Iterator[Event]:
    if not state.rounds:
        return
    places = by_placement(state)
    for placement, round_ in state.rounds.items():
        if is_open(state, placement):
            yield from _settle(placement, round_, places.get(placement, ()), ctx)
        else:
            yield RoundEnded(placement)


def _settle(placement: Placement, round_: Round, here: Sequence[Participant], ctx: Context) -> Iterator[Event]:
    """Who has gone is out, who has come is last, the next one is called, and an empty round is over."""
    changes: list[TurnEnded | RoundJoined] = [*_gone(placement, round_, here), *_come(placement, round_, here)]
    for event in changes:
        round_ = evolve_round(round_, event)
        yield event
    called = next_in(round_)
    if called is not None:
        yield TurnStarted(placement, called, ctx.now_ms)
    elif is_over(round_):
        yield RoundEnded(placement)


def _gone(placement: Placement, round_: Round, here: Sequence[Participant]) -> Iterator[TurnEnded]:
    """Moderators hold no place in the order, but may be given a turn."""
    roles = {person.id: person.role for person in here}
    if round_.current is not None and round_.current not in roles:
        yield TurnEnded(placement, round_.current, TurnOutcome.GONE)
    for member in (*round_.waiting, *round_.later):
        if roles.get(member, Role.MODERATOR) is Role.MODERATOR:
            yield TurnEnded(placement, member, TurnOutcome.GONE)


def _come(placement: Placement, round_: Round, here: Sequence[Participant]) -> Iterator[RoundJoined]:
    """Whoever has spoken here, went away and is back, has spoken."""
    known = set(members(round_))
    for person in here:
        if person.role is not Role.MODERATOR and person.id not in known:
            yield RoundJoined(placement, person.id)
