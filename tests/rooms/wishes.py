# SPDX-License-Identifier: Apache-2.0
"""Hypothesis strategies: any command that a client may send, about few people and few rooms, so that they meet."""

from __future__ import annotations

from typing import Final

from hypothesis import strategies as st

from server.ids import LOBBY, MAIN, BreakoutId, ParticipantId, PhaseId, Placement
from server.rooms import commands as c
from server.rooms.commands import RoomCommand
from server.rooms.phases import Phase, PhaseKind, RoundOrder, RoundPlan
from server.rooms.state import AssignmentStrategy, GoalVisibility, PlannedRoom, Reaction, Role

TOKENS: Final = {
    ParticipantId("m1"): Role.MODERATOR,
    ParticipantId("m2"): Role.MODERATOR,
    ParticipantId("l1"): Role.LEADER,
    ParticipantId("l2"): Role.LEADER,
    ParticipantId("p1"): Role.PARTICIPANT,
    ParticipantId("p2"): Role.PARTICIPANT,
    ParticipantId("p3"): Role.PARTICIPANT,
    ParticipantId("p4"): Role.PARTICIPANT,
}
"""Everyone who may come, and the role in their token."""

people: Final = st.sampled_from(sorted(TOKENS))
anybody: Final = st.one_of(people, people, people, st.just(ParticipantId("nobody")))
crowd: Final = st.lists(anybody, min_size=1, max_size=4, unique=True).map(tuple)
some: Final = st.lists(people, min_size=1, max_size=4, unique=True).map(tuple)
rooms: Final = st.sampled_from([BreakoutId(f"b{number}") for number in range(1, 7)])
places: Final = st.one_of(st.just(MAIN), rooms.map(Placement), rooms.map(Placement), st.just(LOBBY))
names: Final = st.sampled_from(["Ana", " Blue  Bird ", "\u202eevil", "   ", "Zoë"])
texts: Final = st.sampled_from(["Hello", "  \n ", "I am here\x07"])
leads: Final = st.sampled_from([0, 0, 5_000, 20_000])
extras: Final = st.sampled_from([1_000, 90_000, 3_600_000])
durations: Final = st.sampled_from([0, 10_000, 70_000, 400_000])
versions: Final = st.integers(min_value=0, max_value=6)
switches: Final = st.booleans()
goals: Final = st.sampled_from(["", "Call my sister", "Walk"])
planned: Final = st.builds(PlannedRoom, name=names, members=some, leader=st.none() | people)
plans: Final = st.lists(planned, min_size=1, max_size=3).map(tuple)
round_plans: Final = st.builds(RoundPlan, order=st.sampled_from(RoundOrder), no_cross_talk=switches)
phase_ids: Final = st.sampled_from([PhaseId(name) for name in ("check-in", "topic", "breakouts", "close", "extra")])
phases: Final = st.builds(
    Phase,
    id=phase_ids,
    kind=st.sampled_from(PhaseKind),
    title=st.sampled_from(["Topic", "Extra", ""]),
    duration_ms=durations,
    round=st.none() | round_plans,
    skipped=st.booleans(),
)
agendas: Final = st.lists(phases, min_size=1, max_size=5, unique_by=lambda phase: phase.id).map(tuple)

LOBBY_WISHES: Final = (
    st.builds(c.Admit, participants=crowd),
    st.builds(c.Deny, participant=anybody),
    st.builds(c.SetLocked, locked=switches),
    st.builds(c.SetAutoAdmit, auto_admit=switches),
    st.builds(c.Leave),
)
OWN_WISHES: Final = (
    st.builds(c.SetMicrophone, on=switches),
    st.builds(c.SetCamera, on=switches),
    st.builds(c.RaiseHand),
    st.builds(c.LowerHand, participant=st.none() | anybody),
    st.builds(c.React, reaction=st.sampled_from(Reaction)),
    st.builds(c.Rename, name=names, participant=st.none() | anybody),
    st.builds(c.SendChat, text=texts),
    st.builds(c.SetGoal, text=goals, visibility=st.sampled_from(GoalVisibility)),
)
MODERATION_WISHES: Final = (
    st.builds(c.Mute, participants=crowd),
    st.builds(c.MuteEveryone),
    st.builds(c.SetHardMute, participant=anybody, on=switches),
    st.builds(c.TurnCameraOff, participant=anybody),
    st.builds(c.Remove, participant=anybody),
    st.builds(c.Spotlight, participant=st.none() | anybody),
    st.builds(c.SetRole, participant=anybody, role=st.sampled_from(Role)),
)
AGENDA_WISHES: Final = (
    st.builds(c.NextPhase),
    st.builds(c.PreviousPhase),
    st.builds(c.SkipPhase, phase=phase_ids, skipped=switches),
    st.builds(c.ExtendPhase, extra_ms=extras),
    st.builds(c.EditAgenda, version=versions, phases=agendas),
)
ROUND_WISHES: Final = (
    st.builds(c.StartRound, order=st.sampled_from(RoundOrder), no_cross_talk=switches),
    st.builds(c.TakeTurn),
    st.builds(c.FinishTurn),
    st.builds(c.PassTurn),
    st.builds(c.ComeBackLater),
    st.builds(c.NextTurn),
    st.builds(c.GiveTurn, participant=anybody),
    st.builds(c.EndRound),
)
PLAN_WISHES: Final = (
    st.builds(
        c.DraftPlan,
        strategy=st.sampled_from(AssignmentStrategy),
        rooms=st.integers(min_value=1, max_value=3),
        duration_ms=durations,
    ),
    st.builds(c.EditPlan, version=versions, rooms=plans, duration_ms=durations),
    st.builds(c.DiscardPlan),
)
BREAKOUT_WISHES: Final = (
    st.builds(c.OpenBreakouts, version=versions, lead_ms=leads, allow_alone=switches),
    st.builds(c.Move, participants=some, to=places, lead_ms=leads),
    st.builds(c.Swap, first=people, second=people),
    st.builds(c.MergeBreakouts, source=rooms, target=rooms),
    st.builds(c.SplitBreakout, source=rooms, participants=some, name=names),
    st.builds(c.AddBreakout, name=names),
    st.builds(c.RenameBreakout, breakout=rooms, name=names),
    st.builds(c.CloseBreakout, breakout=rooms),
    st.builds(c.CloseBreakouts, lead_ms=leads),
    st.builds(c.ExtendBreakouts, extra_ms=extras),
    st.builds(c.UndoBreakouts),
    st.builds(c.Visit, to=places),
)
SUPPORT_WISHES: Final = (
    st.builds(c.Broadcast, text=texts),
    st.builds(c.RequestHelp),
    st.builds(c.CancelHelp),
    st.builds(c.AcknowledgeHelp, participant=anybody),
)
wishes: Final[st.SearchStrategy[RoomCommand]] = st.one_of(
    *LOBBY_WISHES,
    *OWN_WISHES,
    *OWN_WISHES,
    *MODERATION_WISHES,
    *AGENDA_WISHES,
    *ROUND_WISHES,
    *PLAN_WISHES,
    *BREAKOUT_WISHES,
    *SUPPORT_WISHES,
)
