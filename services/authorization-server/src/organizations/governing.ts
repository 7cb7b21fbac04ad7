import type { Id, Instant } from "@remit/kernel";
import { Problem } from "@remit/protocol";
import type { ChangeOrganization } from "@remit/protocol/contracts";
import { platformTenant } from "../tenants/index.ts";
import type { Organization, OrganizationStanding } from "./organizations.ts";

/** Which tenant asks, and when. `orphan`: what holds the organization has been erased and never acts again. */
export type Asking = { readonly tenant: Id<"tenant">; readonly now: Instant; readonly orphan?: boolean };

/** Who may suspend, limit and bring back: the operator, and whoever made it; never the organization itself. */
export const mayGovern = ({ id, madeBy }: OrganizationStanding, tenant: Id<"tenant">): boolean =>
  id !== platformTenant && id !== tenant && (tenant === platformTenant || madeBy === tenant);

export const forbidden = (detail: string): Problem => new Problem("forbidden", { detail });

/** The organization as asked, or a refusal. What the operator decided, nobody else lifts. */
export function decideChange(before: Organization, asked: ChangeOrganization, by: Asking): Organization {
  const { name = before.name, slug = before.slug, maxAgents, status } = asked;
  if ((status !== undefined || maxAgents !== undefined) && !mayGovern(before, by.tenant))
    throw forbidden("Limits and standing are for whoever made the organization.");
  if (before.decided === "deleted" && status !== "active") throw forbidden("The organization is deleted.");
  // Its erasure may have begun, and goes on in steps.
  if (before.eraseAt !== undefined && before.eraseAt <= by.now)
    throw forbidden("The organization is being erased.");
  return withStatus({
    ...before,
    name,
    slug,
    changedAt: by.now,
    ...(maxAgents === undefined ? {} : decideLimit(before, maxAgents, by)),
    ...(status === undefined ? {} : decideStanding(before, status, by)),
  });
}

function decideLimit(
  { maxAgentsBy }: Organization,
  asked: number | null,
  { tenant }: Asking,
): Partial<Organization> {
  if (maxAgentsBy === platformTenant && tenant !== platformTenant)
    throw forbidden("The operator limits this organization; only the operator changes it.");
  return asked === null
    ? { maxAgents: undefined, maxAgentsBy: undefined }
    : { maxAgents: asked, maxAgentsBy: tenant };
}

function decideStanding(
  before: Organization,
  asked: "active" | "suspended",
  { tenant, orphan = false }: Asking,
): Partial<Organization> {
  if (asked === "suspended")
    // The word of whoever decided first stands; the operator's goes over it.
    return before.decided === "suspended" && tenant !== platformTenant
      ? {}
      : { decided: "suspended", decidedBy: tenant };
  if (before.decidedBy === platformTenant && tenant !== platformTenant)
    throw forbidden("The operator decided this; only the operator lets the organization act again.");
  // Nobody is left above it who could let it act: the operator takes it over.
  const adopted =
    orphan && tenant === platformTenant ? { madeBy: platformTenant, heldBy: undefined } : undefined;
  if (before.decided === "active" && before.heldBy !== undefined && adopted === undefined)
    throw forbidden("An organization above it does not act; it acts when that one does.");
  return { decided: "active", decidedBy: undefined, eraseAt: undefined, ...adopted };
}

/** The organization as deleted, to be erased at a time. What the operator decided before stays the operator's. */
export function decideDeletion(
  before: Organization,
  { tenant, now }: Asking,
  eraseAt: Instant,
): Organization {
  if (before.id === platformTenant || before.kind === "personal")
    throw forbidden("This organization cannot be deleted.");
  const decidedBy = before.decidedBy === platformTenant ? platformTenant : tenant;
  if (before.decided !== "deleted")
    return withStatus({ ...before, decided: "deleted", decidedBy, eraseAt, changedAt: now });
  return tenant === platformTenant ? { ...before, decidedBy } : before;
}

// As the database has it: `tenant_standings.status` is made of the two.
const withStatus = (one: Organization): Organization => ({
  ...one,
  status: one.decided === "active" && one.heldBy !== undefined ? "suspended" : one.decided,
});
