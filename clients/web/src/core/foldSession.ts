// SPDX-License-Identifier: Apache-2.0
import {
  type AgendaEvent,
  type BreakoutEvent,
  type BreakoutsRevised,
  type ChatMessage,
  MAX_CHAT_MESSAGES,
  type Participant,
  type Placement,
  type RoomView,
  type Round,
  type RoundEvent,
  type SharedEvent,
  type Timer,
  type TimerScope,
  type TurnEnded,
} from "../protocol/messages.ts";
import { assertNever, type Change, outOfRound, setOrDelete, without } from "./folding.ts";

export function changeShared(view: RoomView, event: SharedEvent): Change {
  switch (event.type) {
    case "reacted":
      return {};
    case "chat_sent":
      return addMessage(view, event.message);
    case "goal_set":
      return { goals: setOrDelete(view.goals, event.participant, event.goal) };
    case "spotlight_changed":
      return { spotlight: event.participant };
    case "help_requested":
      return { help: [...without(view.help, event.request.participant), event.request] };
    case "help_acknowledged": {
      const { participant, by } = event;
      return { help: view.help.map((item) => (item.participant === participant ? { ...item, acknowledged_by: by } : item)) };
    }
    case "help_cleared":
      return { help: without(view.help, event.participant) };
    default:
      return assertNever(event);
  }
}

export function changeAgenda(view: RoomView, event: AgendaEvent): Change {
  switch (event.type) {
    case "phase_started":
      return { agenda: { ...view.agenda, current: event.phase, timer: event.timer }, rounds: {} };
    case "phase_extended":
      return { agenda: { ...view.agenda, timer: event.timer } };
    case "agenda_edited":
      return { agenda: { ...view.agenda, version: event.version, phases: event.phases } };
    case "timer_warned":
      return changeTimer(view, event.scope, (old) => ({ ...old, warned: [...old.warned, event.left_ms] }));
    case "timer_over":
      return changeTimer(view, event.scope, (old) => ({ ...old, over: true }));
    default:
      return assertNever(event);
  }
}

export function changeRounds(view: RoomView, event: RoundEvent): Change {
  switch (event.type) {
    case "round_started":
      return { rounds: { ...view.rounds, [event.placement]: event.round } };
    case "turn_started": {
      const { participant, at_ms } = event;
      return changeRound(view, event.placement, (old) => ({
        ...outOfRound(old, participant),
        current: participant,
        turn_started_ms: at_ms,
      }));
    }
    case "turn_ended":
      return changeRound(view, event.placement, (old) => endTurn(old, event));
    case "round_joined":
      return changeRound(view, event.placement, (old) => ({ ...old, waiting: [...old.waiting, event.participant] }));
    case "round_ended":
      return { rounds: setOrDelete(view.rounds, event.placement, null) };
    default:
      return assertNever(event);
  }
}

export function changeBreakouts(view: RoomView, event: BreakoutEvent): Change {
  const { breakouts } = view;
  switch (event.type) {
    case "plan_changed":
      return { breakouts: { ...breakouts, plan: event.plan } };
    case "change_announced":
      return { breakouts: { ...breakouts, pending: [...breakouts.pending, event.change] } };
    case "change_cancelled":
      return { breakouts: { ...breakouts, pending: breakouts.pending.filter((item) => item.id !== event.id) } };
    case "breakouts_revised":
      return revise(view, event);
    case "breakouts_extended":
      return { breakouts: { ...breakouts, timer: event.timer } };
    default:
      return assertNever(event);
  }
}

function addMessage(view: RoomView, message: ChatMessage): Change {
  const before = view.chat[message.placement] ?? [];
  return { chat: { ...view.chat, [message.placement]: [...before, message].slice(-MAX_CHAT_MESSAGES) } };
}

function changeTimer(view: RoomView, scope: TimerScope, change: (old: Timer) => Timer): Change {
  const holder = scope === "phase" ? view.agenda : view.breakouts;
  if (!holder.timer) return {};
  const timer = change(holder.timer);
  return scope === "phase" ? { agenda: { ...view.agenda, timer } } : { breakouts: { ...view.breakouts, timer } };
}

function changeRound(view: RoomView, placement: Placement, change: (old: Round) => Round): Change {
  const old = view.rounds[placement];
  return old ? { rounds: { ...view.rounds, [placement]: change(old) } } : {};
}

function endTurn(old: Round, { participant, outcome }: TurnEnded): Round {
  const rest = outOfRound(old, participant);
  if (outcome === "gone") return rest;
  if (outcome === "later") return { ...rest, later: [...rest.later, participant] };
  return { ...rest, done: [...rest.done, participant] };
}

function revise(view: RoomView, event: BreakoutsRevised): Change {
  const participants: Record<string, Participant> = { ...view.participants };
  for (const [id, placement] of Object.entries(event.moves)) {
    const old = participants[id];
    if (old) participants[id] = { ...old, placement };
  }
  const { rooms, timer, prompt, revision, change } = event;
  return {
    participants,
    breakouts: {
      revision,
      rooms,
      timer,
      prompt,
      pending: view.breakouts.pending.filter((item) => item.id !== event.pending),
      plan: change === "open" ? null : view.breakouts.plan,
      undoable: change === "visit" ? view.breakouts.undoable : change !== "undo",
    },
  };
}
