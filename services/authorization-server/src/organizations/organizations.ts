import { after, dayMs, fromNumericDate, type Id, type Instant, newId } from "@remit/kernel";
import type { Caller } from "@remit/platform/http";
import { enqueue } from "@remit/platform/jobs";
import { type Database, type TenantTx, violates } from "@remit/platform/sql";
import { type Actor, type EventType, newEvent, Problem } from "@remit/protocol";
import type { ChangeOrganization, CreateOrganization } from "@remit/protocol/contracts";
import { registerAdmin, type Secrets, scopesOf } from "../clients/index.ts";
import { wakeLanes } from "../lanes/index.ts";
import { createTenant, newTenantId, platformTenant, type TenantKind } from "../tenants/index.ts";
import { resumeTokens, revokeTokens } from "../tokens/index.ts";
import * as rows from "./organizations.sql.ts";

export type OrganizationStatus = "active" | "suspended" | "deleted";

/** What of a tenant everybody's transactions may read: whether its clients and tokens count. */
export type OrganizationStanding = {
  readonly id: Id<"tenant">;
  /** Its name among all; undefined while it has none. */
  readonly slug: string | undefined;
  readonly status: OrganizationStatus;
  /** The tenant that made it. */
  readonly madeBy: Id<"tenant"> | undefined;
  readonly createdAt: Instant;
  readonly changedAt: Instant;
  readonly eraseAt: Instant | undefined;
  readonly erasedAt: Instant | undefined;
};

export type OrganizationFacts = {
  readonly name: string;
  readonly kind: TenantKind;
  /** Undefined: any number. */
  readonly maxAgents: number | undefined;
};

export type Organization = OrganizationStanding & OrganizationFacts;

/** Who manages organizations, by a token; and when. */
export type Managing = { readonly caller: Caller; readonly now: Instant };

/** How long a deleted organization may be brought back. */
const graceMs = 30 * dayMs;
export const erasureQueue = "organization_erasures";

// A tenant's id is never used again: what it was given stays refused until it is active again.
const never = fromNumericDate(253_402_300_799);

const actorOf = ({ caller }: Managing): Actor => ({ type: "client", id: caller.client });

type Deps = { readonly db: Database; readonly secrets: Secrets };
export type Created = {
  readonly organization: Organization;
  readonly admin: { readonly clientId: Id<"client">; readonly clientSecret: string };
};

/** Makes an organization with its first management client: nobody else could let anybody in. */
export async function createOrganization(
  { db, secrets }: Deps,
  { name, slug, maxAgents }: CreateOrganization,
  managing: Managing,
): Promise<Created> {
  const { caller, now } = managing;
  const clientSecret = secrets.issue();
  const admin = { id: newId("client"), name: "Management", scopes: scopesOf.admin, now };
  const organization = await db.of(newTenantId()).transaction(async (tx) => {
    const made = { slug, by: caller.tenant, actor: actorOf(managing) };
    await createTenant(tx, { name, kind: "company", now, made }).catch(refuseTaken);
    const facts: OrganizationFacts = { name, kind: "company", maxAgents: maxAgents ?? undefined };
    if (facts.maxAgents !== undefined) await rows.saveFacts(tx, facts);
    await registerAdmin(tx, { ...admin, secretDigest: secrets.digest(clientSecret) });
    return { ...facts, ...(await standingIn(tx)) };
  });
  return { organization, admin: { clientId: admin.id, clientSecret } };
}

/** What the database said of a slug. The answer is the same whosever it is (T07). */
function refuseTaken(error: unknown): never {
  if (violates(error, "tenant_standings_slug")) throw new Problem("organization_slug_taken");
  throw error;
}

/** The organization, if whoever asks is it, made it, or runs the installation; `not_found` for every other. */
export async function organizationFor(
  db: Database,
  { tenant }: Caller,
  id: Id<"tenant">,
): Promise<Organization> {
  const standing = await rows.findStanding(db.single, id);
  if (standing === undefined || !isSeenBy(standing, tenant)) throw unknown();
  return withFacts(db, standing);
}

const isSeenBy = (standing: OrganizationStanding, tenant: Id<"tenant">): boolean =>
  tenant === standing.id || mayGovern(standing, tenant);

/** Who may suspend, limit and bring back: the operator, and whoever made it; never the organization itself. */
const mayGovern = ({ id, madeBy }: OrganizationStanding, tenant: Id<"tenant">): boolean =>
  id !== platformTenant && id !== tenant && (tenant === platformTenant || madeBy === tenant);

const unknown = (): Problem => new Problem("not_found", { detail: "There is no such organization." });

async function withFacts(db: Database, standing: OrganizationStanding): Promise<Organization> {
  const facts = await db.of(standing.id).transaction((tx) => rows.findFacts(tx));
  if (facts === undefined) throw unknown();
  return { ...standing, ...facts };
}

/** The organizations that whoever asks may see, newest first. */
export async function organizationsFor(
  db: Database,
  { tenant }: Caller,
  page: { readonly limit: number; readonly before: Id<"tenant"> | undefined },
): Promise<Organization[]> {
  const seenBy = tenant === platformTenant ? undefined : tenant;
  const found: Organization[] = [];
  for (const standing of await rows.listStandings(db.single, seenBy, page))
    found.push(await withFacts(db, standing));
  return found;
}

