// SPDX-License-Identifier: Apache-2.0

const WINDOW = 8;

/**
 * Log time of the server, seen from here.
 *
 * A message is always late, never early, so of the last `WINDOW` samples the largest offset is the nearest to the truth.
 * `local` is a monotonic clock in milliseconds; a changed wall clock of the device changes nothing.
 */
export class LogClock {
  private samples: number[] = [];

  constructor(private readonly local: () => number) {}

  observe(serverMs: number): void {
    this.samples = [...this.samples, serverMs - this.local()].slice(-WINDOW);
  }

  now(): number {
    return this.local() + (this.samples.length > 0 ? Math.max(...this.samples) : 0);
  }
}

export interface TimeLeft {
  readonly minutes: number;
  readonly seconds: number;
  readonly over: boolean;
}

/** Whole seconds until `endsMs`, rounded up so that "0:00" means over. */
export function timeLeft(endsMs: number, nowMs: number): TimeLeft {
  const total = Math.max(0, Math.ceil((endsMs - nowMs) / 1000));
  return { minutes: Math.floor(total / 60), seconds: total % 60, over: total === 0 };
}

export function clockText(left: TimeLeft): string {
  return `${left.minutes}:${String(left.seconds).padStart(2, "0")}`;
}
