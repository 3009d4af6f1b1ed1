// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from "node:fs";
import { join } from "node:path";
import notepack from "notepack.io";
import { describe, expect, test } from "vitest";
import { evolve } from "../src/core/fold.ts";
import { room } from "../src/fixtures/views.ts";
import type { Events } from "../src/protocol/messages.ts";

const FOLDER = join(import.meta.dirname, "../../../tests/golden/wire");

/** What each file of bytes says; written by the server, whose own tests read the same files. */
const MESSAGES = JSON.parse(readFileSync(join(FOLDER, "messages.json"), "utf8")) as Record<string, unknown>;
const bytes = (name: string): Buffer => readFileSync(join(FOLDER, `${name}.bin`));

/** notepack.io is what socket.io-msgpack-parser reads and writes frames with. */
describe("golden bytes of the wire", () => {
  test.each(Object.keys(MESSAGES))("%s is read as the server meant it", (name) => {
    expect(notepack.decode(bytes(name))).toEqual(MESSAGES[name]);
  });

  test.each(Object.keys(MESSAGES).filter((name) => name.startsWith("event-")))("%s can be folded", (name) => {
    const { events } = notepack.decode(bytes(name)) as Events;
    expect(events).toHaveLength(1);
    expect(() => events.reduce(evolve, room())).not.toThrow();
  });
});
