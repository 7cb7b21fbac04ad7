import { assetOf, type Id, type Instant, invariant, type Money, money } from "@remit/kernel";
import { type Sql, sql, sqlTime, type TenantTx } from "@remit/platform/sql";
import type { AccessTokenClaims, PublicJwk } from "@remit/protocol";
import type { Charge, ChargeState, Verb } from "./charges.ts";

export type ChargeRow = {
  readonly id: Id<"charge">;
  readonly tenant_id: Id<"tenant">;
  readonly mandate_id: Id<"mandate">;
  readonly agent_id: Id<"agent">;
  readonly merchant_id: Id<"merchant">;
  readonly merchant_tenant_id: Id<"tenant">;
  readonly merchant_client_id: string;
  readonly merchant_origin: string;
  readonly state: ChargeState;
  readonly generation: number;
  readonly capture_mode: Charge["captureMode"];
  readonly commits: boolean;
  readonly amount_minor: bigint;
  readonly capture_minor: bigint | null;
  readonly refunded_minor: bigint;
  readonly refunding_minor: bigint | null;
  readonly refund_id: Id<"refund"> | null;
  readonly refund_transaction: string | null;
  readonly currency: string;
  readonly rail: Charge["rail"];
  readonly instrument_id: Id<"instrument"> | null;
  readonly payment_id: Id<"payment"> | null;
  readonly payment_reference: string | null;
  readonly because: string | null;
  readonly offer_evidence: string;
  readonly offer_key: PublicJwk;
  readonly offer_digest: string;
  readonly offer_id: string;
  readonly mandate_hash: string;
  readonly presentation_hash: string;
  readonly token: AccessTokenClaims;
  readonly response_digest: string | null;
  readonly request_digest: string | null;
  readonly serve_by: Instant;
  readonly capture_by: Instant;
  readonly created_at: Instant;
  readonly authorized_at: Instant | null;
  readonly committed_at: Instant | null;
  readonly captured_at: Instant | null;
  readonly receipt_id: Id<"receipt"> | null;
  readonly approval_id: Id<"approval"> | null;
  readonly approve_by: Instant | null;
  readonly approved_at: Instant | null;
  readonly tab_limit_minor: bigint | null;
  readonly tab_id: Id<"tab"> | null;
  readonly commit_point_at: Instant | null;
  readonly livemode: boolean;
  readonly amended: Charge["amended"] | null;
  readonly former_payment_id: Id<"payment"> | null;
  readonly former_minor: bigint | null;
};

export function chargeOf(row: ChargeRow): Charge {
  const asset = assetOf(row.currency);
  invariant(asset !== undefined, "a charge's currency is one we know");
  const of = (units: bigint): Money => money(asset, units);
  const { refund_id, refunding_minor, approval_id: approval, approve_by: until } = row;
  return {
    id: row.id,
    payer: row.tenant_id,
    payee: row.merchant_tenant_id,
    mandate: row.mandate_id,
    agent: row.agent_id,
    merchant: row.merchant_id,
    merchantClient: row.merchant_client_id,
    merchantOrigin: row.merchant_origin,
    state: row.state,
    generation: row.generation,
    captureMode: row.capture_mode,
    commits: row.commits,
    amount: of(row.amount_minor),
    capture: row.capture_minor === null ? undefined : of(row.capture_minor),
    refunded: of(row.refunded_minor),
    refunding:
      refund_id === null || refunding_minor === null
        ? undefined
        : {
            id: refund_id,
            amount: of(refunding_minor),
            transaction: row.refund_transaction ?? undefined,
          },
    rail: row.rail,
    instrument: row.instrument_id ?? undefined,
    payment: row.payment_id ?? undefined,
    paymentReference: row.payment_reference ?? undefined,
    because: row.because ?? undefined,
    offer: { id: row.offer_id, evidence: row.offer_evidence, digest: row.offer_digest, key: row.offer_key },
    mandateHash: row.mandate_hash,
    presentationHash: row.presentation_hash,
    token: row.token,
    responseDigest: row.response_digest ?? undefined,
    requestDigest: row.request_digest ?? undefined,
    serveBy: row.serve_by,
    captureBy: row.capture_by,
    createdAt: row.created_at,
    authorizedAt: row.authorized_at ?? undefined,
    committedAt: row.committed_at ?? undefined,
    capturedAt: row.captured_at ?? undefined,
    receipt: row.receipt_id ?? undefined,
    asking: approval === null || until === null ? undefined : { approval, until },
    approvedAt: row.approved_at ?? undefined,
    tabLimit: row.tab_limit_minor === null ? undefined : of(row.tab_limit_minor),
    tab: row.tab_id ?? undefined,
    commitPointAt: row.commit_point_at ?? undefined,
    livemode: row.livemode,
    amended: row.amended ?? undefined,
    former:
      row.former_payment_id === null || row.former_minor === null
        ? undefined
        : { payment: row.former_payment_id, amount: of(row.former_minor) },
  };
}

