import type { Id, Instant } from "@remit/kernel";
import { type Sql, type SqlValue, sql, sqlTime, type TenantTx } from "@remit/platform/sql";
import type { MandateDetails } from "@remit/protocol";
import { type Mandate, type MandateState, stateOfMandate } from "./mandates.ts";

type Row = {
  readonly id: Id<"mandate">;
  readonly tenant_id: Id<"tenant">;
  readonly agent_id: Id<"agent">;
  readonly agent_tenant_id: Id<"tenant">;
  readonly principal_id: Id<"account">;
  readonly state: MandateState;
  readonly because: string | null;
  readonly details: MandateDetails;
  readonly holder_thumbprint: string;
  readonly jwt_hash: string;
  readonly issued_at: Instant;
  readonly expires_at: Instant;
  readonly narrowed: MandateDetails | null;
  readonly narrowed_until: Instant | null;
  readonly narrowed_at: Instant | null;
  readonly frozen_at: Instant | null;
  readonly held_back: boolean;
  readonly auto: boolean;
  readonly ancestors: readonly Id<"mandate">[];
  readonly revoked_at: Instant | null;
  readonly livemode: boolean;
  readonly status_list: number;
  readonly status_place: number;
};

function mandateOf(row: Row): Mandate {
  const said = { ownState: row.state, frozenAt: row.frozen_at ?? undefined, heldBack: row.held_back };
  return {
    id: row.id,
    tenant: row.tenant_id,
    agent: row.agent_id,
    agentTenant: row.agent_tenant_id,
    principal: row.principal_id,
    ...said,
    state: stateOfMandate(said),
    auto: row.auto,
    ancestors: row.ancestors,
    because: row.because ?? undefined,
    details: row.narrowed ?? row.details,
    holderThumbprint: row.holder_thumbprint,
    jwtHash: row.jwt_hash,
    issuedAt: row.issued_at,
    expiresAt: row.narrowed_until ?? row.expires_at,
    narrowedAt: row.narrowed_at ?? undefined,
    revokedAt: row.revoked_at ?? undefined,
    livemode: row.livemode,
    status: { list: row.status_list, index: row.status_place },
  };
}

/** The mandate of this transaction's tenant. `share` keeps its state as read, `update` is for who changes it. */
export async function findMandate(
  tx: Sql,
  id: Id<"mandate">,
  lock: "none" | "share" | "update" = "none",
): Promise<Mandate | undefined> {
  const row = await tx.maybe<Row>(
    lock === "none"
      ? sql`select * from mandates where id = ${id}`
      : lock === "share"
        ? sql`select * from mandates where id = ${id} for share`
        : sql`select * from mandates where id = ${id} for no key update`,
  );
  return row && mandateOf(row);
}

type Later =
  | "state"
  | "ownState"
  | "frozenAt"
  | "heldBack"
  | "because"
  | "narrowedAt"
  | "revokedAt"
  | "tenant";

/**
 * The mandates above this one and then itself, the root first, each locked in that order by one statement; empty when
 * there is none. Which they are never changes, so it is read without a lock.
 */
export async function findChain(
  tx: Sql,
  id: Id<"mandate">,
  lock: "share" | "update" = "share",
): Promise<Mandate[]> {
  const found = await tx.many<Row>(
    lock === "share"
      ? sql`select * from mandates
          where id = any(array_append((select ancestors from mandates where id = ${id}), ${id}::text))
          order by cardinality(ancestors) for share`
      : sql`select * from mandates
          where id = any(array_append((select ancestors from mandates where id = ${id}), ${id}::text))
          order by cardinality(ancestors) for no key update`,
  );
  return found.map(mandateOf);
}

