import { fromRfc3339, type Instant } from "@remit/kernel";
import type { Json } from "../encoding/index.ts";
import { keyFor, type PublicJwk, parsePublicJwk, type SignatureAlg } from "../jose/index.ts";
import { Members } from "../members.ts";

/** Where an issuer keeps every key whose signatures are evidence; none is ever removed. */
export const evidenceKeysPath = "/.well-known/remit-keys";

/** A key and the time in which it signs. `notAfter` is absent while it is in force. */
export type EvidenceKey = {
  readonly jwk: PublicJwk;
  readonly purpose: string;
  readonly notBefore: Instant;
  readonly notAfter?: Instant;
};

/** The document at `/.well-known/remit-keys`: JWKs with `purpose`, `not_before` and `not_after` (RFC 3339 or null). */
export type EvidenceKeySet = { readonly issuer: string; readonly keys: readonly EvidenceKey[] };

const keysMax = 10_000;

export function parseEvidenceKeys(value: Json): EvidenceKeySet {
  const set = Members.of(value, "invalid_request", "keys");
  return { issuer: set.text("issuer"), keys: set.list("keys", keysMax).map(evidenceKeyOf) };
}

/** The key of that purpose which a header names, if it was in force at that time. */
export function evidenceKeyAt(
  { keys, purpose }: { readonly keys: readonly EvidenceKey[]; readonly purpose: string },
  header: { readonly alg: SignatureAlg; readonly kid?: string },
  at: Instant,
): PublicJwk | undefined {
  const ofPurpose = keys.filter((key) => key.purpose === purpose);
  const inForce = ofPurpose.filter(
    (key) => key.notBefore <= at && (key.notAfter === undefined || at <= key.notAfter),
  );
  return keyFor(
    inForce.map((key) => key.jwk),
    header,
  );
}

function evidenceKeyOf(value: Json): EvidenceKey {
  const key = Members.of(value, "invalid_request", "keys");
  const jwk = parsePublicJwk(value);
  if (jwk === undefined) return key.refuse("kty", "is no key that Remit verifies with");
  const notAfter =
    key.get("not_after") === null ? undefined : key.maybe("not_after", () => time(key, "not_after"));
  return {
    jwk,
    purpose: key.text("purpose", { max: 64 }),
    notBefore: time(key, "not_before"),
    ...(notAfter !== undefined && { notAfter }),
  };
}

const time = (key: Members, name: string): Instant =>
  fromRfc3339(key.text(name, { max: 40 })) ?? key.refuse(name, "is no RFC 3339 time");
