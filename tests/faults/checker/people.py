# SPDX-License-Identifier: Apache-2.0
"""I1: everybody is in one place. I2: nobody is lost."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator

from server.ids import LOBBY, MAIN, ParticipantId, Placement
from server.rooms.commands import Deny, Remove
from server.rooms.events import LeaveReason, ParticipantLeft
from server.rooms.state import Presence, RoomState
from server.signaling.messages import Ok
from tests.faults.checker.history import Answered, Departed, Ended, History, Refused, Run, Sent, Told
from tests.faults.checker.replay import Position, placements
from tests.faults.checker.words import Invariant, Violation, Witness, states

GONE_FOR_GOOD = (LeaveReason.LEFT, LeaveReason.REMOVED, LeaveReason.DENIED, LeaveReason.ENDED)


def check(run: Run, seen: tuple[Witness, ...]) -> Iterator[Violation]:
    """Both."""
    yield from _nowhere(run, seen)
    yield from _two_places(run, seen)
    yield from _given_up(run, seen)
    if run.finished:
        yield from _lost(run, seen)


# -- I1 ----------------------------------------------------------------------------------------------------------------


def _nowhere(run: Run, seen: tuple[Witness, ...]) -> Iterator[Violation]:
    """Everybody is in the lobby, in main, or in a breakout that is open."""
    for life in run.lives:
        for seq, state in states(life):
            for who, where in _misplaced(state):
                yield Violation(Invariant.ONE_PLACE, f"log {life.epoch}-{seq}: {who} in {where}, which is not open")
    for witness in seen:
        for sight in witness.sights:
            if sight.view is not None:
                for who, where in _misplaced(sight.view):
                    yield Violation(
                        Invariant.ONE_PLACE,
                        f"{witness.person} at {sight.position}: {who} in {where}, which is not open",
                    )


def _misplaced(view: RoomState) -> Iterator[tuple[ParticipantId, Placement]]:
    places = {LOBBY, MAIN, *(room.id for room in view.breakouts.rooms)}
    return ((who, where) for who, where in placements(view).items() if where not in places)


def _two_places(run: Run, seen: tuple[Witness, ...]) -> Iterator[Violation]:
    """At one position of one log, all who see a person see them in the same place."""
    known: dict[tuple[Position, ParticipantId], Placement] = {}
    for life in run.lives:
        for seq, state in states(life):
            known.update((((life.epoch, seq), who), where) for who, where in placements(state).items())
    for witness in seen:
        for sight in witness.sights:
            for who, where in () if sight.view is None else placements(sight.view).items():
                other = known.setdefault((sight.position, who), where)
                if other != where:
                    yield Violation(
                        Invariant.ONE_PLACE, f"{sight.position}: {who} in {other}, for {witness.person} in {where}"
                    )


# -- I2 ----------------------------------------------------------------------------------------------------------------


def _lost(run: Run, seen: tuple[Witness, ...]) -> Iterator[Violation]:
    excused = _excused(run, seen)
    final = _final_state(run, seen)
    people: dict[ParticipantId, list[Witness]] = {}
    for witness in seen:
        people.setdefault(witness.person, []).append(witness)
    for person, tabs in people.items():
        if person in excused or not any(_was_inside(tab) for tab in tabs):
            continue
        yield from _admitted_anew(tabs)
        if not any(is_connected(tab.history) for tab in tabs):
            yield Violation(Invariant.NOBODY_LOST, f"{person} did not come back")
        elif final is not None:
            yield from _absent(person, final)


def _given_up(run: Run, seen: tuple[Witness, ...]) -> Iterator[Violation]:
    """Nobody loses the seat who was away for less than the grace."""
    given_up = {
        event.participant
        for witness in seen
        for sight in witness.sights
        for event in sight.events
        if isinstance(event, ParticipantLeft) and event.reason is LeaveReason.TIMED_OUT
    }
    for history in run.histories:
        if history.person in given_up and _longest_absence(history) < run.seat_grace_ms:
            yield Violation(Invariant.NOBODY_LOST, f"{history.person} lost the seat within the grace")


def _longest_absence(history: History) -> int:
    """The longest time without a connection, in milliseconds; one that lasts to the end is without end."""
    longest, since = 0, None
    for record in history.records:
        if isinstance(record, Ended) and since is None:
            since = record.at_ms
        elif isinstance(record, Told) and since is not None:
            longest, since = max(longest, record.at_ms - since), None
    return longest if since is None else sys.maxsize


def _absent(person: ParticipantId, final: RoomState) -> Iterator[Violation]:
    there = final.participants.get(person)
    if there is None:
        yield Violation(Invariant.NOBODY_LOST, f"{person} is not in the room at the end")
    elif there.presence is not Presence.CONNECTED:
        yield Violation(Invariant.NOBODY_LOST, f"{person} is connected, but the room takes them for lost")


def _admitted_anew(tabs: Iterable[Witness]) -> Iterator[Violation]:
    """Who was inside once never waits in the lobby again."""
    inside: set[ParticipantId] = set()
    for tab in tabs:
        for sight in tab.sights:
            where = None if sight.view is None else placements(sight.view).get(tab.person)
            if where == LOBBY and tab.person in inside:
                yield Violation(Invariant.NOBODY_LOST, f"{tab.person} at {sight.position}: sent back to the lobby")
            elif where is not None and where != LOBBY:
                inside.add(tab.person)


def _was_inside(tab: Witness) -> bool:
    views = (sight.view for sight in tab.sights if sight.view is not None)
    return any(placements(view).get(tab.person, LOBBY) != LOBBY for view in views)


def is_connected(history: History) -> bool:
    """The last thing that happened to the connection is that messages came."""
    for record in reversed(history.records):
        if isinstance(record, Told):
            return True
        if isinstance(record, Ended | Refused):
            return False
    return False


def _excused(run: Run, seen: tuple[Witness, ...]) -> set[ParticipantId]:
    """Who was meant to be away at the end."""
    away = {h.person for h in run.histories if any(isinstance(record, Departed) for record in h.records)}
    for witness in seen:
        for sight in witness.sights:
            away.update(
                event.participant
                for event in sight.events
                if isinstance(event, ParticipantLeft) and event.reason in GONE_FOR_GOOD
            )
        away |= _put_out(witness.history)
    return away


def _put_out(history: History) -> set[ParticipantId]:
    """Whom this moderator has removed or denied."""
    done = {record.id for record in history.records if isinstance(record, Answered) and isinstance(record.answer, Ok)}
    return {
        record.command.participant
        for record in history.records
        if isinstance(record, Sent) and record.id in done and isinstance(record.command, Remove | Deny)
    }


def _final_state(run: Run, seen: tuple[Witness, ...]) -> RoomState | None:
    """The end of the log; else what the client that came farthest believes."""
    if run.lives:
        *_, (_, state) = states(run.lives[-1])
        return state
    ends = [witness.sights[-1] for witness in seen if witness.sights and witness.sights[-1].view is not None]
    ends = [end for end in ends if end.view is not None and len(end.view.participants) > 0]
    return (
        max(ends, key=lambda end: (end.position, len(end.view.participants if end.view else ()))).view if ends else None
    )
