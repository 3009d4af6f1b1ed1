// SPDX-License-Identifier: Apache-2.0
import type { ParticipantId } from "../protocol/messages.ts";

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

/** Tiles below this size are too small to read a face in: two of them fill the width of a phone. */
const SMALLEST_TILE = { width: 148, height: 112 };
const MOST_TILES = 12;
/** Where there are more people than slots, the server keeps some of the slots for voices: so many pictures are left. */
const CROWD_PICTURES = 9;
const FEWEST_TILES = 4;
const NARROW_TILES = 6;

/**
 * How many of `count` people one page shows, oneself included. `large`: how many of them take four places; on a narrow screen, where pages scroll a
 * little, these take the place of two.
 */
export function capacityOf(count: number, width: number, height: number, narrow: boolean, large: number): number {
  if (narrow) return Math.max(FEWEST_TILES, NARROW_TILES - large);
  // A group is always together on one page: it scrolls where a panel or a notice takes the space.
  if (count <= MOST_TILES) return MOST_TILES;
  const fits = Math.floor(width / SMALLEST_TILE.width) * Math.floor(height / SMALLEST_TILE.height);
  return Math.min(CROWD_PICTURES + 1, Math.max(FEWEST_TILES, fits - 3 * large));
}

/** Who should be seen first; each list with the most important first. */
export interface Attention {
  readonly spotlight: ParticipantId | null;
  readonly turn: ParticipantId | null;
  readonly pinned: readonly ParticipantId[];
  /** Who spoke lately. */
  readonly recent: readonly ParticipantId[];
}

/** `order`: to be given back the next time, so that nobody changes place without need. */
export interface Arrangement {
  readonly order: readonly ParticipantId[];
  readonly pages: readonly (readonly ParticipantId[])[];
}

/**
 * Spreads people over pages: `capacity` tiles on the first, which has oneself too, one less on the others. `others` in the order in which they joined, without oneself.
 *
 * The first page begins with the spotlight, whose turn it is, and those pinned, and ends with oneself. Where there are
 * more people than it holds, who spoke lately changes places with somebody on it who did not: two faces move, all
 * others stay where they are. Speaking moves nobody who is on the first page already.
 */
export function arrange(
  before: readonly ParticipantId[],
  others: readonly ParticipantId[],
  me: ParticipantId,
  attention: Attention,
  capacity: number,
): Arrangement {
  const room = capacity - 1;
  const here = new Set(others);
  const front = [attention.spotlight, attention.turn, ...attention.pinned].filter((id) => id !== null && here.has(id)) as string[];
  const wanted = [...new Set([...front, ...attention.recent.filter((id) => here.has(id))])].slice(0, room);
  const order = others.length <= room ? [...others] : onFirstPage(kept(before, others), wanted, room);
  const rank = (id: ParticipantId): number => (front.includes(id) ? front.indexOf(id) : front.length);
  const first = order.slice(0, room).sort((a, b) => rank(a) - rank(b));
  const pages = [attention.spotlight === me ? [me, ...first] : [...first, me]];
  for (let at = room; at < order.length; at += room) pages.push(order.slice(at, at + room));
  return { order, pages };
}

/** Who was there before keeps their place; newcomers come last. */
function kept(before: readonly ParticipantId[], others: readonly ParticipantId[]): ParticipantId[] {
  const here = new Set(others);
  const known = new Set(before);
  return [...before.filter((id) => here.has(id)), ...others.filter((id) => !known.has(id))];
}

/** Exchanges each of `wanted` who is beyond the first `room` places for the last one there who is not wanted. */
function onFirstPage(order: ParticipantId[], wanted: readonly ParticipantId[], room: number): ParticipantId[] {
  for (const id of wanted) {
    const at = order.indexOf(id);
    if (at < room) continue;
    const place = order.findLastIndex((other, index) => index < room && !wanted.includes(other));
    [order[place], order[at]] = [id, order[place] as ParticipantId];
  }
  return order;
}
