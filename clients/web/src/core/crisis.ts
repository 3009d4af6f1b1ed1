// SPDX-License-Identifier: Apache-2.0

/** Where to find help at once; `number` can be called by a press. */
export interface CrisisLine {
  readonly text: string;
  readonly number: string | null;
}

/** "Crisis line, day and night: 988" has its number at the end; a line without one is shown as it is. */
const LINE = /^(.*?)[\s:]*(\+?\d[\d\s().-]*\d)$/;

export function crisisLine(line: string): CrisisLine {
  const [, text, number] = LINE.exec(line.trim()) ?? [];
  return text && number ? { text, number } : { text: line.trim(), number: null };
}

/** What a phone dials (RFC 3966, without the separators that people read). */
export function telephone(number: string): string {
  return `tel:${number.replaceAll(/[^+\d]/g, "")}`;
}
