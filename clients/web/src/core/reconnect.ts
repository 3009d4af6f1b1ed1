// SPDX-License-Identifier: Apache-2.0

export interface RetryContext {
  /** Failed attempts since the connection was lost. */
  readonly attempt: number;
  readonly elapsedMs: number;
  /** Said by the server, for instance while it drains. */
  readonly retryAfterMs: number | null;
}

/** Tells how long to wait before the next attempt; null: stop and let the person decide. */
export interface ReconnectPolicy {
  nextRetryDelayInMs(context: RetryContext): number | null;
}

const DELAYS_MS = [0, 300, 1_000, 2_000, 3_000, 5_000];
const GIVE_UP_MS = 10 * 60_000;

/** Quick at first, since a seat is kept for only a minute; spread, so that a whole group does not come back at once. */
export class PatientPolicy implements ReconnectPolicy {
  constructor(private readonly random: () => number = Math.random) {}

  nextRetryDelayInMs({ attempt, elapsedMs, retryAfterMs }: RetryContext): number | null {
    if (elapsedMs > GIVE_UP_MS) return null;
    const base = DELAYS_MS[Math.min(attempt, DELAYS_MS.length - 1)] as number;
    return Math.round(Math.max(base, retryAfterMs ?? 0) * (1 + this.random() / 2));
  }
}
