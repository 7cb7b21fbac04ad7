import { getContext, setContext } from "svelte";
import type { Words } from "./en.ts";
import type { Locale } from "./locales.ts";

export type { Words } from "./en.ts";

/** One language's words: a browser loads no other. */
const books: Readonly<Record<Locale, () => Promise<Words>>> = {
  en: async () => (await import("./en.ts")).en,
  de: async () => (await import("./de.ts")).de,
  es: async () => (await import("./es.ts")).es,
  ja: async () => (await import("./ja.ts")).ja,
};

export const wordsOf = (locale: Locale): Promise<Words> => books[locale]();

const key = Symbol("words");

export const giveWords = (words: () => Words): unknown => setContext(key, words);

export const useWords = (): Words => getContext<() => Words>(key)();
