# SPDX-License-Identifier: Apache-2.0
"""Who goes where: filling a plan, and finding a room for those who come later."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import assert_never

from server.breakouts.lifecycle import BreakoutsStatus, status_of
from server.ids import MAIN, ParticipantId, Placement
from server.rooms.shuffle import shuffled
from server.rooms.state import AssignmentStrategy, PlannedRoom, Role, RoomState


def assign(
    strategy: AssignmentStrategy,
    people: Sequence[ParticipantId],
    leaders: Sequence[ParticipantId],
    rooms: int,
    seed: int,
) -> tuple[PlannedRoom, ...]:
    """Put `people` and `leaders` (who are not among `people`) into rooms whose sizes differ by one at most.

    - `even`: leaders first, one room after the other, then the others, all in the order given.
    - `random`: the same with both shuffled by `seed`.
    - `by_leader`: as `even`, with one room for each leader whatever `rooms` says; no leaders, no rooms.
    - `by_hand`: empty rooms.

    With fewer people than rooms some rooms stay empty: `problems.problems_of` says so.
    """
    match strategy:
        case AssignmentStrategy.EVEN:
            return _deal(people, leaders, rooms)
        case AssignmentStrategy.RANDOM:
            return _deal(shuffled(people, seed), shuffled(leaders, seed), rooms)
        case AssignmentStrategy.BY_LEADER:
            return _deal(people, leaders, len(leaders))
        case AssignmentStrategy.BY_HAND:
            return _deal((), (), rooms)
    assert_never(strategy)


def _deal(people: Sequence[ParticipantId], leaders: Sequence[ParticipantId], rooms: int) -> tuple[PlannedRoom, ...]:
    queue = (*leaders, *people)
    return tuple(
        PlannedRoom(
            name=f"Room {index + 1}",
            members=queue[index::rooms],
            leader=leaders[index] if index < len(leaders) else None,
        )
        for index in range(rooms)
    )


def late_placement(state: RoomState) -> Placement:
    """Where somebody who comes now belongs: the least-full breakout, main when they are closed or about to close.

    Rooms in which nobody (or only a moderator) is are passed over, since a newcomer would be alone there, and those in
    which a moderator is with one person, since a newcomer would burst in on a private word.
    """
    if status_of(state.breakouts) is not BreakoutsStatus.OPEN:
        return MAIN
    counts = fullness(state)
    attended = {person.placement for person in state.participants.values() if person.role is Role.MODERATOR}
    return least_full({place: count for place, count in counts.items() if count != 1 or place not in attended})


def fullness(state: RoomState) -> dict[Placement, int]:
    """For each open breakout how many people are in it, in the order of the rooms.

    Whose connection is lost counts, since their place is kept; a visiting moderator does not.
    """
    counts = Counter(person.placement for person in state.participants.values() if person.role is not Role.MODERATOR)
    return {Placement(room.id): counts[Placement(room.id)] for room in state.breakouts.rooms}


def least_full(counts: Mapping[Placement, int]) -> Placement:
    """The first of the breakouts with the fewest people, but with somebody; main when nobody is in any."""
    inhabited = {place: count for place, count in counts.items() if count > 0}
    return min(inhabited, key=inhabited.__getitem__, default=MAIN)
