import { after, dayMs, fromNumericDate, type Id, type Instant, invariant, newId } from "@remit/kernel";
import { actorOf, type Caller } from "@remit/platform/http";
import { enqueue } from "@remit/platform/jobs";
import { type CrossingTx, type Database, type Sql, type Tx, violates } from "@remit/platform/sql";
import { type EventType, newEvent, Problem } from "@remit/protocol";
import type { ChangeOrganization, CreateOrganization } from "@remit/protocol/contracts";
import { registerAdmin, type Secrets, scopesOf } from "../clients/index.ts";
import { wakeLanes } from "../lanes/index.ts";
import {
  createTenant,
  newTenantId,
  platformTenant,
  type TenantKind,
  tellDirectory,
} from "../tenants/index.ts";
import { resumeTokens, revokeTokens } from "../tokens/index.ts";
import { type Erasing, erasureQueue } from "./erasure.ts";
import { decideChange, decideDeletion, forbidden, mayGovern } from "./governing.ts";
import * as rows from "./organizations.sql.ts";

export type OrganizationStatus = "active" | "suspended" | "deleted";

/** What of a tenant everybody's transactions may read: whether its clients and tokens count. */
export type OrganizationStanding = {
  readonly id: Id<"tenant">;
  /** Its name among all; undefined while it has none. */
  readonly slug: string | undefined;
  /** What was decided of this organization, and by which tenant when it does not act. */
  readonly decided: OrganizationStatus;
  readonly decidedBy: Id<"tenant"> | undefined;
  /** The nearest above it that does not act. */
  readonly heldBy: Id<"tenant"> | undefined;
  /** What counts: suspended also while it is held. */
  readonly status: OrganizationStatus;
  /** The tenant that made it. */
  readonly madeBy: Id<"tenant"> | undefined;
  /** How many agents it and those below it may have together, and who said so. Undefined: any number. */
  readonly maxAgents: number | undefined;
  readonly maxAgentsBy: Id<"tenant"> | undefined;
  readonly createdAt: Instant;
  readonly changedAt: Instant;
  readonly eraseAt: Instant | undefined;
  readonly erasedAt: Instant | undefined;
};

export type OrganizationFacts = { readonly name: string; readonly kind: TenantKind };

export type Organization = OrganizationStanding & OrganizationFacts;

/** Who manages organizations, by a token; and when. */
export type Managing = { readonly caller: Caller; readonly now: Instant };

/** How long a deleted organization may be brought back. */
const graceMs = 30 * dayMs;
/** How many organizations may stand one above the other, and below one that the operator made or that made itself. */
const generationsMax = 8;
const belowMax = 1_000;

// A tenant's id is never used again: what it was given stays refused until it is active again.
const never = fromNumericDate(253_402_300_799);

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
    await rows.lockTree(tx);
    await requireRoomBelow(tx, caller.tenant);
    const made = { slug, by: caller.tenant, actor: actorOf(managing.caller) };
    await createTenant(tx, { name, kind: "company", now, made }).catch(refuseTaken);
    const standing = await rows.findStanding(tx, tx.tenant);
    if (standing === undefined) throw unknown();
    const limited = { ...standing, maxAgents: maxAgents ?? undefined, maxAgentsBy: caller.tenant };
    if (limited.maxAgents !== undefined) await rows.saveStanding(tx, limited);
    await registerAdmin(tx, { ...admin, secretDigest: secrets.digest(clientSecret) });
    return { ...(limited.maxAgents === undefined ? standing : limited), name, kind: "company" as const };
  });
  return { organization, admin: { clientId: admin.id, clientSecret } };
}

