// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from "vitest";
import { clockText, LogClock, timeLeft } from "../src/core/clock.ts";
import { bestGrid } from "../src/core/layout.ts";
import { initials, nameHint } from "../src/core/names.ts";
import { placed, unplaced, withoutRoom } from "../src/core/plan.ts";
import { PatientPolicy } from "../src/core/reconnect.ts";
import { announcedMove, chatHere, companions, handPosition, mayGuide, nextPhase, standing, timerHere } from "../src/core/select.ts";
import { tokenOf } from "../src/core/tickets.ts";
import { NO_BREAKOUTS, OPEN, people, PHASES, room, spread } from "../src/fixtures/views.ts";
import type { BreakoutPlan, PendingChange } from "../src/protocol/messages.ts";

describe("log time", () => {
  test("the least delayed of the last messages counts", () => {
    let local = 0;
    const clock = new LogClock(() => local);
    clock.observe(1_000_000 - 80);
    local = 500;
    clock.observe(1_000_500 - 5);
    local = 1_000;
    clock.observe(1_001_000 - 60);
    expect(clock.now()).toBe(1_001_000 - 5);
  });

  test("a sample older than the window is forgotten", () => {
    const clock = new LogClock(() => 0);
    clock.observe(500);
    for (let count = 0; count < 8; count++) clock.observe(100);
    expect(clock.now()).toBe(100);
  });

  test.each([
    [90_000, 0, "1:30", false],
    [90_000, 89_001, "0:01", false],
    [90_000, 90_000, "0:00", true],
    [90_000, 200_000, "0:00", true],
  ])("ending at %d, at %d it shows %s", (ends, now, text, over) => {
    expect(clockText(timeLeft(ends, now))).toBe(text);
    expect(timeLeft(ends, now).over).toBe(over);
  });
});

describe("reconnecting", () => {
  const context = { attempt: 0, elapsedMs: 0, retryAfterMs: null };

  test("begins at once, then waits longer and longer, up to five seconds", () => {
    const policy = new PatientPolicy(() => 0);
    const delays = [0, 1, 2, 3, 4, 5, 50].map((attempt) => policy.nextRetryDelayInMs({ ...context, attempt }));
    expect(delays).toEqual([0, 300, 1_000, 2_000, 3_000, 5_000, 5_000]);
  });

  test("is spread, so that a group does not come back in one instant", () => {
    expect(new PatientPolicy(() => 1).nextRetryDelayInMs({ ...context, attempt: 2 })).toBe(1_500);
  });

  test("never comes back earlier than the server asks", () => {
    expect(new PatientPolicy(() => 0).nextRetryDelayInMs({ ...context, retryAfterMs: 4_000 })).toBe(4_000);
  });

  test("gives up after ten minutes", () => {
    expect(new PatientPolicy().nextRetryDelayInMs({ ...context, elapsedMs: 600_001 })).toBeNull();
  });
});

describe("the grid of tiles", () => {
  test.each([
    [1, 800, 600, 1, 1],
    [2, 800, 400, 2, 1],
    [2, 400, 800, 1, 2],
    [6, 1200, 700, 3, 2],
    [12, 1280, 720, 4, 3],
    [0, 800, 600, 1, 1],
  ])("%d tiles in %d x %d: %d columns, %d rows", (count, width, height, columns, rows) => {
    expect(bestGrid(count, width, height)).toEqual({ columns, rows });
  });
});

describe("name hints", () => {
  test.each([
    ["Ana", null],
    ["Ana María Solís", "full_name"],
    ["Ben O'Neil", "full_name"],
    ["ana@example.org", "email"],
    ["+1 555 0100 22", "phone"],
    ["Moonlight 7", null],
    ["", null],
  ])("%j: %s", (name, hint) => {
    expect(nameHint(name)).toBe(hint);
  });

  test("initials are at most two, whatever the script", () => {
    expect(initials("ana maría solís")).toBe("AM");
    expect(initials("דנה")).toBe("ד");
    expect(initials("😀 x")).toBe("😀X");
  });
});

