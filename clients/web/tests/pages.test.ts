// SPDX-License-Identifier: Apache-2.0
import { beforeEach, describe, expect, test } from "vitest";
import { arrange, type Arrangement, type Attention, capacityOf } from "../src/core/layout.ts";
import { RecentSpeakers } from "../src/core/speakers.ts";
import { Watcher, watchOf, type ShownPage } from "../src/core/watcher.ts";
import type { Watch } from "../src/protocol/messages.ts";
import { VirtualTime } from "./virtual.ts";

const ids = (count: number): string[] => Array.from({ length: count }, (_, index) => `p${index + 1}`);
const NOBODY: Attention = { spotlight: null, turn: null, pinned: [], recent: [] };
const first = (arrangement: Arrangement): readonly string[] => arrangement.pages[0]!;

describe("pages of people", () => {
  test("one page while all fit: spotlight, turn, pinned, then by joining, oneself last", () => {
    const attention = { ...NOBODY, spotlight: "p5", turn: "p3", pinned: ["p4"], recent: ["p2"] };
    expect(arrange([], ids(5), "me", attention, 12).pages).toEqual([["p5", "p3", "p4", "p1", "p2", "me"]]);
  });

  test("everybody is on exactly one page, oneself on the first", () => {
    for (const count of [0, 1, 11, 12, 59, 299]) {
      const { pages } = arrange([], ids(count), "me", { ...NOBODY, recent: ["p50", "p3"] }, 12);
      expect(pages.flat().sort()).toEqual([...ids(count), "me"].sort());
      expect(pages[0]!.at(-1)).toBe("me");
      expect(pages.every((page, index) => page.length <= (index === 0 ? 12 : 11))).toBe(true);
    }
  });

  test("oneself in the spotlight comes first", () => {
    expect(first(arrange([], ids(3), "me", { ...NOBODY, spotlight: "me" }, 12))).toEqual(["me", "p1", "p2", "p3"]);
  });

  test("who speaks on another page changes places with one silent person; nobody else moves", () => {
    const quiet = arrange([], ids(60), "me", NOBODY, 12);
    const spoken = arrange(quiet.order, ids(60), "me", { ...NOBODY, recent: ["p42"] }, 12);
    expect(first(spoken)).toContain("p42");
    expect(quiet.order.filter((id, index) => spoken.order[index] !== id).sort()).toEqual(["p11", "p42"]);
    const still = arrange(spoken.order, ids(60), "me", { ...NOBODY, recent: ["p3", "p42"] }, 12);
    expect(still.pages).toEqual(spoken.pages);
  });

  test("whose turn it is, the spotlight and the pinned are on the first page from wherever they are", () => {
    const attention = { spotlight: "p30", turn: "p40", pinned: ["p50", "p51"], recent: ["p2"] };
    const page = first(arrange([], ids(60), "me", attention, 6));
    expect(page).toEqual(["p30", "p40", "p50", "p51", "p2", "me"]);
  });

  test("more wishes than places: the most important have them", () => {
    const page = first(arrange([], ids(60), "me", { ...NOBODY, turn: "p40", recent: ["p20", "p21", "p22", "p23"] }, 4));
    expect(page).toEqual(["p40", "p20", "p21", "me"].sort((a, b) => page.indexOf(a) - page.indexOf(b)));
  });

  test("people who come and go move only those behind them", () => {
    const before = arrange([], ids(30), "me", { ...NOBODY, recent: ["p25"] }, 12);
    const after = arrange(before.order, [...ids(30).filter((id) => id !== "p28"), "new"], "me", NOBODY, 12);
    expect(first(after)).toEqual(first(before));
    expect(after.pages.at(-1)!.at(-1)).toBe("new");
  });

  test("a page holds what can be read", () => {
    expect(capacityOf(12, 1240, 620, false, 0)).toBe(12);
    expect(capacityOf(12, 568, 200, false, 2)).toBe(12);
    expect(capacityOf(12, 300, 300, true, 0)).toBe(6);
    expect(capacityOf(12, 300, 300, true, 2)).toBe(4);
  });

  test("of a crowd, no more than the server has pictures for", () => {
    expect(capacityOf(13, 1240, 620, false, 0)).toBe(10);
    expect(capacityOf(300, 500, 300, false, 0)).toBe(6);
    expect(capacityOf(300, 0, 0, false, 0)).toBe(4);
  });
});

