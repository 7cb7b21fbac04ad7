import type { Id, Instant } from "@remit/kernel";
import { type RelayTx, sql, sqlTime, type TenantTx } from "@remit/platform/sql";
import type { PolicyKind } from "@remit/protocol/contracts";
import type { Policy } from "./policies.ts";

type Row = {
  readonly id: string;
  readonly name: string;
  readonly kind: string;
  readonly version: number;
  readonly active_version: number | null;
  readonly created_at: Instant;
  readonly changed_at: Instant;
};

const policyOf = (row: Row): Policy => ({
  // We minted the id, and a CHECK holds the kind.
  id: row.id as Id<"policy">,
  name: row.name,
  kind: row.kind as PolicyKind,
  version: row.version,
  activeVersion: row.active_version ?? undefined,
  createdAt: row.created_at,
  changedAt: row.changed_at,
});

/** Policies of one tenant change one after the other, so that their limits hold. */
export const lockPolicies = (tx: TenantTx): Promise<unknown> =>
  tx.one(sql`select pg_advisory_xact_lock(hashtextextended(${`policies ${tx.tenant}`}, 0))`);

export async function listPolicies(tx: TenantTx): Promise<Policy[]> {
  return (await tx.many<Row>(sql`select * from policies order by id`)).map(policyOf);
}

export async function findPolicy(tx: TenantTx, id: Id<"policy">): Promise<Policy | undefined> {
  const row = await tx.maybe<Row>(sql`select * from policies where id = ${id}`);
  return row === undefined ? undefined : policyOf(row);
}

export const insertPolicy = (
  tx: TenantTx,
  { id, name, kind, createdAt }: Policy,
): Promise<{ count: number }> =>
  tx.run(sql`
    insert into policies (tenant_id, id, name, kind, version, created_at, changed_at)
    values (${tx.tenant}, ${id}, ${name}, ${kind}, 1, ${sqlTime(createdAt)}, ${sqlTime(createdAt)})`);

export const savePolicy = (tx: TenantTx, policy: Policy): Promise<{ count: number }> =>
  tx.run(sql`
    update policies set name = ${policy.name}, version = ${policy.version},
      active_version = ${policy.activeVersion ?? null}, changed_at = ${sqlTime(policy.changedAt)}
    where tenant_id = ${tx.tenant} and id = ${policy.id}`);

export const deletePolicy = (tx: TenantTx, id: Id<"policy">): Promise<{ count: number }> =>
  tx.run(sql`delete from policies where tenant_id = ${tx.tenant} and id = ${id} and active_version is null`);

export type Version = {
  readonly policy: Id<"policy">;
  readonly version: number;
  readonly content: string;
  readonly by: string;
  readonly at: Instant;
};

export const insertVersion = (tx: TenantTx, one: Version): Promise<{ count: number }> =>
  tx.run(sql`
    insert into policy_versions (tenant_id, policy_id, version, content, made_by, created_at)
    values (${tx.tenant}, ${one.policy}, ${one.version}, ${one.content}, ${one.by}, ${sqlTime(one.at)})`);

/** The newest versions stay, and the one that decides. */
export const forgetOldVersions = (
  tx: TenantTx,
  { id, version }: Policy,
  kept: number,
): Promise<{ count: number }> =>
  tx.run(sql`
    delete from policy_versions v using policies p where v.tenant_id = ${tx.tenant} and v.policy_id = ${id}
      and p.tenant_id = v.tenant_id and p.id = v.policy_id and v.version <= ${version - kept}
      and v.version is distinct from p.active_version`);

export const findVersion = (
  tx: TenantTx,
  id: Id<"policy">,
  version: number,
): Promise<{ content: string; made_by: string } | undefined> =>
  tx.maybe(sql`
    select content, made_by from policy_versions
    where tenant_id = ${tx.tenant} and policy_id = ${id} and version = ${version}`);

export type ActiveRow = {
  readonly id: string;
  readonly kind: string;
  readonly version: number;
  readonly content: string;
};

/** What decides in this tenant, in the order in which it is asked. */
export const activePolicies = (tx: TenantTx): Promise<ActiveRow[]> =>
  tx.many(sql`
    select p.id, p.kind, v.version, v.content from policies p
      join policy_versions v on v.tenant_id = p.tenant_id and v.policy_id = p.id and v.version = p.active_version
    where p.tenant_id = ${tx.tenant} order by p.kind, p.id`);

export type DecisionRow = {
  readonly id: Id<"decision">;
  readonly at: Instant;
  readonly request_id: string;
  readonly principal: string;
  /** Whose token it was; null in rows of releases that did not note it. */
  readonly client: string | null;
  readonly action: string;
  readonly resource: string;
  readonly decision: "allow" | "deny";
  readonly because: "policy" | "break_glass";
  readonly determining: string[];
  readonly errors: string[];
};

export const insertDecisions = (tx: TenantTx, rows: readonly DecisionRow[]): Promise<{ count: number }> =>
  tx.run(sql`
    insert into policy_decisions
      (tenant_id, id, at, request_id, principal, client, action, resource, decision, because, determining, errors)
    select ${tx.tenant}, d.id, d.at, d.request_id, d.principal, d.client, d.action, d.resource, d.decision, d.because,
      array(select jsonb_array_elements_text(d.determining)), array(select jsonb_array_elements_text(d.errors))
    from jsonb_to_recordset(${JSON.stringify(rows.map(inJson))}::jsonb) as d(id text, at timestamptz, request_id text,
      principal text, client text, action text, resource text, decision text, because text, determining jsonb, errors jsonb)`);

const inJson = (row: DecisionRow) => ({ ...row, at: sqlTime(row.at) });

export const listDecisions = (
  tx: TenantTx,
  { before, decision, limit }: { before: string | undefined; decision: string | undefined; limit: number },
): Promise<DecisionRow[]> =>
  tx.many(sql`
    select id, at, request_id, principal, client, action, resource, decision, because, determining, errors
    from policy_decisions
    where tenant_id = ${tx.tenant} and (${before ?? null}::text is null or id < ${before ?? null})
      and (${decision ?? null}::text is null or decision = ${decision ?? null})
    order by id desc limit ${limit}`);

/** The relay sees only those whose 30 days are over. */
export async function sweepDecisions(tx: RelayTx, limit: number): Promise<number> {
  const { count } = await tx.run(sql`
    delete from policy_decisions
    where (tenant_id, id) in (select tenant_id, id from policy_decisions limit ${limit})`);
  return count;
}
