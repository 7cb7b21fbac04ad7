import type { Id, Instant } from "@remit/kernel";
import { type Sql, sql, sqlTime, type TenantTx } from "@remit/platform/sql";
import type { JsonObject } from "@remit/protocol";
import type { Export, ExportState, HeldKind } from "./exports.ts";

type Row = {
  readonly id: Id<"charge">;
  readonly mandate_id: Id<"mandate">;
  readonly agent_id: Id<"agent">;
  readonly kind: HeldKind;
  readonly state: ExportState;
  readonly currency: string;
  readonly limit_minor: bigint;
  readonly used_minor: bigint;
  readonly spent_minor: bigint;
  readonly document: JsonObject;
  readonly because: string | null;
  readonly token: string | null;
  readonly created_at: Instant;
  readonly expires_at: Instant;
  readonly stopped_at: Instant | null;
};

const exportOf = (row: Row): Export => ({
  id: row.id,
  mandate: row.mandate_id,
  agent: row.agent_id,
  kind: row.kind,
  state: row.state,
  currency: row.currency,
  limitMinor: row.limit_minor,
  usedMinor: row.used_minor,
  spentMinor: row.spent_minor,
  document: row.document,
  because: row.because ?? undefined,
  token: row.token ?? undefined,
  createdAt: row.created_at,
  expiresAt: row.expires_at,
  stoppedAt: row.stopped_at ?? undefined,
});

export async function insertExport(tx: TenantTx, made: Export): Promise<void> {
  await tx.run(sql`insert into exports (tenant_id, id, mandate_id, agent_id, kind, currency, limit_minor, document,
      created_at, expires_at)
    values (${tx.tenant}, ${made.id}, ${made.mandate}, ${made.agent}, ${made.kind}, ${made.currency},
      ${made.limitMinor}, ${JSON.stringify(made.document)}::jsonb, ${sqlTime(made.createdAt)},
      ${sqlTime(made.expiresAt)})`);
}

/** Of the transaction's tenant; with `update`, locked against whoever else tells of it. */
export async function findExport(
  tx: Sql,
  id: Id<"charge">,
  lock: "none" | "update" = "none",
): Promise<Export | undefined> {
  const row = await tx.maybe<Row>(
    lock === "none"
      ? sql`select * from exports where id = ${id}`
      : sql`select * from exports where id = ${id} for no key update`,
  );
  return row && exportOf(row);
}

/** Those of a mandate of which nobody has asked anything back, locked in one order for all who do. */
export async function lockHeldOf(tx: Sql, mandate: Id<"mandate">): Promise<Export[]> {
  const found = await tx.many<Row>(sql`select * from exports
    where mandate_id = ${mandate} and state = 'held' order by id for no key update`);
  return found.map(exportOf);
}

export async function exportsOf(
  tx: Sql,
  mandate: Id<"mandate">,
  page: { readonly before: Id<"charge"> | undefined; readonly limit: number },
): Promise<Export[]> {
  const found = await tx.many<Row>(sql`select * from exports
    where mandate_id = ${mandate} and id < ${page.before ?? "~"} order by id desc limit ${page.limit}`);
  return found.map(exportOf);
}

export async function tenantOfExport(tx: Sql, id: Id<"charge">): Promise<Id<"tenant"> | undefined> {
  const row = await tx.one<{ tenant: Id<"tenant"> | null }>(sql`select tenant_of_export(${id}) as tenant`);
  return row.tenant ?? undefined;
}

export type ExportChange = {
  readonly state: ExportState;
  readonly usedMinor: bigint;
  readonly spentMinor: bigint;
  readonly because?: string;
  readonly closedAt?: Instant;
  readonly token?: string | undefined;
};

export async function saveExport(tx: Sql, id: Id<"charge">, change: ExportChange): Promise<void> {
  const closedAt = change.closedAt === undefined ? null : sqlTime(change.closedAt);
  await tx.run(sql`update exports set state = ${change.state}, used_minor = ${change.usedMinor},
      spent_minor = ${change.spentMinor},
      because = coalesce(${change.because ?? null}, because), closed_at = ${closedAt}::timestamptz,
      token = coalesce(token, ${change.token ?? null})
    where id = ${id}`);
}

/** The first word counts. */
export async function saveStop(tx: Sql, id: Id<"charge">, at: Instant): Promise<void> {
  await tx.run(sql`update exports set stopped_at = coalesce(stopped_at, ${sqlTime(at)})
    where id = ${id} and state <> 'closed'`);
}

/** False when this use was told of before. */
export async function insertUse(
  tx: TenantTx,
  use: {
    readonly export: Id<"charge">;
    readonly reference: string;
    readonly minor: bigint;
    readonly now: Instant;
  },
): Promise<boolean> {
  const { count } =
    await tx.run(sql`insert into export_uses (tenant_id, export_id, reference, amount_minor, told_at)
    values (${tx.tenant}, ${use.export}, ${use.reference}, ${use.minor}, ${sqlTime(use.now)})
    on conflict do nothing`);
  return count === 1;
}

/** What was told of a use by its reference. */
export async function toldMinor(tx: TenantTx, of: Id<"charge">, reference: string): Promise<bigint> {
  const row = await tx.one<{ amount_minor: bigint }>(
    sql`select amount_minor from export_uses where export_id = ${of} and reference = ${reference}`,
  );
  return row.amount_minor;
}

export type Proof = {
  readonly export: Id<"charge">;
  readonly reference: string;
  readonly transaction: string;
  readonly payee: string;
  readonly minor: bigint;
  readonly closedAt: Instant;
  readonly sealed: Uint8Array;
};

/** The use that was proven by this mandate, or that paid this checkout; the mandate's own before the checkout's. */
export const findProof = (
  tx: TenantTx,
  of: Pick<Proof, "reference" | "transaction">,
): Promise<Pick<Proof, "export" | "reference"> | undefined> =>
  tx.maybe(sql`select export_id as "export", reference from export_mandates
    where reference = ${of.reference} or transaction_id = ${of.transaction}
    order by reference <> ${of.reference} limit 1`);

/** False when the mandate was told before, or its checkout paid. */
export async function insertProof(tx: TenantTx, proof: Proof): Promise<boolean> {
  const { count } = await tx.run(sql`insert into export_mandates
      (tenant_id, reference, export_id, transaction_id, payee, amount_minor, closed_at, sealed)
    values (${tx.tenant}, ${proof.reference}, ${proof.export}, ${proof.transaction}, ${proof.payee}, ${proof.minor},
      ${sqlTime(proof.closedAt)}, ${Buffer.from(proof.sealed)})
    on conflict do nothing`);
  return count === 1;
}

export type ToldRow = {
  readonly reference: string;
  readonly minor: bigint;
  readonly toldAt: Instant;
  readonly transaction: string | null;
  readonly payee: string | null;
  readonly closedAt: Instant | null;
  readonly sealed: Uint8Array | null;
};

/** In the order of their references. */
export const usesOf = (
  tx: TenantTx,
  of: Id<"charge">,
  page: { readonly after: string | undefined; readonly limit: number },
): Promise<ToldRow[]> =>
  tx.many(sql`select u.reference, u.amount_minor as minor, u.told_at as "toldAt", m.transaction_id as transaction,
      m.payee, m.closed_at as "closedAt", m.sealed
    from export_uses u left join export_mandates m
      on m.tenant_id = u.tenant_id and m.export_id = u.export_id and m.reference = u.reference
    where u.export_id = ${of} and u.reference > ${page.after ?? ""} order by u.reference limit ${page.limit}`);
