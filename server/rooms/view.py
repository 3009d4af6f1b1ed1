# SPDX-License-Identifier: Apache-2.0
"""What one person may see of the room. The same rules, told per event, are in `audience`."""

from __future__ import annotations

from msgspec.structs import replace

from server.ids import EVERYWHERE, LOBBY, ParticipantId
from server.rooms.audience import Viewer, viewer_of
from server.rooms.state import Agenda, Breakouts, GoalVisibility, RoomState, RoomView


def view_of(state: RoomState, participant: ParticipantId) -> RoomView:
    """The snapshot for this person. Raises KeyError when they have no seat."""
    viewer = viewer_of(state, participant)
    if viewer is None:
        raise KeyError(participant)
    return _from_lobby(state, viewer) if viewer.placement == LOBBY else _from_inside(state, viewer)


def _from_lobby(state: RoomState, viewer: Viewer) -> RoomView:
    """Only oneself, and whether the session has begun."""
    return RoomView(
        id=state.id,
        status=state.status,
        settings=state.settings,
        agenda=Agenda(version=0, phases=()),
        participants={viewer.id: state.participants[viewer.id]},
        breakouts=Breakouts(),
    )


def _from_inside(state: RoomState, viewer: Viewer) -> RoomView:
    places = (viewer.placement, EVERYWHERE)
    return RoomView(
        id=state.id,
        status=state.status,
        settings=state.settings,
        agenda=state.agenda,
        participants={
            id_: person for id_, person in state.participants.items() if viewer.moderator or person.placement != LOBBY
        },
        hands=state.hands,
        rounds={
            where: round_ for where, round_ in state.rounds.items() if viewer.moderator or where == viewer.placement
        },
        breakouts=state.breakouts if viewer.moderator else replace(state.breakouts, plan=None),
        chat={where: messages for where, messages in state.chat.items() if where in places},
        goals={
            owner: goal
            for owner, goal in state.goals.items()
            if owner == viewer.id or goal.visibility is GoalVisibility.GROUP
        },
        help=tuple(request for request in state.help if viewer.moderator or request.participant == viewer.id),
        spotlight=state.spotlight,
    )
