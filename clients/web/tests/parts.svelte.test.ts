// SPDX-License-Identifier: Apache-2.0
import { createRawSnippet, flushSync, mount, tick, unmount } from "svelte";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { OPTIONAL } from "../src/core/announcer.ts";
import type { ReceiveSlot } from "../src/core/media.ts";
import { Store } from "../src/core/store.ts";
import { messages, NO_BREAKOUTS, people, room } from "../src/fixtures/views.ts";
import type { RoomView } from "../src/protocol/messages.ts";
import AgendaPanel from "../src/ui/board/AgendaPanel.svelte";
import { type Page, pageAround } from "../src/ui/context.ts";
import { shortList } from "../src/ui/format.ts";
import GroupAudio from "../src/ui/parts/GroupAudio.svelte";
import Popover from "../src/ui/parts/Popover.svelte";
import ReadAloud from "../src/ui/parts/ReadAloud.svelte";
import { preferences } from "../src/ui/preferences.svelte.ts";
import ChatPanel from "../src/ui/room/ChatPanel.svelte";
import PeoplePanel from "../src/ui/room/PeoplePanel.svelte";
import type { Draft } from "../src/ui/room/panels.ts";
import { useLocale } from "../src/ui/text.svelte.ts";
import { settled } from "./virtual.ts";

describe("the chat", () => {
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
});

describe("a question before a slip matters", () => {
  const open: RoomView["breakouts"] = { ...NO_BREAKOUTS, rooms: [{ id: "b1", name: "Room 1", leader: null }] };

  /** What is asked of the session after these presses. */
  async function asked(panel: typeof PeoplePanel | typeof AgendaPanel, view: RoomView, ...presses: string[]): Promise<unknown[]> {
    await useLocale("en");
    const commands: unknown[] = [];
    const off = new Store({ state: "off" });
    const devices = { camera: off, microphone: off, list: () => Promise.resolve([]), watch: () => () => undefined };
    const page = {
      session: { devices, run: (command: unknown) => (commands.push(command), Promise.resolve(true)) },
      now: new Store(0),
      said: new Store({ polite: { text: "" }, assertive: { text: "" } }),
    } as unknown as Page;
    document.body.replaceChildren();
    const props = { view, self: view.participants["p0"]! };
    const mounted = mount(panel as typeof PeoplePanel, { target: document.body, props, context: pageAround(page) });
    flushSync();
    for (const press of presses) {
      document.querySelector<HTMLElement>(`[data-testid="${press}"]`)!.click();
      flushSync();
    }
    expect(document.querySelector("dialog")).toBeNull();
    await unmount(mounted);
    return commands;
  }

  test("whoever is not let in is who was asked about", async () => {
    const view = room({ participants: people(2, (index) => (index === 1 ? { placement: "lobby" } : {})) });
    expect(await asked(PeoplePanel, view, "deny", "cancel")).toEqual([]);
    expect(await asked(PeoplePanel, view, "deny", "confirm")).toEqual([{ type: "deny", participant: "p1" }]);
  });

  test("the step that closes small groups is the one that was pressed", async () => {
    const view = room({ breakouts: open }, "breakouts");
    expect(await asked(AgendaPanel, view, "phase-back", "cancel")).toEqual([]);
    expect(await asked(AgendaPanel, view, "phase-back", "confirm")).toEqual([{ type: "previous_phase" }]);
  });
});

