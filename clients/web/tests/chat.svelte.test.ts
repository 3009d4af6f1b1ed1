// SPDX-License-Identifier: Apache-2.0
import { flushSync, mount, unmount } from "svelte";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Store } from "../src/core/store.ts";
import { messages, room } from "../src/fixtures/views.ts";
import type { RoomView } from "../src/protocol/messages.ts";
import { type Page, pageAround } from "../src/ui/context.ts";
import { shortList } from "../src/ui/format.ts";
import ChatPanel from "../src/ui/room/ChatPanel.svelte";
import type { Draft } from "../src/ui/room/panels.ts";
import { useLocale } from "../src/ui/text.svelte.ts";
import { settled } from "./virtual.ts";

let said: [string, string][];
let answer: "said" | "moved";
let stop = (): void => undefined;

function open(view: RoomView, draft: Draft): { find: (id: string) => HTMLElement; view: (view: RoomView) => void } {
  const page = {
    session: { say: (text: string, placement: string) => (said.push([text, placement]), Promise.resolve(answer)) },
    now: new Store(0),
    said: new Store({ polite: { text: "" }, assertive: { text: "" } }),
    tell: () => undefined,
  } as unknown as Page;
  const props = $state({ view, self: view.participants["p1"]!, draft });
  const panel = mount(ChatPanel, { target: document.body, props, context: pageAround(page) });
  stop = () => {
    void unmount(panel);
    stop = () => undefined;
  };
  flushSync();
  return {
    find: (id) => document.querySelector<HTMLElement>(`[data-testid="${id}"]`)!,
    view: (next) => {
      props.view = next;
      props.self = next.participants["p1"]!;
      flushSync();
    },
  };
}

const lines = (...who: string[]): RoomView => room({ chat: messages("main", ...who.map((id): [string, string, string] => [id, id, "Hello"])) });

/** A list of 1000 px of which 200 are seen, from `top` on. */
function scrolledTo(list: HTMLElement, top: number): void {
  Object.defineProperties(list, { scrollHeight: { value: 1000, configurable: true }, clientHeight: { value: 200, configurable: true } });
  list.scrollTop = top;
  list.dispatchEvent(new Event("scroll"));
  flushSync();
}

beforeEach(async () => {
  said = [];
  answer = "said";
  document.body.replaceChildren();
  await useLocale("en");
});
afterEach(() => stop());

test("nothing moves under the eyes of who reads further up, until they ask for it or write themselves", () => {
  const panel = open(lines("p2"), { text: "", meantFor: null });
  const list = panel.find("chat-log");
  scrolledTo(list, 100);
  panel.view(lines("p2", "p3"));
  expect(list.scrollTop).toBe(100);
  panel.find("chat-newer").click();
  flushSync();
  expect([list.scrollTop, panel.find("chat-newer"), document.activeElement]).toEqual([1000, null, list]);
  scrolledTo(list, 100);
  panel.view(lines("p2", "p3", "p1"));
  expect(list.scrollTop).toBe(1000);
});

test("who is at the end follows what comes", () => {
  const panel = open(lines("p2"), { text: "", meantFor: null });
  const list = panel.find("chat-log");
  scrolledTo(list, 790);
  panel.view(lines("p2", "p3"));
  expect([list.scrollTop, panel.find("chat-newer")]).toEqual([1000, null]);
});

test("what was begun is still there when the panel comes back, and still for the room it was begun in", async () => {
  const panel = open(room(), { text: "", meantFor: null });
  expect((panel.find("chat-text") as HTMLTextAreaElement).value).toBe("");
  stop();
  const again = open(room(), { text: "I wanted to say", meantFor: "b2" });
  const field = again.find("chat-text") as HTMLTextAreaElement;
  expect(field.value).toBe("I wanted to say");
  field.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", shiftKey: true, bubbles: true, cancelable: true }));
  expect(said).toEqual([]);
  field.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true, cancelable: true }));
  await settled();
  expect(said).toEqual([["I wanted to say", "b2"]]);
});

test("many names are cut short, and never for one alone", () => {
  const more = (count: number): string => `${count} more`;
  expect(shortList(["A", "B", "C"], 3, "en", more)).toBe("A, B, and C");
  expect(shortList(["A", "B", "C", "D"], 3, "en", more)).toBe("A, B, and 2 more");
});
