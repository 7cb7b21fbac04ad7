import type { Id } from "@remit/kernel";
import { type Page, page } from "@remit/platform/http";
import { Problem } from "@remit/protocol";
import { z } from "zod";
import { limit, members, Uid } from "../conversation/index.ts";
import { anyDomain, domainOf, tenantOfDomain } from "../email-domains/index.ts";
import { activeProviders, type IdentityProvider, providerById } from "../identity-providers/index.ts";
import { interactionPath, type SignInAsked } from "../oidc/index.ts";
import { refusalPage } from "../pages/index.ts";
import type { Offers } from "../sign-in/index.ts";
import { platformTenant } from "../tenants/index.ts";
import type { FederatedDeps } from "./federated-sign-in.http.ts";
import { organizationPage, titleOf } from "./views.ts";

type Deps = Pick<FederatedDeps, "db" | "identities" | "conversation">;

const buttonFor = ({ uid }: SignInAsked, provider: IdentityProvider, hint?: string) => {
  const query = hint === undefined ? "" : `?${new URLSearchParams({ login_hint: hint }).toString()}`;
  return {
    text: `Continue with ${titleOf(provider)}`,
    href: `${interactionPath(uid)}/identity-providers/${provider.id}${query}`,
  };
};

/**
 * Which providers somebody is shown: the operator's, those of the application's own tenant, and those of the tenant whose
 * domain the application hinted at. It depends on no person, so that it tells of none (A18). Somebody known is shown what
 * they have linked.
 */
export async function offersFor(deps: Deps, asked: SignInAsked): Promise<Offers> {
  // AAL3 is a key of one's own, whatever anybody says.
  if (asked.wanted.aal === 3) return { providers: [], organization: undefined };
  const found = asked.known === undefined ? await offered(deps, asked) : await linked(deps, asked.known);
  const searchable = asked.known === undefined && (await deps.db.global.transaction(anyDomain));
  return {
    providers: found.map((provider) => buttonFor(asked, provider)),
    organization: searchable ? `${interactionPath(asked.uid)}/organization` : undefined,
  };
}

async function offered(deps: Deps, { client, hint }: SignInAsked): Promise<IdentityProvider[]> {
  const hinted = hint === undefined ? undefined : await tenantFor(deps, hint);
  const tenants = new Set([platformTenant, client.tenant, ...(hinted === undefined ? [] : [hinted])]);
  const found = await Promise.all([...tenants].map((tenant) => activeProviders(deps.db, tenant)));
  return found.flat();
}

async function linked(
  { db, identities }: Deps,
  known: NonNullable<SignInAsked["known"]>,
): Promise<IdentityProvider[]> {
  const theirs = await identities.of(known.id);
  const found = await Promise.all(theirs.map(({ provider }) => providerById(db, provider)));
  return found.filter((provider) => provider !== undefined);
}

async function tenantFor({ db }: Deps, email: string): Promise<Id<"tenant"> | undefined> {
  const domain = domainOf(email);
  return domain === undefined ? undefined : db.global.transaction((tx) => tenantOfDomain(tx, domain));
}

const path = "/oauth/interactions/:uid/organization";

/** Finds the organization of an address by its domain alone. Who has the address is not looked at (A18). */
export const organizationPages = (deps: Deps): Page[] => [
  page({
    method: "GET",
    path,
    params: Uid,
    refused: refusalPage,
    handle: async (call, { params: { uid } }) => {
      const asked = await deps.conversation.read(call, uid);
      return organizationPage(deps.conversation, { asked, email: asked.hint ?? "", found: undefined });
    },
  }),
  page({
    method: "POST",
    path,
    params: Uid,
    form: z.strictObject({ csrf: members.csrf, email: members.email }),
    limit,
    refused: refusalPage,
    handle: async (call, { params: { uid }, form: { email, csrf } }) => {
      const asked = await deps.conversation.readForm(call, uid, { csrf });
      if (asked.known !== undefined) throw new Problem("invalid_request");
      const tenant = await tenantFor(deps, email);
      const found = tenant === undefined ? [] : await activeProviders(deps.db, tenant);
      const buttons = found.map((provider) => buttonFor(asked, provider, email));
      return organizationPage(deps.conversation, { asked, email, found: buttons });
    },
  }),
];
