import { getContext, setContext } from "svelte";
import type { Locale } from "../locales.ts";
import type { ConsoleWords } from "./en.ts";

export type { ConsoleWords } from "./en.ts";

/** The words of the pages of organizations: who never opens one does not load them. */
const books: Readonly<Record<Locale, () => Promise<ConsoleWords>>> = {
  en: async () => (await import("./en.ts")).en,
  de: async () => (await import("./de.ts")).de,
  es: async () => (await import("./es.ts")).es,
  ja: async () => (await import("./ja.ts")).ja,
};

export const consoleWordsOf = (locale: Locale): Promise<ConsoleWords> => books[locale]();

const key = Symbol("console words");

export const giveConsoleWords = (words: () => ConsoleWords): unknown => setContext(key, words);

export const useConsoleWords = (): ConsoleWords => getContext<() => ConsoleWords>(key)();
