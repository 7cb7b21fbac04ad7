import { type Clock, type Moment, momentOf, msSince, secondMs, systemClock } from "@remit/kernel";
import { Problem, type PublicJwk, type StatusList, statusAt, statusListMediaType } from "@remit/protocol";
import { verifyStatusList } from "@remit/protocol/web";
import { bytesOf, type Fetch, fetchKeys, send } from "./wire.ts";

export type StatusListOptions = {
  readonly fetch?: Fetch;
  readonly clock?: Clock;
  /** The issuer's keys; fetched from its JWKS unless given. */
  readonly issuerKeys?: readonly PublicJwk[];
  /** `iat` (seconds) of the newest list seen so far: an older one is refused as a rollback. */
  readonly newestIat?: number;
};

/** A verified list. `bitmap` has `bits` bits an entry, lowest bits first (Token Status List §4.1). */
export type FetchedStatusList = Omit<StatusList, "list"> & { readonly bitmap: Uint8Array };

/**
 * Fetches and verifies a status list of an issuer. Throws Problem `status_list_invalid` or `status_list_stale`.
 * Use it for at most `ttlS` seconds, and never at or after `exp`.
 */
export async function fetchStatusList(
  asOrigin: string,
  listId: string,
  options: StatusListOptions = {},
): Promise<FetchedStatusList> {
  return fetchList(asOrigin, `${asOrigin}/oauth/status-list/${encodeURIComponent(listId)}`, options);
}

export type MandateState = "valid" | "revoked" | "suspended";

/** The states of an issuer's mandates, from its lists. */
export type StatusLists = {
  statusOf(reference: { readonly uri: string; readonly idx: number }): Promise<MandateState>;
};

/**
 * Keeps the lists of one issuer for their time to live. A list is a view from at most that long ago: for what is worth
 * more than the delay, charge through the authorization server, which reads its database.
 */
export function createStatusLists(asOrigin: string, options: StatusListOptions = {}): StatusLists {
  const clock = options.clock ?? systemClock;
  const kept = new Map<string, { list: FetchedStatusList; fetched: Moment }>();
  const listOf = async (uri: string): Promise<FetchedStatusList> => {
    const known = kept.get(uri);
    const now = momentOf(clock);
    if (known !== undefined && isUsable(known, clock)) return known.list;
    const newestIat = known === undefined ? {} : { newestIat: known.list.iat };
    const list = await fetchList(asOrigin, uri, { ...options, ...newestIat, clock });
    kept.set(uri, { list, fetched: now });
    return list;
  };
  return {
    async statusOf({ uri, idx }) {
      const { bitmap, bits } = await listOf(uri);
      return stateOf(statusAt(bitmap, bits, idx));
    },
  };
}

const isUsable = ({ list, fetched }: { list: FetchedStatusList; fetched: Moment }, clock: Clock): boolean =>
  msSince(fetched, clock) < list.ttlS * secondMs && clock.now() < list.exp * secondMs;

// Token Status List §7.1: 0 valid, 1 invalid, 2 suspended; what is not known counts as not valid.
function stateOf(value: number | undefined): MandateState {
  if (value === undefined)
    throw new Problem("status_list_invalid", { detail: "The list has no such entry." });
  if (value === 0) return "valid";
  return value === 2 ? "suspended" : "revoked";
}

async function fetchList(
  issuer: string,
  uri: string,
  options: StatusListOptions,
): Promise<FetchedStatusList> {
  // A credential names its list; only the issuer's own origin may answer for it.
  if (!URL.canParse(uri) || new URL(uri).origin !== issuer)
    throw new Problem("status_list_invalid", { detail: "The list is not on the issuer's origin." });
  const fetchAny: Fetch = options.fetch ?? ((url, init) => fetch(url, init));
  const response = await send(fetchAny, uri, { headers: { accept: statusListMediaType } });
  if (response.status !== 200)
    throw new Problem("unavailable", { detail: `The list answered ${response.status}.` });
  const token = new TextDecoder().decode(await bytesOf(response)).trim();
  const keys = options.issuerKeys ?? (await fetchKeys(fetchAny, `${issuer}/oauth/jwks.json`));
  const { list, ...rest } = await verifyStatusList({
    token,
    uri,
    issuer,
    keys,
    now: (options.clock ?? systemClock).now(),
    ...(options.newestIat !== undefined && { newestIat: options.newestIat }),
  });
  return { ...rest, bitmap: list };
}
