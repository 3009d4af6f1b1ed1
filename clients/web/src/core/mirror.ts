// SPDX-License-Identifier: Apache-2.0
import type { Epoch, Event, ParticipantId, RoomMessage, RoomView, Seq } from "../protocol/messages.ts";
import { evolve } from "./fold.ts";

/** Where this client stands in the log, and the room as it may see it. */
export interface Mirror {
  readonly me: ParticipantId;
  readonly epoch: Epoch;
  readonly seq: Seq;
  readonly view: RoomView;
}

/** `gap`: messages were missed; ask for a snapshot. `events`: what was folded, for announcements. */
export interface Applied {
  readonly mirror: Mirror | null;
  readonly events: readonly Event[];
  readonly gap: boolean;
}

/** Takes in one message of the room. Idempotent by position: what is already folded is left out. */
export function applyMessage(mirror: Mirror | null, message: RoomMessage): Applied {
  switch (message.type) {
    case "welcome": {
      const base = message.view ?? (mirror?.epoch === message.epoch ? mirror.view : null);
      if (!base) return { mirror, events: [], gap: true };
      const tail = message.view ? [] : (message.tail ?? []);
      const { epoch, seq } = message;
      return {
        mirror: { me: message.participant, epoch, seq, view: tail.reduce(evolve, base) },
        events: tail,
        gap: false,
      };
    }
    case "snapshot": {
      if (!mirror || (message.epoch === mirror.epoch && message.seq < mirror.seq)) return unchanged(mirror);
      return {
        mirror: { ...mirror, epoch: message.epoch, seq: message.seq, view: message.view },
        events: [],
        gap: false,
      };
    }
    case "events": {
      if (!mirror) return unchanged(mirror);
      if (message.epoch === mirror.epoch && message.to <= mirror.seq) return unchanged(mirror);
      if (message.epoch !== mirror.epoch || message.from !== mirror.seq + 1) return { mirror, events: [], gap: true };
      const view = message.events.reduce(evolve, mirror.view);
      return { mirror: { ...mirror, seq: message.to, view }, events: message.events, gap: false };
    }
  }
}

function unchanged(mirror: Mirror | null): Applied {
  return { mirror, events: [], gap: false };
}
