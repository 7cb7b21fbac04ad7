import { randomFillSync } from "node:crypto";
import type { Instant } from "@remit/kernel";
import { base64url, type Challenge, type JsonObject, nameChallenge } from "@remit/protocol";
import { filled } from "./blanks.ts";
import type { DraftChallenge, PriceTag, PriceTags, TagDeps } from "./price-tags.ts";
import type { Wanted } from "./wanted.ts";

/** What it costs to have the request answered, in each protocol's words and for this asker alone. Nothing is stored. */
export type Terms = {
  /** x402 v2: the JSON of the list. */
  readonly requirements: string;
  /** x402 v2: the JSON of the extensions. */
  readonly extensions: string;
  /** x402 v1. */
  readonly requirementsV1: readonly JsonObject[];
  /** MPP. */
  readonly challenges: readonly Challenge[];
};

export type TermsDeps = TagDeps & { readonly tags: PriceTags };

const nonceBytes = 12;
const drawnBytes = 2 * nonceBytes;
/** Random bytes for many, fetched at once. */
const pool = Buffer.alloc(128 * drawnBytes);
let taken = pool.length;

/** What is one asker's alone: a nonce to answer with, and what sets its challenges apart. */
export type Own = { readonly nonce: string; readonly opaque: string };

export function drawOwn(tag: PriceTag): Own {
  const random = drawn();
  // A challenge is answered once, so two who ask for the same at one instant must not get the same.
  const salt = random.toString("base64url", nonceBytes);
  return {
    nonce: tag.nonceOf(random.subarray(0, nonceBytes)),
    opaque: base64url.encode(filled(tag.opaque, salt)),
  };
}

function drawn(): Buffer {
  if (taken === pool.length) {
    randomFillSync(pool);
    taken = 0;
  }
  taken += drawnBytes;
  return pool.subarray(taken - drawnBytes, taken);
}

/** All ways in which a request can be paid, in the order of its route. */
export function termsOf({ tags }: TermsDeps, wanted: Wanted, { now }: { readonly now: Instant }): Terms {
  const tag = tags.of(wanted, now);
  const { nonce, opaque } = drawOwn(tag);
  return {
    requirements: filled(tag.requirements, nonce),
    extensions: tag.extensions,
    requirementsV1: tag.requirementsV1,
    challenges: tag.challenges.map((draft) =>
      nameChallenge(
        tag.mac,
        unnamed(tag, draft, { request: base64url.encode(filled(draft.request, nonce)), opaque }),
      ),
    ),
  };
}

/** A challenge without its id. */
export const unnamed = (
  { realm, expires, digest }: PriceTag,
  { method, intent }: DraftChallenge,
  more: Pick<Challenge, "request" | "opaque" | "header">,
): Omit<Challenge, "id"> => ({
  realm,
  method,
  intent,
  expires,
  ...(digest !== undefined && { digest }),
  ...more,
});
