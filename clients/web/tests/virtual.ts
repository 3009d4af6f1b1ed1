// SPDX-License-Identifier: Apache-2.0

/** A clock that moves only when a test says so. */
export class VirtualTime {
  private time = 0;
  private due: { at: number; run: () => void }[] = [];

  readonly now = (): number => this.time;
  readonly later = (run: () => void, ms: number): void => void this.due.push({ at: this.time + ms, run });

  advance(ms: number): void {
    const end = this.time + ms;
    for (let next = this.next(end); next; next = this.next(end)) {
      this.time = next.at;
      next.run();
    }
    this.time = end;
  }

  private next(end: number): { at: number; run: () => void } | undefined {
    const [first] = this.due.filter((item) => item.at <= end).sort((a, b) => a.at - b.at);
    this.due = this.due.filter((item) => item !== first);
    return first;
  }
}

/** Lets every promise that is ready go on. */
export async function settled(): Promise<void> {
  for (let count = 0; count < 20; count++) await Promise.resolve();
}
