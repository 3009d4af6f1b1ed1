// SPDX-License-Identifier: Apache-2.0

const PRESSES = 3;
const WITHIN_MS = 2_000;

/**
 * Shift three times, by itself, within two seconds: quick exit (as "Exit this page" of the GOV.UK Design System).
 * Whatever else is pressed meanwhile, as for a capital letter, begins the count anew.
 */
export class ThreeShifts {
  private presses: number[] = [];
  private alone = false;

  down(key: string): void {
    this.alone = key === "Shift";
    if (!this.alone) this.presses = [];
  }

  /** Whether this was the third. */
  up(key: string, nowMs: number): boolean {
    if (key !== "Shift" || !this.alone) return false;
    this.alone = false;
    this.presses = [...this.presses, nowMs].slice(-PRESSES);
    const [first = nowMs] = this.presses;
    const third = this.presses.length === PRESSES && nowMs - first <= WITHIN_MS;
    if (third) this.presses = [];
    return third;
  }
}
