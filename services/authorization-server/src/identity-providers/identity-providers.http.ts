import { type Id, minuteMs, toRfc3339 } from "@remit/kernel";
import { actorOf, type Caller, nothing, type Route, route } from "@remit/platform/http";
import type { Keyring } from "@remit/platform/keys";
import type { Database, TenantTx } from "@remit/platform/sql";
import {
  ChangeIdentityProvider,
  CreateIdentityProvider,
  IdentityProviderBody,
  IdentityProviderPage,
  idOf,
} from "@remit/protocol/contracts";
import { z } from "zod";
import { callbackOf } from "./callback.ts";
import {
  type By,
  changeProvider,
  createProvider,
  type IdentityProvider,
  ownProvider,
  providersOf,
  removeProvider,
} from "./identity-providers.ts";
import type { Upstream } from "./upstream.ts";

type Deps = {
  readonly db: Database;
  readonly issuer: string;
  readonly keyring: Keyring;
  readonly upstream: Pick<Upstream, "check">;
  /** What goes with a provider, in the transaction of its removal. */
  readonly removed: (tx: TenantTx, id: Id<"provider">) => Promise<void>;
};

const ProviderPath = z.strictObject({ id: idOf("provider") });
const Page = z.strictObject({
  limit: z.coerce.number().int().min(1).max(100).default(20),
  cursor: idOf("provider").optional(),
});
const needs = { scope: "admin:orgs" } as const;
const limit = { count: 120, windowMs: minuteMs, by: "tenant" } as const;
const path = "/api/v1/identity-providers";

const byOf = (call: { readonly caller: Caller; readonly now: By["now"] }): By => ({
  actor: actorOf(call.caller),
  now: call.now,
});

/** Whose word a tenant takes for who its people are. */
export const identityProviderRoutes = (deps: Deps): Route[] => [
  createRoute(deps),
  listRoute(deps),
  readRoute(deps),
  changeRoute(deps),
  removeRoute(deps),
];

const createRoute = (deps: Deps): Route =>
  route({
    method: "POST",
    path,
    summary: "Let people sign in with an OpenID provider",
    needs,
    limit,
    body: CreateIdentityProvider,
    answers: { 201: IdentityProviderBody, 400: ["invalid_request", "outbound_refused"] },
    handle: async (call, { body }) => {
      await deps.upstream.check(body.issuer);
      const wanted = { ...body, ...byOf(call) };
      const provider = await deps.db
        .of(call.caller.tenant)
        .transaction((tx) => createProvider(deps, tx, wanted));
      return { status: 201, body: bodyOf(deps, provider) };
    },
  });

const listRoute = (deps: Deps): Route =>
  route({
    method: "GET",
    path,
    summary: "The organization's identity providers, newest first",
    needs,
    query: Page,
    answers: { 200: IdentityProviderPage },
    handle: async ({ caller }, { query }) => {
      const page = { limit: query.limit + 1, before: query.cursor };
      const found = await deps.db.of(caller.tenant).transaction((tx) => providersOf(tx, page));
      const shown = found.slice(0, query.limit);
      const next = found.length > query.limit ? shown.at(-1)?.id : undefined;
      const data = shown.map((provider) => bodyOf(deps, provider));
      return { status: 200, body: { data, next_cursor: next ?? null } };
    },
  });

const readRoute = (deps: Deps): Route =>
  route({
    method: "GET",
    path: `${path}/:id`,
    summary: "One identity provider",
    needs,
    params: ProviderPath,
    answers: { 200: IdentityProviderBody, 404: "not_found" },
    handle: async ({ caller }, { params }) => {
      const provider = await deps.db.of(caller.tenant).transaction((tx) => ownProvider(tx, params.id));
      return { status: 200, body: bodyOf(deps, provider) };
    },
  });

const changeRoute = (deps: Deps): Route =>
  route({
    method: "PATCH",
    path: `${path}/:id`,
    summary: "Rename, suspend or resume an identity provider, or change its secret, scopes and rules",
    needs,
    limit,
    params: ProviderPath,
    body: ChangeIdentityProvider,
    answers: { 200: IdentityProviderBody, 400: "invalid_request", 404: "not_found" },
    handle: async (call, { params, body }) => {
      const change = { ...params, ...body, ...byOf(call) };
      const work = deps.db.of(call.caller.tenant);
      return {
        status: 200,
        body: bodyOf(deps, await work.transaction((tx) => changeProvider(deps, tx, change))),
      };
    },
  });

const removeRoute = (deps: Deps): Route =>
  route({
    method: "DELETE",
    path: `${path}/:id`,
    summary: "Remove an identity provider; nobody signs in with it any more",
    needs,
    limit,
    params: ProviderPath,
    answers: { 204: nothing, 404: "not_found" },
    handle: async (call, { params }) => {
      await deps.db.of(call.caller.tenant).transaction(async (tx) => {
        await removeProvider(deps, tx, { ...params, ...byOf(call) });
        await deps.removed(tx, params.id);
      });
      return { status: 204 };
    },
  });

const bodyOf = ({ issuer }: Deps, provider: IdentityProvider): z.input<typeof IdentityProviderBody> => ({
  id: provider.id,
  name: provider.name,
  issuer: provider.issuer,
  client_id: provider.clientId,
  client_authentication: { method: provider.authMethod },
  redirect_uri: callbackOf(issuer, provider.id),
  scopes: [...provider.scopes],
  email_domains: [...provider.emailDomains],
  link_policy: provider.linkPolicy,
  jit_policy: provider.jitPolicy,
  aal2_acr_values: [...provider.aal2AcrValues],
  status: provider.status,
  created_at: toRfc3339(provider.createdAt),
});
