import { fromRfc3339, type Id, type Instant, invariant, toRfc3339 } from "@remit/kernel";
import { type Sql, sql, sqlTime, type TenantTx } from "@remit/platform/sql";
import type { MandateDetails } from "@remit/protocol";
import type { Approval, ApprovalState, ApprovalSubject } from "./approvals.ts";
import type { PurchaseSubject } from "./purchase.ts";

/** A row as it is stored: the question is still sealed. */
export type ApprovalRow = Omit<Approval, "question"> & { readonly sealedQuestion: Uint8Array };

type StoredMandate = {
  readonly details: MandateDetails;
  readonly valid_until: string;
  readonly resources: Readonly<Record<string, string>>;
  readonly openid: boolean;
};

/** As it is: names and amounts of the signed offer, ids, and why. */
type StoredPurchase = Omit<PurchaseSubject, "kind">;

type Row = {
  readonly id: Id<"approval">;
  readonly tenant_id: Id<"tenant">;
  readonly principal_id: Id<"account">;
  readonly agent_id: Id<"agent">;
  readonly agent_tenant_id: Id<"tenant">;
  readonly kind: ApprovalSubject["kind"];
  readonly subject: StoredMandate | StoredPurchase;
  readonly holder_thumbprint: string;
  readonly asked_count: number;
  readonly sealed_question: Uint8Array;
  readonly state: ApprovalState;
  readonly asked_at: Instant;
  readonly expires_at: Instant;
  readonly answered_at: Instant | null;
  readonly mandate_id: Id<"mandate"> | null;
};

function subjectOf({ kind, subject }: Row): ApprovalSubject {
  if ("charge" in subject) {
    invariant(kind !== "mandate", "a purchase is no mandate");
    return { kind, ...subject };
  }
  invariant(kind === "mandate", "a mandate is no purchase");
  const validUntil = fromRfc3339(subject.valid_until);
  invariant(validUntil !== undefined, "a subject's end was written by us");
  const { details, resources, openid } = subject;
  return { kind, request: { details, validUntil }, resources, openid };
}

function stored(of: ApprovalSubject): StoredMandate | StoredPurchase {
  if (of.kind !== "mandate") {
    const { kind: _, ...purchase } = of;
    return purchase;
  }
  const { request, resources, openid } = of;
  return { details: request.details, valid_until: toRfc3339(request.validUntil), resources, openid };
}

const approvalOf = (row: Row): ApprovalRow => ({
  id: row.id,
  tenant: row.tenant_id,
  principal: row.principal_id,
  agent: row.agent_id,
  agentTenant: row.agent_tenant_id,
  subject: subjectOf(row),
  holderThumbprint: row.holder_thumbprint,
  state: row.state,
  askedAt: row.asked_at,
  askedCount: row.asked_count,
  expiresAt: row.expires_at,
  answeredAt: row.answered_at ?? undefined,
  mandate: row.mandate_id ?? undefined,
  sealedQuestion: row.sealed_question,
});

/** Counts one ask in the agent's window and locks its row until the transaction ends. */
export async function countAsk(
  tx: Sql,
  asked: { agent: Id<"agent">; now: Instant; windowEnds: Instant },
): Promise<{ asked: number; windowEnds: Instant }> {
  const ends = sqlTime(asked.windowEnds);
  const now = sqlTime(asked.now);
  const row = await tx.one<{ asked_count: number; window_ends: Instant }>(
    sql`insert into asking_quotas as q (agent_id, asked_count, window_ends) values (${asked.agent}, 1, ${ends})
      on conflict (agent_id) do update set
        asked_count = case when q.window_ends <= ${now} then 1 else q.asked_count + 1 end,
        window_ends = case when q.window_ends <= ${now} then excluded.window_ends else q.window_ends end
      returning asked_count, window_ends`,
  );
  return { asked: row.asked_count, windowEnds: row.window_ends };
}

export async function countOpen(tx: Sql, agent: Id<"agent">, now: Instant): Promise<number> {
  const row = await tx.one<{ open: number }>(sql`select count(*)::int as open from asking_open
    where agent_id = ${agent} and expires_at > ${sqlTime(now)}`);
  return row.open;
}

export async function close(tx: Sql, id: Id<"approval">): Promise<void> {
  await tx.run(sql`delete from asking_open where approval_id = ${id}`);
}

/** Where the question about a purchase is: in the tenant of its payer. */
export const tenantOfPurchase = async (db: Sql, charge: Id<"charge">): Promise<Id<"tenant"> | undefined> =>
  (await db.one<{ tenant: Id<"tenant"> | null }>(sql`select tenant_of_charge(${charge}) as tenant`)).tenant ??
  undefined;

/** The question about a purchase that waits for an answer now, if any; locked. */
export async function lockAbout(
  tx: TenantTx,
  of: { charge: Id<"charge">; agent: Id<"agent">; now: Instant },
): Promise<ApprovalRow | undefined> {
  const row = await tx.maybe<Row>(sql`select * from approvals where charge_id = ${of.charge}
    and agent_id = ${of.agent} and state = 'pending' and expires_at > ${sqlTime(of.now)} for no key update`);
  return row && approvalOf(row);
}

