// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from "vitest";
import { PlaybackReporter, playbackOf, isOverworked, type StatsRow } from "../src/core/playback.ts";
import { textOf, troubleOf } from "../src/core/trouble.ts";
import type { ConnectionQuality, Playback } from "../src/protocol/messages.ts";
import { settled, VirtualTime } from "./virtual.ts";

const picture = (freezeCount: number, totalFreezesDuration: number): StatsRow => ({ type: "inbound-rtp", kind: "video", freezeCount, totalFreezesDuration });
const sound = (ms: number, concealed: number, silent = 0): StatsRow => ({
  type: "inbound-rtp",
  kind: "audio",
  totalSamplesReceived: 48 * ms,
  concealedSamples: 48 * concealed,
  silentConcealedSamples: 48 * silent,
});

describe("what the person has really seen and heard", () => {
  test("is the sum of all pictures and voices; silence made up is no loss", () => {
    const rows = [picture(2, 0.5), picture(1, 0.25), sound(1_000, 30, 10), sound(500, 0), { type: "codec" }];
    expect(playbackOf(rows)).toEqual({ type: "playback", freezes: 3, frozen_ms: 750, concealed_ms: 20, played_ms: 1_500 });
  });

  test("a browser that counts nothing has nothing to tell", () => {
    expect(playbackOf([{ type: "inbound-rtp" }])).toEqual({ type: "playback", freezes: 0, frozen_ms: 0, concealed_ms: 0, played_ms: 0 });
  });

  test("is told now and then, goes on over a new connection, and ends with the session", async () => {
    const time = new VirtualTime();
    const sent: Playback[] = [];
    const busy: boolean[] = [];
    let rows: StatsRow[] | null = null;
    const reporter = new PlaybackReporter({
      statistics: () => rows && Promise.resolve(rows),
      send: (one) => sent.push(one),
      overworked: (is) => busy.push(is),
      later: time.later,
    });
    const pass = async (): Promise<void> => {
      time.advance(12_000);
      await settled();
    };
    reporter.start();
    await pass();
    expect(sent).toEqual([]);
    rows = [sound(9_000, 90), { type: "outbound-rtp", qualityLimitationReason: "cpu" }];
    await pass();
    rows = [sound(1_000, 10)];
    await pass();
    expect(sent.map((one) => [one.played_ms, one.concealed_ms])).toEqual([[9_000, 90], [10_000, 100]]);
    expect(busy).toEqual([true, false]);
    reporter.stop();
    await pass();
    expect(sent).toHaveLength(2);
  });

  test("a picture made smaller for the link is not the processor's fault", () => {
    expect(isOverworked([{ type: "outbound-rtp", qualityLimitationReason: "bandwidth" }])).toBe(false);
  });
});

describe("what a person is told of their connection", () => {
  const quality = (up: ConnectionQuality["up"], down: ConnectionQuality["down"], reason: ConnectionQuality["reason"]): ConnectionQuality => ({ type: "quality", up, down, reason });

  test("nothing while it is good", () => {
    expect(troubleOf(null, false)).toBeNull();
    expect(troubleOf(quality("good", "good", null), false)).toBeNull();
  });

  test("the worse direction with its reason; what is received where both are the same", () => {
    expect(troubleOf(quality("poor", "weak", "loss"), false)).toEqual({ level: "poor", direction: "up", reason: "loss" });
    expect(troubleOf(quality("weak", "weak", "delay"), false)).toEqual({ level: "weak", direction: "down", reason: "delay" });
  });

  test("the network before the device", () => {
    expect(troubleOf(quality("good", "weak", "bandwidth"), true)?.reason).toBe("bandwidth");
    expect(troubleOf(null, true)).toEqual({ level: "weak", direction: "up", reason: "device" });
  });

  test("each case has words", () => {
    expect(textOf({ level: "weak", direction: "up", reason: "device" })).toBe("trouble-device");
    expect(textOf({ level: "poor", direction: "down", reason: "loss" })).toBe("trouble-down-loss");
  });
});