export async function findCharge(
  tx: Sql,
  id: Id<"charge">,
  lock: "none" | "update" = "none",
): Promise<Charge | undefined> {
  const row = await tx.maybe<ChargeRow>(
    lock === "none"
      ? sql`select * from charges where id = ${id}`
      : sql`select * from charges where id = ${id} for no key update`,
  );
  return row && chargeOf(row);
}

/** With the commit at the latest. `foundBy` is what its payer may look for. */
export function insertCharge(tx: TenantTx, charge: Charge, foundBy: string): void {
  const { offer, asking } = charge;
  // A charge that waits for its principal has nothing to tell billing yet.
  const intent = charge.state === "authorizing" ? "hold" : null;
  tx.defer(sql`insert into charges (tenant_id, id, mandate_id, agent_id, merchant_id, merchant_tenant_id,
      merchant_client_id, merchant_origin, state, intent, generation, capture_mode, commits, amount_minor, currency,
      rail, instrument_id, offer_evidence, offer_key, offer_digest, offer_id, mandate_hash, presentation_hash, token,
      serve_by, capture_by, created_at, livemode, approval_id, approve_by, tab_limit_minor, authorized_at, found_by)
    values (${tx.tenant}, ${charge.id}, ${charge.mandate}, ${charge.agent}, ${charge.merchant}, ${charge.payee},
      ${charge.merchantClient}, ${charge.merchantOrigin}, ${charge.state}, ${intent}, ${charge.generation},
      ${charge.captureMode}, ${charge.commits}, ${charge.amount.units}, ${charge.amount.asset.code}, ${charge.rail},
      ${charge.instrument ?? null}, ${offer.evidence}, ${JSON.stringify(offer.key)}::jsonb, ${offer.digest}, ${offer.id},
      ${charge.mandateHash}, ${charge.presentationHash}, ${JSON.stringify(charge.token)}::jsonb,
      ${sqlTime(charge.serveBy)}, ${sqlTime(charge.captureBy)}, ${sqlTime(charge.createdAt)}, ${charge.livemode},
      ${asking?.approval ?? null}, ${timeOf(asking?.until)}::timestamptz,
      ${charge.tabLimit?.units ?? null}, ${timeOf(charge.authorizedAt)}::timestamptz, ${foundBy})`);
}

/** What a transition writes beside the state. What is absent stays as it is. */
export type ChargeChange = {
  readonly to: ChargeState;
  readonly intent?: Verb;
  readonly payment?: Id<"payment">;
  readonly paymentReference?: string;
  readonly because?: string;
  readonly captureMinor?: bigint;
  readonly refundedMinor?: bigint;
  /** `null` ends the refund. */
  readonly refunding?: {
    readonly id: Id<"refund">;
    readonly minor: bigint;
    readonly transaction: string | undefined;
  } | null;
  readonly responseDigest?: string;
  readonly requestDigest?: string;
  readonly authorizedAt?: Instant;
  readonly committedAt?: Instant;
  readonly capturedAt?: Instant;
  readonly endedAt?: Instant;
  readonly receipt?: Id<"receipt">;
  readonly asking?: NonNullable<Charge["asking"]>;
  readonly approvedAt?: Instant;
  readonly serveBy?: Instant;
  readonly tab?: Id<"tab">;
  readonly commitPointAt?: Instant;
};

const timeOf = (at: Instant | undefined): string | null => (at === undefined ? null : sqlTime(at));

