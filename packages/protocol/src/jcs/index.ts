import { invariant } from "@remit/kernel";
import { isJsonObject, type Json } from "../encoding/index.ts";

/**
 * RFC 8785 (JCS): the one text of a JSON value, on which digests and signatures agree. Members that are undefined count
 * as absent. What JSON cannot hold (NaN, lone surrogates) is our bug: values come from `parseJson` or from our own code.
 */
export function canonicalise(value: Json): string {
  if (typeof value === "string") return canonicalText(value);
  if (typeof value === "number") {
    invariant(Number.isFinite(value), "a number in JSON is finite");
    return JSON.stringify(value);
  }
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  if (!isJsonObject(value)) return `[${value.map(canonicalise).join(",")}]`;
  let text = "";
  // RFC 8785 §3.2.3: names sort by UTF-16 code units, which is how JavaScript compares strings.
  for (const name of Object.keys(value).sort()) {
    const member = value[name];
    if (member === undefined) continue;
    text += `${text === "" ? "" : ","}${canonicalText(name)}:${canonicalise(member)}`;
  }
  return `{${text}}`;
}

function canonicalText(text: string): string {
  invariant(text.isWellFormed(), "a text in JSON has no lone surrogate");
  return JSON.stringify(text);
}
