import type { Id, Instant } from "@remit/kernel";
import { type Sql, sql, sqlTime, type TenantTx } from "@remit/platform/sql";
import type { Meter } from "../metering/index.ts";
import type { Claim, ClaimRail, ClaimState } from "./claims.ts";

/** Who works on a claim: an installation of the gateway, and which run of it. */
export type Worker = { readonly worker: string; readonly boot: string };

export type NewClaim = Omit<
  Claim,
  | "state"
  | "generation"
  | "charge"
  | "receipt"
  | "reference"
  | "settlement"
  | "attempt"
  | "attemptedAt"
  | "paidAt"
  | "capturedMinor"
  | "used"
  | "responseDigest"
>;

/** What a move changes besides the state. */
export type Moved = {
  readonly charge?: Id<"charge">;
  readonly reference?: string;
  readonly settlement?: string;
  readonly receipt?: string;
  readonly paidAt?: Instant;
  readonly used?: number;
  readonly capturedMinor?: number;
  readonly responseDigest?: string;
};

type Row = {
  readonly tenant_id: Id<"tenant">;
  readonly id: Id<"claim">;
  readonly rail: ClaimRail;
  readonly credential: string;
  readonly presentation: string;
  readonly request: string;
  readonly merchant_id: Id<"merchant">;
  readonly route_id: string;
  readonly agent: string;
  readonly payer: string;
  readonly idempotency_key: string | null;
  readonly state: ClaimState;
  readonly generation: number;
  readonly charge_id: Id<"charge"> | null;
  readonly amount_minor: bigint;
  readonly currency: string;
  readonly receipt: string | null;
  readonly reference: string | null;
  readonly settlement: string | null;
  readonly attempt: number;
  readonly attempted_at: Instant;
  readonly challenge_id: string | null;
  readonly account: string | null;
  readonly holder: string | null;
  readonly paid_at: Instant | null;
  readonly deliver: Claim["deliver"];
  readonly meter: Meter | null;
  readonly used: bigint | null;
  readonly captured_minor: bigint | null;
  readonly response_digest: string | null;
  readonly created_at: Instant;
  readonly updated_at: Instant;
};

/** False when the credential, or the agent's key for retries, has been used. */
export async function insertClaim(
  tx: TenantTx,
  claim: NewClaim,
  more: { readonly by: Worker; readonly leasedUntil: Instant; readonly sealedOrder: Uint8Array },
): Promise<boolean> {
  const at = sqlTime(claim.updatedAt);
  const written = await tx.run(sql`
    insert into claims (tenant_id, id, rail, attempted_at, challenge_id, holder, credential, presentation, request, merchant_id, route_id, agent, payer,
      idempotency_key, state, generation, worker, boot, leased_until, sealed_order, amount_minor, currency, deliver, meter, account,
      created_at, updated_at)
    values (${claim.tenant}, ${claim.id}, ${claim.rail}, ${at}, ${claim.challenge ?? null}, ${claim.holder ?? null}, ${claim.credential}, ${claim.presentation}, ${claim.request},
      ${claim.merchant}, ${claim.route}, ${claim.agent}, ${claim.payer}, ${claim.idempotencyKey ?? null}, 'claimed', 1,
      ${more.by.worker}, ${more.by.boot}, ${sqlTime(more.leasedUntil)}, ${more.sealedOrder}, ${claim.amountMinor},
      ${claim.currency}, ${claim.deliver}, ${meterIn(claim)}::jsonb, ${claim.account ?? null}, ${at}, ${at})
    on conflict do nothing`);
  return written.count === 1;
}

const meterIn = ({ meter }: Pick<NewClaim, "meter">): string | null =>
  meter === undefined ? null : JSON.stringify(meter);

