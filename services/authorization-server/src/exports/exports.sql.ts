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
  readonly document: JsonObject;
  readonly because: string | null;
  readonly token: string | null;
  readonly created_at: Instant;
  readonly expires_at: Instant;
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
  document: row.document,
  because: row.because ?? undefined,
  token: row.token ?? undefined,
  createdAt: row.created_at,
  expiresAt: row.expires_at,
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
  readonly because?: string;
  readonly closedAt?: Instant;
  readonly token?: string | undefined;
};

export async function saveExport(tx: Sql, id: Id<"charge">, change: ExportChange): Promise<void> {
  const closedAt = change.closedAt === undefined ? null : sqlTime(change.closedAt);
  await tx.run(sql`update exports set state = ${change.state}, used_minor = ${change.usedMinor},
      because = coalesce(${change.because ?? null}, because), closed_at = ${closedAt}::timestamptz,
      token = coalesce(token, ${change.token ?? null})
    where id = ${id}`);
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
