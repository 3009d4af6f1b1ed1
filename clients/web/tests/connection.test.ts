// SPDX-License-Identifier: Apache-2.0
import { beforeEach, describe, expect, test } from "vitest";
import { Connection, type Ending } from "../src/core/connection.ts";
import { applyMessage, type Mirror } from "../src/core/mirror.ts";
import { room } from "../src/fixtures/views.ts";
import type { Acknowledgement, Event } from "../src/protocol/messages.ts";
import { ScriptedServer } from "./fakes.ts";
import { settled, VirtualTime } from "./virtual.ts";

describe("the connection", () => {
  let server: ScriptedServer;
  let time: VirtualTime;
  let connection: Connection;
  let endings: Ending[];

  beforeEach(() => {
    server = new ScriptedServer();
    time = new VirtualTime();
    endings = [];
    let id = 0;
    connection = new Connection(
      { wire: server.wire, policy: { nextRetryDelayInMs: ({ attempt, retryAfterMs }) => (attempt < 3 ? (retryAfterMs ?? 100) : null) }, now: time.now, later: time.later, newId: () => `c${++id}` },
      { auth: () => ({ token: "t", protocol: 1 }), message: () => undefined, notice: () => undefined, ended: (ending) => endings.push(ending) },
    );
    connection.open();
  });

  test("is connected by the welcome, not by the socket", () => {
    expect(connection.state.get()).toBe("connecting");
    server.welcome();
    expect(connection.state.get()).toBe("connected");
  });

  test("dials again after a loss and keeps one wire only", () => {
    server.welcome();
    server.breakWire();
    expect(connection.state.get()).toBe("reconnecting");
    time.advance(100);
    expect(server.dials).toBe(2);
    server.welcome();
    expect(connection.state.get()).toBe("connected");
    expect(server.closes).toBeGreaterThanOrEqual(1);
  });

  test("keeps nothing that cannot be sent: it would break the next connection too", async () => {
    server.welcome();
    const huge = await connection.command({ type: "send_chat", text: "\u4e00".repeat(100_000) });
    expect(huge).toMatchObject({ type: "reject", reason: "too_large" });
    await expect(connection.command({ type: "extend_phase", extra_ms: 5n as unknown as number })).rejects.toThrow();
    server.refuseToSend = new Error("Could not encode");
    await expect(connection.command({ type: "raise_hand" })).rejects.toThrow("Could not encode");
    server.refuseToSend = null;
    server.breakWire();
    time.advance(100);
    server.welcome();
    expect(server.received).toEqual([]);
  });

  test("sends what was not acknowledged again, with the same id and in the same order", async () => {
    server.welcome();
    const answers: Acknowledgement[] = [];
    void connection.command({ type: "raise_hand" }).then((answer) => answers.push(answer));
    void connection.command({ type: "lower_hand" }).then((answer) => answers.push(answer));
    const ids = server.received.splice(0).map((item) => item.frame.id);
    server.breakWire();
    time.advance(100);
    expect(server.received).toEqual([]);
    server.welcome();
    expect(server.received.map((item) => item.frame.id)).toEqual(ids);
    server.acknowledge();
    await settled();
    expect(answers.map((answer) => answer.type)).toEqual(["ok", "ok"]);
  });

  test("a command without an answer is given up as busy after its life", async () => {
    server.welcome();
    const answer = connection.command({ type: "raise_hand" });
    time.advance(30_000);
    expect(await answer).toMatchObject({ type: "reject", reason: "busy" });
  });

  test.each([
    ["session_over", 3513],
    ["superseded", 3510],
  ])("does not come back after a final disconnect: %s", (reason, code) => {
    server.welcome();
    server.handlers?.notice({ type: "disconnecting", code: code as 3510, reason, message: "", reconnect: false, retry_after_ms: null, detail: "" });
    server.breakWire();
    time.advance(60_000);
    expect(endings).toEqual([{ code, reason }]);
    expect(server.dials).toBe(1);
    expect(connection.state.get()).toBe("closed");
  });

  test("comes back after a disconnect that asks for it", () => {
    server.welcome();
    server.handlers?.notice({ type: "disconnecting", code: 3000, reason: "server_restarting", message: "", reconnect: true, retry_after_ms: 250, detail: "" });
    server.breakWire();
    time.advance(249);
    expect(server.dials).toBe(1);
    time.advance(1);
    expect(server.dials).toBe(2);
    expect(endings).toEqual([]);
  });

  test("goes to the next server that knows the room, and back to the first one after the last", () => {
    server.welcome({ others: ["http://b.test", "http://c.test"] });
    for (let count = 0; count < 3; count++) {
      server.breakWire();
      time.advance(100);
    }
    expect(server.addresses).toEqual([null, "http://b.test", "http://c.test", null]);
    server.welcome({ others: ["http://b.test"] });
    server.breakWire();
    time.advance(100);
    server.welcome({ others: ["http://a.test"] });
    server.breakWire();
    time.advance(100);
    expect(server.addresses.slice(4)).toEqual(["http://b.test", "http://a.test"]);
  });

  test("hears of servers that come and go after the welcome", () => {
    server.welcome({ others: ["http://b.test"] });
    server.handlers?.notice({ type: "servers", others: ["http://c.test"] });
    server.breakWire();
    time.advance(100);
    expect(server.addresses).toEqual([null, "http://c.test"]);
  });

  test("a refused connect for good ends it, one for a while does not", () => {
    server.handlers?.refused({ code: 3003, reason: "server_busy", message: "", reconnect: true });
    time.advance(100);
    expect(server.dials).toBe(2);
    server.handlers?.refused({ code: 3501, reason: "token_expired", message: "", reconnect: false });
    expect(endings).toEqual([{ code: 3501, reason: "token_expired" }]);
  });

  test("stalls when the policy gives up, and goes on when the person presses", () => {
    for (let count = 0; count < 4; count++) {
      server.handlers?.refused(undefined);
      time.advance(100);
    }
    expect(connection.state.get()).toBe("stalled");
    connection.retryNow();
    server.welcome();
    expect(connection.state.get()).toBe("connected");
  });

  test("hears nothing from a wire that it has given up", () => {
    server.welcome();
    const old = server.handlers;
    server.breakWire();
    time.advance(100);
    old?.closed();
    server.welcome();
    old?.closed();
    expect(connection.state.get()).toBe("connected");
    expect(server.dials).toBe(2);
  });
});