export async function findByUse(
  tx: TenantTx,
  use: Pick<NewClaim, "credential" | "agent" | "idempotencyKey" | "challenge">,
): Promise<Claim | undefined> {
  const key = use.idempotencyKey ?? null;
  const rows = await tx.many<Row>(sql`
    select * from claims where credential = ${use.credential}
      or (agent = ${use.agent} and idempotency_key = ${key}::text and state <> 'released')
      or challenge_id = ${use.challenge ?? null}::text
    order by credential = ${use.credential} desc limit 1`);
  return rows[0] === undefined ? undefined : claimOf(rows[0]);
}

/** The claim that was made with exactly these bytes. */
export async function findByPresentation(tx: TenantTx, presentation: string): Promise<Claim | undefined> {
  const rows = await tx.many<Row>(
    sql`select * from claims where presentation = ${presentation} order by created_at desc limit 1`,
  );
  return rows[0] === undefined ? undefined : claimOf(rows[0]);
}

export async function findClaim(tx: TenantTx, id: Id<"claim">): Promise<Claim | undefined> {
  const row = await tx.maybe<Row>(sql`select * from claims where id = ${id}`);
  return row === undefined ? undefined : claimOf(row);
}

/** Moves the claim, if it is still where we left it and nobody has taken it over. */
export async function moveClaim(
  tx: TenantTx,
  claim: Claim,
  to: Moved & { readonly state: ClaimState; readonly now: Instant; readonly leasedUntil: Instant },
): Promise<boolean> {
  const ends = to.state === "captured" || to.state === "released";
  const written = await tx.run(sql`
    update claims set state = ${to.state},
      charge_id = coalesce(${to.charge ?? null}::text, charge_id),
      receipt = coalesce(${to.receipt ?? null}::text, receipt),
      reference = coalesce(${to.reference ?? null}::text, reference),
      settlement = coalesce(${to.settlement ?? null}::text, settlement),
      used = coalesce(${to.used ?? null}::bigint, used),
      captured_minor = coalesce(${to.capturedMinor ?? null}::bigint, captured_minor),
      response_digest = coalesce(${to.responseDigest ?? null}::text, response_digest),
      paid_at = coalesce(${to.paidAt === undefined ? null : sqlTime(to.paidAt)}::timestamptz, paid_at),
      sealed_order = case when ${ends} then null else sealed_order end,
      leased_until = ${sqlTime(to.leasedUntil)}, updated_at = ${sqlTime(to.now)}
    where id = ${claim.id} and state = ${claim.state} and generation = ${claim.generation}`);
  return written.count === 1;
}

/** Writes down what the buyer of a stream has been given so far; false when somebody else has the claim. */
export async function keepUse(
  tx: TenantTx,
  claim: Claim,
  so: { readonly used: number | undefined; readonly leasedUntil: Instant },
): Promise<boolean> {
  const written = await tx.run(sql`
    update claims set used = coalesce(${so.used ?? null}::bigint, used), leased_until = ${sqlTime(so.leasedUntil)}
    where id = ${claim.id} and state = ${claim.state} and generation = ${claim.generation}`);
  return written.count === 1;
}

/** Writes the provider's id of a payment down while its hold is wanted; false when somebody else has the claim. */
export async function keepReference(tx: TenantTx, claim: Claim, reference: string): Promise<boolean> {
  const written = await tx.run(sql`
    update claims set reference = ${reference}
    where id = ${claim.id} and state = 'claimed' and generation = ${claim.generation}`);
  return written.count === 1;
}

/**
 * Starts a released claim anew, with what is asked and shown now: the next attempt has keys of its own. Undefined when
 * somebody was faster.
 */
