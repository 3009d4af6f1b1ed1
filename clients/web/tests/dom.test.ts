// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from "vitest";
import { Frames } from "../src/ui/parts/firstFrame.ts";
import { keepFocus } from "../src/ui/parts/keepFocus.ts";
import { scrollable } from "../src/ui/parts/scrollable.ts";
import { roving } from "../src/ui/parts/roving.ts";

describe("a tile after a change of source", () => {
  class FakeVideo {
    waiting: VideoFrameRequestCallback | null = null;
    requestVideoFrameCallback(callback: VideoFrameRequestCallback): number {
      this.waiting = callback;
      return 1;
    }
    paint(now: number, frame: Partial<VideoFrameCallbackMetadata>): void {
      const callback = this.waiting;
      this.waiting = null;
      callback?.(now, frame as VideoFrameCallbackMetadata);
    }
  }

  const watched = (clearedMs: number) => {
    const video = new FakeVideo();
    let shown = 0;
    const frames = new Frames(video as unknown as HTMLVideoElement);
    const stop = frames.awaited(clearedMs, () => shown++);
    return { video, frames, stop, shown: () => shown };
  };

  test("stays blank for frames that were received before the change, however late they are painted", () => {
    const { video, shown } = watched(1_000);
    video.paint(1_150, { receiveTime: 990 });
    expect(shown()).toBe(0);
    video.paint(1_160, { receiveTime: 1_040 });
    expect(shown()).toBe(1);
    expect(video.waiting).toBeNull();
  });

  test("waits out the buffer where the browser does not tell when a frame was received", () => {
    const { video, shown } = watched(1_000);
    video.paint(1_150, {});
    expect(shown()).toBe(0);
    video.paint(1_250, {});
    expect(shown()).toBe(1);
  });

  test("shows nothing any more when it is taken away", () => {
    const { video, stop, shown } = watched(1_000);
    stop();
    video.paint(1_100, { receiveTime: 1_090 });
    expect(shown()).toBe(0);
    expect(video.waiting).toBeNull();
  });

  test("does not wait for another frame if one has come while there was no tile for it", () => {
    const { video, frames, stop, shown } = watched(1_000);
    stop();
    frames.parked();
    video.paint(1_100, { receiveTime: 1_090 });
    let again = 0;
    frames.awaited(1_091, () => again++);
    expect(again).toBe(0);
    frames.awaited(1_090, () => again++);
    expect([shown(), again]).toEqual([0, 1]);
  });

  test("is not followed any more once it is shown", () => {
    const { video, frames } = watched(1_000);
    frames.parked();
    frames.awaited(1_000, () => undefined);
    video.paint(1_100, { receiveTime: 1_090 });
    expect(video.waiting).toBeNull();
    frames.parked();
    expect(video.waiting).not.toBeNull();
  });
});

test("what has to be scrolled can have the focus, and only while it has to", async () => {
  const box = document.createElement("div");
  let tall = 300;
  Object.defineProperties(box, { scrollHeight: { get: () => tall }, clientHeight: { value: 100 } });
  const stop = scrollable(box);
  expect(box.getAttribute("tabindex")).toBe("0");
  tall = 100;
  box.append("less");
  await new Promise((resolve) => setTimeout(resolve));
  expect(box.hasAttribute("tabindex")).toBe(false);
  stop();
});

describe("the toolbar", () => {
  function toolbar(): { element: HTMLElement; names: () => string; press: (key: string) => void; stop: () => void } {
    const element = document.createElement("div");
    element.innerHTML = "<button>a</button><button>b</button><div popover><button>inner</button></div><button>c</button>";
    document.body.append(element);
    const stop = roving(element);
    return {
      element,
      stop,
      names: () => [...element.querySelectorAll("button")].filter((item) => item.tabIndex === 0 && item.textContent !== "inner").map((item) => item.textContent).join(),
      press: (key) => document.activeElement?.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true })),
    };
  }

  test("is one tab stop, and arrows, Home and End move within it", () => {
    const { element, names, press, stop } = toolbar();
    expect(names()).toBe("a");
    element.querySelector("button")!.focus();
    for (const [key, expected] of [["ArrowRight", "b"], ["ArrowRight", "c"], ["ArrowRight", "a"], ["ArrowLeft", "c"], ["Home", "a"], ["End", "c"]] as const) {
      press(key);
      expect(document.activeElement?.textContent).toBe(expected);
      expect(names()).toBe(expected);
    }
    stop();
  });
});

describe("the focus", () => {
  const row = (id: string): string => `<li data-participant="${id}"><button data-testid="move-menu">${id}</button></li>`;
  const observed = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));
  let stop = (): void => undefined;

  function page(html: string): HTMLElement {
    stop();
    const element = document.createElement("div");
    document.body.replaceChildren(element);
    element.innerHTML = html;
    stop = keepFocus(element);
    return element;
  }

  function panel(): HTMLElement {
    const element = page(`<h1>Session</h1><section><h2 tabindex="-1">Groups</h2><ul>${row("p1")}${row("p2")}</ul></section>`);
    element.querySelector<HTMLElement>('[data-participant="p2"] button')!.focus();
    return element.querySelector("ul")!;
  }

  test("follows the person who was moved", async () => {
    const list = panel();
    list.innerHTML = row("p2") + row("p1");
    await observed();
    expect(document.activeElement?.textContent).toBe("p2");
  });

  test("goes to the heading of the panel when the person is not there any more", async () => {
    const list = panel();
    list.innerHTML = row("p1");
    await observed();
    expect(document.activeElement?.tagName).toBe("H2");
  });

  test("stays where the person has put it meanwhile", async () => {
    const list = panel();
    const field = document.createElement("input");
    list.after(field);
    field.focus();
    list.innerHTML = row("p1");
    await observed();
    expect(document.activeElement).toBe(field);
  });

  test("goes to the heading of the card whose buttons are gone", async () => {
    const element = page("<main><section><h2>Your turn</h2><div><button>Done</button></div></section></main>");
    element.querySelector("button")!.focus();
    element.querySelector("section div")!.remove();
    await observed();
    expect(document.activeElement?.tagName).toBe("H2");
  });

  test("goes to the heading of the next page, also when that comes later", async () => {
    const element = page("<main><h1>Before</h1><form><button>Join</button></form></main>");
    element.querySelector("button")!.focus();
    element.innerHTML = "";
    await observed();
    element.innerHTML = "<main><section><h2>A part</h2></section></main><h1>Room</h1>";
    await observed();
    expect(document.activeElement?.textContent).toBe("Room");
  });

  test("comes back to a control that was only put elsewhere", async () => {
    const list = panel();
    const button = document.activeElement;
    list.prepend(list.lastElementChild!);
    await observed();
    expect(document.activeElement).toBe(button);
  });

  test("is not taken from somebody who pressed on the bare page", async () => {
    const list = panel();
    (document.activeElement as HTMLElement).dispatchEvent(new Event("pointerdown", { bubbles: true }));
    (document.activeElement as HTMLElement).blur();
    list.innerHTML = row("p2") + row("p1");
    await observed();
    expect(document.activeElement).toBe(document.body);
  });
});
