import { randomInt } from "node:crypto";
import { deflateSync, gzipSync } from "node:zlib";
import { after, type Clock, type Instant, invariant, minuteMs, toRfc3339 } from "@remit/kernel";
import type { SigningKeys } from "@remit/platform/keys";
import type { Database, Sql } from "@remit/platform/sql";
import {
  bitsOfStatus,
  bytesForStatuses,
  canonicalise,
  isJsonObject,
  type JsonObject,
  Problem,
  type Status,
  setStatus,
  statuses,
  statusList2021Credential,
  statusListToken,
} from "@remit/protocol";
import { sha256b64url } from "@remit/protocol/node";
import * as rows from "./status-lists.sql.ts";

/** Where a mandate's state is told: a list and a random place in it. */
export type StatusEntry = { readonly list: number; readonly index: number };

/** The forms of one list: a Token Status List, or a StatusList2021 for one purpose. */
export type ListForm = "token" | "revocation" | "suspension";

export type PublishedList = { readonly body: string; readonly etag: string };

export type StatusLists = {
  /** Takes a random free place in the caller's transaction. */
  take(tx: Sql): Promise<StatusEntry>;
  /** Tells a state in the caller's transaction; whoever asks for the list after the commit sees it. */
  tell(tx: Sql, entry: StatusEntry, status: Status): Promise<void>;
  /** The list's address; StatusList2021 takes `?purpose=`. */
  uriOf(list: number, purpose?: "revocation" | "suspension"): string;
  /** Undefined when there is no such list. */
  read(list: number, form: ListForm): Promise<PublishedList | undefined>;
};

/** Seconds for which a verifier may use a copy. */
export const statusListTtlS = 60;

// A copy from a cache (60 s old at most) may be used for the ttl: the signature outlives both with room to spare.
const signedForMs = 5 * minuteMs;
const signAgainAfterMs = minuteMs;
const triesMax = 16;
const keptMax = 64;

type Kept = PublishedList & {
  readonly version: bigint;
  readonly at: Instant;
  /** Of the keys when it was signed: the one that signed may have been revoked since. */
  readonly keys: number;
};

export type StatusListsDeps = {
  readonly db: Database;
  readonly issuer: string;
  readonly keys: Pick<SigningKeys, "sign" | "version">;
  readonly clock: Clock;
};

export function createStatusLists(deps: StatusListsDeps): StatusLists {
  const kept = new Map<string, Kept>();
  const uriOf: StatusLists["uriOf"] = (list, purpose) =>
    `${deps.issuer}/oauth/status-list/${list}${purpose === undefined ? "" : `?purpose=${purpose}`}`;
  return {
    uriOf,
    take: takeEntry,
    async tell(tx, { list, index }, status) {
      await rows.tellState(tx, { list, place: index, state: statuses[status] });
    },
    async read(list, form) {
      const now = deps.clock.now();
      const name = `${list} ${form}`;
      const known = kept.get(name);
      const keys = deps.keys.version();
      const isFresh = known?.keys === keys && now - known.at < signAgainAfterMs;
      const inTime = isFresh ? known : undefined;
      const drawn = await deps.db.global.transaction((tx) => drawUnless(tx, list, inTime?.version));
      if (drawn === undefined || drawn === "unchanged") return drawn === undefined ? undefined : inTime;
      const uri = uriOf(list, form === "token" ? undefined : form);
      const body = await publish(deps, { form, uri, now, bytes: drawn.bytes });
      const fresh = {
        body,
        etag: `"${sha256b64url(body).slice(0, 22)}"`,
        version: drawn.version,
        at: now,
        keys,
      };
      if (kept.size >= keptMax) kept.clear();
      kept.set(name, fresh);
      return fresh;
    },
  };
}

/** A free place at random; a list that is so full that 16 tries fail is followed by a new one. */
async function takeEntry(tx: Sql): Promise<StatusEntry> {
  const list = await rows.newestList(tx);
  for (let attempt = 0; attempt < triesMax; attempt++) {
    const index = randomInt(list.size);
    if (await rows.takePlace(tx, list.id, index)) return { list: list.id, index };
  }
  const next = list.id + 1;
  await rows.openList(tx, { id: next, size: list.size });
  const index = randomInt(list.size);
  invariant(await rows.takePlace(tx, next, index), "a new list has room");
  return { list: next, index };
}

type Drawn = { readonly version: bigint; readonly bytes: Uint8Array };

/** The list's bits as they stand, unless its version is the one that is known. */
async function drawUnless(
  tx: Sql,
  id: number,
  version: bigint | undefined,
): Promise<Drawn | "unchanged" | undefined> {
  const list = await rows.findList(tx, id);
  if (list === undefined) return undefined;
  if (list.version === version) return "unchanged";
  const bytes = new Uint8Array(bytesForStatuses(list.size, 2));
  for (const { place, state } of await rows.toldEntries(tx, id))
    setStatus(bytes, 2, { index: place, value: state });
  return { version: list.version, bytes };
}

type Drawing = {
  readonly form: ListForm;
  readonly uri: string;
  readonly bytes: Uint8Array;
  readonly now: Instant;
};

async function publish(
  { issuer, keys }: StatusListsDeps,
  { form, uri, bytes, now }: Drawing,
): Promise<string> {
  if (form === "token") {
    const unsigned = statusListToken({
      uri,
      issuer,
      bits: 2,
      compressed: deflateSync(bytes, { level: 9 }),
      issuedAt: now,
      expiresAt: after(now, signedForMs),
      ttlS: statusListTtlS,
    });
    return unsigned.finish(await keys.sign("mandate", unsigned.header, unsigned.payload));
  }
  const status = form === "revocation" ? "invalid" : "suspended";
  const compressed = gzipSync(bitsOfStatus(bytes, status), { level: 9 });
  const credential = statusList2021Credential({ uri, issuer, purpose: form, compressed, issuedAt: now });
  return JSON.stringify({ ...credential, proof: await proofOf(credential, { issuer, keys, now }) });
}

/** A detached JWS (RFC 7515 appendix F) over the credential's JCS form: its payload is the document without `proof`. */
async function proofOf(
  credential: JsonObject,
  by: { issuer: string; keys: Pick<SigningKeys, "sign">; now: Instant },
): Promise<JsonObject> {
  const canonical: unknown = JSON.parse(canonicalise(credential));
  invariant(isJsonObject(canonical), "a credential is an object");
  const [head, , signature] = (await by.keys.sign("mandate", { typ: "vc+jws" }, canonical)).split(".");
  return {
    type: "JsonWebSignature2020",
    created: toRfc3339(by.now),
    proofPurpose: "assertionMethod",
    verificationMethod: `${by.issuer}/oauth/jwks.json`,
    jws: `${head}..${signature}`,
  };
}

/** What an `Accept` header asks for; refused when it is neither form. */
export function formOf(
  accept: string | undefined,
  purpose: "revocation" | "suspension" | undefined,
): ListForm {
  const wanted = (accept ?? "*/*").split(",").map((part) => part.split(";")[0]?.trim().toLowerCase() ?? "");
  const is2021 = wanted.some((type) => type === "application/vc+ld+json" || type === "application/ld+json");
  const isToken = wanted.some((type) =>
    ["application/statuslist+jwt", "application/*", "*/*"].includes(type),
  );
  if (is2021) return purpose ?? "revocation";
  if (purpose !== undefined && isToken) return purpose;
  if (isToken) return "token";
  throw new Problem("not_acceptable", {
    detail: "Accept application/statuslist+jwt or application/vc+ld+json.",
  });
}
