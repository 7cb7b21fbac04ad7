import type { Language } from "../../../../src/refusals/index.ts";

export const locales = ["en", "de", "es", "ja"] as const satisfies readonly Language[];
export type Locale = (typeof locales)[number];

/** In their own languages, for whoever cannot read the current one. */
export const localeNames: Readonly<Record<Locale, string>> = {
  en: "English",
  de: "Deutsch",
  es: "Español",
  ja: "日本語",
};

export const isLocale = (text: string | undefined): text is Locale => locales.some((one) => one === text);

/** What the person chose, else the first of what their browser accepts (RFC 9110 §12.5.4), else English. */
export function localeFor(chosen: string | undefined, accepted: string | null): Locale {
  if (isLocale(chosen)) return chosen;
  const wished = (accepted ?? "")
    .slice(0, 200)
    .split(",")
    .map((part) => {
      const [tag = "", ...rest] = part.trim().split(";");
      const weight = /q=([\d.]+)/.exec(rest.join(";"))?.[1];
      return {
        language: tag.split("-")[0]?.toLowerCase(),
        weight: weight === undefined ? 1 : Number(weight),
      };
    })
    .sort((a, b) => b.weight - a.weight);
  for (const { language } of wished) if (isLocale(language)) return language;
  return "en";
}
