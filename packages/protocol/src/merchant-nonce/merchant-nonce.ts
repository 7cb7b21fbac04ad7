import { type Instant, invariant, secondMs } from "@remit/kernel";
import { base64url, concatBytes, equalBytes, type Mac } from "../encoding/index.ts";
import { Problem } from "../problems.ts";

/** Where a nonce counts: one route, one method, one origin. */
export type NoncePlace = { readonly route: string; readonly method: string; readonly origin: string };

/** How long a nonce counts, in ms. */
export const merchantNonceMs = 300_000;

const expiryBytes = 8;
const randomBytes = 12;
const macBytes = 16;
const utf8 = new TextEncoder();

/**
 * A nonce that needs no store: base64url(expiry ‖ 12 random bytes ‖ first 16 bytes of the MAC over expiry, random bytes
 * and place). Expiry is seconds since 1970, 64 bits, big-endian. `mac` is the current key's.
 */
export function makeMerchantNonce(input: {
  readonly mac: Mac;
  readonly random: Uint8Array;
  readonly now: Instant;
  readonly place: NoncePlace;
}): string {
  invariant(input.random.length === randomBytes, "a nonce has twelve random bytes");
  const expiry = new Uint8Array(expiryBytes);
  new DataView(expiry.buffer).setBigUint64(0, BigInt(Math.floor((input.now + merchantNonceMs) / secondMs)));
  const head = concatBytes(expiry, input.random);
  return base64url.encode(concatBytes(head, tagOf(input.mac, head, input.place)));
}

/** Refuses a nonce of another place or key, and one that has expired. During rotation two keys count. */
export function checkMerchantNonce(input: {
  readonly nonce: string;
  readonly macs: readonly Mac[];
  readonly now: Instant;
  readonly place: NoncePlace;
}): void {
  const bytes = input.nonce.length > 64 ? undefined : base64url.decode(input.nonce);
  if (bytes?.length !== expiryBytes + randomBytes + macBytes) throw new Problem("merchant_nonce_invalid");
  const head = bytes.subarray(0, expiryBytes + randomBytes);
  const tag = bytes.subarray(expiryBytes + randomBytes);
  const known = input.macs.filter((mac) => equalBytes(tagOf(mac, head, input.place), tag));
  if (known.length === 0) throw new Problem("merchant_nonce_invalid");
  const expiresS = new DataView(bytes.buffer).getBigUint64(0);
  if (BigInt(input.now) >= expiresS * BigInt(secondMs)) throw new Problem("merchant_nonce_expired");
}

// The parts are joined as JSON, so that no route can run into its method.
function tagOf(mac: Mac, head: Uint8Array, { route, method, origin }: NoncePlace): Uint8Array {
  const place = utf8.encode(JSON.stringify([route, method, origin]));
  return mac(concatBytes(head, place)).subarray(0, macBytes);
}
