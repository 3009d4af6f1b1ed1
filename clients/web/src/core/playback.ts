// SPDX-License-Identifier: Apache-2.0
import type { Playback } from "../protocol/messages.ts";

/** What is read of the statistics of a connection (W3C webrtc-stats); browsers leave out what they do not count. */
export interface StatsRow {
  readonly type: string;
  readonly kind?: string;
  readonly freezeCount?: number;
  readonly totalFreezesDuration?: number;
  readonly concealedSamples?: number;
  readonly silentConcealedSamples?: number;
  readonly totalSamplesReceived?: number;
  readonly qualityLimitationReason?: string;
  readonly trackIdentifier?: string;
  readonly jitterBufferDelay?: number;
  readonly jitterBufferEmittedCount?: number;
}

const SAMPLES_PER_MS = 48;

/** What the person has seen and heard over this connection. Silence made up where nobody speaks is no loss. */
export function playbackOf(rows: Iterable<StatsRow>): Playback {
  let [freezes, frozen, concealed, played] = [0, 0, 0, 0];
  for (const row of rows) {
    if (row.type !== "inbound-rtp") continue;
    freezes += row.freezeCount ?? 0;
    frozen += 1_000 * (row.totalFreezesDuration ?? 0);
    concealed += Math.max(0, (row.concealedSamples ?? 0) - (row.silentConcealedSamples ?? 0)) / SAMPLES_PER_MS;
    played += (row.totalSamplesReceived ?? 0) / SAMPLES_PER_MS;
  }
  return { type: "playback", freezes, frozen_ms: Math.round(frozen), concealed_ms: Math.round(concealed), played_ms: Math.round(played) };
}

/** Whether the processor is too slow to encode the picture as it was asked for. */
export function isOverworked(rows: Iterable<StatsRow>): boolean {
  return [...rows].some((row) => row.type === "outbound-rtp" && row.qualityLimitationReason === "cpu");
}

export interface PlaybackPorts {
  /** Null while there is no connection. */
  readonly statistics: () => Promise<readonly StatsRow[]> | null;
  readonly send: (playback: Playback) => void;
  readonly overworked: (is: boolean) => void;
  readonly later: (run: () => void, ms: number) => void;
}

const EVERY_MS = 12_000;

/** Tells the server now and then how it really was; totals go on when a connection takes the place of another. */
export class PlaybackReporter {
  private round = 0;
  private before = playbackOf([]);
  private last = playbackOf([]);

  constructor(private readonly ports: PlaybackPorts) {}

  start(): void {
    const round = ++this.round;
    const next = (): void => this.ports.later(() => round === this.round && void this.look().then(next), EVERY_MS);
    next();
  }

  stop(): void {
    this.round++;
    this.before = this.last = playbackOf([]);
  }

  private async look(): Promise<void> {
    const round = this.round;
    const rows = await this.ports.statistics();
    if (!rows || round !== this.round) return;
    this.ports.overworked(isOverworked(rows));
    const now = playbackOf(rows);
    if (now.played_ms < this.last.played_ms) this.before = sum(this.before, this.last);
    this.last = now;
    this.ports.send(sum(this.before, now));
  }
}

function sum(a: Playback, b: Playback): Playback {
  return {
    type: "playback",
    freezes: a.freezes + b.freezes,
    frozen_ms: a.frozen_ms + b.frozen_ms,
    concealed_ms: a.concealed_ms + b.concealed_ms,
    played_ms: a.played_ms + b.played_ms,
  };
}
