import { note } from "../../output.ts";
import { AnswerRefused } from "../../refusals.ts";
import { type Doors, textOf } from "./doors.ts";
import { offerOf, shelf } from "./plan.ts";

/** The offers beside the demo's own, where they are not for sale yet. */
export async function fillShelf(doors: Doors): Promise<void> {
  const { dev } = doors;
  const known = await doors.list({
    origin: dev.gateway,
    path: "/api/v1/offers?limit=100",
    scope: "offers:read",
  });
  for (const sold of shelf) {
    if (known.some(({ name }) => name === sold.name)) continue;
    const body = offerOf(sold, { merchant: dev.merchant.id, upstream: dev.sandbox });
    await doors.manage({
      origin: dev.gateway,
      method: "POST",
      path: "/api/v1/offers",
      scope: "offers:write",
      body,
    });
  }
}

/** Programs of the organization's own, each with what it needs. */
const programs = [
  { name: "Month-end export", scopes: ["audit:read", "billing:read"] },
  { name: "Deployments", scopes: ["agents:read", "agents:write"] },
];

/** Whom the organization tells, trusts and has asked to join. */
export async function settleIn(doors: Doors): Promise<void> {
  const { dev } = doors;
  const has = async (path: string, scope: string): Promise<boolean> =>
    (await doors.list({ path, scope })).length > 0;
  const keys = await doors.list({ path: "/api/v1/api-keys", scope: "admin:orgs" });
  if (!keys.some(({ name }) => name === programs[0]?.name))
    for (const body of programs)
      await doors.manage({ method: "POST", path: "/api/v1/api-keys", scope: "admin:orgs", body });
  const members = `/api/v1/organizations/${dev.tenant.id}/members`;
  const { invitations } = await doors.manage({ method: "GET", path: members, scope: "admin:orgs" });
  if (!Array.isArray(invitations) || invitations.length === 0)
    await doors.manage({
      method: "POST",
      path: members,
      scope: "admin:orgs",
      body: { email: "ines@demo.example", role: "auditor" },
    });
  if (!(await has("/api/v1/webhooks", "webhooks:read"))) {
    // Nobody is at home there any more: what is sent to it fails, and is tried again.
    await doors.manage({
      method: "POST",
      path: "/api/v1/webhooks",
      scope: "webhooks:write",
      body: { name: "Old accounting", url: `${dev.sandbox}/accounting`, events: ["charge.captured"] },
    });
    const hook = await doors.manage({
      method: "POST",
      path: "/api/v1/webhooks",
      scope: "webhooks:write",
      body: {
        name: "Ledger export",
        url: `${dev.sandbox}/sandbox/inbox`,
        events: ["charge.*", "agent.*"],
      },
    });
    await doors.manage({
      method: "POST",
      path: `/api/v1/webhooks/${textOf(hook, "id")}/test`,
      scope: "webhooks:write",
      body: {},
    });
  }
  if (!(await has("/api/v1/federation/partners", "admin:orgs"))) await trustPartners(doors);
  if (!(await has("/api/v1/oidc/trust-policies", "agents:read admin:orgs")))
    await doors.manage({
      method: "POST",
      path: "/api/v1/oidc/trust-policies",
      scope: "agents:write admin:orgs",
      body: {
        provider: "github",
        repository: "octo-org/octo-repo",
        repositoryId: "1296269",
        repositoryOwnerId: "583231",
        branch: "main",
      },
    });
}

/**
 * GitHub's address is looked up: on a machine without names of the internet it is nobody's. The other partner is at the
 * sandbox, which alone may be called without TLS; nobody has come from there yet, and so its keys were never asked for.
 */
async function trustPartners(doors: Doors): Promise<void> {
  const github = "https://token.actions.githubusercontent.com";
  const harbour = `${doors.dev.sandbox}/harbour-labs`;
  for (const body of [
    { name: "Harbour Labs", issuer: harbour, jwks_uri: `${harbour}/jwks.json` },
    { name: "GitHub Actions", issuer: github, jwks_uri: `${github}/.well-known/jwks` },
  ])
    try {
      await doors.manage({ method: "POST", path: "/api/v1/federation/trust", scope: "admin:orgs", body });
    } catch (error) {
      if (!(error instanceof AnswerRefused)) throw error;
      note(`${body.name} is not trusted: ${error.message}`);
    }
}

/** Ten agents are the free plan's most; the operator agrees on a larger one, as with any customer. */
export const agreeOnPlan = (doors: Doors): Promise<unknown> =>
  doors.operate({
    method: "PUT",
    path: `/api/v1/organizations/${doors.dev.tenant.id}/plan`,
    scope: "admin:orgs",
    body: { tier: "pro" },
  });

/** What captures cost, before the first of them. */
export async function setFees(doors: Doors): Promise<void> {
  const { dev } = doors;
  const path = "/api/v1/fee-schedules";
  const known = await doors.operate({ origin: dev.billing, method: "GET", path, scope: "billing:read" });
  if (Array.isArray(known["data"]) && known["data"].length > 0) return;
  await doors.operate({
    origin: dev.billing,
    method: "POST",
    path,
    scope: "billing:write",
    body: {
      rail: "card",
      currency: "USD",
      collection: "invoiced",
      tiers: [{ from_minor: 0, basis_points: 150, fixed_minor: 5 }],
    },
  });
}

/** Closes a month that is over; its invoices are written soon after. */
export const closeMonth = (doors: Doors, month: string): Promise<unknown> =>
  doors.operate({
    origin: doors.dev.billing,
    method: "POST",
    path: `/api/v1/months/${month}/close`,
    scope: "billing:write",
  });
