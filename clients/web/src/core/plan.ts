// SPDX-License-Identifier: Apache-2.0
import type { BreakoutPlan, ParticipantId, PlannedRoom, RoomView } from "../protocol/messages.ts";
import { LOBBY } from "../protocol/messages.ts";

/** The rooms of a draft with this person in room `to`; null: in none. */
export function placed(rooms: readonly PlannedRoom[], id: ParticipantId, to: number | null): PlannedRoom[] {
  return rooms.map((room, index) => {
    const members = room.members.filter((member) => member !== id);
    const leader = room.leader === id && index !== to ? null : room.leader;
    return { ...room, leader, members: index === to ? [...members, id] : members };
  });
}

export function renamed(rooms: readonly PlannedRoom[], index: number, name: string): PlannedRoom[] {
  return rooms.map((room, at) => (at === index ? { ...room, name } : room));
}

export function withLeader(rooms: readonly PlannedRoom[], index: number, leader: ParticipantId | null): PlannedRoom[] {
  return rooms.map((room, at) => (at === index ? { ...room, leader } : room));
}

export function withoutRoom(rooms: readonly PlannedRoom[], index: number): PlannedRoom[] {
  return rooms.filter((_, at) => at !== index);
}

/** Admitted people who are in no room of the draft, in the order of joining; moderators go where they want. */
export function unplaced(view: RoomView, plan: BreakoutPlan): readonly ParticipantId[] {
  const taken = new Set(plan.rooms.flatMap((room) => room.members));
  return Object.values(view.participants)
    .filter((person) => person.placement !== LOBBY && person.role !== "moderator" && !taken.has(person.id))
    .sort((a, b) => a.joined_ms - b.joined_ms || (a.id < b.id ? -1 : 1))
    .map((person) => person.id);
}