describe("who spoke lately", () => {
  test("a cough is no speech, a sentence is", () => {
    const speakers = new RecentSpeakers();
    expect(speakers.heard(["p2"], 0)).toEqual([]);
    expect(speakers.heard(["p2"], 500)).toEqual([]);
    expect(speakers.heard(["p2"], 1_000)).toEqual(["p2"]);
  });

  test("the last speaker is first, and whoever goes on speaking changes nothing", () => {
    const speakers = new RecentSpeakers();
    for (let at = 0; at <= 1_000; at += 250) speakers.heard(["p1"], at);
    let list = speakers.heard([], 1_200);
    for (let at = 1_300; at <= 2_500; at += 300) list = speakers.heard(["p2"], at);
    expect(list).toEqual(["p2", "p1"]);
    expect(speakers.heard(["p2"], 2_700)).toBe(list);
  });
});

describe("what the server is told of a page", () => {
  const page: ShownPage = {
    people: ["p1", "p2", "p3"],
    heights: new Map([["p1", 231], ["p2", 231], ["p3", 231], ["gone", 10]]),
    important: [null, "p3"],
    pinned: [],
    free: 2,
    hidden: false,
  };

  test("the most important first, heights in steps", () => {
    expect(watchOf(page)).toEqual({
      type: "watch",
      tiles: [{ participant: "p3", height: 240 }, { participant: "p1", height: 240 }, { participant: "p2", height: 240 }],
      others: 2,
      others_height: 240,
    });
  });

  test("who is out of view is not shown, who is pinned is said to be", () => {
    const { tiles } = watchOf({ ...page, heights: new Map([["p2", 100]]), pinned: ["p2"] });
    expect(tiles).toEqual([{ participant: "p2", height: 120, pinned: true }]);
  });

  test("a hidden window shows nobody", () => {
    expect(watchOf({ ...page, hidden: true })).toEqual({ type: "watch", tiles: [], others: 0, others_height: 0 });
  });

  describe("and when", () => {
    let time: VirtualTime;
    let sent: Watch[];
    let watcher: Watcher;
    const watch = (others: number): Watch => ({ type: "watch", tiles: [], others, others_height: 0 });

    beforeEach(() => {
      time = new VirtualTime();
      sent = [];
      watcher = new Watcher({ send: (one) => sent.push(one), now: time.now, later: time.later });
    });

    test("once for many small changes, the newest of them", () => {
      for (const others of [1, 2, 3]) watcher.set(watch(others));
      time.advance(100);
      expect(sent).toEqual([watch(3)]);
    });

    test("not again while nothing has changed, and not too often while much does", () => {
      for (let at = 0; at < 2_000; at += 50) {
        watcher.set(watch(at));
        time.advance(50);
      }
      expect(sent.length).toBeLessThanOrEqual(6);
      time.advance(1_000);
      expect(sent.at(-1)).toEqual(watch(1_950));
      const count = sent.length;
      watcher.set(watch(1_950));
      time.advance(1_000);
      expect(sent).toHaveLength(count);
    });

    test("again to a server that may have forgotten; nothing before anything was shown", () => {
      watcher.again();
      time.advance(1_000);
      expect(sent).toEqual([]);
      watcher.set(watch(1));
      time.advance(1_000);
      watcher.again();
      time.advance(1_000);
      expect(sent).toEqual([watch(1), watch(1)]);
    });
  });
});
