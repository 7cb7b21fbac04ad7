import type { Id, Instant } from "@remit/kernel";
import { sql, sqlTime, type TenantTx } from "@remit/platform/sql";
import type { KeptPolicy, Policy } from "./merchant-policies.ts";

/** The row is kept as read until the transaction ends. */
export async function findPolicy(tx: TenantTx, merchant: Id<"merchant">): Promise<KeptPolicy | undefined> {
  const row = await tx.maybe<{ version: number; policy: Policy; changed_at: Instant }>(sql`
    select version, policy, changed_at from merchant_policies where merchant_id = ${merchant} for share`);
  return row && { version: row.version, policy: row.policy, changedAt: row.changed_at };
}

/** The policy of a payee's merchant, read from the payer's transaction that is about to hold. */
export async function policyFor(
  tx: TenantTx,
  { payee, merchant }: { readonly payee: Id<"tenant">; readonly merchant: Id<"merchant"> },
): Promise<Policy | undefined> {
  const row = await tx.one<{ policy: Policy | null }>(
    sql`select merchant_policy_of(${payee}, ${merchant}) as policy`,
  );
  return row.policy ?? undefined;
}

/** Puts it in the place of the version before; false when that is not the one there is. */
export async function savePolicy(
  tx: TenantTx,
  merchant: Id<"merchant">,
  { version, policy, changedAt }: KeptPolicy,
): Promise<boolean> {
  const [text, at] = [JSON.stringify(policy), sqlTime(changedAt)];
  const { count } =
    version === 1
      ? await tx.run(sql`insert into merchant_policies (tenant_id, merchant_id, version, policy, changed_at)
          values (${tx.tenant}, ${merchant}, 1, ${text}::jsonb, ${at}) on conflict do nothing`)
      : await tx.run(sql`update merchant_policies set version = ${version}, policy = ${text}::jsonb, changed_at = ${at}
          where merchant_id = ${merchant} and version = ${version - 1}`);
  return count === 1;
}
