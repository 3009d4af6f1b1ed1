# SPDX-License-Identifier: Apache-2.0
"""Why a plan cannot be opened as it stands, as values that a client puts into words.

A constraint that comes later (keep together, keep apart, no repeat partners) is one more kind and one more check.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum

from msgspec import Struct

from server.ids import LOBBY, ParticipantId
from server.rooms.state import Participant, PlannedRoom, Role


class ProblemKind(StrEnum):
    """What is wrong."""

    NO_LEADER = "no_leader"
    """A plan by leader without leaders (it has no rooms), or a room whose named leader is not a leader in it."""
    EMPTY_ROOM = "empty_room"
    PERSON_ALONE = "person_alone"
    """One person whom nobody but moderators keeps company."""
    UNKNOWN_PERSON = "unknown_person"
    """Not in this room, or still in the lobby."""
    PERSON_TWICE = "person_twice"


class Problem(Struct, frozen=True):
    """`room` is the index in the plan, None: the plan as a whole."""

    kind: ProblemKind
    room: int | None = None
    participant: ParticipantId | None = None


People = Mapping[ParticipantId, Participant]


def problems_of(rooms: Sequence[PlannedRoom], people: People) -> tuple[Problem, ...]:
    """Everything that is wrong with these rooms for the people who are here; empty: nothing."""
    if not rooms:
        return (Problem(ProblemKind.NO_LEADER),)
    found = [problem for index, room in enumerate(rooms) for problem in _problems_of_room(index, room, people)]
    return (*found, *_people_twice(rooms))


def is_here(participant: ParticipantId, people: People) -> bool:
    """Whether this person has been admitted and has not left."""
    return participant in people and people[participant].placement != LOBBY


def company(members: Iterable[ParticipantId], people: People) -> list[ParticipantId]:
    """Those who keep each other company: everyone but moderators."""
    return [member for member in members if is_here(member, people) and people[member].role is not Role.MODERATOR]


def leads_room(leader: ParticipantId | None, members: Sequence[ParticipantId], people: People) -> bool:
    """Whether this is a peer leader or moderator who is here and among the members."""
    return (
        leader is not None
        and leader in members
        and is_here(leader, people)
        and people[leader].role is not Role.PARTICIPANT
    )


def _problems_of_room(index: int, room: PlannedRoom, people: People) -> Iterator[Problem]:
    for member in room.members:
        if not is_here(member, people):
            yield Problem(ProblemKind.UNKNOWN_PERSON, index, member)
    if not room.members:
        yield Problem(ProblemKind.EMPTY_ROOM, index)
    if len(peers := company(room.members, people)) == 1:
        yield Problem(ProblemKind.PERSON_ALONE, index, peers[0])
    if room.leader is not None and not leads_room(room.leader, room.members, people):
        yield Problem(ProblemKind.NO_LEADER, index, room.leader)


def _people_twice(rooms: Sequence[PlannedRoom]) -> Iterator[Problem]:
    times = Counter(member for room in rooms for member in room.members)
    return (Problem(ProblemKind.PERSON_TWICE, None, member) for member, count in times.items() if count > 1)
