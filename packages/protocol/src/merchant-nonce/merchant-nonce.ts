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
export const makeMerchantNonce = (input: NonceParts & { readonly random: Uint8Array }): string =>
  merchantNonces(input)(input.random);

type NonceParts = { readonly mac: Mac; readonly now: Instant; readonly place: NoncePlace };

/** Makes the nonces of one place and time, each of twelve random bytes of its own. */
export function merchantNonces({ mac, now, place }: NonceParts): (random: Uint8Array) => string {
  const named = concatBytes(new Uint8Array(expiryBytes + randomBytes), placeBytes(place));
  new DataView(named.buffer).setBigUint64(0, BigInt(Math.floor((now + merchantNonceMs) / secondMs)));
  const nonce = new Uint8Array(expiryBytes + randomBytes + macBytes);
  nonce.set(named.subarray(0, expiryBytes));
  return (random) => {
    invariant(random.length === randomBytes, "a nonce has twelve random bytes");
    named.set(random, expiryBytes);
    nonce.set(random, expiryBytes);
    nonce.set(mac(named).subarray(0, macBytes), expiryBytes + randomBytes);
    return base64url.encode(nonce);
  };
}

/** How long the text of a nonce is. */
export const merchantNonceLength = ((expiryBytes + randomBytes + macBytes) * 4) / 3;

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

const tagOf = (mac: Mac, head: Uint8Array, place: NoncePlace): Uint8Array =>
  mac(concatBytes(head, placeBytes(place))).subarray(0, macBytes);

// The parts are joined as JSON, so that no route can run into its method.
const placeBytes = ({ route, method, origin }: NoncePlace): Uint8Array =>
  utf8.encode(JSON.stringify([route, method, origin]));
