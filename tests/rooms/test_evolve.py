# SPDX-License-Identifier: Apache-2.0
"""Each event type has a test of the state it leaves, named after it."""

from __future__ import annotations

from msgspec.structs import replace

from server.ids import LOBBY, MAIN, BreakoutId, ConnectionId, ParticipantId, PhaseId, Placement, RoomId
from server.rooms import events as e
from server.rooms.events import Event, LeaveReason, TimerScope, TurnOutcome
from server.rooms.evolve import evolve, fold, opened
from server.rooms.phases import Phase, PhaseKind, RoundOrder, SessionStatus
from server.rooms.state import (
    MAX_CHAT_MESSAGES,
    Agenda,
    AssignmentStrategy,
    Breakout,
    BreakoutPlan,
    ChatMessage,
    Goal,
    GoalVisibility,
    Hand,
    HelpRequest,
    Participant,
    Past,
    PendingChange,
    PendingKind,
    Presence,
    Reaction,
    Role,
    RoomSettings,
    RoomState,
    Round,
    Seat,
    Timer,
)
from tests.rooms.builders import AGENDA, ANA, BEN, CLEO, MOD, TOPIC, new_room

B1 = Placement("b1")
BLUE = Breakout(BreakoutId("b1"), "Blue")
NOW = 5_000


def person(participant: ParticipantId, placement: Placement = MAIN, role: Role = Role.PARTICIPANT) -> Participant:
    """Somebody with microphone and camera on."""
    return Participant(participant, participant.title(), role, placement, joined_ms=1, microphone=True, camera=True)


def a_round(*waiting: ParticipantId, current: ParticipantId | None = None) -> Round:
    """A round by list."""
    return Round(RoundOrder.LIST, 60_000, no_cross_talk=True, waiting=waiting, current=current)


ROOM = replace(
    new_room(),
    participants={MOD: person(MOD, role=Role.MODERATOR), ANA: person(ANA), BEN: person(BEN)},
    seats={each: Seat(ConnectionId(f"of {each}"), 1, "hash", agreement=0) for each in (MOD, ANA, BEN)},
)
BUSY = replace(
    ROOM,
    hands=(Hand(ANA, 1), Hand(BEN, 2)),
    rounds={MAIN: a_round(BEN, current=ANA)},
    help=(HelpRequest(ANA, MAIN, 3), HelpRequest(BEN, MAIN, 4)),
    spotlight=ANA,
)


def ana_after(event: Event, state: RoomState = ROOM) -> Participant:
    """Ana, after this event."""
    return evolve(state, event).participants[ANA]


def test_every_event_type_has_a_test() -> None:
    """What is added to the union must be tested here."""
    missing = {
        kind.__struct_config__.tag for kind in Event.__args__ if f"test_{kind.__struct_config__.tag}" not in globals()
    }
    assert missing == set()


def test_room_opened() -> None:
    """The first event makes an empty room that waits; found again in a log, it changes nothing."""
    event = e.RoomOpened(RoomId("r"), RoomSettings(title="T"), AGENDA, NOW)
    state = opened(event)
    assert state == RoomState(
        id=RoomId("r"), status=SessionStatus.WAITING, settings=RoomSettings(title="T"), agenda=AGENDA
    )
    assert evolve(ROOM, event) is ROOM


def test_participant_joined() -> None:
    """The person is in the roster."""
    assert evolve(ROOM, e.ParticipantJoined(person(CLEO, LOBBY))).participants[CLEO] == person(CLEO, LOBBY)


def test_participant_admitted() -> None:
    """The person is where the event says."""
    waiting = evolve(ROOM, e.ParticipantJoined(person(CLEO, LOBBY)))
    assert evolve(waiting, e.ParticipantAdmitted(person(CLEO, B1), MOD)).participants[CLEO] == person(CLEO, B1)


def test_participant_returned() -> None:
    """Present again, with microphone and camera as the event says; in the same place."""
    lost = evolve(ROOM, e.ConnectionLost(ANA, NOW))
    back = ana_after(e.ParticipantReturned(ANA, microphone=False, camera=True, at_ms=NOW), lost)
    assert back == replace(person(ANA), microphone=False, presence=Presence.CONNECTED)


def test_connection_lost() -> None:
    """The person is shown as lost, the seat knows since when; all else stays."""
    state = evolve(BUSY, e.ConnectionLost(ANA, NOW))
    assert state.participants[ANA] == replace(person(ANA), presence=Presence.LOST)
    assert state.seats[ANA] == Seat(None, 1, "hash", agreement=0, lost_ms=NOW)
    assert (state.hands, state.rounds, state.help, state.spotlight) == (
        BUSY.hands,
        BUSY.rounds,
        BUSY.help,
        BUSY.spotlight,
    )


