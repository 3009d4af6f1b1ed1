// SPDX-License-Identifier: Apache-2.0

const CONTROLS = "button:not(:disabled)";

/**
 * One tab stop for a toolbar: arrows, Home and End move between its buttons (ARIA Authoring Practices, toolbar).
 * For use as an attachment; buttons may come and go.
 */
export function roving(toolbar: HTMLElement): () => void {
  const controls = (): HTMLElement[] =>
    [...toolbar.querySelectorAll<HTMLElement>(CONTROLS)].filter((item) => item.closest("[popover]") === null);

  function settle(): void {
    const all = controls();
    const active = all.find((item) => item === document.activeElement) ?? all.find((item) => item.tabIndex === 0) ?? all[0];
    for (const item of all) item.tabIndex = item === active ? 0 : -1;
  }

  function pressed(event: KeyboardEvent): void {
    const all = controls();
    const index = all.indexOf(event.target as HTMLElement);
    if (index < 0) return;
    const forward = getComputedStyle(toolbar).direction === "rtl" ? "ArrowLeft" : "ArrowRight";
    const back = forward === "ArrowRight" ? "ArrowLeft" : "ArrowRight";
    const targets: Record<string, number> = {
      [forward]: (index + 1) % all.length,
      [back]: (index - 1 + all.length) % all.length,
      Home: 0,
      End: all.length - 1,
    };
    const target = targets[event.key];
    if (target === undefined) return;
    event.preventDefault();
    all[target]?.focus();
  }

  const observer = new MutationObserver(settle);
  observer.observe(toolbar, { childList: true, subtree: true, attributes: true, attributeFilter: ["disabled"] });
  toolbar.addEventListener("keydown", pressed);
  toolbar.addEventListener("focusin", settle);
  settle();
  return () => {
    observer.disconnect();
    toolbar.removeEventListener("keydown", pressed);
    toolbar.removeEventListener("focusin", settle);
  };
}
