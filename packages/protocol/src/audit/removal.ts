import type { Json } from "../encoding/index.ts";
import { checkOf, isText, keyFor, type PublicJwk, parseJws, type Unproven } from "../jose/index.ts";
import { Problem } from "../problems.ts";

/**
 * What the entry `audit.expired` holds as its `statement`, a JWS (`typ: remit-removal+jwt`): the bodies at these places
 * were kept as long as their retention class demands, and may be missing from now on.
 */
export type AuditRemoval = {
  readonly v: 1;
  readonly iss: string;
  /** The id of the entry that holds it. */
  readonly jti: string;
  readonly tenant_id: string;
  /** Runs of places, first and last, in their order. */
  readonly places: readonly PlaceRun[];
  /** RFC 3339. */
  readonly signed_at: string;
  readonly signer_kid: string;
};

export type PlaceRun = readonly [first: number, last: number];

export const removalTyp = "remit-removal+jwt";
const runsMax = 1000;

/** Places, in their order, as runs. */
export function runsOf(places: readonly number[]): PlaceRun[] {
  const runs: [number, number][] = [];
  for (const place of places) {
    const last = runs.at(-1);
    if (last !== undefined && last[1] === place - 1) last[1] = place;
    else runs.push([place, place]);
  }
  return runs;
}

export const removes = ({ places }: Pick<AuditRemoval, "places">, seq: number): boolean =>
  places.some(([first, last]) => first <= seq && seq <= last);

/** Reads a statement of removal; `keys` are the issuer's audit keys. Throws `audit_checkpoint_invalid`. */
export function examineRemoval(text: string, keys: readonly PublicJwk[]): Unproven<AuditRemoval> {
  const refuse = "audit_checkpoint_invalid";
  const jws = parseJws(text, { typ: [removalTyp], algs: ["ES256", "EdDSA"], refuse });
  const key = keyFor(keys, jws.header);
  if (key === undefined)
    throw new Problem(refuse, { detail: "The removal's key is not one of the issuer's." });
  const { v, iss, jti, tenant_id, places, signed_at, signer_kid } = jws.payload;
  const texts = isText(iss) && isText(jti) && isText(tenant_id) && isText(signed_at) && isText(signer_kid);
  if (v !== 1 || !texts || !isRuns(places))
    throw new Problem(refuse, { detail: "The removal lacks a member." });
  return {
    checks: [checkOf(jws, key, refuse)],
    value: { v, iss, jti, tenant_id, places, signed_at, signer_kid },
  };
}

const isRuns = (value: Json | undefined): value is [number, number][] =>
  Array.isArray(value) && value.length <= runsMax && value.every(isRun);

const isRun = (value: Json): boolean =>
  Array.isArray(value) &&
  value.length === 2 &&
  value.every((place) => Number.isSafeInteger(place)) &&
  Number(value[0]) >= 1 &&
  Number(value[0]) <= Number(value[1]);
