// SPDX-License-Identifier: Apache-2.0

import type { OPTIONAL } from "../core/announcer.ts";

const KEY = "holdspace.preferences";

interface Preferences {
  hideSelf: boolean;
  /** No pictures of others are asked for: on a link that costs money or bears little. */
  soundOnly: boolean;
  /** How long before a move people are told of it. */
  leadMs: number;
  /** What is not to be read aloud. */
  silent: (typeof OPTIONAL)[number][];
}

function remembered(): Partial<Preferences> {
  try {
    return JSON.parse(localStorage.getItem(KEY) ?? "{}") as Partial<Preferences>;
  } catch {
    return {};
  }
}

/** Choices about the page itself, kept on this device; nothing about a session. */
export const preferences: Preferences = $state({ hideSelf: false, soundOnly: false, leadMs: 10_000, silent: [], ...remembered() });

/** Writes every later change; call once, inside an effect root. */
export function keepPreferences(): void {
  $effect(() => localStorage.setItem(KEY, JSON.stringify(preferences)));
}
