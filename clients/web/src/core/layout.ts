// SPDX-License-Identifier: Apache-2.0
import type { Participant, ParticipantId, RoomView } from "../protocol/messages.ts";

export interface Grid {
  readonly columns: number;
  readonly rows: number;
}

const TILE_RATIO = 4 / 3;

/** The grid in which `count` tiles of ratio 4:3 become largest in an area; ties go to fewer empty places. */
export function bestGrid(count: number, width: number, height: number): Grid {
  const amount = Math.max(1, count);
  let best: Grid = { columns: 1, rows: amount };
  let bestArea = -1;
  for (let columns = 1; columns <= amount; columns++) {
    const rows = Math.ceil(amount / columns);
    const tileWidth = Math.min(width / columns, (height / rows) * TILE_RATIO);
    const area = tileWidth * (tileWidth / TILE_RATIO);
    if (area > bestArea + 0.5) {
      best = { columns, rows };
      bestArea = area;
    }
  }
  return best;
}

/**
 * The order of tiles:
 *
 * 1. whoever is spotlighted,
 * 2. whose turn it is in the round,
 * 3. the others in the order in which they joined,
 * 4. oneself, last.
 *
 * Speaking never reorders tiles: faces that jump are hard to bear.
 */
export function tileOrder(view: RoomView, me: ParticipantId): readonly Participant[] {
  const here = view.participants[me]?.placement;
  if (here === undefined) return [];
  const turn = view.rounds[here]?.current ?? null;
  const rank = (person: Participant): number => {
    if (person.id === view.spotlight) return 0;
    if (person.id === turn) return 1;
    return person.id === me ? 3 : 2;
  };
  return Object.values(view.participants)
    .filter((person) => person.placement === here)
    .sort((a, b) => rank(a) - rank(b) || a.joined_ms - b.joined_ms || (a.id < b.id ? -1 : 1));
}