/** One conditional UPDATE on (state, generation); undefined for the loser, who reads again. */
export async function moveCharge(tx: Sql, from: Charge, change: ChargeChange): Promise<Charge | undefined> {
  const { refunding } = change;
  const row = await tx.maybe<ChargeRow>(sql`update charges set
      state = ${change.to}, intent = ${change.intent ?? null},
      payment_id = coalesce(${change.payment ?? null}, payment_id),
      payment_reference = coalesce(${change.paymentReference ?? null}, payment_reference),
      because = coalesce(${change.because ?? null}, because),
      capture_minor = coalesce(${change.captureMinor ?? null}::bigint, capture_minor),
      refunded_minor = coalesce(${change.refundedMinor ?? null}::bigint, refunded_minor),
      refund_id = case when ${refunding === undefined} then refund_id else ${refunding?.id ?? null}::text end,
      refunding_minor = case when ${refunding === undefined} then refunding_minor
        else ${refunding?.minor ?? null}::bigint end,
      refund_transaction = case when ${refunding === undefined} then refund_transaction
        else ${refunding?.transaction ?? null}::text end,
      response_digest = coalesce(${change.responseDigest ?? null}, response_digest),
      request_digest = coalesce(${change.requestDigest ?? null}, request_digest),
      authorized_at = coalesce(${timeOf(change.authorizedAt)}::timestamptz, authorized_at),
      committed_at = coalesce(${timeOf(change.committedAt)}::timestamptz, committed_at),
      captured_at = coalesce(${timeOf(change.capturedAt)}::timestamptz, captured_at),
      ended_at = coalesce(${timeOf(change.endedAt)}::timestamptz, ended_at),
      receipt_id = coalesce(${change.receipt ?? null}, receipt_id),
      approval_id = coalesce(${change.asking?.approval ?? null}, approval_id),
      approve_by = coalesce(${timeOf(change.asking?.until)}::timestamptz, approve_by),
      approved_at = coalesce(${timeOf(change.approvedAt)}::timestamptz, approved_at),
      serve_by = coalesce(${timeOf(change.serveBy)}::timestamptz, serve_by),
      tab_id = coalesce(${change.tab ?? null}, tab_id),
      commit_point_at = coalesce(commit_point_at, ${timeOf(change.commitPointAt)}::timestamptz)
    where id = ${from.id} and state = ${from.state} and generation = ${from.generation}
    returning *`);
  return row && chargeOf(row);
}

/** Claims a presentation for a charge; false when an earlier charge has it, whose transaction has then ended. */
export async function claimPresentation(
  tx: TenantTx,
  claim: PresentationClaim & { readonly charge: Id<"charge">; readonly expiresAt: Instant },
): Promise<boolean> {
  const { count } = await tx.run(sql`insert into presentation_claims (tenant_id, mandate_id, agent_thumbprint,
      merchant_id, kb_nonce, charge_id, offer_digest, expires_at)
    values (${tx.tenant}, ${claim.mandate}, ${claim.thumbprint}, ${claim.merchant}, ${claim.kbNonce},
      ${claim.charge}, ${claim.offerDigest}, ${sqlTime(claim.expiresAt)}) on conflict do nothing`);
  return count === 1;
}

/** What makes a presentation the same one: parsed claims, never the bytes they came in. */
export type PresentationClaim = {
  readonly mandate: Id<"mandate">;
  readonly thumbprint: string;
  readonly merchant: Id<"merchant">;
  readonly kbNonce: string;
  readonly offerDigest: string;
};

export async function findClaim(
  tx: Sql,
  claim: PresentationClaim,
): Promise<{ charge: Id<"charge">; offerDigest: string } | undefined> {
  const row = await tx.maybe<{
    charge_id: Id<"charge">;
    offer_digest: string;
  }>(sql`select charge_id, offer_digest
    from presentation_claims where mandate_id = ${claim.mandate} and agent_thumbprint = ${claim.thumbprint}
      and merchant_id = ${claim.merchant} and kb_nonce = ${claim.kbNonce}`);
  return row && { charge: row.charge_id, offerDigest: row.offer_digest };
}

const forgottenMax = 100;

/**
 * Forgets claims whose mandates have expired a day ago: nothing can be presented under them any more, also by the clock of
 * another process that is behind (K08).
 */
export async function forgetClaims(tx: Sql, now: Instant): Promise<void> {
  await tx.run(sql`delete from presentation_claims where (mandate_id, agent_thumbprint, merchant_id, kb_nonce) in (
    select mandate_id, agent_thumbprint, merchant_id, kb_nonce from presentation_claims
    where expires_at < ${sqlTime(now)}::timestamptz - interval '1 day' order by expires_at limit ${forgottenMax})`);
}

export async function tenantOfCharge(tx: Sql, id: Id<"charge">): Promise<Id<"tenant"> | undefined> {
  const row = await tx.one<{ tenant: Id<"tenant"> | null }>(sql`select tenant_of_charge(${id}) as tenant`);
  return row.tenant ?? undefined;
}

/** The payers' tenants of many charges, by their ids. */
export async function tenantsOfCharges(
  tx: Sql,
  ids: readonly Id<"charge">[],
): Promise<ReadonlyMap<string, Id<"tenant">>> {
  const found = await tx.many<{ id: string; tenant: Id<"tenant"> }>(sql`
    select id, tenant_of_charge(id) as tenant from unnest(${[...ids]}::text[]) as given(id)`);
  return new Map(found.map(({ id, tenant }) => [id, tenant]));
}

