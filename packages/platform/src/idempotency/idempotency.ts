import type { Clock, Instant } from "@remit/kernel";
import type { Database, TenantSql, TenantTx } from "../sql/index.ts";

export type IdempotencyRequest = {
  readonly client: string;
  /** Method and path pattern. */
  readonly route: string;
  /** The Idempotency-Key as sent. */
  readonly key: string;
  /** Digest of the canonical body: the same key with another body is refused. */
  readonly bodyDigest: string;
  readonly clock: Clock;
  /** How long the answer is kept: 24 h by default, `"always"` for what moves money. */
  readonly keep?: "day" | "always";
};

/** Stores the answer in the transaction of the effect, so that both are there or neither is. */
export type Keep<A> = (tx: TenantTx, answer: A) => Promise<void>;

export type Outcome<A> = { readonly answer: A; readonly replayed: boolean };

/**
 * Runs `work` once per tenant, client, route and key. A second call gets the stored answer (`replayed`), 409
 * `idempotency_in_flight` with Retry-After while the first runs, 422 `idempotency_conflict` for another body. A claim
 * whose process died is free again after its lease. The answer must survive JSON; when `work` does not call `keep`, it is
 * stored after it. When `work` throws before `keep`, nothing is stored and the key may be used again.
 */
export declare function idempotent<A>(
  db: TenantSql,
  request: IdempotencyRequest,
  work: (keep: Keep<A>) => Promise<A>,
): Promise<Outcome<A>>;

/** Forgets answers whose time is over. Returns how many. */
export declare function sweepIdempotencyKeys(db: Database, now: Instant): Promise<number>;