export async function reopen(
  tx: TenantTx,
  claim: Claim,
  anew: {
    readonly by: Worker;
    readonly fresh: NewClaim;
    readonly now: Instant;
    readonly leasedUntil: Instant;
    readonly sealedOrder: Uint8Array;
  },
): Promise<Claim | undefined> {
  const { by, fresh } = anew;
  const row = await tx.maybe<Row>(sql`
    update claims set state = 'claimed', attempt = attempt + 1, attempted_at = ${sqlTime(anew.now)}, reference = null,
      settlement = null, route_id = ${fresh.route}, amount_minor = ${fresh.amountMinor}, currency = ${fresh.currency},
      idempotency_key = ${fresh.idempotencyKey ?? null}, challenge_id = ${fresh.challenge ?? null},
      account = ${fresh.account ?? null}, deliver = ${fresh.deliver}, meter = ${meterIn(fresh)}::jsonb, used = null, captured_minor = null,
      response_digest = null, holder = ${fresh.holder ?? null}, generation = generation + 1, worker = ${by.worker}, boot = ${by.boot},
      leased_until = ${sqlTime(anew.leasedUntil)}, sealed_order = ${anew.sealedOrder}, updated_at = ${sqlTime(anew.now)}
    where id = ${claim.id} and state = 'released' and generation = ${claim.generation}
    returning *`);
  return row === undefined ? undefined : claimOf(row);
}

/**
 * Takes a claim whose goods are owed, for one request to deliver them; undefined while another one is at it, unless that
 * was of an earlier run of this worker.
 */
export async function takeOwed(
  tx: TenantTx,
  claim: Claim,
  by: Worker & { readonly now: Instant; readonly leasedUntil: Instant },
): Promise<Claim | undefined> {
  const row = await tx.maybe<Row>(sql`
    update claims set worker = ${by.worker}, boot = ${by.boot}, generation = generation + 1,
      leased_until = ${sqlTime(by.leasedUntil)}, updated_at = ${sqlTime(by.now)}
    where id = ${claim.id} and state = 'owed'
      and (leased_until <= ${sqlTime(by.now)} or (worker = ${by.worker} and boot <> ${by.boot}))
    returning *`);
  return row === undefined ? undefined : claimOf(row);
}

/** Takes a claim that waits for its principal's answer, for one request to go on with it; undefined for the loser. */
export async function takeWaiting(
  tx: TenantTx,
  claim: Claim,
  by: Worker & { readonly now: Instant; readonly leasedUntil: Instant },
): Promise<Claim | undefined> {
  const row = await tx.maybe<Row>(sql`
    update claims set state = 'claimed', worker = ${by.worker}, boot = ${by.boot}, generation = generation + 1,
      leased_until = ${sqlTime(by.leasedUntil)}, updated_at = ${sqlTime(by.now)}
    where id = ${claim.id} and state = 'waiting' and generation = ${claim.generation}
    returning *`);
  return row === undefined ? undefined : claimOf(row);
}

// No installation has this name, so that no run of one has left the claim behind: its lease alone ends it.
const elsewhere = "handed out";

/** Says that the goods of a claim which is served are made by somebody else, who brings them to any gateway. */
export const handOut = (tx: TenantTx, id: Id<"claim">): Promise<unknown> =>
  tx.run(sql`update claims set worker = ${elsewhere}, boot = '' where id = ${id} and state = 'serving'`);

/** Takes a claim whose goods have been brought; undefined for whoever comes second, or after it was let go. */
export async function takeBack(
  tx: TenantTx,
  id: Id<"claim">,
  by: Worker & { readonly merchant: Id<"merchant">; readonly now: Instant; readonly leasedUntil: Instant },
): Promise<Claim | undefined> {
  const row = await tx.maybe<Row>(sql`
    update claims set worker = ${by.worker}, boot = ${by.boot}, generation = generation + 1,
      leased_until = ${sqlTime(by.leasedUntil)}, updated_at = ${sqlTime(by.now)}
    where id = ${id} and merchant_id = ${by.merchant} and state = 'serving' and worker = ${elsewhere}
    returning *`);
  return row === undefined ? undefined : claimOf(row);
}