/** Whether the mandate has bought at the merchant before (for `first_purchase_at_merchant`). */
export async function hasBoughtAt(
  tx: Sql,
  mandate: Id<"mandate">,
  merchant: Id<"merchant">,
): Promise<boolean> {
  const row = await tx.one<{ bought: boolean }>(sql`select exists (select 1 from charges
    where mandate_id = ${mandate} and merchant_id = ${merchant} and captured_at is not null) as bought`);
  return row.bought;
}

/** Sorts after every id, in the "C" order of the ids: a page that starts at the newest. */
const afterAll = "~";

export async function listCharges(
  tx: Sql,
  page: { limit: number; before: Id<"charge"> | undefined; agent: string | undefined },
): Promise<Charge[]> {
  const before = page.before ?? afterAll;
  const found = await tx.many<ChargeRow>(
    page.agent === undefined
      ? sql`select * from charges where id < ${before} order by id desc limit ${page.limit}`
      : sql`select * from charges where agent_id = ${page.agent} and id < ${before}
          order by id desc limit ${page.limit}`,
  );
  return found.map(chargeOf);
}

/** A request to refund that was written before: what it named, if anything, and why it was refused, if it was. */
export type AskedRefund = {
  readonly askedAt: Instant;
  readonly wantedMinor: bigint | undefined;
  readonly transaction: string | undefined;
  readonly because: string | undefined;
};

/** What the request has asked for before. Whoever may write it next asks with the charge locked. */
export async function findRefund(
  tx: Sql,
  charge: Id<"charge">,
  key: string,
): Promise<AskedRefund | undefined> {
  const row = await tx.maybe<{
    asked_at: Instant;
    wanted_minor: bigint | null;
    transaction: string | null;
    refused_because: string | null;
  }>(sql`select asked_at, wanted_minor, transaction, refused_because from charge_refunds
      where charge_id = ${charge} and request_key = ${key}`);
  return (
    row && {
      askedAt: row.asked_at,
      wantedMinor: row.wanted_minor ?? undefined,
      transaction: row.transaction ?? undefined,
      because: row.refused_because ?? undefined,
    }
  );
}

/** What has gone through since then of what was asked for by other keys. */
export const refundedSince = async (
  tx: Sql,
  charge: Id<"charge">,
  { at, except }: { readonly at: Instant; readonly except: string },
): Promise<bigint> =>
  (
    await tx.one<{ minor: bigint }>(
      sql`select coalesce(sum(amount_minor), 0)::bigint as minor from charge_refunds
        where charge_id = ${charge} and done_at > ${sqlTime(at)} and refused_because is null
          and not starts_with(request_key, ${except})`,
    )
  ).minor;

export type NewRefund = {
  readonly id: Id<"refund">;
  readonly charge: Id<"charge">;
  readonly key: string;
  /** Undefined when all that was left was asked for. */
  readonly wantedMinor: bigint | undefined;
  readonly minor: bigint;
  readonly transaction: string | undefined;
  readonly now: Instant;
};

export async function insertRefund(tx: TenantTx, refund: NewRefund): Promise<void> {
  await tx.run(sql`insert into charge_refunds (tenant_id, id, charge_id, request_key, wanted_minor, amount_minor,
      transaction, asked_at)
    values (${tx.tenant}, ${refund.id}, ${refund.charge}, ${refund.key}, ${refund.wantedMinor ?? null},
      ${refund.minor}, ${refund.transaction ?? null}, ${sqlTime(refund.now)})`);
}

/** A refund by its id: of which charge it is, and whether it has come to its end. */
export async function refundById(
  tx: Sql,
  id: Id<"refund">,
): Promise<{ readonly charge: Id<"charge">; readonly minor: bigint; readonly isDone: boolean } | undefined> {
  const row = await tx.maybe<{ charge_id: Id<"charge">; amount_minor: bigint; done: boolean }>(sql`
    select charge_id, amount_minor, done_at is not null and refused_because is null as done
    from charge_refunds where id = ${id}`);
  return row && { charge: row.charge_id, minor: row.amount_minor, isDone: row.done };
}

/** One that had gone through has given nothing back after all: once. */
export async function failRefund(tx: Sql, id: Id<"refund">): Promise<boolean> {
  const { count } = await tx.run(sql`update charge_refunds set refused_because = 'payment_refund_failed'
    where id = ${id} and done_at is not null and refused_because is null`);
  return count === 1;
}

/** Ends a refund once: false when it has ended before. */
export async function endRefund(
  tx: Sql,
  id: Id<"refund">,
  end: { readonly now: Instant; readonly because?: string },
): Promise<boolean> {
  const { count } = await tx.run(sql`update charge_refunds set done_at = ${sqlTime(end.now)},
    refused_because = ${end.because ?? null} where id = ${id} and done_at is null`);
  return count === 1;
}
