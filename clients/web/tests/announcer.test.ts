// SPDX-License-Identifier: Apache-2.0
import { beforeEach, describe, expect, test } from "vitest";
import { Announcer } from "../src/core/announcer.ts";
import { arrival, narrate } from "../src/core/narrator.ts";
import { OPEN, people, room } from "../src/fixtures/views.ts";
import type { Event } from "../src/protocol/messages.ts";
import { VirtualTime } from "./virtual.ts";

describe("the announcer", () => {
  let time: VirtualTime;
  let said: string[];
  let announcer: Announcer;

  beforeEach(() => {
    time = new VirtualTime();
    said = [];
    announcer = new Announcer({ say: (politeness, text) => said.push(`${time.now()} ${politeness} ${text}`), now: time.now, later: time.later });
  });

  test("speaks polite things one after the other, with time between them", () => {
    for (const text of ["one", "two", "three"]) announcer.announce({ kind: "presence", text });
    time.advance(10_000);
    expect(said).toEqual(["0 polite one", "1200 polite two", "2400 polite three"]);
  });

  test("says a move at once, however much is waiting", () => {
    announcer.announce({ kind: "chat", text: "one" });
    announcer.announce({ kind: "chat", text: "two" });
    announcer.announce({ kind: "move", text: "you are in Room 1" });
    expect(said).toEqual(["0 assertive you are in Room 1"]);
  });

  test("does not say the same thing again until some time has passed", () => {
    announcer.announce({ kind: "timer", text: "1 minute left" });
    announcer.announce({ kind: "timer", text: "1 minute left" });
    time.advance(5_000);
    announcer.announce({ kind: "timer", text: "1 minute left" });
    time.advance(5_000);
    expect(said).toHaveLength(2);
  });

  test("says nothing of a session that is over", () => {
    for (const text of ["one", "two", "three"]) announcer.announce({ kind: "presence", text });
    time.advance(0);
    announcer.forget();
    time.advance(10_000);
    expect(said).toEqual(["0 polite one"]);
  });

  test("keeps silent about kinds that are switched off", () => {
    announcer.silence("reaction", true);
    announcer.announce({ kind: "reaction", text: "applause" });
    announcer.silence("reaction", false);
    announcer.announce({ kind: "reaction", text: "heart" });
    time.advance(5_000);
    expect(said).toEqual(["0 polite heart"]);
  });

  test("drops reactions and chat before anything else when too much is waiting", () => {
    announcer.announce({ kind: "timer", text: "1 minute left" });
    for (let count = 0; count < 20; count++) announcer.announce({ kind: "reaction", text: `reaction ${count}` });
    time.advance(60_000);
    expect(said[0]).toContain("1 minute left");
    expect(said).toHaveLength(6);
    expect(said.at(-1)).toContain("reaction 19");
  });

  test("of a crowd that leaves, says less, and all the same who has come to listen", () => {
    announcer.announce({ kind: "presence", text: "Maya joined" });
    for (let count = 0; count < 5; count++) announcer.announce({ kind: "absence", text: `${count} left` });
    for (let count = 0; count < 3; count++) announcer.announce({ kind: "turn", text: `step ${count}` });
    time.advance(60_000);
    expect(said.filter((text) => text.includes("left"))).toHaveLength(2);
    expect(said[0]).toContain("Maya joined");
  });
});

