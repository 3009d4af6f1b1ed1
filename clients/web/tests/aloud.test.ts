// SPDX-License-Identifier: Apache-2.0
import { flushSync, mount, unmount } from "svelte";
import { expect, test } from "vitest";
import { OPTIONAL } from "../src/core/announcer.ts";
import ReadAloud from "../src/ui/parts/ReadAloud.svelte";
import { preferences } from "../src/ui/preferences.svelte.ts";
import { useLocale } from "../src/ui/text.svelte.ts";

test("each kind of news that one can do without is silenced and brought back by itself", async () => {
  await useLocale("es");
  const panel = mount(ReadAloud, { target: document.body });
  flushSync();
  const box = (kind: string): HTMLInputElement => document.querySelector(`[data-testid="read-aloud-${kind}"]`)!;
  expect(OPTIONAL.map((kind) => box(kind).checked)).toEqual([true, true, true, true]);
  box("chat").click();
  box("reaction").click();
  flushSync();
  expect([...preferences.silent]).toEqual(["chat", "reaction"]);
  box("chat").click();
  flushSync();
  expect([...preferences.silent]).toEqual(["reaction"]);
  preferences.silent = [];
  void unmount(panel);
});

test("what happens to a person, and calls for help, cannot be silenced", () => {
  expect(OPTIONAL.filter((kind) => ["move", "moderation", "connection", "help", "turn", "result"].includes(kind))).toEqual([]);
});
