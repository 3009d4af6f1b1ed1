// SPDX-License-Identifier: Apache-2.0

/** A moment of log time as the time of day here, with its time zone left out since it is the reader's own. */
export function clockTime(atMs: number, logNowMs: number, locale: string): string {
  const date = new Date(Date.now() + (atMs - logNowMs));
  return new Intl.DateTimeFormat(locale, { hour: "numeric", minute: "2-digit" }).format(date);
}

/** "Ana, Ben, and Chloe"; of many people the first few and how many more is for the caller to say. */
export function nameList(names: readonly string[], locale: string): string {
  return new Intl.ListFormat(locale, { type: "conjunction" }).format(names);
}
