import { assetOf, fromRfc3339, type Id, type IdKind, idPattern } from "@remit/kernel";
import { z } from "zod";
import { urlOf } from "../encoding/index.ts";
import { rails } from "../mandate/index.ts";
import { readable } from "../readable.ts";

/** Money on the wire: whole minor units, 1 … 2^53-1, as a JSON number. Strings, fractions and zero are refused. */
export const AmountMinor = z
  .int()
  .min(1)
  .max(Number.MAX_SAFE_INTEGER)
  .meta({ description: "Whole minor units of the currency" });

/** An amount that may be nothing yet, such as what has been refunded. */
export const AmountOrZero = z.int().min(0).max(Number.MAX_SAFE_INTEGER);

/** ISO 4217 alphabetic code, upper case, of a currency that Remit knows. */
export const Currency = z
  .string()
  .regex(/^[A-Z]{3}$/)
  .refine((code) => assetOf(code)?.kind === "fiat", "no currency of ISO 4217")
  .meta({ description: "ISO 4217 currency code, upper case", examples: ["EUR"] });

/** An id of one kind. */
export const idOf = <K extends IdKind>(kind: K): z.ZodType<Id<K>, string> =>
  // The pattern is the whole definition of an id of this kind; zod cannot express the brand.
  z.string().regex(new RegExp(idPattern(kind))) as unknown as z.ZodType<Id<K>, string>;

/** RFC 3339 in UTC. */
export const Timestamp = z
  .string()
  .max(40)
  .refine((text) => fromRfc3339(text) !== undefined, "no RFC 3339 time")
  .meta({ description: "RFC 3339 time", format: "date-time" });

/** A URL's origin exactly as browsers write it: lower case, no default port, no path. */
export const Origin = z
  .string()
  .max(300)
  .refine(isOrigin, "no http(s) origin")
  .meta({
    description: "An origin: scheme, host and port, nothing else",
    examples: ["https://shop.example"],
  });

export const HttpsUrl = z.string().max(2048).refine(isHttpUrl, "no http(s) URL").meta({ format: "uri" });

/** SHA-256 as base64url without padding. */
export const Digest = z
  .string()
  .regex(/^[A-Za-z0-9_-]{43}$/)
  .meta({ description: "SHA-256, base64url" });

export const Rail = z.enum(rails);
export const Cursor = z.string().min(1).max(512);
/** Of lists that most have whole on one page. */
export const PageLength = z.coerce.number().int().min(1).max(500).default(100);
/** Of those that were given whole before they had pages: who knows of no cursor is given as many as ever. */
export const WholePageLength = PageLength.default(500);

/** Public keys as they stand in the API document: nobody's. */
export const exampleKeys = {
  assertion: { kty: "OKP", crv: "Ed25519", x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" },
  dpop: {
    kty: "EC",
    crv: "P-256",
    x: "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    y: "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
  },
} as const;

/** Text for people: printable, with a limit, and nothing that could deceive whoever reads it. */
export const text = (lengthMax: number): z.ZodString => z.string().min(1).max(lengthMax).regex(readable);

function isOrigin(value: string): boolean {
  const url = urlOf(value);
  return url !== undefined && /^https?:$/.test(url.protocol) && url.origin === value;
}

function isHttpUrl(value: string): boolean {
  const url = urlOf(value);
  return url !== undefined && /^https?:$/.test(url.protocol) && url.username === "" && url.password === "";
}
