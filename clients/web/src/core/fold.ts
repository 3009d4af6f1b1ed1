// SPDX-License-Identifier: Apache-2.0
import {
  type BreakoutsRevised,
  type ChatMessage,
  type Event,
  MAX_CHAT_MESSAGES,
  type Participant,
  type ParticipantId,
  type Placement,
  type RoomView,
  type Round,
  type Timer,
  type TimerScope,
  type TurnEnded,
} from "../protocol/messages.ts";

type Change = Partial<RoomView>;

/** The same fold as `evolve` of the server, over what one person may see. Never changes its argument. */
export function evolve(view: RoomView, event: Event): RoomView {
  return { ...view, ...changeOf(view, event) };
}

export function assertNever(value: never): never {
  throw new Error(`unhandled ${JSON.stringify(value)}`);
}

function changeOf(view: RoomView, event: Event): Change {
  switch (event.type) {
    case "room_opened":
      return { id: event.room, settings: event.settings, agenda: event.agenda };
    case "participant_joined":
    case "participant_admitted":
      return put(view, event.participant);
    case "participant_returned":
      return person(view, event.participant, {
        presence: "connected",
        microphone: event.microphone,
        camera: event.camera,
      });
    case "connection_lost":
      return person(view, event.participant, { presence: "lost" });
    case "participant_left":
      return leave(view, event.participant);
    case "settings_changed":
      return { settings: event.settings };
    case "microphone_changed":
      return person(view, event.participant, { microphone: event.on });
    case "camera_changed":
      return person(view, event.participant, { camera: event.on });
    case "hard_mute_changed":
      return person(view, event.participant, {
        hard_muted: event.on,
        ...(event.on ? { microphone: false } : {}),
      });
    case "hand_raised":
      return { hands: [...without(view.hands, event.hand.participant), event.hand] };
    case "hand_lowered":
      return { hands: without(view.hands, event.participant) };
    case "reacted":
    case "seat_bound":
      return {};
    case "timer_over":
      return changeTimer(view, event.scope, (old) => ({ ...old, over: true }));
    case "renamed":
      return person(view, event.participant, { name: event.name });
    case "chat_sent":
      return chat(view, event.message);
    case "goal_set":
      return { goals: setOrDelete(view.goals, event.participant, event.goal) };
    case "spotlight_changed":
      return { spotlight: event.participant };
    case "role_changed":
      return person(view, event.participant, { role: event.role });
    case "phase_started":
      return { agenda: { ...view.agenda, current: event.phase, timer: event.timer }, rounds: {} };
    case "phase_extended":
      return { agenda: { ...view.agenda, timer: event.timer } };
    case "agenda_edited":
      return { agenda: { ...view.agenda, version: event.version, phases: event.phases } };
    case "timer_warned":
      return changeTimer(view, event.scope, (old) => ({ ...old, warned: [...old.warned, event.left_ms] }));
    case "round_started":
      return { rounds: { ...view.rounds, [event.placement]: event.round } };
    case "turn_started":
      return round(view, event.placement, (old) => ({
        ...outOfRound(old, event.participant),
        current: event.participant,
        turn_started_ms: event.at_ms,
      }));
    case "turn_ended":
      return round(view, event.placement, (old) => endTurn(old, event));
    case "round_joined":
      return round(view, event.placement, (old) => ({ ...old, waiting: [...old.waiting, event.participant] }));
    case "round_ended":
      return { rounds: setOrDelete(view.rounds, event.placement, null) };
    case "plan_changed":
      return { breakouts: { ...view.breakouts, plan: event.plan } };
    case "change_announced":
      return { breakouts: { ...view.breakouts, pending: [...view.breakouts.pending, event.change] } };
    case "change_cancelled":
      return {
        breakouts: { ...view.breakouts, pending: view.breakouts.pending.filter((item) => item.id !== event.id) },
      };
    case "breakouts_revised":
      return revise(view, event);
    case "breakouts_extended":
      return { breakouts: { ...view.breakouts, timer: event.timer } };
    case "help_requested":
      return { help: [...without(view.help, event.request.participant), event.request] };
    case "help_acknowledged":
      return {
        help: view.help.map((item) =>
          item.participant === event.participant ? { ...item, acknowledged_by: event.by } : item,
        ),
      };
    case "help_cleared":
      return { help: without(view.help, event.participant) };
    case "session_started":
      return { status: "live" };
    case "session_ended":
      return {
        status: event.debrief ? "debrief" : "ended",
        agenda: { ...view.agenda, current: null, timer: null },
        rounds: {},
        hands: [],
        help: [],
        spotlight: null,
      };
    default:
      return assertNever(event);
  }
}

