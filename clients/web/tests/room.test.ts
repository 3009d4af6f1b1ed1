// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test, vi } from "vitest";
import { Room } from "../src/core/room.ts";
import { ScriptedServer } from "./fakes.ts";

function arrive(): { server: ScriptedServer; room: Room; joined: Promise<unknown>; events: string[] } {
  const server = new ScriptedServer();
  const events: string[] = [];
  const room = new Room({ wire: server.wire, token: "token-1", name: "Sam", event: (event) => events.push(event.type) });
  return { server, room, joined: room.join(), events };
}

describe("a room of one's own", () => {
  test("the seat is taken with the token, and events are folded and told", async () => {
    const { server, room, joined, events } = arrive();
    expect(server.handlers?.auth()).toMatchObject({ token: "token-1", name: "Sam", resume: null });
    server.welcome();
    await joined;
    server.handlers?.message({
      type: "events",
      epoch: 7,
      from: 11,
      to: 11,
      now_ms: 0,
      events: [{ type: "hand_raised", hand: { participant: "p1", raised_ms: 5 } }],
    });
    expect(events).toEqual(["hand_raised"]);
    expect(room.mirror.get()?.view.hands.map((hand) => hand.participant)).toContain("p1");
  });

  test("after a loss it comes back with the last secret and position, and repeats what was not answered", async () => {
    vi.useFakeTimers();
    const { server, room, joined } = arrive();
    server.welcome();
    await joined;
    const answer = room.command({ type: "raise_hand" });
    const [first] = server.received.splice(0);
    server.breakWire();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(server.handlers?.auth().resume).toEqual({ epoch: 7, seq: 10, secret: "secret-1" });
    server.welcome({ view: null, tail: [] });
    expect(server.received.map((item) => item.frame.id)).toEqual([first?.frame.id]);
    server.acknowledge();
    expect(await answer).toMatchObject({ type: "ok" });
    vi.useRealTimers();
  });

  test("what is answered leaves no timer behind", async () => {
    vi.useFakeTimers();
    const { server, room, joined } = arrive();
    server.welcome();
    await joined;
    const answer = room.command({ type: "raise_hand" });
    server.acknowledge();
    await answer;
    expect(vi.getTimerCount()).toBe(0);
    vi.useRealTimers();
  });

  test("who is not let in hears why", async () => {
    const { server, room, joined } = arrive();
    server.handlers?.refused({ code: 3500, reason: "token_invalid", message: "", reconnect: false, detail: "room: ..." });
    await expect(joined).rejects.toThrow("token_invalid: room: ...");
    expect(room.ending.get()).toEqual({ code: 3500, reason: "token_invalid", detail: "room: ..." });
  });

  test("a gap is asked about once", async () => {
    const { server, joined } = arrive();
    server.welcome();
    await joined;
    const late = { type: "events", epoch: 7, from: 20, to: 20, now_ms: 0, events: [] } as const;
    server.handlers?.message(late);
    server.handlers?.message({ ...late, from: 21, to: 21 });
    expect(server.commands).toEqual(["resync"]);
  });

  test("leaving is told, and is the end", async () => {
    const { server, room, joined } = arrive();
    server.welcome();
    await joined;
    const left = room.leave();
    expect(server.commands).toEqual(["leave"]);
    server.acknowledge();
    await left;
    expect(room.ending.get()?.reason).toBe("left");
  });
});