def test_participant_left() -> None:
    """Hand, turn, help request, spotlight and seat go with the person; their role is remembered."""
    state = evolve(BUSY, e.ParticipantLeft(ANA, MAIN, LeaveReason.LEFT, NOW))
    assert ANA not in state.participants
    assert ANA not in state.seats
    assert state.hands == (Hand(BEN, 2),)
    assert state.rounds == {MAIN: a_round(BEN)}
    assert state.help == (HelpRequest(BEN, MAIN, 4),)
    assert state.spotlight is None
    assert state.past == {ANA: Past(Role.PARTICIPANT, admitted=True)}
    assert state.removed == frozenset()


def test_participant_left_removed() -> None:
    """Somebody who was removed is known as such for good; a goal that the group was told stays."""
    goal = Goal("Rest", GoalVisibility.GROUP, 1)
    state = evolve(replace(ROOM, goals={ANA: goal}), e.ParticipantLeft(ANA, MAIN, LeaveReason.REMOVED, NOW))
    assert state.removed == {ANA}
    assert state.goals == {ANA: goal}


def test_seat_bound() -> None:
    """The seat belongs to the new connection; the ticket is used, the past is over."""
    past = replace(ROOM, past={ANA: Past(Role.LEADER, hard_muted=True)})
    state = evolve(past, e.SeatBound(ANA, ConnectionId("new"), 2, "other hash", agreement=3, ticket="t1"))
    assert state.seats[ANA] == Seat(ConnectionId("new"), 2, "other hash", agreement=3)
    assert state.used_tickets == {"t1"}
    assert state.past == {}
    assert evolve(past, e.SeatBound(ANA, ConnectionId("new"), 2, "h", agreement=3)).used_tickets == frozenset()


def test_settings_changed() -> None:
    """The settings are replaced."""
    settings = RoomSettings(title="T", locked=True)
    assert evolve(ROOM, e.SettingsChanged(settings, MOD)).settings == settings


def test_session_started() -> None:
    """The session is live."""
    assert evolve(ROOM, e.SessionStarted(NOW, MOD)).status is SessionStatus.LIVE


def test_session_ended() -> None:
    """What belongs to a going session is gone; with a debrief the room stays open."""
    running = replace(BUSY, agenda=replace(AGENDA, current=TOPIC.id, timer=Timer(0, 1)))
    state = evolve(running, e.SessionEnded(debrief=False, at_ms=NOW, by=MOD))
    assert state.status is SessionStatus.ENDED
    assert state.agenda == AGENDA
    assert (state.rounds, state.hands, state.help, state.spotlight) == ({}, (), (), None)
    assert evolve(running, e.SessionEnded(debrief=True, at_ms=NOW, by=MOD)).status is SessionStatus.DEBRIEF


def test_microphone_changed() -> None:
    """Only the microphone."""
    assert ana_after(e.MicrophoneChanged(ANA, on=False, by=MOD)) == replace(person(ANA), microphone=False)


def test_camera_changed() -> None:
    """Only the camera."""
    assert ana_after(e.CameraChanged(ANA, on=False, by=MOD)) == replace(person(ANA), camera=False)


def test_hard_mute_changed() -> None:
    """On: the microphone goes off with it. Off: the microphone stays off."""
    muted = evolve(ROOM, e.HardMuteChanged(ANA, on=True, by=MOD))
    assert muted.participants[ANA] == replace(person(ANA), microphone=False, hard_muted=True)
    assert ana_after(e.HardMuteChanged(ANA, on=False, by=MOD), muted) == replace(person(ANA), microphone=False)


def test_hand_raised() -> None:
    """Appended to the queue; never twice in it."""
    state = fold(ROOM, (e.HandRaised(Hand(ANA, 1)), e.HandRaised(Hand(BEN, 2)), e.HandRaised(Hand(ANA, 3))))
    assert state.hands == (Hand(BEN, 2), Hand(ANA, 3))


def test_hand_lowered() -> None:
    """Taken from the queue."""
    assert evolve(BUSY, e.HandLowered(ANA, MOD)).hands == (Hand(BEN, 2),)


def test_reacted() -> None:
    """Leaves no state."""
    assert evolve(ROOM, e.Reacted(ANA, MAIN, Reaction.HEART)) is ROOM


def test_renamed() -> None:
    """Only the name."""
    assert ana_after(e.Renamed(ANA, "Blue Bird", ANA)) == replace(person(ANA), name="Blue Bird")


def test_role_changed() -> None:
    """Only the role."""
    assert ana_after(e.RoleChanged(ANA, Role.LEADER, MOD)) == replace(person(ANA), role=Role.LEADER)


def message(number: int, placement: Placement = MAIN) -> ChatMessage:
    """A chat message."""
    return ChatMessage(number, ANA, "Ana", placement, "Hello", NOW)


