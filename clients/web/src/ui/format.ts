// SPDX-License-Identifier: Apache-2.0

/** A moment of log time as the time of day here, with its time zone left out since it is the reader's own. */
export function clockTime(atMs: number, logNowMs: number, locale: string): string {
  const date = new Date(Date.now() + (atMs - logNowMs));
  return new Intl.DateTimeFormat(locale, { hour: "numeric", minute: "2-digit" }).format(date);
}

/** "Ana, Ben, and Chloe" */
export function nameList(names: readonly string[], locale: string): string {
  return new Intl.ListFormat(locale, { type: "conjunction" }).format(names);
}

/** "Ana, Ben, and 7 more": at most so many parts. `more` words how many are left out, never just one. */
export function shortList(names: readonly string[], most: number, locale: string, more: (count: number) => string): string {
  if (names.length <= most) return nameList(names, locale);
  const first = names.slice(0, most - 1);
  return nameList([...first, more(names.length - first.length)], locale);
}