function put(view: RoomView, participant: Participant): Change {
  return { participants: { ...view.participants, [participant.id]: participant } };
}

function person(view: RoomView, id: ParticipantId, change: Partial<Participant>): Change {
  const old = view.participants[id];
  return old ? put(view, { ...old, ...change }) : {};
}

function without<T extends { readonly participant: ParticipantId }>(items: readonly T[], id: ParticipantId): T[] {
  return items.filter((item) => item.participant !== id);
}

function setOrDelete<T>(record: Readonly<Record<string, T>>, key: string, value: T | null): Record<string, T> {
  const { [key]: _, ...rest } = record;
  return value === null ? rest : { ...rest, [key]: value };
}

function leave(view: RoomView, id: ParticipantId): Change {
  return {
    participants: setOrDelete(view.participants, id, null),
    hands: without(view.hands, id),
    rounds: Object.fromEntries(Object.entries(view.rounds).map(([where, old]) => [where, outOfRound(old, id)])),
    help: without(view.help, id),
    spotlight: view.spotlight === id ? null : view.spotlight,
  };
}

function chat(view: RoomView, message: ChatMessage): Change {
  const before = view.chat[message.placement] ?? [];
  return { chat: { ...view.chat, [message.placement]: [...before, message].slice(-MAX_CHAT_MESSAGES) } };
}

function changeTimer(view: RoomView, scope: TimerScope, change: (old: Timer) => Timer): Change {
  const holder = scope === "phase" ? view.agenda : view.breakouts;
  if (!holder.timer) return {};
  const timer = change(holder.timer);
  return scope === "phase"
    ? { agenda: { ...view.agenda, timer } }
    : { breakouts: { ...view.breakouts, timer } };
}

function round(view: RoomView, placement: Placement, change: (old: Round) => Round): Change {
  const old = view.rounds[placement];
  return old ? { rounds: { ...view.rounds, [placement]: change(old) } } : {};
}

/** The round as if this person had never been in it. */
function outOfRound(old: Round, participant: ParticipantId): Round {
  const less = (ids: readonly ParticipantId[]): ParticipantId[] => ids.filter((id) => id !== participant);
  return {
    ...old,
    waiting: less(old.waiting),
    later: less(old.later),
    done: less(old.done),
    current: old.current === participant ? null : old.current,
  };
}

function endTurn(old: Round, { participant, outcome }: TurnEnded): Round {
  const rest = outOfRound(old, participant);
  if (outcome === "gone") return rest;
  if (outcome === "later") return { ...rest, later: [...rest.later, participant] };
  return { ...rest, done: [...rest.done, participant] };
}

function revise(view: RoomView, event: BreakoutsRevised): Change {
  const participants: Record<ParticipantId, Participant> = { ...view.participants };
  for (const [id, placement] of Object.entries(event.moves)) {
    const old = participants[id];
    if (old) participants[id] = { ...old, placement };
  }
  return {
    participants,
    breakouts: {
      ...view.breakouts,
      revision: event.revision,
      rooms: event.rooms,
      timer: event.timer,
      prompt: event.prompt,
      pending: view.breakouts.pending.filter((item) => item.id !== event.pending),
      plan: event.change === "open" ? null : view.breakouts.plan,
      undoable: event.change === "visit" ? view.breakouts.undoable : event.change !== "undo",
    },
  };
}
