// SPDX-License-Identifier: Apache-2.0
import type { ParticipantId, Tile, Watch } from "../protocol/messages.ts";

export interface ShownPage {
  /** The people on the page that is shown, in its order, without oneself. */
  readonly people: readonly ParticipantId[];
  /** Device pixels of the picture of each tile that is in view. */
  readonly heights: ReadonlyMap<ParticipantId, number>;
  /** The most important first; all others come after them, as they stand. */
  readonly important: readonly (ParticipantId | null)[];
  readonly pinned: readonly ParticipantId[];
  /** How many more people would get a tile on this page if they came. */
  readonly free: number;
  /** The window is in the background or covered. */
  readonly hidden: boolean;
}

/** Sizes are rounded up to these steps: a window that is being resized is not worth a message for each pixel. */
const STEP = 30;
const HIGHEST = 2_160;

/** What the server is told of a page. A hidden one shows nobody; the voices go on all the same. */
export function watchOf(page: ShownPage): Watch {
  if (page.hidden) return { type: "watch", tiles: [], others: 0, others_height: 0 };
  const rank = new Map(page.important.map((id, index) => [id, index]));
  const place = (id: ParticipantId): number => rank.get(id) ?? page.important.length;
  const shown = page.people.filter((id) => page.heights.has(id)).sort((a, b) => place(a) - place(b));
  const tiles = shown.map((participant): Tile => {
    const pinned = page.pinned.includes(participant);
    return { participant, height: step(page.heights.get(participant) ?? 0), ...(pinned ? { pinned } : {}) };
  });
  const smallest = Math.min(...tiles.map((tile) => tile.height), HIGHEST);
  return { type: "watch", tiles, others: page.free, others_height: tiles.length > 0 ? smallest : 360 };
}

function step(height: number): number {
  return Math.min(HIGHEST, Math.ceil(height / STEP) * STEP);
}

export interface WatcherPorts {
  readonly send: (watch: Watch) => void;
  readonly now: () => number;
  readonly later: (run: () => void, ms: number) => void;
}

/** A page settles within this time: tiles are measured one after the other. */
const SETTLE_MS = 60;
const SPACING_MS = 400;

/** Tells the server whom the page shows: only what has changed, the newest only, and not too often. */
export class Watcher {
  private wanted: Watch | null = null;
  private told = "";
  private sentMs = -Infinity;
  private scheduled = false;

  constructor(private readonly ports: WatcherPorts) {}

  set(watch: Watch): void {
    this.wanted = watch;
    this.schedule();
  }

  /** The server may have forgotten: a new peer, another connection. */
  again(): void {
    this.told = "";
    this.schedule();
  }

  private schedule(): void {
    if (this.scheduled || !this.wanted || JSON.stringify(this.wanted) === this.told) return;
    this.scheduled = true;
    this.ports.later(() => this.tell(), Math.max(SETTLE_MS, this.sentMs + SPACING_MS - this.ports.now()));
  }

  private tell(): void {
    this.scheduled = false;
    const text = JSON.stringify(this.wanted);
    if (!this.wanted || text === this.told) return;
    this.told = text;
    this.sentMs = this.ports.now();
    this.ports.send(this.wanted);
  }
}