describe("a menu on a phone that knows no popovers", () => {
  let stop = (): void => undefined;
  afterEach(() => stop());

  /** A browser without popovers. */
  const { prototype } = HTMLElement;
  const known = Object.getOwnPropertyDescriptor(prototype, "popover");
  beforeAll(() => void Reflect.deleteProperty(prototype, "popover"));
  afterAll(() => void (known && Object.defineProperty(prototype, "popover", known)));

  function menu(): { opener: HTMLElement; open: () => boolean } {
    expect("popover" in prototype).toBe(false);
    document.body.innerHTML = "<main></main><button>elsewhere</button>";
    const props = {
      label: "More",
      testid: "more",
      button: createRawSnippet(() => ({ render: () => "<span>…</span>" })),
      children: createRawSnippet<[() => void]>((close) => ({
        render: () => '<button class="choice">Mute</button>',
        setup: (element) => element.addEventListener("click", () => close()()),
      })),
    };
    const mounted = mount(Popover, { target: document.querySelector("main")!, props });
    stop = () => void unmount(mounted);
    return {
      opener: document.querySelector<HTMLElement>('[data-testid="more"]')!,
      open: () => document.querySelector(".choice") !== null && !document.querySelector<HTMLElement>('[role="group"]')!.hidden,
    };
  }

  async function press(element: Element): Promise<void> {
    element.dispatchEvent(new Event("pointerdown", { bubbles: true }));
    (element as HTMLElement).click();
    flushSync();
    await tick();
  }

  test("a phone that knows no popovers opens the list, with the focus in it, and gives it back after a choice", async () => {
    const { opener, open } = menu();
    expect(open()).toBe(false);
    await press(opener);
    expect([open(), opener.getAttribute("aria-expanded"), document.activeElement?.textContent]).toEqual([true, "true", "Mute"]);
    await press(document.querySelector(".choice")!);
    expect([open(), opener.getAttribute("aria-expanded"), document.activeElement]).toEqual([false, "false", opener]);
  });

  test("there, too, the button, a press elsewhere and Escape close it", async () => {
    const { opener, open } = menu();
    await press(opener);
    await press(opener);
    expect(open()).toBe(false);
    await press(opener);
    await press(document.querySelector("body > button")!);
    expect(open()).toBe(false);
    await press(opener);
    document.activeElement!.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape", bubbles: true }));
    flushSync();
    expect([open(), document.activeElement]).toEqual([false, opener]);
  });
});

describe("the sound of the group", () => {
  let stop = (): void => undefined;
  let playing: Set<HTMLMediaElement>;
  let refuse: boolean;
  let visibility: "visible" | "hidden";

  beforeEach(() => {
    playing = new Set();
    refuse = false;
    visibility = "visible";
    vi.spyOn(document, "visibilityState", "get").mockImplementation(() => visibility);
    vi.spyOn(HTMLMediaElement.prototype, "paused", "get").mockImplementation(function (this: HTMLMediaElement) {
      return !playing.has(this);
    });
    vi.spyOn(HTMLMediaElement.prototype, "play").mockImplementation(function (this: HTMLMediaElement) {
      if (refuse) return Promise.reject(new DOMException("", "NotAllowedError"));
      playing.add(this);
      return Promise.resolve();
    });
  });
  afterEach(() => stop());

  function group(): { blocked: boolean[]; interrupt: () => void; turn: (to: "visible" | "hidden") => void } {
    const blocked: boolean[] = [];
    const slots = [0, 1].map((index) => ({ index, source: null, audio: false, audioTrack: { id: `t${index}` } })) as unknown as ReceiveSlot[];
    const mounted = mount(GroupAudio, { target: document.body, props: { slots, onblocked: (is: boolean) => blocked.push(is) } });
    stop = () => void unmount(mounted);
    flushSync();
    return {
      blocked,
      interrupt: () => {
        const all = [...playing];
        playing.clear();
        for (const audio of all) audio.dispatchEvent(new Event("pause"));
      },
      turn: (to) => {
        visibility = to;
        document.dispatchEvent(new Event("visibilitychange"));
      },
    };
  }

  test("a group that a phone call has silenced is heard again when the page is", async () => {
    const { interrupt, turn } = group();
    expect(playing.size).toBe(2);
    turn("hidden");
    interrupt();
    expect(playing.size).toBe(0);
    turn("visible");
    expect(playing.size).toBe(2);
    interrupt();
    expect(playing.size).toBe(2);
    await settled();
  });

  test("where the browser wants a press for that, one button asks for it", async () => {
    const { blocked, interrupt } = group();
    refuse = true;
    interrupt();
    await settled();
    expect(blocked.at(-1)).toBe(true);
    expect(playing.size).toBe(0);
  });
});

describe("what is read aloud", () => {
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
});
