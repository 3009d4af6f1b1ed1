// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "vitest";
import { loudness, watchLevel } from "../src/core/level.ts";
import { FakeTrack } from "./fakes.ts";

const tone = (amplitude: number): Float32Array => Float32Array.from({ length: 1024 }, (_, index) => amplitude * Math.sin(index / 5));

test("loudness goes from a quiet room to a loud voice", () => {
  expect(loudness(new Float32Array(1024))).toBe(0);
  expect(loudness(tone(0.0005))).toBe(0);
  expect(loudness(tone(0.03))).toBeCloseTo(0.59, 1);
  expect(loudness(tone(1))).toBe(1);
});

test("it is told while the browser lets it be heard, and the browser is let go at the end", () => {
  let tick = (): void => undefined;
  let cleared = 0;
  class FakeContext {
    static made: FakeContext[] = [];
    state = "suspended";
    resumed = 0;
    constructor() {
      FakeContext.made.push(this);
    }
    createAnalyser = () => ({ fftSize: 0, getFloatTimeDomainData: (into: Float32Array) => into.set(tone(1)) });
    createMediaStreamSource = () => ({ connect: () => undefined });
    resume = () => Promise.resolve(void this.resumed++);
    close = () => Promise.resolve(void (this.state = "closed"));
  }
  const page = {
    AudioContext: FakeContext,
    setInterval: (run: () => void) => ((tick = run), 1),
    clearInterval: () => cleared++,
  } as unknown as Window & typeof globalThis;
  const told: number[] = [];
  const stop = watchLevel(new FakeTrack("audio") as unknown as MediaStreamTrack, (level) => told.push(level), page);
  const [context] = FakeContext.made;
  tick();
  expect([told, context!.resumed]).toEqual([[], 1]);
  context!.state = "running";
  tick();
  expect(told).toEqual([1]);
  stop();
  expect([context!.state, cleared]).toEqual(["closed", 1]);
  expect(() => watchLevel({} as MediaStreamTrack, () => undefined, {} as Window & typeof globalThis)()).not.toThrow();
});
