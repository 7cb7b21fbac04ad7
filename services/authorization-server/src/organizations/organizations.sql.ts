import type { Id, Instant } from "@remit/kernel";
import { type Sql, sql, sqlTime, type TenantTx } from "@remit/platform/sql";
import type { OrganizationFacts, OrganizationStanding, OrganizationStatus } from "./organizations.ts";

type StandingRow = {
  readonly tenant_id: Id<"tenant">;
  readonly slug: string | null;
  readonly decided: OrganizationStatus;
  readonly decided_by: Id<"tenant"> | null;
  readonly held_by: Id<"tenant"> | null;
  readonly status: OrganizationStatus;
  readonly made_by: Id<"tenant"> | null;
  readonly max_agents: number | null;
  readonly max_agents_by: Id<"tenant"> | null;
  readonly created_at: Instant;
  readonly changed_at: Instant;
  readonly erase_at: Instant | null;
  readonly erased_at: Instant | null;
};

const standingOf = (row: StandingRow): OrganizationStanding => ({
  id: row.tenant_id,
  slug: row.slug ?? undefined,
  decided: row.decided,
  decidedBy: row.decided_by ?? undefined,
  heldBy: row.held_by ?? undefined,
  status: row.status,
  madeBy: row.made_by ?? undefined,
  maxAgents: row.max_agents ?? undefined,
  maxAgentsBy: row.max_agents_by ?? undefined,
  createdAt: row.created_at,
  changedAt: row.changed_at,
  eraseAt: row.erase_at ?? undefined,
  erasedAt: row.erased_at ?? undefined,
});

export async function findStanding(
  tx: Sql,
  id: Id<"tenant">,
  lock: "none" | "update" = "none",
): Promise<OrganizationStanding | undefined> {
  const row = await tx.maybe<StandingRow>(
    lock === "none"
      ? sql`select * from tenant_standings where tenant_id = ${id}`
      : sql`select * from tenant_standings where tenant_id = ${id} for no key update`,
  );
  return row && standingOf(row);
}

type Page = { readonly limit: number; readonly before: Id<"tenant"> | undefined };

/** Newest first: those that a tenant is or made, or all. */
export async function listStandings(
  tx: Sql,
  seenBy: Id<"tenant"> | undefined,
  { limit, before }: Page,
): Promise<OrganizationStanding[]> {
  const from = before ?? "org_z";
  const found = await tx.many<StandingRow>(
    seenBy === undefined
      ? sql`select * from tenant_standings where tenant_id < ${from} order by tenant_id desc limit ${limit}`
      : sql`select * from tenant_standings
          where (tenant_id = ${seenBy} or made_by = ${seenBy}) and tenant_id < ${from}
          order by tenant_id desc limit ${limit}`,
  );
  return found.map(standingOf);
}

/** Who stands above and below whom, and what descends, changes in one transaction at a time. */
export async function lockTree(tx: Sql): Promise<void> {
  await tx.run(sql`select pg_advisory_xact_lock(hashtextextended('organizations', 0))`);
}

/** Everything that comes from an organization, without it. */
export async function findBelow(tx: Sql, id: Id<"tenant">): Promise<Id<"tenant">[]> {
  const found = await tx.many<{ id: Id<"tenant"> }>(
    sql`select below as id from organizations_below(${id}) as below where below <> ${id}`,
  );
  return found.map((one) => one.id);
}

/** An organization and those above it, highest first. */
export async function findAbove(tx: Sql, id: Id<"tenant">): Promise<Id<"tenant">[]> {
  const found = await tx.many<{ id: Id<"tenant"> }>(
    sql`select above.id from organizations_above(${id}) with ordinality as above(id, place) order by place`,
  );
  return found.map((one) => one.id);
}

/** Writes what was decided; what follows from it is written by `descend`. Throws on `tenant_standings_slug`. */
export async function saveStanding(tx: Sql, one: OrganizationStanding): Promise<void> {
  const time = (at: Instant | undefined): string | null => (at === undefined ? null : sqlTime(at));
  await tx.run(sql`update tenant_standings set slug = ${one.slug ?? null}, decided = ${one.decided},
      decided_by = ${one.decidedBy ?? null}, held_by = ${one.heldBy ?? null}, made_by = ${one.madeBy ?? null},
      max_agents = ${one.maxAgents ?? null}, max_agents_by = ${one.maxAgentsBy ?? null},
      changed_at = ${sqlTime(one.changedAt)}, erase_at = ${time(one.eraseAt)}, erased_at = ${time(one.erasedAt)}
    where tenant_id = ${one.id}`);
}

export type Descended = {
  readonly id: Id<"tenant">;
  readonly before: OrganizationStatus;
  readonly after: OrganizationStatus;
};