/** Renames, limits, suspends, or lets act again; at once, for tokens already issued too. */
export function changeOrganization(
  db: Database,
  id: Id<"tenant">,
  { asked, ...managing }: Managing & { readonly asked: ChangeOrganization },
): Promise<Organization> {
  const { name, slug, maxAgents, status } = asked;
  return changing(db, { id, managing }, async (tx, before) => {
    const governs = status !== undefined || maxAgents !== undefined;
    if (governs && !mayGovern(before, managing.caller.tenant)) throw notItself();
    if (before.status === "deleted" && status !== "active")
      throw new Problem("forbidden", { detail: "The organization is deleted." });
    // Its erasure may have begun, and goes on in steps.
    if (before.eraseAt !== undefined && before.eraseAt <= managing.now)
      throw new Problem("forbidden", { detail: "The organization is being erased." });
    const changed: Organization = {
      ...before,
      name: name ?? before.name,
      slug: slug ?? before.slug,
      maxAgents: maxAgents === undefined ? before.maxAgents : (maxAgents ?? undefined),
      status: status ?? before.status,
      eraseAt: undefined,
      changedAt: managing.now,
    };
    await rows.saveFacts(tx, changed);
    await stand(tx, { before, after: changed, managing });
    return changed;
  });
}

/** Ends an organization: at once for all its clients and tokens, for good after 30 days. */
export function deleteOrganization(
  db: Database,
  id: Id<"tenant">,
  managing: Managing,
): Promise<Organization> {
  return changing(db, { id, managing }, async (tx, before) => {
    if (before.id === platformTenant || before.kind === "personal")
      throw new Problem("forbidden", { detail: "This organization cannot be deleted." });
    if (before.status === "deleted") return before;
    const eraseAt = after(managing.now, graceMs);
    const gone: Organization = { ...before, status: "deleted", eraseAt, changedAt: managing.now };
    await stand(tx, { before, after: gone, managing });
    await enqueue(tx, { queue: erasureQueue, key: id, payload: { tenant: id }, runAt: eraseAt });
    return gone;
  });
}

/** One transaction in the organization's own tenant, its standing locked against every other change. */
async function changing(
  db: Database,
  { id, managing: { caller } }: { readonly id: Id<"tenant">; readonly managing: Managing },
  work: (tx: TenantTx, before: Organization) => Promise<Organization>,
): Promise<Organization> {
  return db.of(id).transaction(async (tx) => {
    const standing = await rows.findStanding(tx, id, "update");
    const facts = await rows.findFacts(tx);
    if (standing === undefined || facts === undefined || !isSeenBy(standing, caller.tenant)) throw unknown();
    if (standing.erasedAt !== undefined)
      throw new Problem("forbidden", { detail: "The organization has been erased." });
    return work(tx, { ...standing, ...facts });
  });
}

const notItself = (): Problem =>
  new Problem("forbidden", { detail: "Limits and standing are for whoever made the organization." });

type Change = { readonly before: Organization; readonly after: Organization; readonly managing: Managing };

const eventOf = {
  active: "tenant.resumed",
  suspended: "tenant.suspended",
  deleted: "tenant.deleted",
} as const satisfies Record<OrganizationStatus, EventType>;

/** Writes the standing with its event. Locks on token keys come last, as at the commit point of a charge. */
async function stand(tx: TenantTx, { before, after: now, managing }: Change): Promise<void> {
  await rows.saveStanding(tx, now).catch(refuseTaken);
  const type = before.status === now.status ? "tenant.changed" : eventOf[now.status];
  const members = (["name", "slug", "maxAgents"] as const).filter((one) => before[one] !== now[one]);
  const facts = { tenant: tx.tenant, actor: actorOf(managing), subject: tx.tenant, payload: { members } };
  await tx.record(newEvent(type, facts, managing.now));
  if (before.status === now.status) return;
  if (now.status === "active") {
    await wakeLanes(tx, managing.now);
    await resumeTokens(tx, `tenant:${tx.tenant}`);
  } else await revokeTokens(tx, `tenant:${tx.tenant}`, never);
}

async function standingIn(tx: TenantTx): Promise<OrganizationStanding> {
  const standing = await rows.findStanding(tx, tx.tenant);
  if (standing === undefined) throw unknown();
  return standing;
}

const erasedAtOnce = 500;

/**
 * Erases a deleted organization whose time is over: what names somebody or lets somebody in. Undefined when it was brought
 * back, else the time to come again, while there is something left.
 */
export function eraseOrganization(
  db: Database,
  id: Id<"tenant">,
  now: Instant,
): Promise<{ readonly runAt: Instant } | undefined> {
  return db.of(id).transaction(async (tx) => {
    const standing = await rows.findStanding(tx, id, "update");
    if (standing?.status !== "deleted" || standing.erasedAt !== undefined) return undefined;
    if (standing.eraseAt !== undefined && now < standing.eraseAt) return { runAt: standing.eraseAt };
    if ((await rows.eraseAgents(tx, now, erasedAtOnce)) > 0) return { runAt: now };
    await rows.eraseRest(tx, now);
    await rows.saveStanding(tx, { ...standing, slug: undefined, erasedAt: now, changedAt: now });
    const actor = { type: "system", id: "authorization-server" } as const;
    await tx.record(newEvent("tenant.erased", { tenant: id, actor, subject: id }, now));
    return undefined;
  });
}

/** The tables of this room and of the tenants' room, by the kind of protection each has. */
export const organizationTables = {
  tenants: "tenant",
  tenant_standings: "global",
  invitations: "tenant",
  memberships: "tenant",
} as const;
