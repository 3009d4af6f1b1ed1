// SPDX-License-Identifier: Apache-2.0
import { FluentBundle, FluentResource, type FluentVariable } from "@fluent/bundle";
import { negotiateLanguages } from "@fluent/langneg";

export const LOCALES = ["en", "es"] as const;
export type Locale = (typeof LOCALES)[number];
export type TextArgs = Record<string, string | number>;

/** Turns a message id of the Fluent files into text. */
export interface Translator {
  readonly locale: Locale;
  text(id: string, args?: TextArgs): string;
}

export class MissingText extends Error {
  constructor(readonly id: string) {
    super(`no message ${id}`);
  }
}

/** The best of our locales for what the browser asks for; English when nothing matches. */
export function chooseLocale(requested: readonly string[]): Locale {
  const [first] = negotiateLanguages([...requested], [...LOCALES], { defaultLocale: "en", strategy: "lookup" });
  return first as Locale;
}

export function createTranslator(locale: Locale, source: string): Translator {
  // Fluent would isolate every placeable; invisible marks in plain names break search and test matching,
  // so only values that can change the direction of a line are isolated (see `isolated`).
  const bundle = new FluentBundle(locale, { useIsolating: false });
  const errors = bundle.addResource(new FluentResource(source));
  if (errors.length > 0) throw errors[0] as Error;
  // Most texts are always the same, and one change of the room asks for hundreds of them.
  const plain = new Map<string, string>();
  return {
    locale,
    text(id, args) {
      const text = args ? undefined : plain.get(id);
      if (text !== undefined) return text;
      const made = format(id, args ?? {});
      if (!args) plain.set(id, made);
      return made;
    },
  };

  function format(id: string, args: TextArgs): string {
    const message = bundle.getMessage(id);
    if (!message?.value) throw new MissingText(id);
    const failures: Error[] = [];
    const text = bundle.formatPattern(message.value, mapValues(args), failures);
    if (failures.length > 0) throw new Error(`message ${id}: ${failures.map(String).join("; ")}`);
    return text;
  }
}

const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]/;

function isolated(value: string): string {
  return RIGHT_TO_LEFT.test(value) ? `\u2068${value}\u2069` : value;
}

function mapValues(args: TextArgs): Record<string, FluentVariable> {
  return Object.fromEntries(
    Object.entries(args).map(([key, value]) => [key, typeof value === "string" ? isolated(value) : value]),
  );
}
