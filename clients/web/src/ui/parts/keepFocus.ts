// SPDX-License-Identifier: Apache-2.0

const HEADINGS = "h1, h2, h3";
const PARTS = "section, main, dialog";

/**
 * When what had the focus disappears (a person was moved, a turn is over, another page comes), the focus goes to the
 * same control of the same person, wherever that is now, else to the heading of the nearest part that is still there.
 * Nobody who uses the keyboard is thrown back to the top of the page.
 */
export function keepFocus(page: HTMLElement): () => void {
  /** What has the focus, and all around it. */
  let path: readonly HTMLElement[] = [];

  const remember = (event: FocusEvent): void => {
    path = event.composedPath().filter((item) => item instanceof HTMLElement);
  };
  /** A press elsewhere takes the focus away on purpose. */
  const forget = (): void => {
    path = [];
  };
  const look = (): void => {
    if (path.length === 0 || (document.activeElement ?? document.body) !== document.body) return;
    for (const place of places(page, path)) {
      if (place.matches(HEADINGS)) place.tabIndex = -1;
      place.focus();
      if (document.activeElement === place) return;
    }
  };
  const observer = new MutationObserver(look);

  page.addEventListener("focusin", remember);
  page.addEventListener("pointerdown", forget, true);
  observer.observe(page, { childList: true, subtree: true });
  return () => {
    observer.disconnect();
    page.removeEventListener("focusin", remember);
    page.removeEventListener("pointerdown", forget, true);
  };
}

/** Where the focus may go, the best first. */
function places(page: HTMLElement, [lost, ...around]: readonly HTMLElement[]): HTMLElement[] {
  const same = lost?.isConnected ? lost : lost && twin(page, lost);
  const parts = around.filter((item) => item.isConnected && item.matches(PARTS)).map(ownHeading);
  return [same, ...parts, page.querySelector<HTMLElement>("h1")].filter((item) => item instanceof HTMLElement);
}

/** The same control of the same person. */
function twin(page: HTMLElement, lost: HTMLElement): HTMLElement | undefined {
  const person = lost.closest<HTMLElement>("[data-participant]")?.dataset["participant"];
  const control = lost.dataset["testid"];
  if (!person || !control) return undefined;
  return [...page.querySelectorAll<HTMLElement>("[data-participant] [data-testid]")].find(
    (item) => item.dataset["testid"] === control && item.closest<HTMLElement>("[data-participant]")?.dataset["participant"] === person,
  );
}

/** Not that of a part within it. */
function ownHeading(part: HTMLElement): HTMLElement | undefined {
  return [...part.querySelectorAll<HTMLElement>(HEADINGS)].find((heading) => heading.closest(PARTS) === part);
}
