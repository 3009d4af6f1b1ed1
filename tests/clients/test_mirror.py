# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from holdspace_client import EventsMissed, Mirror
from holdspace_client.protocol.ids import MAIN, ParticipantId, RoomId
from holdspace_client.protocol.ports import Epoch, Seq
from holdspace_client.protocol.rooms.events import Event, MicrophoneChanged
from holdspace_client.protocol.rooms.phases import SessionStatus
from holdspace_client.protocol.rooms.state import Agenda, Participant, Role, RoomSettings, RoomView
from holdspace_client.protocol.signaling.messages import Events, Resume, Snapshot, Welcome

ANA = ParticipantId("ana")
ROOM = RoomId("r")
EPOCH = Epoch(7)


def view(*, microphone: bool = False) -> RoomView:
    """A room with one person."""
    return RoomView(
        id=ROOM,
        status=SessionStatus.WAITING,
        settings=RoomSettings("Title"),
        agenda=Agenda(1, ()),
        participants={ANA: Participant(ANA, "Ana", Role.PARTICIPANT, MAIN, 0, microphone=microphone)},
    )


def welcome(seq: int, *, snapshot: RoomView | None = None, tail: tuple[Event, ...] | None = None) -> Welcome:
    """First message of a connection."""
    return Welcome(ANA, ROOM, EPOCH, Seq(seq), "secret", 0, snapshot, tail)


def events(first: int, to: int, *, on: bool, epoch: int = EPOCH) -> Events:
    """Entries `first` to `to`, in which the microphone was changed."""
    return Events(Epoch(epoch), Seq(first), Seq(to), 0, (MicrophoneChanged(ANA, on, ANA),))


def is_on(mirror: Mirror) -> bool:
    """What the mirror says of the microphone."""
    assert mirror.view is not None
    return mirror.view.participants[ANA].microphone


def joined() -> Mirror:
    """A mirror at position 3."""
    mirror = Mirror()
    mirror.apply(welcome(3, snapshot=view()))
    return mirror


def test_events_that_follow_are_folded() -> None:
    """The view changes as the server's does, and the position moves to the end of the batch."""
    mirror = joined()
    assert mirror.apply(events(4, 6, on=True)) == (MicrophoneChanged(ANA, on=True, by=ANA),)
    assert is_on(mirror)
    assert (mirror.epoch, mirror.seq) == (EPOCH, 6)


def test_what_was_seen_already_is_nothing_new() -> None:
    """A batch that comes twice is applied once."""
    mirror = joined()
    mirror.apply(events(4, 4, on=True))
    mirror.apply(events(5, 5, on=False))
    assert mirror.apply(events(4, 4, on=True)) == ()
    assert not is_on(mirror)


@pytest.mark.parametrize("message", [events(5, 5, on=True), events(3, 5, on=True), events(4, 4, on=True, epoch=8)])
def test_a_gap_changes_nothing(message: Events) -> None:
    """A hole, an overlap, or another life of the room needs a snapshot."""
    mirror = joined()
    with pytest.raises(EventsMissed):
        mirror.apply(message)
    assert not is_on(mirror)
    assert mirror.seq == 3


def test_a_snapshot_replaces_the_view() -> None:
    """Also across a gap and into another epoch; an older one is left aside."""
    mirror = joined()
    mirror.apply(Snapshot(EPOCH, Seq(9), 0, view(microphone=True)))
    assert is_on(mirror)
    mirror.apply(Snapshot(EPOCH, Seq(8), 0, view()))
    assert is_on(mirror)
    mirror.apply(Snapshot(Epoch(8), Seq(1), 0, view()))
    assert not is_on(mirror)


def test_a_resume_goes_on_with_the_tail() -> None:
    """The missed events are folded onto what was there; the next resume asks from the new position."""
    mirror = joined()
    assert mirror.resume("word") == Resume(EPOCH, Seq(3), "word")
    mirror.apply(welcome(5, tail=(MicrophoneChanged(ANA, on=True, by=ANA),)))
    assert is_on(mirror)
    assert mirror.resume("word").seq == 5


def test_events_before_a_view_are_a_gap() -> None:
    """Nothing can be folded onto nothing."""
    with pytest.raises(EventsMissed):
        Mirror().apply(events(1, 1, on=True))
