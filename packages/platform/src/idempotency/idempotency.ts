import { randomBytes } from "node:crypto";
import { dayMs, invariant, minuteMs } from "@remit/kernel";
import { Problem } from "@remit/protocol";
import type { RelayTx, Scope, TenantSql, TenantTx } from "../sql/index.ts";
import * as rows from "./idempotency.sql.ts";

export type IdempotencyRequest = {
  readonly client: string;
  /** Method and path pattern. */
  readonly route: string;
  /** The Idempotency-Key as sent. */
  readonly key: string;
  /** Digest of the canonical body: the same key with another body is refused. */
  readonly bodyDigest: string;
  /** How long the answer is kept: 24 h by default, `"always"` for what moves money. */
  readonly keep?: "day" | "always";
  /** How long a claim stays with a process that no longer answers; 1 min by default. */
  readonly leaseMs?: number;
};

/** Stores the answer in the transaction of the effect, so that both are there or neither is. */
export type Keep<A> = (tx: TenantTx, answer: A) => Promise<void>;

export type Outcome<A> = { readonly answer: A; readonly replayed: boolean };

const leaseMsDefault = minuteMs;

/**
 * Runs `work` once per tenant, client, route and key. A second call gets the stored answer (`replayed`), 409
 * `idempotency_in_flight` with Retry-After while the first runs, 422 `idempotency_conflict` for another body. A claim
 * whose process died is free again after its lease. The answer must survive JSON; when `work` does not call `keep`, it is
 * stored after it. When `work` throws before `keep`, nothing is stored and the key may be used again.
 */
export async function idempotent<A>(
  db: TenantSql,
  request: IdempotencyRequest,
  work: (keep: Keep<A>) => Promise<A>,
): Promise<Outcome<A>> {
  const { client, route, key, bodyDigest, leaseMs = leaseMsDefault } = request;
  const claim = {
    client,
    route,
    key,
    bodyDigest,
    claim: randomBytes(16).toString("base64url"),
    leaseMs,
  };
  const stored = await db.transaction((tx) => claimKey(tx, claim));
  if (stored !== undefined) return { answer: JSON.parse(stored) as A, replayed: true }; // what `keep` stored for this route
  let kept = false;
  const keep: Keep<A> = async (tx, answer) => {
    invariant(tx.tenant === db.tenant, "an answer is kept under the tenant of the request");
    const keepMs = request.keep === "always" ? undefined : dayMs;
    const written = await rows.storeAnswer(tx, { ...claim, answer: JSON.stringify(answer), keepMs });
    // Another process holds the key by now: this effect must not happen, and its transaction rolls back.
    if (!written) throw inFlight(leaseMs);
    kept = true;
  };
  try {
    const answer = await work(keep);
    if (!kept) await db.transaction((tx) => keep(tx, answer));
    return { answer, replayed: false };
  } catch (error) {
    // Deletes nothing that holds an answer: a commit whose confirmation was lost stays known.
    await db.transaction((tx) => rows.deleteClaim(tx, claim)).catch(() => undefined);
    throw error;
  }
}

/** The stored answer when there is one, undefined when the key is now ours. */
async function claimKey(tx: TenantTx, claim: rows.Claim): Promise<string | undefined> {
  if (await rows.insertClaim(tx, claim)) return undefined;
  const found = await rows.lockKey(tx, claim);
  // Let go between the two statements: the caller's retry will find out.
  if (found === undefined) throw inFlight(0);
  const { over, body_digest, answer, lease_left_ms } = found;
  if (!over && body_digest !== claim.bodyDigest) throw new Problem("idempotency_conflict");
  if (!over && answer !== null) return answer;
  if (answer === null && lease_left_ms > 0) throw inFlight(lease_left_ms);
  await rows.takeOver(tx, claim);
  return undefined;
}

const inFlight = (leftMs: number): Problem =>
  new Problem("idempotency_in_flight", {
    // The lease is for crashes; usually the other request ends within moments.
    headers: { "retry-after": String(Math.min(2, Math.max(1, Math.ceil(leftMs / 1000)))) },
  });

/** Forgets the answers of all tenants whose time is over, and claims whose process died long ago. Returns how many. */
export const sweepIdempotencyKeys = (relay: Scope<RelayTx>): Promise<number> =>
  relay.transaction(rows.deleteDue);
