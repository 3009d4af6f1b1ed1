// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from "vitest";
import { keepAwake } from "../src/core/awake.ts";
import { loudness, watchLevel } from "../src/core/level.ts";
import { FakeTrack } from "./fakes.ts";
import { settled } from "./virtual.ts";

describe("the screen", () => {
  class FakePage {
    readonly locks: { released: boolean; release: () => Promise<void> }[] = [];
    refuse = false;
    readonly document = Object.assign(new EventTarget(), { visibilityState: "visible" });
    readonly navigator = {
      wakeLock: {
        request: () => {
          if (this.refuse) return Promise.reject(new DOMException("", "NotAllowedError"));
          const lock = { released: false, release: () => Promise.resolve(void (lock.released = true)) };
          this.locks.push(lock);
          return Promise.resolve(lock);
        },
      },
    };
    get held(): number {
      return this.locks.filter((lock) => !lock.released).length;
    }
    async turn(visibilityState: "visible" | "hidden"): Promise<void> {
      this.document.visibilityState = visibilityState;
      if (visibilityState === "hidden") for (const lock of this.locks) lock.released = true;
      this.document.dispatchEvent(new Event("visibilitychange"));
      await settled();
    }
  }

  const start = (page: FakePage): (() => void) => keepAwake(page as unknown as Window & typeof globalThis);

  test("the screen stays on, also after the page was out of sight, and no longer than the session", async () => {
    const page = new FakePage();
    const stop = start(page);
    await settled();
    expect(page.held).toBe(1);
    await page.turn("hidden");
    expect(page.held).toBe(0);
    await page.turn("visible");
    await page.turn("visible");
    expect([page.held, page.locks.length]).toEqual([1, 2]);
    stop();
    await page.turn("visible");
    expect([page.held, page.locks.length]).toEqual([0, 2]);
  });

  test("a lock that comes after the end is given back", async () => {
    const page = new FakePage();
    start(page)();
    await settled();
    expect([page.held, page.locks.length]).toEqual([0, 1]);
  });

  test("a browser that refuses or has none is left alone", async () => {
    const page = new FakePage();
    page.refuse = true;
    start(page);
    await settled();
    page.refuse = false;
    await page.turn("visible");
    expect(page.held).toBe(1);
    keepAwake({ document: page.document, navigator: {} } as unknown as Window & typeof globalThis)();
  });
});

describe("the loudness of one's own microphone", () => {
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
});