describe("the mirror of the room", () => {
  const mirror: Mirror = { me: "p1", epoch: 7, seq: 10, view: room() };
  const renamed: Event = { type: "renamed", participant: "p1", name: "Annie", by: "p1" };
  const events = (from: number, to: number, epoch = 7) => ({ type: "events" as const, epoch, from, to, now_ms: 0, events: [renamed] });

  test("folds the next events", () => {
    const applied = applyMessage(mirror, events(11, 12));
    expect(applied.mirror?.seq).toBe(12);
    expect(applied.mirror?.view.participants["p1"]?.name).toBe("Annie");
    expect(applied.events).toEqual([renamed]);
  });

  test("leaves out what it has already", () => {
    expect(applyMessage(mirror, events(9, 10))).toEqual({ mirror, events: [], gap: false });
  });

  test.each([
    ["a hole", events(12, 13)],
    ["another epoch", events(11, 12, 8)],
  ])("sees %s as a gap and folds nothing", (_, message) => {
    expect(applyMessage(mirror, message)).toEqual({ mirror, events: [], gap: true });
  });

  test("a snapshot replaces the view; an old one does not", () => {
    const view = room({ spotlight: "p2" });
    expect(applyMessage(mirror, { type: "snapshot", epoch: 7, seq: 12, now_ms: 0, view }).mirror?.view).toBe(view);
    expect(applyMessage(mirror, { type: "snapshot", epoch: 7, seq: 9, now_ms: 0, view }).mirror).toBe(mirror);
  });

  test("a welcome with a tail continues the old view; without one to continue it asks for a snapshot", () => {
    const welcome = { type: "welcome" as const, participant: "p1", room: "r1", epoch: 7, seq: 15, secret: "s", now_ms: 0, view: null, tail: [renamed], ice_servers: [], relay_only: false, others: [] };
    expect(applyMessage(mirror, welcome).mirror?.view.participants["p1"]?.name).toBe("Annie");
    expect(applyMessage(null, welcome).gap).toBe(true);
  });
});