describe("what is on screen", () => {
  test("the place in the queue counts people of one's own placement only", () => {
    const hands = ["p2", "p1", "p5"].map((participant, at) => ({ participant, raised_ms: at }));
    expect(handPosition(room({ hands }), "p5")).toBe(3);
    expect(handPosition(room({ hands, participants: people(10, spread) }), "p5")).toBe(2);
    expect(handPosition(room({ hands }), "p4")).toBe(0);
  });

  test("the next phase is the first that is not skipped", () => {
    const agenda = room().agenda;
    const phases = PHASES.map((phase) => (phase.id === "breakouts" ? { ...phase, skipped: true } : phase));
    expect(nextPhase(room({ agenda: { ...agenda, phases } }))?.id).toBe("reflection");
    expect(nextPhase(room({ agenda: { ...agenda, current: "close" } }))).toBeNull();
    expect(nextPhase(room({}, null))?.id).toBe("check-in");
  });

  test("in a breakout its timer counts, in main the phase's", () => {
    const view = room({ breakouts: OPEN });
    expect(timerHere(view, "b1")).toBe(OPEN.timer);
    expect(timerHere(view, "main")).toBe(view.agenda.timer);
  });

  test("a leader guides only the breakout they lead", () => {
    const view = room({ participants: people(10, spread), breakouts: { ...OPEN, rooms: OPEN.rooms.map((item) => (item.id === "b2" ? { ...item, leader: "p1" } : item)) } });
    expect(mayGuide(view, "p1")).toBe(true);
    expect(mayGuide({ ...view, breakouts: OPEN }, "p1")).toBe(false);
    expect(mayGuide(view, "p2")).toBe(false);
    expect(mayGuide(view, "p0")).toBe(true);
  });

  test("messages to all rooms stand among those of one's own, in order of time", () => {
    const message = (id: number, placement: string, at_ms: number) => ({ id, participant: "p0", name: "Maya", placement, text: "", at_ms });
    const view = room({ chat: { b1: [message(1, "b1", 10), message(4, "b1", 40)], everywhere: [message(2, "everywhere", 20)], b2: [message(3, "b2", 30)] } });
    expect(chatHere(view, "b1").map((item) => item.id)).toEqual([1, 2, 4]);
  });

  test("of several announced moves the earliest of one's own is shown, with who else will be there", () => {
    const change = (id: number, at_ms: number, moves: Record<string, string>): PendingChange => ({ id, kind: "move", at_ms, moves, rooms: [], duration_ms: 0, prompt: "" });
    const view = room({ breakouts: { ...NO_BREAKOUTS, pending: [change(1, 50, { p1: "b1" }), change(2, 20, { p1: "b2", p3: "b2" }), change(3, 10, { p2: "b1" })] } });
    expect(announcedMove(view, "p1")?.id).toBe(2);
    expect(companions(view, announcedMove(view, "p1")!, "p1").map((person) => person.id)).toEqual(["p3"]);
    expect(announcedMove(view, "p4")).toBeNull();
  });

  test("everyone stands somewhere in a round, or outside", () => {
    const round = { order: "list" as const, turn_ms: 0, no_cross_talk: true, waiting: ["a"], later: ["b"], done: ["c"], current: "d", turn_started_ms: 0 };
    expect(["a", "b", "c", "d", "e"].map((id) => standing(round, id))).toEqual(["waiting", "later", "done", "current", "outside"]);
  });
});

describe("editing a draft", () => {
  const rooms = [
    { name: "Room 1", members: ["p1", "p2"], leader: "p1" },
    { name: "Room 2", members: ["p3"], leader: null },
  ];

  test("a person is in one room only, and leads only the room they are in", () => {
    expect(placed(rooms, "p1", 1)).toEqual([
      { name: "Room 1", members: ["p2"], leader: null },
      { name: "Room 2", members: ["p3", "p1"], leader: null },
    ]);
    expect(placed(rooms, "p3", null)[1]?.members).toEqual([]);
    expect(placed(rooms, "p2", 0)[0]).toEqual({ name: "Room 1", members: ["p1", "p2"], leader: "p1" });
  });

  test("people of a removed room are not placed any more; moderators never are", () => {
    const plan: BreakoutPlan = { version: 1, strategy: "even", rooms: withoutRoom(rooms, 0), duration_ms: 0, prompt: "" };
    expect(unplaced(room({ participants: people(5) }), plan)).toEqual(["p1", "p2", "p4"]);
  });
});

test.each([
  ["#abc.def-ghi_jkl", "abc.def-ghi_jkl"],
  ["", null],
  ["#short", null],
  ["#has spaces in it", null],
  ["#<script>alert(1)</script>", null],
])("the token of %j is %j", (fragment, token) => {
  expect(tokenOf(fragment)).toBe(token);
});
