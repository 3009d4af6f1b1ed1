// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "vitest";
import { keepAwake } from "../src/core/awake.ts";
import { settled } from "./virtual.ts";

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
