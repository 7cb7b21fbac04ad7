import { readFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import { type Instant, systemClock, toDecimal } from "@remit/kernel";
import {
  type Offer,
  type PrivateJwk,
  type PublicJwk,
  parseJwks,
  parseOffer,
  parsePrivateJwk,
  parsePublicJwk,
  peekOffer,
  priceOf,
  publicJwkOf,
} from "@remit/protocol";
import { offerDigest, signOffer, verifyOffer } from "@remit/protocol/node";
import { good, harmless, print, printJson } from "../output.ts";

const jwsPattern = /^[\w-]+\.[\w-]+\.[\w-]+$/;

/** Signs an offer as a merchant does where no HTTP response carries it, and prints the compact JWS. */
export async function signOfferFile(file: string, { key }: { readonly key: string }): Promise<void> {
  print(signed(json(await contentsOf(file), "an offer"), json(await readFile(key, "utf8"), "a key")));
}

/** What would be refused by whoever is shown it is not signed. Throws a Problem of the `offer_…` codes. */
export function signed(offer: unknown, key: unknown, now: Instant = systemClock.now()): string {
  const signer = signingKey(key);
  const jws = signOffer(signer, parseOffer(offer));
  verifyOffer(jws, { keys: [publicJwkOf(signer)], now });
  return jws;
}

function signingKey(value: unknown): PrivateJwk {
  const key = parsePrivateJwk(value);
  if (key === undefined || key.kid === undefined)
    throw new Error("the key is no private JWK (P-256 or Ed25519) with a kid");
  return key;
}

export type VerifyOfferOptions = {
  /** The merchant's JWKS, or one of its keys. */
  readonly keys: string;
  /** At which it must be: else at the one that it names. */
  readonly origin?: string;
  readonly json?: boolean;
};

/** Checks a signed offer offline: signature, time, origin, and that its parts are its price. What was refused ends with 1. */
export async function verifyOfferFile(argument: string, options: VerifyOfferOptions): Promise<void> {
  const jws = (jwsPattern.test(argument) ? argument : await contentsOf(argument)).trim();
  const { origin } = options;
  const keys = json(await readFile(options.keys, "utf8"), "a JWKS");
  const offer = verified(jws, keys, origin === undefined ? {} : { origin });
  if (options.json === true) return printJson({ verified: true, digest: offerDigest(offer), offer });
  print(words(offer));
}

export function verified(
  jws: string,
  keys: unknown,
  { origin, now = systemClock.now() }: { readonly origin?: string; readonly now?: Instant } = {},
): Offer {
  return verifyOffer(jws, {
    keys: keysIn(keys),
    now,
    origin: origin ?? peekOffer(jws).merchant_origin,
  });
}

function keysIn(value: unknown): readonly PublicJwk[] {
  const one = parsePublicJwk(value);
  const keys = parseJwks(value) ?? (one === undefined ? [] : [one]);
  if (keys.length === 0) throw new Error("there is no key in this: give the merchant's JWKS");
  return keys;
}

const contentsOf = (file: string): Promise<string> =>
  file === "-" ? text(process.stdin) : readFile(file, "utf8");

function json(content: string, what: string): unknown {
  try {
    return JSON.parse(content);
  } catch (cause) {
    throw new Error(`this is no JSON, and so not ${what}`, { cause });
  }
}

const words = (offer: Offer): string =>
  [
    good("The offer is genuine."),
    `  merchant   ${offer.merchant_origin} (${offer.merchant})`,
    `  sells      ${harmless(offer.name)}`,
    `  price      ${toDecimal(priceOf(offer))} ${offer.currency}${offer.livemode ? "" : " (test)"}`,
    `  until      ${offer.expires_at}`,
    `  digest     ${offerDigest(offer)}`,
  ].join("\n");
