import { type Instant, toNumericDate } from "@remit/kernel";
import { base64url, isJsonObject, type Json } from "../encoding/index.ts";
import {
  checkOf,
  isAhead,
  isExpired,
  isNumericDate,
  isText,
  keyFor,
  type PublicJwk,
  parseJws,
  type Unproven,
  type Unsigned,
} from "../jose/index.ts";
import { Problem } from "../problems.ts";
import { type StatusBits, statusAt, statuses } from "./bits.ts";

export const statusListTyp = "statuslist+jwt";
export const statusListMediaType = "application/statuslist+jwt";

/** A Status List Token (Token Status List §5.1). `compressed` is the list in zlib form. */
export type StatusListToIssue = {
  /** The list's own address, which credentials name as `uri`. */
  readonly uri: string;
  readonly issuer: string;
  readonly bits: StatusBits;
  readonly compressed: Uint8Array;
  readonly issuedAt: Instant;
  readonly expiresAt: Instant;
  /** Seconds for which a copy may be used. */
  readonly ttlS: number;
};

export const statusListToken = (list: StatusListToIssue): Unsigned<string> => ({
  header: { typ: statusListTyp },
  payload: {
    iss: list.issuer,
    sub: list.uri,
    iat: toNumericDate(list.issuedAt),
    exp: toNumericDate(list.expiresAt),
    ttl: list.ttlS,
    status_list: { bits: list.bits, lst: base64url.encode(list.compressed) },
  },
  finish: (jws) => jws,
});

export type StatusListInput = {
  readonly token: string;
  /** The `uri` of the credential. */
  readonly uri: string;
  readonly issuer: string;
  readonly keys: readonly PublicJwk[];
  readonly now: Instant;
  /** `iat` of the newest list seen so far: an older one is a rollback. */
  readonly newestIat?: number;
};

/** A list still compressed, for at most `ttlS` seconds from when it was fetched and never at or after `exp`. */
export type CompressedStatusList = {
  readonly bits: StatusBits;
  readonly compressed: Uint8Array;
  /** Seconds. */
  readonly iat: number;
  readonly exp: number;
  readonly ttlS: number;
};

/** A list that may be read with `statusAt`. */
export type StatusList = Omit<CompressedStatusList, "compressed"> & { readonly list: Uint8Array };

/** The greatest list that is inflated: what 4 million mandates need. Beyond it lies a bomb. */
export const statusListBytesMax = 1 << 20;

const ttlUsualS = 60;

/**
 * Token Status List §8.3, all but the signature (still a check) and the inflation. Throws `status_list_invalid`, or
 * `status_list_stale` for one that has expired or is older than one already seen.
 */
export function examineStatusList(input: StatusListInput): Unproven<CompressedStatusList> {
  const jws = parseJws(input.token, {
    typ: [statusListTyp],
    algs: ["ES256", "EdDSA"],
    refuse: "status_list_invalid",
    charactersMax: 2 * statusListBytesMax,
  });
  const key = keyFor(input.keys, jws.header);
  if (key === undefined) throw refused("The list's key is not one of the issuer's.");
  const { iss, sub, iat, exp, ttl } = jws.payload;
  if (iss !== undefined && iss !== input.issuer) throw refused("The list is from another issuer.");
  if (sub !== input.uri) throw refused("The list is another one than the credential names.");
  if (!isNumericDate(iat) || !isNumericDate(exp) || isAhead(iat, input.now))
    throw refused("iat or exp is not right.");
  if (isExpired(exp, input.now) || iat < (input.newestIat ?? 0)) throw new Problem("status_list_stale");
  if (ttl !== undefined && !isNumericDate(ttl)) throw refused("ttl must be whole seconds.");
  return {
    checks: [checkOf(jws, key, "status_list_invalid")],
    value: { ...listOf(jws.payload["status_list"]), iat, exp, ttlS: ttl ?? ttlUsualS },
  };
}

/**
 * Throws `mandate_status_revoked` or `mandate_status_suspended` unless the entry is valid. A list says what was true when
 * it was signed; only the issuer's database says what is true now.
 */
export function checkStatus({ list, bits }: StatusList, index: number): void {
  const status = statusAt(list, bits, index);
  if (status === undefined) throw refused("The list has no such entry.");
  if (status === statuses.suspended) throw new Problem("mandate_status_suspended");
  // What a later version may add is not valid either.
  if (status !== statuses.valid) throw new Problem("mandate_status_revoked");
}

function listOf(list: Json | undefined): { bits: StatusBits; compressed: Uint8Array } {
  const { bits, lst } = isJsonObject(list) ? list : {};
  const compressed = isText(lst, 2 * statusListBytesMax) ? base64url.decode(lst) : undefined;
  if (bits !== 1 && bits !== 2 && bits !== 4 && bits !== 8) throw refused("bits must be 1, 2, 4 or 8.");
  if (compressed === undefined) throw refused("lst is not in base64url.");
  return { bits, compressed };
}

const refused = (detail: string): Problem => new Problem("status_list_invalid", { detail });