/** Those below a mandate that are not revoked, whoever is nearer to it first, locked in that order. */
export async function lockBelow(
  tx: Sql,
  { id, ancestors }: Pick<Mandate, "id" | "ancestors">,
): Promise<Mandate[]> {
  const found = await tx.many<Row>(sql`select * from mandates
    where ancestors[1] = ${ancestors[0] ?? id} and parent_id is not null and ${id} = any(ancestors)
      and state <> 'revoked'
    order by cardinality(ancestors), id for no key update`);
  return found.map(mandateOf);
}

/** Those of an agent out of which is granted without asking, the oldest first. */
export async function automaticMandates(
  tx: TenantTx,
  of: { agent: Id<"agent">; principal: Id<"account">; now: Instant; limit: number },
): Promise<Mandate[]> {
  const found = await tx.many<Row>(sql`select * from mandates
    where agent_id = ${of.agent} and principal_id = ${of.principal} and auto and state = 'active'
      and coalesce(narrowed_until, expires_at) > ${sqlTime(of.now)}
    order by id limit ${of.limit}`);
  return found.map(mandateOf);
}

/** How many stand below a root. */
export async function countBelow(tx: Sql, root: Id<"mandate">, now: Instant): Promise<number> {
  const { below } = await tx.one<{ below: number }>(sql`select count(*)::integer as below from mandates
    where ancestors[1] = ${root} and parent_id is not null and state <> 'revoked'
      and coalesce(narrowed_until, expires_at) > ${sqlTime(now)}`);
  return below;
}

export async function saveHeldBack(tx: Sql, ids: readonly Id<"mandate">[], heldBack: boolean): Promise<void> {
  await tx.run(sql`update mandates set held_back = ${heldBack} where id = any(${[...ids]}::text[])`);
}

export type NewMandate = Omit<Mandate, Later> & {
  readonly subject: string;
  readonly instrument: Id<"instrument"> | undefined;
  readonly sealedJwt: Uint8Array;
};

export async function insertMandate(tx: TenantTx, mandate: NewMandate): Promise<void> {
  const issuedAt = sqlTime(mandate.issuedAt);
  await tx.run(sql`insert into mandates (tenant_id, id, agent_id, agent_tenant_id, principal_id, subject, details,
      holder_thumbprint, currency, instrument_id, jwt_hash, status_list, status_place, livemode,
      issued_at, expires_at, changed_at, parent_id, ancestors, auto)
    values (${tx.tenant}, ${mandate.id}, ${mandate.agent}, ${mandate.agentTenant}, ${mandate.principal},
      ${mandate.subject}, ${JSON.stringify(mandate.details)}::jsonb, ${mandate.holderThumbprint},
      ${mandate.details.currency}, ${mandate.instrument ?? null}, ${mandate.jwtHash},
      ${mandate.status.list}, ${mandate.status.index}, ${mandate.livemode}, ${issuedAt},
      ${sqlTime(mandate.expiresAt)}, ${issuedAt}, ${mandate.ancestors.at(-1) ?? null},
      ${[...mandate.ancestors]}::text[], ${mandate.auto})`);
  await tx.run(sql`insert into mandate_credentials (tenant_id, mandate_id, sealed_jwt)
    values (${tx.tenant}, ${mandate.id}, ${mandate.sealedJwt})`);
}

export async function saveState(
  tx: Sql,
  id: Id<"mandate">,
  change: { state: MandateState; because: string; now: Instant },
): Promise<void> {
  const now = sqlTime(change.now);
  await tx.run(sql`update mandates set state = ${change.state}, because = ${change.because}, changed_at = ${now},
      revoked_at = case when ${change.state} = 'revoked' then ${now}::timestamptz end
    where id = ${id}`);
}

export async function saveNarrowed(
  tx: Sql,
  id: Id<"mandate">,
  to: { details: MandateDetails; expiresAt: Instant; now: Instant },
): Promise<void> {
  const now = sqlTime(to.now);
  await tx.run(sql`update mandates set narrowed = ${JSON.stringify(to.details)}::jsonb,
      narrowed_until = ${sqlTime(to.expiresAt)}, narrowed_at = ${now}, changed_at = ${now}
    where id = ${id}`);
}

