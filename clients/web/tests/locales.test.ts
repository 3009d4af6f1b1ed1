// SPDX-License-Identifier: Apache-2.0
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { FluentResource } from "@fluent/bundle";
import { describe, expect, test } from "vitest";
import { chooseLocale, createTranslator, LOCALES, MissingText } from "../src/core/translate.ts";

const SOURCE = join(import.meta.dirname, "../src");
const ftl = (locale: string): string => readFileSync(join(SOURCE, `locales/${locale}.ftl`), "utf8");
const ids = (locale: string): string[] => new FluentResource(ftl(locale)).body.map((entry) => entry.id).sort();

function files(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? files(join(folder, entry.name)) : [join(folder, entry.name)],
  );
}

/** The variables that each message uses, so that a translation cannot drop a name or a number. */
function variables(locale: string): Record<string, string[]> {
  const found: Record<string, string[]> = {};
  let current = "";
  for (const line of ftl(locale).split("\n")) {
    current = /^([a-z][a-z0-9_-]*) =/.exec(line)?.[1] ?? current;
    const names = [...line.matchAll(/\{ ?\$([a-z]+)/g)].map((match) => match[1] as string);
    found[current] = [...new Set([...(found[current] ?? []), ...names])].sort();
  }
  return found;
}

describe("Fluent files", () => {
  test("every locale has the same ids, each once", () => {
    for (const locale of LOCALES) {
      expect(ids(locale)).toEqual(ids("en"));
      expect(new Set(ids(locale)).size).toBe(ids(locale).length);
    }
  });

  test("every locale uses the same variables in each message", () => {
    expect(variables("es")).toEqual(variables("en"));
  });

  test("every locale parses completely", () => {
    for (const locale of LOCALES) {
      const messages = ftl(locale).match(/^[a-z][a-z0-9_-]* =/gm) ?? [];
      expect(messages.length).toBe(ids(locale).length);
    }
  });

  test("components contain no literal text", () => {
    const offenders = files(SOURCE)
      .filter((path) => path.endsWith(".svelte"))
      .flatMap((path) => literalText(readFileSync(path, "utf8")).map((text) => `${path}: ${text}`));
    expect(offenders).toEqual([]);
  });

  test("every id named in the sources exists, and every id that exists is named", () => {
    const sources = files(SOURCE)
      .filter((path) => /\.(svelte|ts)$/.test(path))
      .map((path) => readFileSync(path, "utf8"))
      .join("\n");
    const known = new Set(ids("en"));
    const used = [...sources.matchAll(/\bt\(\s*"([a-z0-9_-]+)"/g)].map((match) => match[1] as string);
    expect(used.filter((id) => !known.has(id))).toEqual([]);
    const patterns = [...sources.matchAll(/`([a-z0-9_-]*\$\{[^`]*)`/g)].map(
      (match) => new RegExp(`^${(match[1] as string).replace(/\$\{[^}]*\}/g, "[a-z0-9_-]+")}$`),
    );
    const unused = [...known].filter((id) => !sources.includes(`"${id}"`) && !patterns.some((p) => p.test(id)));
    expect(unused).toEqual([]);
  });
});

/** Text between tags, and text in attributes that people read, with all expressions taken out. */
function literalText(source: string): string[] {
  let markup = source.replace(/<(script|style)[\s\S]*?<\/\1>/g, "").replace(/<!--[\s\S]*?-->/g, "");
  for (let before = ""; before !== markup; ) {
    before = markup;
    markup = markup.replace(/\{[^{}]*\}/g, "");
  }
  const attributes = [...markup.matchAll(/\s(?:aria-label|title|placeholder|alt)="([^"]*\p{L}[^"]*)"/gu)];
  const between = [...markup.matchAll(/>([^<>]*\p{L}[^<>]*)</gu)];
  return [...attributes, ...between].map((match) => (match[1] as string).trim());
}

describe("translator", () => {
  test.each([
    [["es-MX", "en"], "es"],
    [["fr", "de"], "en"],
    [[], "en"],
  ])("for %j it chooses %s", (requested, expected) => {
    expect(chooseLocale(requested)).toBe(expected);
  });

  test("an unknown id is an error, never an empty label", () => {
    expect(() => createTranslator("en", "a = b").text("c")).toThrow(MissingText);
  });

  test("only a right-to-left value is isolated", () => {
    const translator = createTranslator("en", "hello = Hello { $name }!");
    expect(translator.text("hello", { name: "Ana" })).toBe("Hello Ana!");
    expect(translator.text("hello", { name: "דנה" })).toBe("Hello \u2068דנה\u2069!");
  });
});
