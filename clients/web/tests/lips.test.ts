// SPDX-License-Identifier: Apache-2.0
import { beforeEach, describe, expect, test } from "vitest";
import { Lips, withVoicesApart } from "../src/core/lips.ts";
import type { ReceiveSlot } from "../src/core/media.ts";
import type { StatsRow } from "../src/core/playback.ts";
import { settled, VirtualTime } from "./virtual.ts";

test("an answer's voices are in streams of their own, its pictures stay where they are", () => {
  const lines = (voice: string): string =>
    ["v=0", "m=audio 9 UDP/TLS/RTP/SAVPF 111", `a=msid:${voice} a1`, "m=video 9 UDP/TLS/RTP/SAVPF 96", "a=msid:s1 v1", ""].join("\r\n");
  expect(withVoicesApart(lines("s1"))).toBe(lines("s1-voice"));
});

describe("lips and voice", () => {
  let time: VirtualTime;
  let lips: Lips;
  let holds: [number, number][];
  let slot: ReceiveSlot;
  let played: { voice: number; picture: number };
  const waits = { voice: 0, picture: 0 };

  /** So much is played in two seconds, and each packet and picture had waited for so long. */
  const look = async (voiceMs: number, pictureMs: number): Promise<void> => {
    played = { voice: played.voice + 96_000, picture: played.picture + 30 };
    waits.voice += 96 * voiceMs;
    waits.picture += (30 * pictureMs) / 1_000;
    time.advance(2_000);
    await settled();
  };
  const row = (trackIdentifier: string, count: number, seconds: number): StatsRow => ({
    type: "inbound-rtp",
    trackIdentifier,
    jitterBufferEmittedCount: count,
    jitterBufferDelay: seconds,
  });

  beforeEach(() => {
    time = new VirtualTime();
    holds = [];
    played = { voice: 0, picture: 0 };
    waits.voice = waits.picture = 0;
    const track = (id: string): MediaStreamTrack => ({ id }) as MediaStreamTrack;
    slot = { index: 3, source: "p2", audio: true, video: true, paused: null, changedMs: 0, clearedMs: 0, audioTrack: track("a"), videoTrack: track("v") };
    lips = new Lips({
      slots: () => [slot],
      statistics: () => Promise.resolve([row("a", played.voice, waits.voice), row("v", played.picture, waits.picture), { type: "codec" }]),
      hold: (index, ms) => holds.push([index, ms]),
      now: time.now,
      later: time.later,
    });
    lips.start();
  });

  test("the picture is held until it is hardly ahead, when the person has been there for a while", async () => {
    await look(90, 10);
    expect(holds).toEqual([]);
    await look(90, 10);
    expect(holds).toEqual([[3, 65]]);
    await look(90, 65);
    expect(holds).toHaveLength(1);
  });

  test("a voice that needs less of a buffer takes its picture along", async () => {
    for (const _ of [1, 2]) await look(200, 10);
    await look(60, 175);
    expect(holds).toEqual([[3, 175], [3, 35]]);
  });

  test("a picture that is late by itself, or hardly ahead, is left alone", async () => {
    for (const _ of [1, 2, 3]) await look(40, 120);
    for (const _ of [1, 2, 3]) await look(50, 10);
    expect(holds).toEqual([]);
  });

  test("the next person's first picture waits for nothing, and is no measure yet", async () => {
    for (const _ of [1, 2]) await look(90, 10);
    lips.changed(3);
    expect(holds.at(-1)).toEqual([3, 0]);
    slot = { ...slot, source: "p3", changedMs: time.now() };
    await look(300, 10);
    expect(holds).toHaveLength(2);
  });

  test("a person who sends nothing tells nothing", async () => {
    await look(90, 10);
    time.advance(2_000);
    await settled();
    time.advance(2_000);
    await settled();
    expect(holds).toEqual([]);
  });

  test("ends with the connection", async () => {
    lips.stop();
    for (const _ of [1, 2, 3]) await look(90, 10);
    expect(holds).toEqual([]);
  });
});
