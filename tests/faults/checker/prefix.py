# SPDX-License-Identifier: Apache-2.0
"""I3: every client has a prefix of one log before its eyes. I4: nothing goes back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from msgspec import structs

from server.ids import EVERYWHERE, ParticipantId
from server.rooms.events import ChatSent
from server.rooms.phases import SessionStatus
from server.rooms.state import RoomState, RoomView
from server.rooms.view import view_of
from tests.faults.checker.history import Life, Run
from tests.faults.checker.people import is_connected
from tests.faults.checker.replay import Position, Sight, Step, placements
from tests.faults.checker.words import Invariant, Violation, Witness, states

SHOWN: Final = RoomView.__struct_fields__
SHARED: Final = ("status", "settings", "agenda", "hands", "spotlight")
"""What everybody inside sees alike."""
ORDER: Final = (SessionStatus.WAITING, SessionStatus.LIVE, SessionStatus.DEBRIEF, SessionStatus.ENDED)


def check(run: Run, seen: tuple[Witness, ...]) -> Iterator[Violation]:
    """Both."""
    for witness in seen:
        yield from _steps(witness, finished=run.finished)
        yield from _goes_back(witness)
    yield from _diverged(seen)
    yield from _not_the_log(run, seen)
    yield from _never_came(run, seen)


# -- I3 ----------------------------------------------------------------------------------------------------------------


def _steps(witness: Witness, *, finished: bool) -> Iterator[Violation]:
    """No message repeats half of another, and no gap stays open."""
    open_gap: Sight | None = None
    for sight in witness.sights:
        if sight.step is Step.OVERLAP:
            yield Violation(Invariant.PREFIX, f"{witness.person}: told again what follows {sight.before}")
        open_gap = sight if sight.view is None else None
    if finished and open_gap is not None and is_connected(witness.history):
        yield Violation(Invariant.PREFIX, f"{witness.person}: a gap after {open_gap.position} was never filled")


def _diverged(seen: tuple[Witness, ...]) -> Iterator[Violation]:
    """Two clients inside the room that are at the same position agree on what they share."""
    known: dict[Position, tuple[tuple[object, ...], ParticipantId]] = {}
    for witness in seen:
        for sight in witness.sights:
            view = sight.view
            if view is None or placements(view).get(witness.person, "lobby") == "lobby":
                continue
            shared = _shared(view)
            other, who = known.setdefault(sight.position, (shared, witness.person))
            if other != shared:
                yield Violation(Invariant.PREFIX, f"{sight.position}: {who} and {witness.person} see different rooms")


def _shared(view: RoomState) -> tuple[object, ...]:
    inside = {who: person for who, person in view.participants.items() if person.placement != "lobby"}
    breakouts = structs.replace(view.breakouts, plan=None)
    return (*(getattr(view, name) for name in SHARED), inside, breakouts)


def _not_the_log(run: Run, seen: tuple[Witness, ...]) -> Iterator[Violation]:
    """What a client sees at a position is exactly what the log shows this person there."""
    truth: dict[Position, RoomState] = {(life.epoch, seq): state for life in run.lives for seq, state in states(life)}
    for witness in seen:
        for sight in witness.sights:
            state = truth.get(sight.position)
            if state is None or sight.view is None or witness.person not in state.participants:
                continue
            meant = view_of(state, witness.person)
            wrong = [name for name in SHOWN if getattr(sight.view, name) != getattr(meant, name)]
            if wrong:
                yield Violation(Invariant.PREFIX, f"{witness.person} at {sight.position}: wrong {', '.join(wrong)}")


def _never_came(run: Run, seen: tuple[Witness, ...]) -> Iterator[Violation]:
    """Each message that was meant for somebody who stayed in its placement reached them."""
    if not run.lives or not run.finished:
        return
    owed = _owed(run.lives[-1])
    for witness in seen:
        if is_connected(witness.history):
            for number in sorted(owed.get(witness.person, set()) - _messages(witness)):
                yield Violation(Invariant.PREFIX, f"{witness.person}: message {number} never came")


def _owed(life: Life) -> dict[ParticipantId, set[int]]:
    """For everybody at the end: the messages sent to where they have been ever since."""
    owed: dict[ParticipantId, set[int]] = {}
    where = placements(life.snapshot)
    for (_, state), entry in zip(list(states(life))[1:], life.entries, strict=True):
        now = placements(state)
        owed = {who: kept for who, kept in owed.items() if who in now and now[who] == where.get(who)}
        where = now
        for message in (event.message for event in entry.events if isinstance(event, ChatSent)):
            for who, place in now.items():
                if place != "lobby" and message.placement in (place, EVERYWHERE):
                    owed.setdefault(who, set()).add(message.id)
    return owed


def _messages(witness: Witness) -> set[int]:
    """Every message this client has ever shown."""
    heard: set[int] = set()
    for sight in witness.sights:
        heard.update(event.message.id for event in sight.events if isinstance(event, ChatSent))
        if sight.step is Step.SHOWN and sight.view is not None:
            heard.update(message.id for messages in sight.view.chat.values() for message in messages)
    return heard


# -- I4 ----------------------------------------------------------------------------------------------------------------


def _goes_back(witness: Witness) -> Iterator[Violation]:
    best: dict[str, int] = {}
    epoch = 0
    for sight in witness.sights:
        if sight.step is Step.BACK:
            yield Violation(Invariant.MONOTONE, f"{witness.person}: a Welcome older than {sight.before}")
        if sight.view is None:
            continue
        if sight.position[0] != epoch:
            epoch, best = sight.position[0], {}
        for name, version in _versions(sight.view).items():
            if version < best.get(name, 0):
                yield Violation(Invariant.MONOTONE, f"{witness.person} at {sight.position}: {name} went back")
            best[name] = max(version, best.get(name, 0))


def _versions(view: RoomState) -> dict[str, int]:
    return {
        "revision of breakouts": view.breakouts.revision,
        "version of the agenda": view.agenda.version,
        "status": ORDER.index(view.status),
    }
