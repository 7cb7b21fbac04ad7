import type { Id, Instant } from "@remit/kernel";
import { type Sql, sql, sqlTime, type TenantTx } from "@remit/platform/sql";

export type KeptReceipt = {
  readonly id: Id<"receipt">;
  readonly charge: Id<"charge">;
  readonly agent: string;
  readonly client: string;
  readonly jwt: string;
  readonly issuedAt: Instant;
};

export async function insertReceipt(tx: TenantTx, receipt: KeptReceipt): Promise<void> {
  await tx.run(sql`insert into receipts (tenant_id, id, charge_id, agent_id, client_id, jwt, issued_at)
    values (${tx.tenant}, ${receipt.id}, ${receipt.charge}, ${receipt.agent}, ${receipt.client}, ${receipt.jwt},
      ${sqlTime(receipt.issuedAt)}) on conflict (tenant_id, id) do nothing`);
}

type Row = {
  readonly id: Id<"receipt">;
  readonly charge_id: Id<"charge">;
  readonly agent_id: string;
  readonly client_id: string;
  readonly jwt: string;
  readonly issued_at: Instant;
};

/** The receipt in this transaction's tenant, for payer and payee alike. */
export async function findReceipt(tx: Sql, id: Id<"receipt">): Promise<KeptReceipt | undefined> {
  const row = await tx.maybe<Row>(
    sql`select id, charge_id, agent_id, client_id, jwt, issued_at from receipts where id = ${id}`,
  );
  return (
    row && {
      id: row.id,
      charge: row.charge_id,
      agent: row.agent_id,
      client: row.client_id,
      jwt: row.jwt,
      issuedAt: row.issued_at,
    }
  );
}
