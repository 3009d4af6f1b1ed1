// SPDX-License-Identifier: Apache-2.0
import { createRawSnippet, flushSync, mount, tick, unmount } from "svelte";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import Popover from "../src/ui/parts/Popover.svelte";

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
