// SPDX-License-Identifier: Apache-2.0
import type { ReceiveSlot } from "./media.ts";
import type { StatsRow } from "./playback.ts";

/** Voices of the receive slots are in streams of their own from here on, so that no browser couples them to pictures. */
export function withVoicesApart(sdp: string): string {
  return sdp
    .split(/(?=^m=)/m)
    .map((section) => (section.startsWith("m=audio") ? section.replace(/^(a=msid:\S+)/m, "$1-voice") : section))
    .join("");
}

export interface LipsPorts {
  readonly slots: () => readonly ReceiveSlot[];
  /** Null while there is no connection. */
  readonly statistics: () => Promise<readonly StatsRow[]> | null;
  /** The least that pictures of this slot wait before they are shown; 0: as short as the network allows. */
  readonly hold: (slot: number, ms: number) => void;
  readonly now: () => number;
  readonly later: (run: () => void, ms: number) => void;
}

const LOOK_MS = 2_000;

/** A new person's first voice and pictures are no measure yet. */
const SETTLED_MS = 2_000;

/** How much sooner than its voice a picture may be: speech that is 45 ms behind is noticed by nobody (ITU-R BT.1359). */
const AHEAD_MS = 25;
const TOLERANCE_MS = 20;

const MOST_MS = 1_000;

/** What has left a receive buffer so far, and how long it waited in all. */
interface Waited {
  readonly count: number;
  readonly seconds: number;
}

/**
 * Keeps lips and voice together where the browser's own way costs a move half of its time.
 *
 * Browsers delay the pictures of a stream until its voice, which has the longer buffer, is played; so the first picture
 * after a move would wait for the voice, too. Here it comes at once, and is brought together with the voice soon after:
 * both are forwarded alike, hence they are apart by what their buffers differ.
 */
export class Lips {
  private running = 0;
  private readonly holds = new Map<number, number>();
  private before = new Map<string, Waited>();

  constructor(private readonly ports: LipsPorts) {}

  start(): void {
    const run = ++this.running;
    const next = (): void => this.ports.later(() => run === this.running && void this.look().then(next), LOOK_MS);
    next();
  }

  stop(): void {
    this.running++;
    this.holds.clear();
    this.before.clear();
  }

  /** Somebody else is in the slot: their first picture waits for nothing. */
  changed(slot: number): void {
    if (this.holds.delete(slot)) this.ports.hold(slot, 0);
  }

  private async look(): Promise<void> {
    const run = this.running;
    const rows = await this.ports.statistics();
    if (!rows || run !== this.running) return;
    const waited = new Map(rows.flatMap((row) => entryOf(row)));
    const delay = (track: MediaStreamTrack): number | null => meanMs(this.before.get(track.id), waited.get(track.id));
    for (const slot of this.ports.slots()) {
      if (slot.source === null || this.ports.now() - slot.changedMs < SETTLED_MS + LOOK_MS) continue;
      const [voice, picture] = [delay(slot.audioTrack), delay(slot.videoTrack)];
      if (voice !== null && picture !== null) this.align(slot.index, voice, picture);
    }
    this.before = waited;
  }

  private align(slot: number, voice: number, picture: number): void {
    const early = voice - picture - AHEAD_MS;
    if (Math.abs(early) <= TOLERANCE_MS) return;
    const held = this.holds.get(slot) ?? 0;
    const wanted = Math.round(Math.min(MOST_MS, Math.max(0, voice - AHEAD_MS)));
    // Pictures that are late by themselves are not held: there is nothing to take back.
    if (wanted === held || (early < 0 && held === 0)) return;
    this.holds.set(slot, wanted);
    this.ports.hold(slot, wanted);
  }
}

function entryOf(row: StatsRow): [string, Waited][] {
  const { type, trackIdentifier, jitterBufferEmittedCount: count, jitterBufferDelay: seconds } = row;
  const told = type === "inbound-rtp" && trackIdentifier !== undefined && count !== undefined && seconds !== undefined;
  return told ? [[trackIdentifier, { count, seconds }]] : [];
}

/** Of what left the buffer between two looks; null: nothing did. */
function meanMs(before: Waited | undefined, now: Waited | undefined): number | null {
  if (!before || !now || now.count <= before.count) return null;
  return (1_000 * (now.seconds - before.seconds)) / (now.count - before.count);
}
