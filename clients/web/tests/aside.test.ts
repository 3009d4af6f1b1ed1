// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "vitest";
import { takeAside } from "../src/core/aside.ts";
import { Store } from "../src/core/store.ts";
import { NO_BREAKOUTS, room } from "../src/fixtures/views.ts";
import type { Breakout, ClientCommand, RoomView } from "../src/protocol/messages.ts";
import { settled } from "./virtual.ts";

const QUIET = "Quiet room (Robin)";
const named = (id: string, name = QUIET): Breakout => ({ id, name, leader: null });
const withRooms = (...rooms: Breakout[]): { view: RoomView } => ({ view: room({ breakouts: { ...NO_BREAKOUTS, rooms } }) });

/** What was sent, and the room as the page knows it. */
function moderator(refused: ClientCommand["type"] | null = null) {
  const view = new Store<{ view: RoomView } | null>(withRooms(named("b1")));
  const sent: ClientCommand[] = [];
  const run = (command: ClientCommand): Promise<boolean> => (sent.push(command), Promise.resolve(command.type !== refused));
  return { view, sent, ports: { view, run } };
}

test("a room is opened, the moderator is there first, and the person is told before they come", async () => {
  const { view, sent, ports } = moderator();
  const done = takeAside(ports, "p3", QUIET, 10_000);
  await settled();
  expect(sent).toEqual([{ type: "add_breakout", name: QUIET }]);
  view.set(withRooms(named("b1"), named("b2", "Room 2"), named("b3")));
  expect(await done).toBe(true);
  expect(sent.slice(1)).toEqual([
    { type: "visit", to: "b3" },
    { type: "move", participants: ["p3"], to: "b3", lead_ms: 10_000 },
  ]);
});

test("the room may be known before the answer", async () => {
  const { view, sent, ports } = moderator();
  const done = takeAside(ports, "p3", QUIET, 10_000);
  view.set(withRooms(named("b1"), named("b2")));
  expect(await done).toBe(true);
  expect(sent[1]).toEqual({ type: "visit", to: "b2" });
});

test("nobody is moved when the room cannot be opened", async () => {
  const { sent, ports } = moderator("add_breakout");
  expect(await takeAside(ports, "p3", QUIET, 10_000)).toBe(false);
  expect(sent).toHaveLength(1);
});
