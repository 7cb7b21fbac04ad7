import { hourMs, type Instant } from "@remit/kernel";
import { algOf, Problem, type PublicJwk, parseJson, parseJwks, thumbprintInput } from "@remit/protocol";

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
 * replaced all at once may be somebody else's, so they count only after the notice period.
 */
export function decideKeys(
  pinned: Jwks,
  served: Jwks,
  at: { readonly now: Instant; readonly pending?: PendingKeys | undefined },
): KeyDecision {
  if (sameText(pinned, served)) return { kind: "unchanged" };
  const known = identities(pinned);
  const continued = served.keys.some((key) => known.has(thumbprintInput(key)));
  if (pinned.keys.length === 0 || continued) return { kind: "adopted", jwks: served };
  if (at.pending === undefined || !sameText(at.pending.jwks, served))
    return { kind: "noticed", pending: { jwks: served, since: at.now } };
  return at.now - at.pending.since >= noticeMs
    ? { kind: "adopted", jwks: served }
    : { kind: "noticed", pending: at.pending };
}

const identities = ({ keys }: Jwks): ReadonlySet<string> => new Set(keys.map(thumbprintInput));

const sameText = (a: Jwks, b: Jwks): boolean => textOf(a) === textOf(b);
const textOf = ({ keys }: Jwks): string =>
  keys
    .map((key) => `${key.kid} ${thumbprintInput(key)}`)
    .sort()
    .join("\n");
