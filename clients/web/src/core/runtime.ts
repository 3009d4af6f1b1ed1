// SPDX-License-Identifier: Apache-2.0

/** Milliseconds of a clock that never goes back. */
export const now = (): number => performance.now();
/** What it returns stops it: a waiting timer keeps a program on Node from its end. */
export const later = (run: () => void, ms: number): (() => void) => {
  const timer = setTimeout(run, ms);
  return () => clearTimeout(timer);
};

/** 96 random bits as text: ids of commands, names of connections. */
export function newId(): string {
  return [...crypto.getRandomValues(new Uint8Array(12))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
