# SPDX-License-Identifier: Apache-2.0
"""Rounds as values: who is waiting, who comes next, and how the events of a round change it."""

from __future__ import annotations

from typing import assert_never

from msgspec.structs import replace

from server.ids import ParticipantId, Placement
from server.rooms.events import RoundEnded, RoundEvent, RoundJoined, RoundStarted, TurnEnded, TurnOutcome, TurnStarted
from server.rooms.phases import RoundOrder
from server.rooms.state import RoomState, Round

People = tuple[ParticipantId, ...]


def members(round_: Round) -> People:
    """Everyone who belongs to the round, whether they still wait or have spoken."""
    current = () if round_.current is None else (round_.current,)
    return (*current, *round_.waiting, *round_.later, *round_.done)


def next_in(round_: Round) -> ParticipantId | None:
    """Whom the round calls now; None during a turn, while volunteers are awaited, or when nobody is left."""
    if round_.current is not None or round_.order is RoundOrder.VOLUNTEER:
        return None
    return next(iter((*round_.waiting, *round_.later)), None)


def is_over(round_: Round) -> bool:
    """Whether everyone has had the chance to speak."""
    return round_.current is None and not round_.waiting and not round_.later


def without(round_: Round, participant: ParticipantId) -> Round:
    """The round as if this person had never been in it; their turn is over if it was theirs."""
    return replace(
        round_,
        waiting=_less(round_.waiting, participant),
        later=_less(round_.later, participant),
        done=_less(round_.done, participant),
        current=None if round_.current == participant else round_.current,
    )


def evolve_rounds(state: RoomState, event: RoundEvent) -> RoomState:
    """The rooms' rounds after this event; one about a round that is not known changes nothing."""
    match event:
        case RoundStarted():
            return replace(state, rounds={**state.rounds, event.placement: event.round})
        case RoundEnded():
            return replace(state, rounds=_rounds_without(state, event.placement))
        case TurnStarted() | TurnEnded() | RoundJoined():
            if (round_ := state.rounds.get(event.placement)) is None:
                return state
            return replace(state, rounds={**state.rounds, event.placement: evolve_round(round_, event)})
        case _:
            assert_never(event)


def evolve_round(round_: Round, event: TurnStarted | TurnEnded | RoundJoined) -> Round:
    """One round after one of its events."""
    rest = without(round_, event.participant)
    match event:
        case RoundJoined():
            return replace(round_, waiting=(*round_.waiting, event.participant))
        case TurnStarted():
            return replace(rest, current=event.participant, turn_started_ms=event.at_ms)
        case TurnEnded(outcome=TurnOutcome.GONE):
            return rest
        case TurnEnded(outcome=TurnOutcome.LATER):
            return replace(rest, later=(*rest.later, event.participant))
        case TurnEnded():
            return replace(rest, done=(*rest.done, event.participant))
        case _:
            assert_never(event)


def _less(people: People, participant: ParticipantId) -> People:
    return tuple(person for person in people if person != participant)


def _rounds_without(state: RoomState, placement: Placement) -> dict[Placement, Round]:
    return {where: round_ for where, round_ in state.rounds.items() if where != placement}
