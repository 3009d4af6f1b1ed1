// SPDX-License-Identifier: Apache-2.0

/** Why a typed name may say more about a person than they mean to; only ever a hint, never a refusal. */
export type NameHint = "email" | "phone" | "full_name";

export const MAX_NAME = 40;

const FULL_NAME = /^\p{L}[\p{L}'’-]+(\s+\p{L}[\p{L}'’.-]*)+$/u;

export function nameHint(name: string): NameHint | null {
  const text = name.trim();
  if (/\S@\S/.test(text)) return "email";
  if (text.replace(/\D/g, "").length >= 6) return "phone";
  if (FULL_NAME.test(text)) return "full_name";
  return null;
}

/** At most two letters for a tile without video. */
export function initials(name: string): string {
  const words = name.trim().split(/\s+/);
  return words.slice(0, 2).map((word) => [...word][0] ?? "").join("").toLocaleUpperCase();
}
