import type { Id, Instant } from "@remit/kernel";
import { type Sql, sql, sqlTime, type TenantTx } from "@remit/platform/sql";
import type { TenantKind } from "../tenants/index.ts";
import type { OrganizationFacts, OrganizationStanding, OrganizationStatus } from "./organizations.ts";

type StandingRow = {
  readonly tenant_id: Id<"tenant">;
  readonly slug: string | null;
  readonly status: OrganizationStatus;
  readonly made_by: Id<"tenant"> | null;
  readonly created_at: Instant;
  readonly changed_at: Instant;
  readonly erase_at: Instant | null;
  readonly erased_at: Instant | null;
};

const standingOf = (row: StandingRow): OrganizationStanding => ({
  id: row.tenant_id,
  slug: row.slug ?? undefined,
  status: row.status,
  madeBy: row.made_by ?? undefined,
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

/** Throws on the constraint `tenant_standings_slug`. */
export async function saveStanding(tx: Sql, one: OrganizationStanding): Promise<void> {
  const time = (at: Instant | undefined): string | null => (at === undefined ? null : sqlTime(at));
  await tx.run(sql`update tenant_standings set slug = ${one.slug ?? null}, status = ${one.status},
      changed_at = ${sqlTime(one.changedAt)}, erase_at = ${time(one.eraseAt)}, erased_at = ${time(one.erasedAt)}
    where tenant_id = ${one.id}`);
}

export async function findFacts(tx: TenantTx): Promise<OrganizationFacts | undefined> {
  const row = await tx.maybe<{ name: string; kind: TenantKind; max_agents: number | null }>(
    sql`select name, kind, max_agents from tenants`,
  );
  return row && { name: row.name, kind: row.kind, maxAgents: row.max_agents ?? undefined };
}

/** Waits for registrations that saw no maximum, so that all that come after this are counted (`admit_agent`). */
export async function saveFacts(tx: TenantTx, facts: OrganizationFacts): Promise<void> {
  await tx.run(sql`select pg_advisory_xact_lock(hashtextextended(${`agents ${tx.tenant}`}, 0))`);
  await tx.run(sql`update tenants set name = ${facts.name}, max_agents = ${facts.maxAgents ?? null}
    where tenant_id = ${tx.tenant}`);
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

/** What of an organization names somebody or lets somebody in. Mandates, charges and the log stay, each for its class. */
export async function eraseRest(tx: TenantTx, now: Instant): Promise<void> {
  await tx.run(sql`delete from invitations where tenant_id = ${tx.tenant}`);
  await tx.run(sql`delete from memberships where tenant_id = ${tx.tenant}`);
  await tx.run(sql`delete from webhooks where tenant_id = ${tx.tenant}`);
  await tx.run(sql`delete from webhook_lanes where tenant_id = ${tx.tenant}`);
  await tx.run(sql`delete from identities where provider_id in (
    select id from identity_providers where tenant_id = ${tx.tenant})`);
  await tx.run(sql`delete from identity_providers where tenant_id = ${tx.tenant}`);
  await tx.run(sql`delete from email_domains where tenant_id = ${tx.tenant}`);
  await tx.run(sql`delete from admissions where tenant_id = ${tx.tenant}`);
  await tx.run(sql`delete from trusts where tenant_id = ${tx.tenant}`);
  await tx.run(sql`update credentials set name = null, revoked_at = coalesce(revoked_at, ${sqlTime(now)}),
      former_digest = null, former_jwk = null, former_until = null where tenant_id = ${tx.tenant}`);
  await tx.run(sql`update clients set name = ${erased}, credentials = '[]', registration_digest = null,
      disabled_at = coalesce(disabled_at, ${sqlTime(now)}) where tenant_id = ${tx.tenant}`);
  await tx.run(sql`update tenants set name = ${erased} where tenant_id = ${tx.tenant}`);
}

const erased = "erased";
