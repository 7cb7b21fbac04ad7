import { type RelayTx, sql } from "@remit/platform/sql";

// Policies show the relay nothing but what has had its time; each statement says so again, for the planner.
const batchMax = 5_000;

export async function sweepAttempts(tx: RelayTx): Promise<number> {
  const { count } = await tx.run(sql`
    delete from webhook_attempts where (tenant_id, delivery_id, attempt) in (
      select tenant_id, delivery_id, attempt from webhook_attempts where at < now() - interval '30 days' limit ${batchMax})`);
  return count;
}

export async function sweepDeliveries(tx: RelayTx): Promise<number> {
  const { count } = await tx.run(sql`
    delete from webhook_deliveries where (tenant_id, id) in (
      select tenant_id, id from webhook_deliveries where created_at < now() - interval '30 days' limit ${batchMax})`);
  return count;
}

export async function sweepEvents(tx: RelayTx): Promise<number> {
  const { count } = await tx.run(sql`
    delete from webhook_events where (tenant_id, id) in (
      select tenant_id, id from webhook_events where created_at < now() - interval '30 days' limit ${batchMax})`);
  return count;
}
