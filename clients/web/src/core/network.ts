// SPDX-License-Identifier: Apache-2.0

/** Network Information: `type` is told by browsers on phones only. */
interface NetworkInformation extends EventTarget {
  readonly type?: string;
}

export interface NetworkEvents {
  /** Another network, or one again. */
  readonly changed: () => void;
  /** The page was asleep or out of sight, and is back. */
  readonly resumed: () => void;
}

/** Tells of what the browser knows about its network before a connection can notice it. Returns how to stop. */
export function watchNetwork(page: Window & typeof globalThis, { changed, resumed }: NetworkEvents): () => void {
  const { document, navigator } = page;
  const information = (navigator as Navigator & { readonly connection?: NetworkInformation }).connection;
  let type = information?.type;
  const listening = new AbortController();
  const { signal } = listening;
  page.addEventListener("online", changed, { signal });
  page.addEventListener("pageshow", (event) => event.persisted && resumed(), { signal });
  document.addEventListener("resume", resumed, { signal });
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && resumed(), { signal });
  information?.addEventListener?.(
    "change",
    () => {
      // Fires for every new estimate of its speed, too.
      if (information.type === type) return;
      type = information.type;
      if (type !== "none") changed();
    },
    { signal },
  );
  return () => listening.abort();
}
