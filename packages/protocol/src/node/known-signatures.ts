import { createHash } from "node:crypto";
import { type SignatureCheck, thumbprintInput, type Unproven } from "../jose/index.ts";
import { Problem } from "../problems.ts";
import { holds } from "./signatures.ts";

const heldMax = 8_192;
// A Set keeps the order of insertion: its first entry is the one that was used least recently.
const held = new Set<string>();

/**
 * As `settle`, for what is made of parts that come again in the same bytes: a mandate with each of its purchases, a token
 * until it expires, an offer to all who ask within a second. Remembered is only that these bytes held under this key; which
 * keys count, and what the bytes say now, is examined each time.
 */
export function settleAgain<T>({ checks, value }: Unproven<T>): T {
  for (const check of checks) if (!holdsAgain(check)) throw new Problem(check.refuse);
  return value;
}

function holdsAgain(check: SignatureCheck): boolean {
  const name = nameOf(check);
  const isKnown = held.delete(name);
  if (!isKnown && !holds(check)) return false;
  held.add(name);
  if (held.size > heldMax) held.delete(held.keys().next().value ?? "");
  return true;
}

/** Of the whole question: algorithm, key (RFC 7638 §3), signature and what it is over. */
const nameOf = ({ alg, key, data, signature }: SignatureCheck): string =>
  createHash("sha256")
    .update(`${alg} ${signature.length} ${thumbprintInput(key)}\n`)
    .update(signature)
    .update(data)
    .digest("base64url");