export async function findSealedJwt(tx: Sql, id: Id<"mandate">): Promise<Uint8Array | undefined> {
  const row = await tx.maybe<{ sealed_jwt: Uint8Array }>(
    sql`select sealed_jwt from mandate_credentials where mandate_id = ${id}`,
  );
  return row?.sealed_jwt;
}

/** Sorts after every id, in the "C" order of the ids: a page that starts at the newest. */
const afterAll = "~";

export type MandateFilter = {
  /** Only this agent's. */
  readonly agent: string | undefined;
  /** Only what was handed on from this one; `none` for what the principal gave itself. */
  readonly parent: Id<"mandate"> | "none" | undefined;
  /** Only what is neither revoked nor over at this time. */
  readonly standingAt: Instant | undefined;
};

/** Newest first. Put together from the filter's members alone and without a name, so that each is planned for its own values. */
export async function listMandates(
  tx: TenantTx,
  page: MandateFilter & { readonly limit: number; readonly before: Id<"mandate"> | undefined },
): Promise<Mandate[]> {
  const values: SqlValue[] = [];
  const value = (one: SqlValue): string => `$${values.push(one)}`;
  const where = [`id < ${value(page.before ?? afterAll)}`];
  if (page.agent !== undefined) where.push(`agent_id = ${value(page.agent)}`);
  if (page.parent === "none") where.push("parent_id is null");
  else if (page.parent !== undefined) where.push(`parent_id = ${value(page.parent)}`);
  if (page.standingAt !== undefined)
    where.push(
      `state <> 'revoked' and coalesce(narrowed_until, expires_at) > ${value(sqlTime(page.standingAt))}`,
    );
  const text = `select * from mandates where ${where.join(" and ")} order by id desc limit ${value(page.limit)}`;
  return (await tx.many<Row>({ text, values, name: "" })).map(mandateOf);
}

export async function activeMandatesOf(
  tx: TenantTx,
  principal: Id<"account">,
  now: Instant,
): Promise<Id<"mandate">[]> {
  const found = await tx.many<{ id: Id<"mandate"> }>(sql`select id from mandates
    where principal_id = ${principal} and state = 'active'
      and (coalesce(narrowed_until, expires_at) > ${sqlTime(now)}
        or exists (select from mandate_budgets b where b.mandate_id = mandates.id and b.held > 0))
    order by cardinality(ancestors), id`);
  return found.map(({ id }) => id);
}

/** The same, and those that are suspended. */
export async function standingMandatesOf(
  tx: TenantTx,
  principal: Id<"account">,
  now: Instant,
): Promise<Id<"mandate">[]> {
  const found = await tx.many<{ id: Id<"mandate"> }>(sql`select id from mandates
    where principal_id = ${principal} and state <> 'revoked'
      and (coalesce(narrowed_until, expires_at) > ${sqlTime(now)}
        or exists (select from mandate_budgets b where b.mandate_id = mandates.id and b.held > 0))
    order by cardinality(ancestors), id`);
  return found.map(({ id }) => id);
}

/** Who gave these mandates; those of another tenant are not found. */
export async function principalsOf(
  tx: TenantTx,
  mandates: readonly string[],
): Promise<ReadonlyMap<string, Id<"account">>> {
  const found = await tx.many<{
    id: string;
    principal: Id<"account">;
  }>(sql`select id, principal_id as principal
    from mandates where id = any(${[...mandates]}::text[])`);
  return new Map(found.map(({ id, principal }) => [id, principal]));
}

/** Whether this principal ever gave this agent a mandate. */
export async function wasGivenBy(
  tx: TenantTx,
  of: { principal: Id<"account">; agent: Id<"agent"> },
): Promise<boolean> {
  const row = await tx.one<{ given: boolean }>(sql`select exists (select from mandates
    where agent_id = ${of.agent} and principal_id = ${of.principal}) as given`);
  return row.given;
}

