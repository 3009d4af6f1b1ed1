// SPDX-License-Identifier: Apache-2.0
import { getContext, setContext } from "svelte";
import type { Politeness } from "../core/announcer.ts";
import type { Session } from "../core/session.ts";
import type { Readable } from "../core/store.ts";

/** A short text after an action, with an optional way to take it back. */
export interface Toast {
  readonly key: number;
  readonly text: string;
  readonly action?: { readonly label: string; readonly run: () => void };
}

/** What is said aloud, an object of its own each time. */
export type Said = Readonly<Record<Politeness, { readonly text: string }>>;

/** What components need of the page around them. */
export interface Page {
  readonly session: Session;
  /** Log time in milliseconds, twice a second. */
  readonly now: Readable<number>;
  /** The newest announcement of each kind. */
  readonly said: Readable<Said>;
  /** Tells the result of a person's own action, on screen and to screen readers. */
  readonly tell: (text: string, action?: Toast["action"]) => void;
}

const KEY = Symbol("page");

export function providePage(page: Page): void {
  setContext(KEY, page);
}

/** The same for one component that is mounted alone. */
export function pageAround(page: Page): Map<symbol, Page> {
  return new Map([[KEY, page]]);
}

export function usePage(): Page {
  return getContext<Page>(KEY);
}
