# SPDX-License-Identifier: Apache-2.0
"""Who may know what, told a third time, without asking `view` or `audience`: those two could leak in agreement."""

from __future__ import annotations

from server.ids import EVERYWHERE, LOBBY, ParticipantId, Placement
from server.rooms import events as e
from server.rooms.context import Events
from server.rooms.events import Event
from server.rooms.state import Agenda, Breakouts, GoalVisibility, Participant, Role, RoomState, RoomView
from server.rooms.view import view_of


def check_views(state: RoomState) -> None:
    """No view holds anything that is not its owner's to see."""
    for person in state.participants.values():
        check_view(person, view_of(state, person.id))


def check_view(me: Participant, seen: RoomView) -> None:
    """A snapshot for this person."""
    assert type(seen) is RoomView
    if me.placement == LOBBY:
        shell = (seen.hands, seen.rounds, seen.chat, seen.goals, seen.help, seen.spotlight)
        assert (set(seen.participants), seen.agenda, seen.breakouts) == ({me.id}, Agenda(0, ()), Breakouts())
        assert not any(shell)
        return
    staff = me.role is Role.MODERATOR
    assert staff or all(other.placement != LOBBY for other in seen.participants.values())
    assert staff or seen.breakouts.plan is None
    assert staff or seen.rounds.keys() <= {me.placement}
    assert staff or {call.participant for call in seen.help} <= {me.id}
    assert seen.chat.keys() <= {me.placement, EVERYWHERE}
    assert all(message.placement == place for place, messages in seen.chat.items() for message in messages)
    assert all(owner == me.id or goal.visibility is GoalVisibility.GROUP for owner, goal in seen.goals.items())


def check_heard(before: RoomState, me: ParticipantId, heard: Events) -> None:
    """None of the events that somebody hears, without a new snapshot, is about what they may not know."""
    person = before.participants[me]
    waiting = {id_ for id_, other in before.participants.items() if other.placement == LOBBY}
    for event in heard:
        about, places = _about(event), _places(event)
        if isinstance(event, e.ParticipantAdmitted):
            waiting.discard(event.participant.id)
        assert not isinstance(event, e.SeatBound | e.RoomOpened)
        assert not isinstance(event, e.GoalSet) or event.visibility is GoalVisibility.GROUP or about == me
        assert not isinstance(event, e.ChatSent | e.Reacted) or places <= {person.placement, EVERYWHERE}
        if person.placement == LOBBY:
            assert isinstance(event, e.SettingsChanged | e.SessionStarted | e.SessionEnded) or about == me
        elif person.role is not Role.MODERATOR:
            assert about == me or about not in waiting
            assert not isinstance(event, e.PlanChanged)
            assert not isinstance(event, e.HelpRequested | e.HelpAcknowledged | e.HelpCleared) or about == me
            assert not isinstance(event, e.RoundEvent) or places <= {person.placement}
            assert not isinstance(event, e.ParticipantJoined) or places != {LOBBY} or about == me


def _about(event: Event) -> ParticipantId | None:
    """Whom it is about, if it is about one person."""
    match event:
        case e.ParticipantJoined() | e.ParticipantAdmitted():
            return event.participant.id
        case e.HandRaised():
            return event.hand.participant
        case e.HelpRequested():
            return event.request.participant
        case e.ChatSent():
            return event.message.participant
        case _:
            named = getattr(event, "participant", None)
            return None if named is None else ParticipantId(named)


def _places(event: Event) -> set[Placement]:
    """Where it happens, if that is in one place."""
    match event:
        case e.ChatSent():
            return {event.message.placement}
        case e.ParticipantJoined() | e.ParticipantAdmitted():
            return {event.participant.placement}
        case _:
            where = getattr(event, "placement", None)
            return set() if where is None else {Placement(where)}
