// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from "vitest";
import { crisisLine, telephone } from "../src/core/crisis.ts";
import { ThreeShifts } from "../src/core/exit.ts";

describe("Shift three times", () => {
  /** Presses and lets go of each key, `apartMs` after the one before; whether any of them was the third. */
  const press = (keys: readonly string[], apartMs = 200): boolean => {
    const shifts = new ThreeShifts();
    return keys.map((key, at) => (shifts.down(key), shifts.up(key, at * apartMs))).some((third) => third);
  };

  test("is quick exit", () => {
    expect(press(["Shift", "Shift", "Shift"])).toBe(true);
    expect(press(["a", "Shift", "Shift", "Shift"])).toBe(true);
  });

  test.each([[["Shift", "Shift"]], [["Shift", "Shift", "a", "Shift"]], [["Control", "Shift", "Shift"]]])("is not %j", (keys) => {
    expect(press(keys)).toBe(false);
  });

  test("is not slower than two seconds", () => {
    expect(press(["Shift", "Shift", "Shift"], 1_000)).toBe(true);
    expect(press(["Shift", "Shift", "Shift"], 1_001)).toBe(false);
  });

  test("is not writing capitals", () => {
    const shifts = new ThreeShifts();
    const capital = (letter: string, nowMs: number): boolean => {
      shifts.down("Shift");
      shifts.down(letter);
      return shifts.up(letter, nowMs) || shifts.up("Shift", nowMs);
    };
    expect(["N", "A", "S", "A"].map((letter, at) => capital(letter, at * 100))).not.toContain(true);
  });
});

describe("a line of help in a crisis", () => {
  test.each([
    ["Crisis line, day and night: 988", "Crisis line, day and night", "988", "tel:988"],
    ["Samaritans: 116 123", "Samaritans", "116 123", "tel:116123"],
    ["Our clinic (office 2): +1 (555) 010-0199", "Our clinic (office 2)", "+1 (555) 010-0199", "tel:+15550100199"],
  ])("%s", (line, text, number, href) => {
    expect(crisisLine(line)).toEqual({ text, number });
    expect(telephone(number)).toBe(href);
  });

  test("without a number is shown as it is", () => {
    expect(crisisLine(" Go to the nearest emergency room. ")).toEqual({ text: "Go to the nearest emergency room.", number: null });
  });
});
