import { isProblemCode, type ProblemCode, problems } from "@remit/protocol";
import { de } from "./de.ts";
import { en } from "./en.ts";
import { es } from "./es.ts";
import { type Family, familyOf } from "./families.ts";
import { ja } from "./ja.ts";

/** The languages of the portal. */
export const languages = ["en", "de", "es", "ja"] as const;
export type Language = (typeof languages)[number];

/** What happened, and what helps. */
export type Said = readonly [what: string, remedy: string];

export type Refusals = {
  readonly families: Readonly<Record<Family, Said>>;
  readonly codes: Readonly<Partial<Record<ProblemCode | "session_over", Said>>>;
};

const books: Readonly<Record<Language, Refusals>> = { en, de, es, ja };

/** A refusal as a person reads it, in their language. It is said on the server: no browser loads the catalogue. */
export function refusalIn(language: Language, code: string, status?: number): Said {
  const { codes, families } = books[language];
  // Looked up by whatever an API answered; what is not in the table is said by its family.
  const own: Said | undefined = Object.hasOwn(codes, code) ? codes[code as keyof typeof codes] : undefined;
  const known = isProblemCode(code) ? problems[code].status : 500;
  return own ?? families[familyOf(code, status ?? known)];
}