/** Lets somebody else take over from `at` on. */
export const giveUp = (tx: TenantTx, claim: Claim, at: Instant): Promise<unknown> =>
  tx.run(sql`update claims set leased_until = ${sqlTime(at)}
    where id = ${claim.id} and generation = ${claim.generation} and state not in ('captured', 'released')`);

/** Forgets a claim for which no money was ever asked, so that the credential may try again. */
export async function deleteClaim(tx: TenantTx, claim: Claim): Promise<boolean> {
  const written = await tx.run(sql`
    delete from claims where id = ${claim.id} and state = ${claim.state} and generation = ${claim.generation}`);
  return written.count === 1;
}

/**
 * Takes an open claim over whose lease has ended, or which an earlier run of this worker left behind. Nobody works on one
 * that waits for a principal, so that no run leaves it behind.
 */
export async function takeOver(
  tx: TenantTx,
  id: Id<"claim">,
  by: Worker & { readonly now: Instant; readonly leasedUntil: Instant },
): Promise<Claim | undefined> {
  const row = await tx.maybe<Row>(sql`
    update claims set worker = ${by.worker}, boot = ${by.boot}, generation = generation + 1,
      leased_until = ${sqlTime(by.leasedUntil)}, updated_at = ${sqlTime(by.now)}
    where id = ${id} and state not in ('captured', 'released', 'owed')
      and (leased_until <= ${sqlTime(by.now)}
        or (state <> 'waiting' and worker = ${by.worker} and boot <> ${by.boot}))
    returning *`);
  return row === undefined ? undefined : claimOf(row);
}

/** Where open claims are that nobody works on, the longest waiting first. For the relay. */
export const findDue = (
  tx: Sql,
  by: Worker & { readonly now: Instant },
): Promise<{ tenant_id: Id<"tenant">; id: Id<"claim"> }[]> =>
  tx.many(sql`
    select tenant_id, id from claims
    where state not in ('captured', 'released', 'owed')
      and (leased_until <= ${sqlTime(by.now)}
        or (state <> 'waiting' and worker = ${by.worker} and boot <> ${by.boot}))
    order by leased_until limit 100`);

export async function readSealedOrder(tx: TenantTx, id: Id<"claim">): Promise<Uint8Array | undefined> {
  const row = await tx.maybe<{ sealed_order: Uint8Array | null }>(
    sql`select sealed_order from claims where id = ${id}`,
  );
  return row?.sealed_order ?? undefined;
}

const claimOf = (row: Row): Claim => ({
  tenant: row.tenant_id,
  id: row.id,
  rail: row.rail,
  credential: row.credential,
  presentation: row.presentation,
  request: row.request,
  merchant: row.merchant_id,
  route: row.route_id,
  agent: row.agent,
  payer: row.payer,
  ...(row.idempotency_key === null ? {} : { idempotencyKey: row.idempotency_key }),
  state: row.state,
  generation: row.generation,
  ...(row.charge_id === null ? {} : { charge: row.charge_id }),
  amountMinor: Number(row.amount_minor),
  ...(row.captured_minor === null ? {} : { capturedMinor: Number(row.captured_minor) }),
  currency: row.currency,
  deliver: row.deliver,
  ...(row.meter === null ? {} : { meter: row.meter }),
  ...(row.used === null ? {} : { used: Number(row.used) }),
  ...(row.response_digest === null ? {} : { responseDigest: row.response_digest }),
  ...(row.receipt === null ? {} : { receipt: row.receipt }),
  ...(row.reference === null ? {} : { reference: row.reference }),
  ...(row.settlement === null ? {} : { settlement: row.settlement }),
  ...(row.challenge_id === null ? {} : { challenge: row.challenge_id }),
  ...(row.account === null ? {} : { account: row.account }),
  ...(row.holder === null ? {} : { holder: row.holder }),
  ...(row.paid_at === null ? {} : { paidAt: row.paid_at }),
  attempt: row.attempt,
  attemptedAt: row.attempted_at,
  createdAt: row.created_at,
  updatedAt: row.updated_at,
});