/** Those that a principal gave to be paid with this card and that stand, locked in the order of their ids. */
export async function lockPaidBy(tx: TenantTx, instrument: string): Promise<Id<"mandate">[]> {
  const found = await tx.many<{ id: Id<"mandate"> }>(sql`select id from mandates
    where instrument_id = ${instrument} and parent_id is null and state = 'active' order by id for no key update`);
  return found.map(({ id }) => id);
}

/** The tenants in which an agent holds mandates, whoever gave them, in an order that stays. */
export async function tenantsOfMandatesOf(tx: Sql, agent: string): Promise<Id<"tenant">[]> {
  const found = await tx.many<{ tenant: Id<"tenant"> }>(
    sql`select tenant from tenants_of_mandates_of(${agent}) as tenant order by tenant collate "C"`,
  );
  return found.map(({ tenant }) => tenant);
}

/** Those of an agent that its end still reaches. */
export async function mandatesHeldBy(tx: TenantTx, agent: string): Promise<Id<"mandate">[]> {
  const found = await tx.many<{ id: Id<"mandate"> }>(
    sql`select id from mandates where agent_id = ${agent} and state <> 'revoked' order by id`,
  );
  return found.map(({ id }) => id);
}

type Brake = { readonly agent: Id<"agent"> | undefined; readonly frozen: boolean; readonly now: Instant };

/**
 * What a brake on an agent, or on all of them, reaches: what is not over, and what is over but holds something still. Their
 * trees are locked whole, from the roots down, as charges and endings lock them. Whoever moves a brake has locked them all.
 */
export async function lockFor(tx: TenantTx, { agent, frozen, now }: Brake): Promise<Mandate[]> {
  const only = agent ?? null;
  const reached = await tx.many<{ id: Id<"mandate">; root: Id<"mandate"> }>(sql`
    select id, coalesce(ancestors[1], id) as root from mandates
    where (${only}::text is null or agent_id = ${only}::text) and state <> 'revoked'
      and (frozen_at is not null) = ${!frozen}
      and (not ${frozen}::boolean or coalesce(narrowed_until, expires_at) > ${sqlTime(now)}
        or exists (select from mandate_budgets b where b.mandate_id = mandates.id and b.held > 0))
      and (${frozen} or not exists (select from principals_agents a
        where a.agent_id in (mandates.agent_id, '*') and a.frozen_at is not null))`);
  if (reached.length === 0) return [];
  const roots = [...new Set(reached.map(({ root }) => root))];
  const trees = await tx.many<Row>(sql`select * from mandates
    where state <> 'revoked'
      and (id = any(${roots}::text[]) or (parent_id is not null and ancestors[1] = any(${roots}::text[])))
    order by cardinality(ancestors), id for no key update`);
  const ids = new Set(reached.map(({ id }) => id));
  return trees.filter(({ id }) => ids.has(id)).map(mandateOf);
}

export async function saveFrozen(
  tx: TenantTx,
  ids: readonly Id<"mandate">[],
  frozenAt: Instant | undefined,
): Promise<void> {
  const at = frozenAt === undefined ? null : sqlTime(frozenAt);
  await tx.run(sql`update mandates set frozen_at = ${at}::timestamptz where id = any(${[...ids]}::text[])`);
}

export async function tenantOfMandate(tx: Sql, id: Id<"mandate">): Promise<Id<"tenant"> | undefined> {
  const row = await tx.one<{ tenant: Id<"tenant"> | null }>(sql`select tenant_of_mandate(${id}) as tenant`);
  return row.tenant ?? undefined;
}

/** Whether PostgreSQL knows the zone; one that it does not know would make every charge fail. */
export async function knowsZone(tx: Sql, zone: string): Promise<boolean> {
  const row = await tx.one<{ known: boolean }>(
    sql`select exists (select 1 from pg_timezone_names where name = ${zone}) as known`,
  );
  return row.known;
}
