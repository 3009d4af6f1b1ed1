// SPDX-License-Identifier: Apache-2.0

/**
 * When what had the focus disappears (a person was moved, a draft was opened), the focus goes to the same control of
 * the same person, wherever that is now, else to the heading. For use as an attachment on a panel.
 */
export function keepFocus(panel: HTMLElement): () => void {
  let last: HTMLElement | null = null;

  const remember = (event: FocusEvent): void => {
    last = event.target instanceof HTMLElement ? event.target : null;
  };
  const observer = new MutationObserver(() => {
    if (!last || last.isConnected || (document.activeElement ?? document.body) !== document.body) return;
    const lost = last;
    last = null;
    twin(panel, lost)?.focus();
  });

  panel.addEventListener("focusin", remember);
  observer.observe(panel, { childList: true, subtree: true });
  return () => {
    observer.disconnect();
    panel.removeEventListener("focusin", remember);
  };
}

function twin(panel: HTMLElement, lost: HTMLElement): HTMLElement | null {
  const person = lost.closest<HTMLElement>("[data-participant]")?.dataset["participant"];
  const control = lost.dataset["testid"];
  const rows = [...panel.querySelectorAll<HTMLElement>("[data-participant]")];
  const row = rows.find((item) => item.dataset["participant"] === person);
  const same = row && [...row.querySelectorAll<HTMLElement>("[data-testid]")].find((item) => item.dataset["testid"] === control);
  return same ?? panel.querySelector<HTMLElement>("h2");
}