def test_chat_sent() -> None:
    """Kept with its placement, only the newest; the next message has the next number."""
    state = fold(ROOM, tuple(e.ChatSent(message(number)) for number in range(1, MAX_CHAT_MESSAGES + 2)))
    assert state.chat.keys() == {MAIN}
    assert len(state.chat[MAIN]) == MAX_CHAT_MESSAGES
    assert state.chat[MAIN][0] == message(2)
    assert state.next_message == MAX_CHAT_MESSAGES + 2


def test_goal_set() -> None:
    """Replaced, or taken back."""
    goal = Goal("Rest", GoalVisibility.PRIVATE, 1)
    state = evolve(ROOM, e.GoalSet(ANA, goal, GoalVisibility.PRIVATE))
    assert state.goals == {ANA: goal}
    assert evolve(state, e.GoalSet(ANA, None, GoalVisibility.PRIVATE)).goals == {}


def test_spotlight_changed() -> None:
    """One person, or nobody."""
    assert evolve(ROOM, e.SpotlightChanged(BEN, MOD)).spotlight == BEN
    assert evolve(BUSY, e.SpotlightChanged(None, MOD)).spotlight is None


def test_help_requested() -> None:
    """One open call for each person."""
    request = HelpRequest(ANA, B1, NOW)
    assert evolve(BUSY, e.HelpRequested(request)).help == (HelpRequest(BEN, MAIN, 4), request)


def test_help_acknowledged() -> None:
    """The call knows who has seen it."""
    state = evolve(BUSY, e.HelpAcknowledged(ANA, MOD))
    assert state.help == (HelpRequest(ANA, MAIN, 3, acknowledged_by=MOD), HelpRequest(BEN, MAIN, 4))


def test_help_cleared() -> None:
    """The call is gone."""
    assert evolve(BUSY, e.HelpCleared(ANA)).help == (HelpRequest(BEN, MAIN, 4),)


def test_phase_started() -> None:
    """This phase with this timer; no round goes on. The status is told by SessionStarted."""
    state = evolve(BUSY, e.PhaseStarted(TOPIC.id, Timer(1, 2), MOD))
    assert state.agenda == replace(AGENDA, current=TOPIC.id, timer=Timer(1, 2))
    assert state.rounds == {}
    assert state.status is BUSY.status


def test_phase_extended() -> None:
    """The timer is replaced."""
    assert evolve(ROOM, e.PhaseExtended(Timer(1, 9), MOD)).agenda.timer == Timer(1, 9)


def test_agenda_edited() -> None:
    """Phases and version are replaced; where the session stands and its timer are not."""
    running = replace(ROOM, agenda=replace(AGENDA, current=TOPIC.id, timer=Timer(1, 2)))
    phases = (TOPIC, Phase(PhaseId("x"), PhaseKind.CUSTOM, "X"))
    state = evolve(running, e.AgendaEdited(2, phases, MOD))
    assert state.agenda == Agenda(2, phases, current=TOPIC.id, timer=Timer(1, 2))


def test_timer_warned() -> None:
    """The timer that spoke remembers it; without a timer nothing changes."""
    timers = replace(ROOM, agenda=replace(AGENDA, timer=Timer(0, 9)))
    timers = replace(timers, breakouts=replace(timers.breakouts, timer=Timer(0, 9)))
    phase = evolve(timers, e.TimerWarned(TimerScope.PHASE, 60_000))
    assert phase.agenda.timer == Timer(0, 9, warned=(60_000,))
    assert phase.breakouts == timers.breakouts
    rooms = evolve(timers, e.TimerWarned(TimerScope.BREAKOUTS, 15_000))
    assert rooms.breakouts.timer == Timer(0, 9, warned=(15_000,))
    assert rooms.agenda == timers.agenda
    assert evolve(ROOM, e.TimerWarned(TimerScope.PHASE, 60_000)) == ROOM


def test_timer_over() -> None:
    """The timer is over; the phase goes on."""
    running = replace(ROOM, agenda=replace(AGENDA, current=TOPIC.id, timer=Timer(0, 9)))
    state = evolve(running, e.TimerOver(TimerScope.PHASE))
    assert state.agenda == replace(AGENDA, current=TOPIC.id, timer=Timer(0, 9, over=True))


def test_round_started() -> None:
    """Replaces any other round of the placement."""
    new = a_round(BEN, ANA)
    assert evolve(BUSY, e.RoundStarted(MAIN, new)).rounds == {MAIN: new}


