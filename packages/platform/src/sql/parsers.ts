import { fromRfc3339, type Instant, invariant } from "@remit/kernel";
import { types as builtin, type CustomTypesConfig } from "pg";

type Parser = (text: string) => unknown;

/** `2026-11-22 10:00:00.123456+00` as PostgreSQL writes it under our settings; microseconds are cut off. */
function toInstant(text: string): Instant {
  const at = fromRfc3339(text.replace(" ", "T").replace(/([+-]\d\d)$/, "$1:00"));
  invariant(at !== undefined, "a timestamptz column holds a moment from 1970 to 9999");
  return at;
}

const asText: Parser = (text) => text;
const builtinParser = builtin.getTypeParser as (oid: number, format: string) => Parser; // it takes every oid, its types a few
const textArray = builtinParser(1009, "text") as (text: string) => (string | null)[]; // what it makes of text[]
const arrayOf = (parse: Parser): Parser => {
  return (text) => textArray(text).map((item) => (item === null ? null : parse(item)));
};

/** By type oid. The default parsers lose digits (numeric), days (date) and precision (timestamptz). */
const parsers: ReadonlyMap<number, Parser> = new Map([
  [20, BigInt],
  [1016, arrayOf(BigInt)],
  [1184, toInstant],
  [1185, arrayOf(toInstant)],
  [1082, asText],
  [1114, asText],
  [1182, textArray],
  [1115, textArray],
  [1186, asText],
  [1187, textArray],
  [1700, asText],
  [1231, textArray],
  [5069, BigInt],
]);

export const parserOf = (oid: number): Parser => parsers.get(oid) ?? builtinParser(oid, "text");

/** Given to each connection, so that another user of the driver in this process keeps its own. */
export const types: CustomTypesConfig = {
  getTypeParser: (oid: number, format?: "text" | "binary") =>
    parsers.get(oid) ?? builtinParser(oid, format ?? "text"),
};
