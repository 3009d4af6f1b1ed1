// SPDX-License-Identifier: Apache-2.0
import { flushSync, mount, unmount } from "svelte";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { ReceiveSlot } from "../src/core/media.ts";
import GroupAudio from "../src/ui/parts/GroupAudio.svelte";
import { settled } from "./virtual.ts";

let stop = (): void => undefined;
let playing: Set<HTMLMediaElement>;
let refuse: boolean;
let visibility: "visible" | "hidden";

beforeEach(() => {
  playing = new Set();
  refuse = false;
  visibility = "visible";
  vi.spyOn(document, "visibilityState", "get").mockImplementation(() => visibility);
  vi.spyOn(HTMLMediaElement.prototype, "paused", "get").mockImplementation(function (this: HTMLMediaElement) {
    return !playing.has(this);
  });
  vi.spyOn(HTMLMediaElement.prototype, "play").mockImplementation(function (this: HTMLMediaElement) {
    if (refuse) return Promise.reject(new DOMException("", "NotAllowedError"));
    playing.add(this);
    return Promise.resolve();
  });
});
afterEach(() => stop());

function group(): { blocked: boolean[]; interrupt: () => void; turn: (to: "visible" | "hidden") => void } {
  const blocked: boolean[] = [];
  const slots = [0, 1].map((index) => ({ index, source: null, audio: false, audioTrack: { id: `t${index}` } })) as unknown as ReceiveSlot[];
  const mounted = mount(GroupAudio, { target: document.body, props: { slots, onblocked: (is: boolean) => blocked.push(is) } });
  stop = () => void unmount(mounted);
  flushSync();
  return {
    blocked,
    interrupt: () => {
      const all = [...playing];
      playing.clear();
      for (const audio of all) audio.dispatchEvent(new Event("pause"));
    },
    turn: (to) => {
      visibility = to;
      document.dispatchEvent(new Event("visibilitychange"));
    },
  };
}

test("a group that a phone call has silenced is heard again when the page is", async () => {
  const { interrupt, turn } = group();
  expect(playing.size).toBe(2);
  turn("hidden");
  interrupt();
  expect(playing.size).toBe(0);
  turn("visible");
  expect(playing.size).toBe(2);
  interrupt();
  expect(playing.size).toBe(2);
  await settled();
});

test("where the browser wants a press for that, one button asks for it", async () => {
  const { blocked, interrupt } = group();
  refuse = true;
  interrupt();
  await settled();
  expect(blocked.at(-1)).toBe(true);
  expect(playing.size).toBe(0);
});
