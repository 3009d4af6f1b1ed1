// SPDX-License-Identifier: Apache-2.0
import { chooseLocale, createTranslator, type Locale, type TextArgs, type Translator } from "../core/translate.ts";

const REMEMBERED = "holdspace.locale";

const SOURCES: Record<Locale, () => Promise<{ default: string }>> = {
  en: () => import("../locales/en.ftl?raw"),
  es: () => import("../locales/es.ftl?raw"),
};

let translator = $state.raw<Translator>();

/** The text of a message in the chosen language; components re-render when the language changes. */
export function t(id: string, args?: TextArgs): string {
  if (!translator) throw new Error("no language is loaded yet");
  return translator.text(id, args);
}

export function currentLocale(): Locale {
  return translator?.locale ?? "en";
}

export async function useLocale(locale: Locale): Promise<void> {
  const source = await SOURCES[locale]();
  translator = createTranslator(locale, source.default);
  document.documentElement.lang = locale;
  document.title = t("page-title");
}

export async function changeLocale(locale: Locale): Promise<void> {
  localStorage.setItem(REMEMBERED, locale);
  await useLocale(locale);
}

/** What the person chose before, else what the browser asks for. */
export function preferredLocale(): Locale {
  const remembered = localStorage.getItem(REMEMBERED);
  return chooseLocale(remembered ? [remembered] : navigator.languages);
}