/** A question that has its answer; locked, so that what follows from the answer follows once. */
export async function lockAnswered(tx: TenantTx, id: Id<"approval">): Promise<ApprovalRow | undefined> {
  const row = await tx.maybe<Row>(
    sql`select * from approvals where id = ${id} and state <> 'pending' for no key update`,
  );
  return row && approvalOf(row);
}

/** The question of this group that waits already, if any; locked. */
export async function lockWaiting(
  tx: TenantTx,
  of: { principal: Id<"account">; agent: Id<"agent">; group: string },
): Promise<ApprovalRow | undefined> {
  const row = await tx.maybe<Row>(sql`select * from approvals where principal_id = ${of.principal}
    and agent_id = ${of.agent} and group_digest = ${of.group} and state = 'pending' for no key update`);
  return row && approvalOf(row);
}

export async function insertApproval(tx: TenantTx, row: ApprovalRow & { group: string }): Promise<void> {
  const charge = row.subject.kind === "mandate" ? null : row.subject.charge;
  await tx.run(sql`insert into approvals (tenant_id, id, principal_id, agent_id, agent_tenant_id, kind, subject,
      holder_thumbprint, group_digest, sealed_question, asked_at, expires_at, charge_id)
    values (${tx.tenant}, ${row.id}, ${row.principal}, ${row.agent}, ${row.agentTenant}, ${row.subject.kind},
      ${JSON.stringify(stored(row.subject))}::jsonb, ${row.holderThumbprint}, ${row.group}, ${row.sealedQuestion},
      ${sqlTime(row.askedAt)}, ${sqlTime(row.expiresAt)}, ${charge})`);
  await tx.run(sql`insert into asking_open (approval_id, agent_id, expires_at)
    values (${row.id}, ${row.agent}, ${sqlTime(row.expiresAt)})`);
}

/** The same question again: the newer request is the one that will be answered. */
export async function askAgain(
  tx: TenantTx,
  again: { id: Id<"approval">; sealedQuestion: Uint8Array; expiresAt: Instant },
): Promise<void> {
  const ends = sqlTime(again.expiresAt);
  await tx.run(sql`update approvals set asked_count = asked_count + 1, sealed_question = ${again.sealedQuestion},
    expires_at = ${ends} where id = ${again.id}`);
  await tx.run(sql`update asking_open set expires_at = ${ends} where approval_id = ${again.id}`);
}

export async function findApproval(tx: TenantTx, id: Id<"approval">): Promise<ApprovalRow | undefined> {
  const row = await tx.maybe<Row>(sql`select * from approvals where id = ${id}`);
  return row && approvalOf(row);
}

export type Answer = {
  readonly id: Id<"approval">;
  readonly state: "approved" | "denied";
  readonly by: Id<"account">;
  readonly sealedAnswer: Uint8Array | undefined;
  readonly now: Instant;
};

/** Of these, the questions that nobody has answered yet. */
export const openQuestions = (
  tx: TenantTx,
  ids: readonly string[],
): Promise<Pick<Approval, "id" | "principal" | "expiresAt">[]> =>
  tx.many(sql`select id, principal_id as principal, expires_at as "expiresAt" from approvals
    where id = any(${[...ids]}::text[]) and state = 'pending'`);

/** The one answer: undefined when there is one already, or the time is over. */
export async function answer(tx: TenantTx, given: Answer): Promise<ApprovalRow | undefined> {
  const now = sqlTime(given.now);
  const row = await tx.maybe<Row>(sql`update approvals set state = ${given.state}, answered_at = ${now},
      answered_by = ${given.by}, sealed_answer = ${given.sealedAnswer ?? null}
    where id = ${given.id} and state = 'pending' and expires_at > ${now} returning *`);
  return row && approvalOf(row);
}

export async function saveMandate(tx: TenantTx, id: Id<"approval">, mandate: Id<"mandate">): Promise<void> {
  await tx.run(sql`update approvals set mandate_id = ${mandate} where id = ${id}`);
}

/** Undefined when it was answered, or does not end yet. */
export async function expire(
  tx: TenantTx,
  id: Id<"approval">,
  now: Instant,
): Promise<ApprovalRow | undefined> {
  const row = await tx.maybe<Row>(sql`update approvals set state = 'expired', answered_at = ${sqlTime(now)}
    where id = ${id} and state = 'pending' and expires_at <= ${sqlTime(now)} returning *`);
  return row && approvalOf(row);
}

/** Ends a question before its time, because what it asks for is no longer wanted; undefined when it was answered. */
export async function withdraw(
  tx: TenantTx,
  id: Id<"approval">,
  now: Instant,
): Promise<ApprovalRow | undefined> {
  const row = await tx.maybe<Row>(sql`update approvals set state = 'expired', answered_at = ${sqlTime(now)}
    where id = ${id} and state = 'pending' returning *`);
  return row && approvalOf(row);
}

/** Sorts after every id, in the "C" order of the ids: a page that starts at the newest. */
const afterAll = "~";

export async function listApprovals(
  tx: TenantTx,
  page: {
    principal: Id<"account">;
    state: ApprovalState | undefined;
    before: Id<"approval"> | undefined;
    limit: number;
  },
): Promise<ApprovalRow[]> {
  const rows = await tx.many<Row>(sql`select * from approvals
    where principal_id = ${page.principal} and id < ${page.before ?? afterAll}
      and (${page.state ?? null}::text is null or state = ${page.state ?? null})
    order by id desc limit ${page.limit}`);
  return rows.map(approvalOf);
}
