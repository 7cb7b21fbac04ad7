import { after, type Clock, type Id, type Instant, invariant, secondMs } from "@remit/kernel";
import type { Keyring } from "@remit/platform/keys";
import { type Database, type TenantTx, violates } from "@remit/platform/sql";
import { Problem, parseJson } from "@remit/protocol";
import { patience, whenAvailable } from "../patience.ts";
import { scopeOf } from "../responses/index.ts";
import type { Moved, NewClaim, Worker } from "./claims.sql.ts";
import * as rows from "./claims.sql.ts";
import type { Claim, ClaimState } from "./claims.ts";

export type { NewClaim, Worker } from "./claims.sql.ts";

export type ClaimsDeps = {
  readonly db: Database;
  readonly keyring: Keyring;
  readonly clock: Clock;
  /** How long a busy database or charge API is asked again, in ms. */
  readonly patienceMs: number;
  /** This run of this gateway. */
  readonly by: Worker;
  /** Claims that this run has ended its work on without being able to write so: the database was away. */
  readonly adrift: Map<Id<"claim">, Claim>;
};

/** Longer than the calls to the charge API that one state may take, their repetitions included. */
const leaseMs = 30 * secondMs;
const attemptsMax = 3;

export type Taken =
  | { readonly kind: "ours"; readonly claim: Claim }
  | { readonly kind: "used"; readonly claim: Claim };

/** Takes the credential for one request, or tells whose it is. The database settles the race (C03). */
export async function takeClaim(deps: ClaimsDeps, fresh: NewClaim, order: unknown): Promise<Taken> {
  const { keyring, by } = deps;
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    const taken = await patiently(deps, fresh.tenant, async (tx): Promise<Taken | undefined> => {
      const sealedOrder = await keyring.seal(tx, scopeOf(tx), {
        plaintext: Buffer.from(JSON.stringify(order)),
        aad: aadOf(fresh.id),
      });
      const leasedUntil = after(fresh.updatedAt, leaseMs);
      if (await rows.insertClaim(tx, fresh, { by, leasedUntil, sealedOrder }))
        return { kind: "ours", claim: begun(fresh) };
      const claim = await rows.findByUse(tx, fresh);
      return claim === undefined ? undefined : { kind: "used", claim };
    });
    // Whoever was first may have been refused meanwhile and be gone: then the credential is free again.
    if (taken !== undefined) return taken;
  }
  // Seen nowhere here and yet not free: it pays, or has paid, another merchant.
  if (fresh.rail !== "mandate") throw new Problem("payment_used");
  throw new Problem("charge_in_progress", { headers: { "Retry-After": "1" } });
}

const begun = (fresh: NewClaim): Claim => ({
  ...fresh,
  state: "claimed",
  generation: 1,
  attempt: 1,
  attemptedAt: fresh.updatedAt,
});

/**
 * Tries a released credential again, under keys of its own; undefined when another request was faster. While it was
 * released its idempotency key was free, and may belong to another payment by now.
 */
export const reopenClaim = (
  deps: ClaimsDeps,
  claim: Claim,
  anew: { readonly fresh: NewClaim; readonly order: unknown },
): Promise<Claim | undefined> =>
  patiently(deps, claim.tenant, async (tx) => {
    const plaintext = Buffer.from(JSON.stringify(anew.order));
    const sealedOrder = await deps.keyring.seal(tx, scopeOf(tx), { plaintext, aad: aadOf(claim.id) });
    const now = deps.clock.now();
    const leasedUntil = after(now, leaseMs);
    return await rows.reopen(tx, claim, { by: deps.by, fresh: anew.fresh, now, leasedUntil, sealedOrder });
  }).catch((error: unknown) => {
    if (violates(error, "claims_idempotency"))
      throw new Problem("idempotency_conflict", { status: 409, cause: error });
    if (violates(error, "claims_challenge_once")) throw new Problem("challenge_invalid", { cause: error });
    throw error;
  });

/** Takes a claim whose goods are owed for `leaseMs`; undefined while another request is at it. */
export const takeOwed = (deps: ClaimsDeps, claim: Claim, leaseMs: number): Promise<Claim | undefined> =>
  patiently(deps, claim.tenant, (tx) => {
    const now = deps.clock.now();
    return rows.takeOwed(tx, claim, { ...deps.by, now, leasedUntil: after(now, leaseMs) });
  });

/** Takes a claim that waits for its principal's answer; undefined when another request was faster. */
export const takeWaiting = (deps: ClaimsDeps, claim: Claim): Promise<Claim | undefined> =>
  patiently(deps, claim.tenant, (tx) => {
    const now = deps.clock.now();
    return rows.takeWaiting(tx, claim, { ...deps.by, now, leasedUntil: after(now, leaseMs) });
  });

/** Serves a claim by somebody else, who has `leaseMs` to bring the goods. */
export const handOut = (
  deps: ClaimsDeps,
  claim: Claim,
  to: Moved & { readonly leaseMs: number },
): Promise<Claim> =>
  moveOn(deps, claim, { ...to, state: "serving", within: (tx) => rows.handOut(tx, claim.id) });