/** What descends from one organization is counted and held together, so there is an end to it. */
async function requireRoomBelow(tx: Tx, maker: Id<"tenant">): Promise<void> {
  const standing = await rows.findStanding(tx, maker);
  if (standing !== undefined && standing.status !== "active")
    throw forbidden("Your organization does not act.");
  const [top, ...between] = (await rows.findAbove(tx, maker)).filter((id) => id !== platformTenant);
  if (top === undefined) return;
  const full = between.length + 2 > generationsMax || (await rows.findBelow(tx, top)).length >= belowMax;
  if (full)
    throw new Problem("invalid_request", {
      detail: `At most ${generationsMax} organizations stand above each other, and ${belowMax} below one.`,
    });
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

/** Renames, limits, suspends, or lets act again; at once, for tokens already issued too, and for all below it. */
export function changeOrganization(
  db: Database,
  id: Id<"tenant">,
  { asked, ...managing }: Managing & { readonly asked: ChangeOrganization },
): Promise<Organization> {
  return changing(db, { id, managing }, async (tx, before) => {
    const holder = before.heldBy && (await rows.findStanding(tx, before.heldBy));
    const orphan = holder !== undefined && holder.erasedAt !== undefined;
    return decideChange(before, asked, { tenant: managing.caller.tenant, now: managing.now, orphan });
  });
}

/** Ends an organization: at once for all its clients and tokens and for all below it, for good after 30 days. */
export function deleteOrganization(
  db: Database,
  id: Id<"tenant">,
  managing: Managing,
): Promise<Organization> {
  return changing(db, { id, managing }, async (tx, before) => {
    const eraseAt = after(managing.now, graceMs);
    const gone = decideDeletion(before, { tenant: managing.caller.tenant, now: managing.now }, eraseAt);
    const payload: Erasing = { tenant: id };
    if (before.decided !== "deleted")
      await enqueue(tx, { queue: erasureQueue, key: id, payload, runAt: eraseAt });
    return gone;
  });
}

/** Everything that descends from an organization, for whoever ends it. */
export const organizationsBelow = (db: Database, id: Id<"tenant">): Promise<Id<"tenant">[]> =>
  rows.findBelow(db.single, id);

/**
 * Ends the organization of a person with their account, at once for its clients, agents and tokens; it is erased after the
 * same time as any. Answers those below it that act on, and then has done nothing.
 */
export async function endPersonalOrganization(
  tx: CrossingTx,
  id: Id<"tenant">,
  managing: Managing,
): Promise<readonly Id<"tenant">[]> {
  await rows.lockTree(tx);
  const acting: Id<"tenant">[] = [];
  for (const below of await rows.findBelow(tx, id))
    if ((await rows.findStanding(tx, below))?.status !== "deleted") acting.push(below);
  if (acting.length > 0) return acting;
  const own = await tx.as(id);
  const standing = await rows.findStanding(own, id, "update");
  const facts = await rows.findFacts(own);
  invariant(standing !== undefined && facts !== undefined, "a person has their own organization");
  const before = { ...standing, ...facts };
  const eraseAt = after(managing.now, graceMs);
  const gone: Organization = {
    ...before,
    // It is called by the person's name.
    name: "erased",
    slug: undefined,
    decided: "deleted",
    decidedBy: before.decidedBy ?? id,
    status: "deleted",
    eraseAt,
    changedAt: managing.now,
  };
  const payload: Erasing = { tenant: id };
  await enqueue(own, { queue: erasureQueue, key: id, payload, runAt: eraseAt });
  await stand(tx, { before, after: gone, managing });
  return [];
}

type Changing = { readonly id: Id<"tenant">; readonly managing: Managing };

/**
 * One transaction over an organization and all below it, no other change of who stands above whom beside it. One that was
 * made since those below were listed makes it begin again.
 */
async function changing(
  db: Database,
  { id, managing }: Changing,
  decide: (tx: Tx, before: Organization) => Promise<Organization>,
): Promise<Organization> {
  const belowIn = async (tx: Sql): Promise<Id<"tenant">[]> =>
    // Nothing descends from the installation's own.
    id === platformTenant ? [] : rows.findBelow(tx, id);
  const below = await belowIn(db.single);
  const changed = await db.crossing(id, ...below).transaction(async (tx) => {
    await rows.lockTree(tx);
    const there = await belowIn(tx);
    if (!there.every((one) => below.includes(one))) return undefined;
    const own = await tx.as(id);
    const standing = await rows.findStanding(own, id, "update");
    const facts = await rows.findFacts(own);
    if (standing === undefined || facts === undefined || !isSeenBy(standing, managing.caller.tenant))
      throw unknown();
    if (standing.erasedAt !== undefined) throw forbidden("The organization has been erased.");
    const before = { ...standing, ...facts };
    const now = await decide(own, before);
    if (now !== before) await stand(tx, { before, after: now, managing });
    return now;
  });
  return changed ?? changing(db, { id, managing }, decide);
}

type Change = { readonly before: Organization; readonly after: Organization; readonly managing: Managing };

const eventOf = {
  active: "tenant.resumed",
  suspended: "tenant.suspended",
  deleted: "tenant.deleted",
} as const satisfies Record<OrganizationStatus, EventType>;

const told = ["name", "slug", "maxAgents", "decided", "decidedBy", "madeBy"] as const;

/** Writes the standing, and what descends from it, each with its event in the log of whom it is about. */
async function stand(tx: CrossingTx, { before, after: now, managing }: Change): Promise<void> {
  const own = await tx.as(now.id);
  if (before.name !== now.name) await rows.saveName(own, now.name);
  if (before.maxAgents !== now.maxAgents) await rows.lockAgentsOf(own);
  await rows.saveStanding(own, now).catch(refuseTaken);
  const members = told.filter((one) => before[one] !== now[one]);
  const itself = { id: now.id, before: before.status, after: now.status };
  await turn(tx, itself, { managing, payload: { members } });
  const turned = [itself];
  if (before.decided !== now.decided || before.heldBy !== now.heldBy)
    for (const one of await rows.descend(tx, now.id, managing.now))
      if (one.before !== one.after) {
        await turn(tx, one, { managing, payload: { because: "above" } });
        turned.push(one);
      }
  // Locks on token keys come last, as at the commit point of a charge.
  for (const one of turned.toSorted((a, b) => (a.id < b.id ? -1 : 1))) await standTokens(tx, one);
}

type Telling = {
  readonly managing: Managing;
  readonly payload: Readonly<Record<string, string | readonly string[]>>;
};

async function turn(tx: CrossingTx, one: rows.Descended, { managing, payload }: Telling): Promise<void> {
  const tenant = await tx.as(one.id);
  const type = one.before === one.after ? "tenant.changed" : eventOf[one.after];
  const facts = { tenant: one.id, actor: actorOf(managing.caller), subject: one.id, payload };
  await tenant.record(newEvent(type, facts, managing.now));
  // Its standing decides whether its agents are in the marketplace, and its name stands there beside them.
  await tellDirectory(tenant);
  if (one.before !== one.after && one.after === "active") await wakeLanes(tenant, managing.now);
}

async function standTokens(tx: Tx, { id, before, after: now }: rows.Descended): Promise<void> {
  if (before === now) return;
  if (now === "active") await resumeTokens(tx, `tenant:${id}`);
  else await revokeTokens(tx, `tenant:${id}`, never);
}

/** The tables of this room and of the tenants' room, by the kind of protection each has. */
export const organizationTables = {
  tenants: "tenant",
  tenant_standings: "global",
  invitations: "tenant",
  memberships: "tenant",
} as const;
