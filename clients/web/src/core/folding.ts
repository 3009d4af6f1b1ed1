// SPDX-License-Identifier: Apache-2.0
import type { Participant, ParticipantId, RoomView, Round } from "../protocol/messages.ts";

/** Those fields of a view that an event replaces. */
export type Change = Partial<RoomView>;

export function assertNever(value: never): never {
  throw new Error(`unhandled ${JSON.stringify(value)}`);
}

export function putPerson(view: RoomView, participant: Participant): Change {
  return { participants: { ...view.participants, [participant.id]: participant } };
}

/** Nothing when the person is unknown here. */
export function changePerson(view: RoomView, id: ParticipantId, change: Partial<Participant>): Change {
  const old = view.participants[id];
  return old ? putPerson(view, { ...old, ...change }) : {};
}

export function without<T extends { readonly participant: ParticipantId }>(items: readonly T[], id: ParticipantId): T[] {
  return items.filter((item) => item.participant !== id);
}

export function setOrDelete<T>(record: Readonly<Record<string, T>>, key: string, value: T | null): Record<string, T> {
  const { [key]: _, ...rest } = record;
  return value === null ? rest : { ...rest, [key]: value };
}

/** The round as if this person had never been in it. */
export function outOfRound(old: Round, participant: ParticipantId): Round {
  const less = (ids: readonly ParticipantId[]): ParticipantId[] => ids.filter((id) => id !== participant);
  return {
    ...old,
    waiting: less(old.waiting),
    later: less(old.later),
    done: less(old.done),
    current: old.current === participant ? null : old.current,
  };
}
