import { problems } from "@remit/protocol";
import { describe, expect, test } from "vitest";
import { type Language, languages, refusalIn } from "../src/refusals/index.ts";

const codes = [
  ...Object.entries(problems).map(([code, { status }]) => ({ code, status })),
  { code: "session_over", status: 401 },
];
/** A sentence of people: it begins and ends like one, and holds nothing that only programs read. */
const sentence: Readonly<Record<Language, RegExp>> = {
  en: /^[A-Z][^_{}<>]{8,}[.?]$/,
  de: /^[A-ZÄÖÜ][^_{}<>]{8,}[.?]$/,
  es: /^[A-ZÁÉÍÓÚ¿][^_{}<>]{8,}[.?]$/,
  ja: /^[^_{}<>]{5,}。$/,
};
const jargon = /\b(DPoP|JWKS?|nonce|ETag|Idempotency|Retry-After|If-Match|OAuth|scope|digest)\b/i;

describe.each(languages)("every refusal of an API, in %s,", (locale) => {
  test.each(codes)("$code is a sentence with a remedy, and names no machinery", ({ code, status }) => {
    const [what, remedy] = refusalIn(locale, code, status);
    for (const text of [what, remedy]) {
      expect(text).toMatch(sentence[locale]);
      expect(text).not.toMatch(jargon);
      expect(text).not.toContain(code);
    }
    expect(remedy).not.toBe(what);
  });

  test("is said in this language and in no other", () => {
    const others = languages.filter((other) => other !== locale);
    for (const { code, status } of codes)
      for (const other of others)
        for (const at of [0, 1] as const)
          expect(refusalIn(locale, code, status)[at], code).not.toBe(refusalIn(other, code, status)[at]);
  });

  test("also one that this portal has never heard of, by its status", () => {
    for (const status of [400, 401, 402, 403, 404, 409, 410, 412, 418, 429, 500, 502, 503, 504])
      expect(refusalIn(locale, "made_up_tomorrow", status)[1]).toMatch(sentence[locale]);
    // Names of the language's own objects are no codes.
    for (const name of ["constructor", "__proto__", "toString"])
      expect(refusalIn(locale, name, 500)[0]).toMatch(sentence[locale]);
  });
});
