import { randomFillSync } from "node:crypto";
import type { Instant } from "@remit/kernel";
import {
  base64url,
  type Challenge,
  type JsonObject,
  makeMerchantNonce,
  nameChallenge,
} from "@remit/protocol";
import { filled } from "./blanks.ts";
import type { PriceTags, TagDeps } from "./price-tags.ts";
import { placeOf, type Wanted } from "./wanted.ts";

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

function drawn(): Buffer {
  if (taken === pool.length) {
    randomFillSync(pool);
    taken = 0;
  }
  taken += drawnBytes;
  return pool.subarray(taken - drawnBytes, taken);
}

/** All ways in which a request can be paid, in the order of its route. */
export function termsOf(
  { macs, tags }: TermsDeps,
  wanted: Wanted,
  { now, header }: { readonly now: Instant; readonly header?: string },
): Terms {
  const tag = tags.of(wanted, now);
  const [mac] = macs(now);
  const random = drawn();
  const place = placeOf(wanted);
  const nonce = makeMerchantNonce({ mac, random: random.subarray(0, nonceBytes), now, place });
  // A challenge is answered once, so two who ask for the same at one instant must not get the same.
  const salt = random.toString("base64url", nonceBytes);
  const opaque = base64url.encode(filled(tag.opaque, salt));
  return {
    requirements: filled(tag.requirements, nonce),
    extensions: tag.extensions,
    requirementsV1: tag.requirementsV1,
    challenges: tag.challenges.map(({ method, intent, request }) =>
      nameChallenge(mac, {
        realm: tag.realm,
        method,
        intent,
        request: base64url.encode(filled(request, nonce)),
        expires: tag.expires,
        ...(tag.digest !== undefined && { digest: tag.digest }),
        opaque,
        ...(header !== undefined && { header }),
      }),
    ),
  };
}