def test_turn_started() -> None:
    """The person is taken from wherever they were in the round, and is current."""
    waiting = replace(ROOM, rounds={MAIN: replace(a_round(ANA), later=(BEN,), done=(CLEO,))})
    for each, rest in ((ANA, {"waiting": ()}), (BEN, {"later": ()}), (CLEO, {"done": ()})):
        state = evolve(waiting, e.TurnStarted(MAIN, each, NOW))
        assert state.rounds[MAIN] == replace(waiting.rounds[MAIN], current=each, turn_started_ms=NOW, **rest)


def test_turn_ended() -> None:
    """Done, passed or moved on: has had the chance. Later: is called again. Gone: is out of the round."""
    for outcome in (TurnOutcome.DONE, TurnOutcome.PASSED, TurnOutcome.MOVED_ON):
        assert evolve(BUSY, e.TurnEnded(MAIN, ANA, outcome)).rounds[MAIN] == replace(a_round(BEN), done=(ANA,))
    assert evolve(BUSY, e.TurnEnded(MAIN, ANA, TurnOutcome.LATER)).rounds[MAIN] == replace(a_round(BEN), later=(ANA,))
    assert evolve(BUSY, e.TurnEnded(MAIN, ANA, TurnOutcome.GONE)).rounds[MAIN] == a_round(BEN)
    assert evolve(BUSY, e.TurnEnded(MAIN, BEN, TurnOutcome.PASSED)).rounds[MAIN] == replace(
        a_round(current=ANA), done=(BEN,)
    )


def test_round_joined() -> None:
    """Last in the order."""
    assert evolve(BUSY, e.RoundJoined(MAIN, CLEO)).rounds[MAIN] == a_round(BEN, CLEO, current=ANA)
    assert evolve(BUSY, e.RoundJoined(B1, CLEO)) == BUSY


def test_round_ended() -> None:
    """No round in this placement."""
    assert evolve(BUSY, e.RoundEnded(MAIN)).rounds == {}
    assert evolve(BUSY, e.RoundEnded(B1)) == BUSY


PLAN = BreakoutPlan(1, AssignmentStrategy.EVEN, rooms=(), duration_ms=0)
CHANGE = PendingChange(1, PendingKind.MOVE, NOW, {ANA: B1})


def test_plan_changed() -> None:
    """The draft is replaced, or there is none."""
    state = evolve(ROOM, e.PlanChanged(PLAN, MOD))
    assert state.breakouts.plan == PLAN
    assert evolve(state, e.PlanChanged(None, MOD)).breakouts.plan is None


def test_change_announced() -> None:
    """One more announced change; its number is taken."""
    state = evolve(ROOM, e.ChangeAnnounced(CHANGE, MOD))
    assert state.breakouts.pending == (CHANGE,)
    assert state.next_pending == CHANGE.id + 1


def test_change_cancelled() -> None:
    """The announced change is gone."""
    state = evolve(ROOM, e.ChangeAnnounced(CHANGE, MOD))
    assert evolve(state, e.ChangeCancelled(CHANGE.id, MOD)).breakouts.pending == ()


def revision(number: int, rooms: tuple[Breakout, ...], moves: dict[ParticipantId, Placement]) -> e.BreakoutsRevised:
    """A revision by the moderator."""
    return e.BreakoutsRevised(number, e.BreakoutsChange.MOVE, rooms, moves, None, NOW, MOD)


def test_breakouts_revised() -> None:
    """Rooms and placements as the event says, microphones and cameras as before."""
    state = evolve(ROOM, revision(1, (BLUE,), {ANA: B1}))
    assert state.breakouts.rooms == (BLUE,)
    assert state.breakouts.revision == 1
    assert state.participants[ANA] == person(ANA, B1)
    assert state.participants[BEN] == person(BEN)


def test_breakouts_revised_keeps_chat_while_undo_can_open_the_room_again() -> None:
    """The chat of a closed breakout is forgotten with the change after the one that closed it."""
    state = fold(ROOM, (revision(1, (BLUE,), {ANA: B1}), e.ChatSent(message(1, B1)), e.ChatSent(message(2))))
    closed = evolve(state, revision(2, (), {ANA: MAIN}))
    assert closed.chat.keys() == {B1, MAIN}
    assert evolve(closed, revision(3, (), {})).chat.keys() == {MAIN}


def test_breakouts_extended() -> None:
    """The timer is replaced."""
    assert evolve(ROOM, e.BreakoutsExtended(Timer(1, 9), MOD)).breakouts.timer == Timer(1, 9)


def test_an_event_about_somebody_unknown_changes_nobody() -> None:
    """The fold never raises: a view may not know the person."""
    for event in (e.MicrophoneChanged(CLEO, on=True, by=CLEO), e.ConnectionLost(CLEO, NOW)):
        assert evolve(ROOM, event) == ROOM
    left = evolve(ROOM, e.ParticipantLeft(CLEO, LOBBY, LeaveReason.DENIED, NOW))
    assert left == ROOM
