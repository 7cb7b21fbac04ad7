import { hourMs, type Instant } from "@remit/kernel";
import { algOf, Problem, type PublicJwk, parseJson, parseJwks, thumbprintInput } from "@remit/protocol";
import { thumbprint } from "@remit/protocol/node";

export type Jwks = { readonly keys: readonly PublicJwk[] };

/** Keys that were served at the origin and share none with the pinned ones, and since when. */
export type PendingKeys = { readonly jwks: Jwks; readonly since: Instant };

export type KeyDecision =
  | { readonly kind: "unchanged" }
  | { readonly kind: "adopted"; readonly jwks: Jwks }
  | { readonly kind: "noticed"; readonly pending: PendingKeys };

/** How long a merchant has to notice that its keys were replaced behind its back. */
export const noticeMs = 24 * hourMs;

/** The keys of a JWKS document with which offers can be signed: each with a kid of its own. */
export function readMerchantKeys(body: Uint8Array): Jwks {
  const keys = parseJwks(parseJson(body, { bytesMax: 256 * 1024, refuse: "merchant_jwks_invalid" }));
  const usable = (keys ?? []).filter((key) => algOf(key) !== "RS256" && key.use !== "enc");
  if (usable.length === 0) throw new Problem("merchant_jwks_invalid");
  const kids = new Set(usable.map(({ kid }) => kid));
  if (kids.has(undefined) || kids.size !== usable.length)
    throw new Problem("merchant_jwks_invalid", { detail: "Each key needs a kid that no other key has." });
  return { keys: usable };
}

/**
 * What becomes of keys that the origin serves now (G07). A rotation keeps an old key beside the new ones; keys that were
 * replaced all at once may be somebody else's, so they count only after the notice period, or once a person of the merchant's
 * own has confirmed them.
 */
export function decideKeys(
  pinned: Jwks,
  served: Jwks,
  at: { readonly now: Instant; readonly pending?: PendingKeys | undefined; readonly confirmed?: boolean },
): KeyDecision {
  if (sameText(pinned, served)) return { kind: "unchanged" };
  const known = identities(pinned);
  const continued = served.keys.some((key) => known.has(thumbprintInput(key)));
  if (pinned.keys.length === 0 || continued || at.confirmed) return { kind: "adopted", jwks: served };
  if (at.pending === undefined || !sameText(at.pending.jwks, served))
    return { kind: "noticed", pending: { jwks: served, since: at.now } };
  return at.now - at.pending.since >= noticeMs
    ? { kind: "adopted", jwks: served }
    : { kind: "noticed", pending: at.pending };
}

/** Whether all of these are pinned already: the origin has dropped some at most. */
export function isAmong(served: Jwks, pinned: Jwks): boolean {
  const known = identities(pinned);
  return served.keys.every((key) => known.has(thumbprintInput(key)));
}

/** Whether these are the keys of which somebody gave the RFC 7638 thumbprints, each of them and no other. */
export function isNamedBy(served: Jwks, thumbprints: readonly string[]): boolean {
  const named = new Set(thumbprints);
  const found = new Set(served.keys.map((key) => thumbprint(key)));
  return found.size === named.size && [...found].every((one) => named.has(one));
}

const identities = ({ keys }: Jwks): ReadonlySet<string> => new Set(keys.map(thumbprintInput));

const sameText = (a: Jwks, b: Jwks): boolean => textOf(a) === textOf(b);
const textOf = ({ keys }: Jwks): string =>
  keys
    .map((key) => `${key.kid} ${thumbprintInput(key)}`)
    .sort()
    .join("\n");
