import { Problem, type ProblemCode } from "../problems.ts";

export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export type JsonObject = { readonly [member: string]: Json | undefined };

export type JsonLimits = {
  /** The greatest size of the text, in bytes as received (1 MiB unless told). */
  readonly bytesMax?: number;
  /** What a refusal is called (`invalid_request` unless told). */
  readonly refuse?: ProblemCode;
};

const depthMax = 64;
const bytesMaxUsual = 1 << 20;
// A byte order mark is kept, so that JSON.parse refuses it (RFC 8259 §8.1).
const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Parses JSON as two programs can agree on it (RFC 7493): refuses duplicate members, lone surrogates, NUL, `__proto__`,
 * numbers beyond a double, ill-formed UTF-8, a byte order mark, more than 64 levels, and text beyond the limit.
 * Throws a Problem.
 */
export function parseJson(input: string | Uint8Array, limits: JsonLimits = {}): Json {
  const found = readJson(input, limits.bytesMax ?? bytesMaxUsual);
  if ("fault" in found) throw new Problem(limits.refuse ?? "invalid_request", { detail: found.fault });
  return found.value;
}

export const isJsonObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** As `parseJson`, for callers that go on after a refusal; `fault` says what is wrong in words. */
export function readJson(
  input: string | Uint8Array,
  bytesMax: number,
): { readonly value: Json } | { readonly fault: string } {
  if (input.length > bytesMax) return { fault: `The JSON is larger than ${bytesMax} bytes.` };
  const text = typeof input === "string" ? input : decodeUtf8(input);
  if (text === undefined) return { fault: "The JSON is not valid UTF-8." };
  const outline = outlineOf(text);
  if (outline.depth > depthMax) return { fault: `The JSON is nested deeper than ${depthMax} levels.` };
  let value: Json;
  try {
    value = JSON.parse(text);
  } catch {
    return { fault: "The JSON cannot be parsed." };
  }
  // Without escapes the text as a whole says whether the texts within are sound.
  const texts = text.includes("\\u") || !text.isWellFormed() ? isPlainText : isOrdinary;
  const members = countMembers(value, texts);
  if (members === unfit)
    return { fault: "The JSON holds text or numbers that other programs cannot represent." };
  // JSON.parse keeps the last of equal names; then fewer members are left than the text has colons.
  return members === outline.members ? { value } : { fault: "The JSON names a member twice." };
}

export function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return strictUtf8.decode(bytes);
  } catch {
    return undefined;
  }
}

/** One pass over the text, strings skipped: how deep it goes and how many members (colons) it has. */
function outlineOf(text: string): { depth: number; members: number } {
  let level = 0;
  let depth = 0;
  let members = 0;
  for (let i = 0; i < text.length; i++) {
    switch (text.charCodeAt(i)) {
      case 0x22:
        i = endOfString(text, i);
        break;
      case 0x3a:
        members++;
        break;
      case 0x5b:
      case 0x7b:
        if (++level > depth) depth = level;
        break;
      case 0x5d:
      case 0x7d:
        level--;
    }
  }
  return { depth, members };
}

/** The index of the quote that ends the string which starts at `start`, or of the end of the text. */
function endOfString(text: string, start: number): number {
  let end = text.indexOf('"', start + 1);
  while (end !== -1 && isEscaped(text, end)) end = text.indexOf('"', end + 1);
  return end === -1 ? text.length : end;
}

function isEscaped(text: string, index: number): boolean {
  let slashes = 0;
  while (text.charCodeAt(index - 1 - slashes) === 0x5c) slashes++;
  return slashes % 2 === 1;
}

const unfit = -1;

/** The members of all objects within, or `unfit` when a name, a text or a number has no agreed meaning. */
function countMembers(value: Json, fits: (text: string) => boolean): number {
  if (typeof value === "string") return fits(value) ? 0 : unfit;
  if (typeof value === "number") return Number.isFinite(value) ? 0 : unfit;
  if (typeof value !== "object" || value === null) return 0;
  let count = 0;
  if (!isJsonObject(value)) {
    for (const element of value) {
      const within = countMembers(element, fits);
      if (within === unfit) return unfit;
      count += within;
    }
    return count;
  }
  for (const name of Object.keys(value)) {
    const within = countMembers(value[name] ?? null, fits);
    if (within === unfit || name === "__proto__" || !fits(name)) return unfit;
    count += 1 + within;
  }
  return count;
}

const isPlainText = (text: string): boolean => !text.includes("\0") && text.isWellFormed();

const isOrdinary = (): boolean => true;
