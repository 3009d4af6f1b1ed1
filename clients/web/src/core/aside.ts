// SPDX-License-Identifier: Apache-2.0
import type { ClientCommand, ParticipantId, Placement, RoomView } from "../protocol/messages.ts";
import type { Readable } from "./store.ts";

export interface AsidePorts {
  readonly view: Readable<{ readonly view: RoomView } | null>;
  /** Resolves to whether it was done. */
  readonly run: (command: ClientCommand) => Promise<boolean>;
}

/**
 * A private word: opens a room of this name, goes there, and has the person told that they come after. Each step is
 * one that moderators can take by hand, and undo. Resolves to whether all was done.
 */
export async function takeAside({ view, run }: AsidePorts, person: ParticipantId, name: string, leadMs: number): Promise<boolean> {
  const known = new Set(view.get()?.view.breakouts.rooms.map((room) => room.id));
  const isNew = (room: { id: string; name: string }): boolean => room.name === name && !known.has(room.id);
  if (!(await run({ type: "add_breakout", name }))) return false;
  const to = await first(view, (now) => now?.view.breakouts.rooms.find(isNew)?.id ?? null);
  return (await run({ type: "visit", to })) && run({ type: "move", participants: [person], to, lead_ms: leadMs });
}

/** The first answer that is one. */
function first<T>(values: Readable<T>, answer: (value: T) => Placement | null): Promise<Placement> {
  return new Promise((done) => {
    let stop: (() => void) | null = null;
    let found = false;
    stop = values.subscribe((value) => {
      const given = answer(value);
      if (given === null || found) return;
      found = true;
      done(given);
      stop?.();
    });
    if (found) stop();
  });
}