/** Holds what is below an organization that does not act, and no longer what is below one that does. */
export async function descend(tx: Sql, id: Id<"tenant">, now: Instant): Promise<Descended[]> {
  return tx.many<Descended>(sql`with recursive below(id, decided, held) as (
      select c.tenant_id, c.decided, case when o.decided <> 'active' then o.tenant_id else o.held_by end
      from tenant_standings o join tenant_standings c on c.made_by = o.tenant_id where o.tenant_id = ${id}
      union all
      select c.tenant_id, c.decided, case when b.decided <> 'active' then b.id else b.held end
      from below b join tenant_standings c on c.made_by = b.id)
    update tenant_standings s set held_by = b.held, changed_at = ${sqlTime(now)}
    from below b join tenant_standings f on f.tenant_id = b.id
    where s.tenant_id = b.id and s.held_by is distinct from b.held
    returning s.tenant_id as id, f.status as before, s.status as after`);
}

/** Waits for registrations that saw no maximum, so that all that come after this are counted (`admit_agent`). */
export async function lockAgentsOf(tx: TenantTx): Promise<void> {
  await tx.run(sql`select pg_advisory_xact_lock(hashtextextended(${`agents ${tx.tenant}`}, 0))`);
}

export async function findFacts(tx: TenantTx): Promise<OrganizationFacts | undefined> {
  return tx.maybe<OrganizationFacts>(sql`select name, kind from tenants`);
}

export async function saveName(tx: TenantTx, name: string): Promise<void> {
  await tx.run(sql`update tenants set name = ${name} where tenant_id = ${tx.tenant}`);
}

/** The part of an erasure that is done in windows: agents lose what names them. Returns how many were left to do. */
export async function eraseAgents(tx: TenantTx, now: Instant, window: number): Promise<number> {
  const { count } = await tx.run(sql`with named as (
      select id from agents where tenant_id = ${tx.tenant}
        and (name <> ${erased} or email is not null or owner is not null) order by id limit ${window}),
    ended as (update agent_standings set status = 'decommissioned', changed_at = ${sqlTime(now)}
      where agent_id in (select id from named) and tenant_id = ${tx.tenant})
    update agents set name = ${erased}, name_key = ${erased}, email = null, owner = null, is_public = false,
      updated_at = ${sqlTime(now)}
    where id in (select id from named)`);
  return count;
}

export async function listProviders(tx: TenantTx): Promise<string[]> {
  const found = await tx.many<{ id: string }>(
    sql`select id from identity_providers where tenant_id = ${tx.tenant}`,
  );
  return found.map(({ id }) => id);
}

/** What of an organization names somebody or lets somebody in. Mandates, charges and the log stay, each for its class. */
export async function eraseRest(tx: TenantTx, now: Instant): Promise<void> {
  await tx.run(sql`delete from invitations where tenant_id = ${tx.tenant}`);
  await tx.run(sql`delete from memberships where tenant_id = ${tx.tenant}`);
  await tx.run(sql`delete from webhooks where tenant_id = ${tx.tenant}`);
  await tx.run(sql`delete from webhook_lanes where tenant_id = ${tx.tenant}`);
  await tx.run(sql`delete from signal_streams where tenant_id = ${tx.tenant}`);
  await tx.run(sql`delete from signals where tenant_id = ${tx.tenant}`);
  await tx.run(sql`delete from signal_silences where tenant_id = ${tx.tenant}`);
  await tx.run(sql`delete from signal_lanes where tenant_id = ${tx.tenant}`);
  await tx.run(sql`delete from identities where provider_id in (
    select id from identity_providers where tenant_id = ${tx.tenant})`);
  await tx.run(sql`delete from identity_providers where tenant_id = ${tx.tenant}`);
  await tx.run(sql`delete from email_domains where tenant_id = ${tx.tenant}`);
  await tx.run(sql`delete from admissions where tenant_id = ${tx.tenant}`);
  await tx.run(sql`delete from policies where tenant_id = ${tx.tenant}`);
  await tx.run(sql`delete from policy_decisions where tenant_id = ${tx.tenant}`);
  await tx.run(sql`delete from trusts where tenant_id = ${tx.tenant}`);
  await tx.run(sql`delete from partners where tenant_id = ${tx.tenant}`);
  await tx.run(sql`update credentials set name = null, revoked_at = coalesce(revoked_at, ${sqlTime(now)}),
      former_digest = null, former_jwk = null, former_until = null where tenant_id = ${tx.tenant}`);
  await tx.run(sql`update clients set name = ${erased}, credentials = '[]', registration_digest = null,
      disabled_at = coalesce(disabled_at, ${sqlTime(now)}) where tenant_id = ${tx.tenant}`);
  await tx.run(sql`update tenants set name = ${erased} where tenant_id = ${tx.tenant}`);
}

const erased = "erased";