/** Takes a claim back with its goods; undefined while somebody is at it, and once it has come to its end. */
export const takeBack = (
  deps: ClaimsDeps,
  of: Pick<Claim, "tenant" | "id" | "merchant">,
): Promise<Claim | undefined> =>
  patiently(deps, of.tenant, (tx) => {
    const now = deps.clock.now();
    const by = { ...deps.by, merchant: of.merchant, now, leasedUntil: after(now, leaseMs) };
    return rows.takeBack(tx, of.id, by);
  });

export const claimOfId = (
  db: Database,
  { tenant, id }: Pick<Claim, "tenant" | "id">,
): Promise<Claim | undefined> => db.of(tenant).transaction((tx) => rows.findClaim(tx, id));

/** Makes the provider's id of a payment durable; false when nobody wants the hold any more. */
export const keepReference = (deps: ClaimsDeps, claim: Claim, reference: string): Promise<boolean> =>
  patiently(deps, claim.tenant, (tx) => rows.keepReference(tx, claim, reference));

/** Keeps a claim that is ours while its answer streams, and writes down what was given; false when it is not ours any more. */
export const keepUse = (
  deps: ClaimsDeps,
  claim: Claim,
  so: { readonly used: number | undefined; readonly leaseMs: number },
): Promise<boolean> =>
  patiently(deps, claim.tenant, (tx) =>
    rows.keepUse(tx, claim, { used: so.used, leasedUntil: after(deps.clock.now(), so.leaseMs) }),
  );

/** Moves a claim that is ours on, in `tx` or in a transaction of its own. Somebody else's is `charge_in_progress`. */
export async function moveOn(
  deps: ClaimsDeps,
  claim: Claim,
  to: Moved & {
    readonly state: ClaimState;
    readonly leaseMs?: number;
    readonly within?: (tx: TenantTx) => Promise<unknown>;
  },
): Promise<Claim> {
  const { state, leaseMs: lasting = leaseMs, within, ...moved } = to;
  const now = deps.clock.now();
  const leasedUntil = after(now, lasting);
  await patiently(deps, claim.tenant, async (tx) => {
    if (await rows.moveClaim(tx, claim, { ...moved, state, now, leasedUntil })) return await within?.(tx);
    // A commit whose answer was lost has moved it already; under this generation nobody else could.
    const found = await rows.findClaim(tx, claim.id);
    if (found?.state !== state || found.generation !== claim.generation)
      throw new Problem("charge_in_progress", { headers: { "Retry-After": "1" } });
  });
  return { ...claim, ...moved, state, updatedAt: now };
}

const patiently = <R>(
  { db, clock, patienceMs }: ClaimsDeps,
  tenant: Id<"tenant">,
  work: (tx: TenantTx) => Promise<R>,
): Promise<R> => whenAvailable(patience(patienceMs, clock), () => db.of(tenant).transaction(work));

/** Leaves the claim to recovery, from `inMs` on. */
export const leave = (deps: ClaimsDeps, claim: Claim, inMs = 0): Promise<unknown> =>
  deps.db.of(claim.tenant).transaction((tx) => rows.giveUp(tx, claim, after(deps.clock.now(), inMs)));

/** The same for work that has failed: when the database is away, as soon as it is back. */
export async function abandon(deps: ClaimsDeps, claim: Claim, inMs = 0): Promise<void> {
  await leave(deps, claim, inMs).catch(() => deps.adrift.set(claim.id, claim));
}

/** Frees the credential of a claim that was refused before any money was set aside. */
export const forget = (deps: ClaimsDeps, claim: Claim): Promise<boolean> => {
  invariant(
    claim.state === "claimed" && claim.charge === undefined && claim.attempt === 1,
    "only a claim without a charge is forgotten",
  );
  return deps.db.of(claim.tenant).transaction((tx) => rows.deleteClaim(tx, claim));
};

export const claimOfPresentation = (
  db: Database,
  tenant: Id<"tenant">,
  presentation: string,
): Promise<Claim | undefined> => db.of(tenant).transaction((tx) => rows.findByPresentation(tx, presentation));

/** Open claims nobody works on any more, taken over one by one. */
export async function* dueClaims(deps: ClaimsDeps): AsyncGenerator<Claim> {
  for (const claim of deps.adrift.values()) {
    await leave(deps, claim);
    deps.adrift.delete(claim.id);
  }
  const due = await deps.db.relay.transaction((tx) =>
    rows.findDue(tx, { ...deps.by, now: deps.clock.now() }),
  );
  for (const { tenant_id: tenant, id } of due) {
    const claim = await deps.db.of(tenant).transaction((tx) => {
      const now: Instant = deps.clock.now();
      return rows.takeOver(tx, id, { ...deps.by, now, leasedUntil: after(now, leaseMs) });
    });
    if (claim !== undefined) yield claim;
  }
}

/** What was sent, or about to be sent, to the charge API for this claim. */
export async function orderOf({ db, keyring }: ClaimsDeps, claim: Claim): Promise<unknown> {
  return await db.of(claim.tenant).transaction(async (tx) => {
    const sealed = await rows.readSealedOrder(tx, claim.id);
    invariant(sealed !== undefined, "an open claim keeps what was sent for it");
    const plaintext = await keyring.open(tx, scopeOf(tx), { sealed, aad: aadOf(claim.id) });
    return plaintext === undefined ? undefined : parseJson(plaintext);
  });
}

const aadOf = (claim: Id<"claim">): string => `order ${claim}`;
