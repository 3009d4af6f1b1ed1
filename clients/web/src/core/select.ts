// SPDX-License-Identifier: Apache-2.0
import {
  type Breakout,
  type ChatMessage,
  EVERYWHERE,
  type HelpRequest,
  type Participant,
  type ParticipantId,
  type PendingChange,
  type Phase,
  type Placement,
  type RoomView,
  type Round,
  type Timer,
} from "../protocol/messages.ts";

export function peopleIn(view: RoomView, placement: Placement): readonly Participant[] {
  return Object.values(view.participants)
    .filter((person) => person.placement === placement)
    .sort((a, b) => a.joined_ms - b.joined_ms || (a.id < b.id ? -1 : 1));
}

/** Who is where this person is, without them. */
export function companyOf(view: RoomView, me: ParticipantId): readonly Participant[] {
  const place = view.participants[me]?.placement;
  return Object.values(view.participants).filter((one) => one.id !== me && one.placement === place);
}

export function isModerator(person: Participant | undefined): boolean {
  return person?.role === "moderator";
}

/** Leaders have their rights in the breakout they lead, moderators everywhere. */
export function mayGuide(view: RoomView, me: ParticipantId): boolean {
  const self = view.participants[me];
  if (!self) return false;
  if (self.role === "moderator") return true;
  return view.breakouts.rooms.some((room) => room.id === self.placement && room.leader === me);
}

/** The place in the queue of one's own placement, from 1; 0: no hand raised. */
export function handPosition(view: RoomView, id: ParticipantId): number {
  const here = view.participants[id]?.placement;
  const queue = view.hands.filter((hand) => view.participants[hand.participant]?.placement === here);
  return queue.findIndex((hand) => hand.participant === id) + 1;
}

export function handsIn(view: RoomView, placement: Placement): readonly Participant[] {
  return view.hands
    .map((hand) => view.participants[hand.participant])
    .filter((person): person is Participant => person?.placement === placement);
}

export function currentPhase(view: RoomView): Phase | null {
  return view.agenda.phases.find((phase) => phase.id === view.agenda.current) ?? null;
}

export function nextPhase(view: RoomView): Phase | null {
  const index = view.agenda.phases.findIndex((phase) => phase.id === view.agenda.current);
  return view.agenda.phases.slice(index + 1).find((phase) => !phase.skipped) ?? null;
}

/** In a breakout its own timer counts, else the timer of the phase. */
export function timerHere(view: RoomView, placement: Placement): Timer | null {
  return breakoutOf(view, placement) ? view.breakouts.timer : view.agenda.timer;
}

export function breakoutOf(view: RoomView, placement: Placement): Breakout | null {
  return view.breakouts.rooms.find((room) => room.id === placement) ?? null;
}

export function roundIn(view: RoomView, placement: Placement): Round | null {
  return view.rounds[placement] ?? null;
}

/** Where somebody stands in a round. */
export type Standing = "current" | "waiting" | "later" | "done" | "outside";

export function standing(round: Round, id: ParticipantId): Standing {
  if (round.current === id) return "current";
  if (round.waiting.includes(id)) return "waiting";
  if (round.later.includes(id)) return "later";
  return round.done.includes(id) ? "done" : "outside";
}

export function chatHere(view: RoomView, placement: Placement): readonly ChatMessage[] {
  const own = view.chat[placement] ?? [];
  return [...own, ...(view.chat[EVERYWHERE] ?? [])].sort((a, b) => a.at_ms - b.at_ms || a.id - b.id);
}

/** The next announced change that moves this person; who is named with the place where they are stays. */
export function announcedMove(view: RoomView, me: ParticipantId): PendingChange | null {
  const here = view.participants[me]?.placement;
  const mine = view.breakouts.pending.filter((change) => me in change.moves && change.moves[me] !== here);
  return mine.reduce<PendingChange | null>((first, item) => (!first || item.at_ms < first.at_ms ? item : first), null);
}

/** Who will be there when an announced change has happened, without oneself. */
export function companions(view: RoomView, change: PendingChange, me: ParticipantId): readonly Participant[] {
  const to = change.moves[me];
  return Object.values(view.participants).filter(
    (person) => person.id !== me && (change.moves[person.id] ?? person.placement) === to,
  );
}

/** Somebody who can answer a call; not one whose connection is lost. */
export function moderatorIsHere(view: RoomView): boolean {
  return Object.values(view.participants).some((person) => isModerator(person) && person.presence === "connected");
}

export function helpOf(view: RoomView, id: ParticipantId): HelpRequest | null {
  return view.help.find((request) => request.participant === id) ?? null;
}
