// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { evolve } from "../src/core/fold.ts";
import { room } from "../src/fixtures/views.ts";
import type { Event, RoomView } from "../src/protocol/messages.ts";

interface Item {
  readonly view?: RoomView;
  readonly events?: readonly Event[];
  readonly after?: Partial<RoomView>;
}

type Recording = Record<string, { readonly first: RoomView; readonly items: readonly Item[] }>;

/** Written by the server's own fold (`python -m tests.rooms.recorded`); its own tests read the same file. */
const RECORDING = JSON.parse(
  readFileSync(join(import.meta.dirname, "../../../tests/golden/session.json"), "utf8"),
) as Recording;

describe("the fold of a whole recorded session", () => {
  test.each(Object.keys(RECORDING))("reaches the server's views for %s", (name) => {
    const { first, items } = RECORDING[name]!;
    items.reduce((seen, item, index) => {
      if (item.view) return item.view;
      const folded = (item.events ?? []).reduce(evolve, seen);
      expect(folded, `item ${index}: ${item.events?.map((event) => event.type).join(", ")}`).toEqual({ ...seen, ...item.after });
      return folded;
    }, first);
  });

  test("never changes the view that it is given", () => {
    const { first, items } = RECORDING["moderator"]!;
    let seen = first;
    for (const { view, events } of items) {
      for (const event of events ?? []) {
        const before = structuredClone(seen);
        const after = evolve(seen, event);
        expect(seen).toEqual(before);
        seen = after;
      }
      seen = view ?? seen;
    }
  });
});

test("an event about somebody unknown changes nothing", () => {
  const view = room();
  expect(evolve(view, { type: "microphone_changed", participant: "stranger", on: true, by: "stranger" })).toEqual(view);
});