describe("what is narrated", () => {
  const ids = (event: Event, me = "p1", view = room({ participants: people(4) })) => narrate(view, view, [event], me).map((line) => line.id);

  test("one's own move, also when a snapshot brings it", () => {
    const before = room({ participants: people(4), breakouts: OPEN });
    const after = { ...before, participants: people(4, (index) => (index === 1 ? { placement: "b2" } : {})) };
    expect(narrate(before, after, [], "p1")).toEqual([{ kind: "move", id: "say-moved-room", args: { room: "Room 2" } }]);
    expect(narrate(after, before, [], "p1")[0]?.id).toBe("say-moved-main");
  });

  test("a changed place in the queue", () => {
    const hands = ["p2", "p1"].map((participant, at) => ({ participant, raised_ms: at }));
    const lines = narrate(room({ hands }), room({ hands: hands.slice(1) }), [], "p1");
    expect(lines).toEqual([{ kind: "turn", id: "hand-position", args: { position: 1 } }]);
  });

  test("whoever is next in a round is told, once, and only where the order is known", () => {
    const round = (current: string | null, waiting: string[], order: "list" | "volunteer" = "list") =>
      room({ rounds: { main: { order, turn_ms: 0, no_cross_talk: false, waiting, later: [], done: [], current, turn_started_ms: 0 } } });
    const next = [{ kind: "turn", id: "hand-position", args: { position: 1 } }];
    expect(narrate(round("p3", ["p2", "p1"]), round("p2", ["p1"]), [], "p1")).toEqual(next);
    expect(narrate(round("p2", ["p1"]), round("p2", ["p1", "p4"]), [], "p1")).toEqual([]);
    expect(narrate(round("p3", ["p2", "p1"], "volunteer"), round("p2", ["p1"], "volunteer"), [], "p1")).toEqual([]);
  });

  test("coming in, and that one waits", () => {
    expect(arrival(room(), "p1").map((line) => line.id)).toEqual(["say-admitted"]);
    expect(arrival(room({ participants: people(2, () => ({ placement: "lobby" })) }), "p1").map((line) => line.id)).toEqual(["lobby-text"]);
  });

  test("who comes to this room and who goes, one by name and several by number", () => {
    const revised = (moves: Readonly<Record<string, string>>): Event => ({
      type: "breakouts_revised", revision: 3, change: "visit", rooms: OPEN.rooms, moves, timer: OPEN.timer, at_ms: 0, by: "p0", prompt: "", pending: null,
    });
    const at = (places: readonly string[]) => room({ participants: people(5, (index) => ({ placement: places[index] ?? "main" })), breakouts: OPEN });
    const before = at(["main", "b1", "b1", "b2", "b2"]);
    const heard = (after: ReturnType<typeof at>, moves: Readonly<Record<string, string>>) =>
      narrate(before, after, [revised(moves)], "p1").map(({ kind, id, args }) => ({ kind, id, ...args }));
    expect(heard(at(["b1", "b1", "b1", "b2", "b2"]), { p0: "b1" })).toEqual([{ kind: "presence", id: "say-came", name: "Maya", count: 1 }]);
    expect(heard(at(["main", "b1", "b2", "b1", "b1"]), { p2: "b2", p3: "b1", p4: "b1" })).toEqual([
      { kind: "presence", id: "say-came", name: "Chloë", count: 2 },
      { kind: "absence", id: "say-went", name: "Ben", count: 1 },
    ]);
    expect(heard(at(["main", "b2", "b1", "b2", "b2"]), { p1: "b2" }).map((line) => line.id)).toEqual(["say-moved-room"]);
    expect(heard(before, { p4: "b2" })).toEqual([]);
  });

  test("being muted by somebody else, and one's own press", () => {
    expect(ids({ type: "microphone_changed", participant: "p1", on: false, by: "p0" })).toEqual(["say-muted-by"]);
    expect(ids({ type: "microphone_changed", participant: "p1", on: false, by: "p1" })).toEqual(["say-microphone-off"]);
    expect(ids({ type: "camera_changed", participant: "p1", on: true, by: "p1" })).toEqual(["say-camera-on"]);
    expect(ids({ type: "microphone_changed", participant: "p2", on: false, by: "p0" })).toEqual([]);
  });

  test("calls for help, to moderators alone", () => {
    const event: Event = { type: "help_requested", request: { participant: "p2", placement: "b1", at_ms: 0, acknowledged_by: null } };
    expect(ids(event, "p0")).toEqual(["say-help"]);
    expect(ids(event, "p1")).toEqual([]);
    expect(ids(event, "p2")).toEqual(["help-sent"]);
  });

  test("chat of others, never one's own", () => {
    const message = { id: 1, participant: "p2", name: "Ben", placement: "main", text: "hello", at_ms: 0 };
    expect(ids({ type: "chat_sent", message })).toEqual(["say-chat"]);
    expect(ids({ type: "chat_sent", message: { ...message, participant: "p1" } })).toEqual([]);
  });
});
