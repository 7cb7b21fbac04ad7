import { actorOf, type Route, route } from "@remit/platform/http";
import type { Database } from "@remit/platform/sql";
import { BearerSwitch } from "@remit/protocol/contracts";
import { allowBearer, allowsBearer } from "./tenants.ts";

const path = "/api/v1/organization/bearer-tokens";
const needs = { scope: "admin:orgs" } as const;

/** The switch of a tenant for tokens that are bound to no key (design section 5). */
export const tenantRoutes = ({ db }: { readonly db: Database }): Route[] => [
  route({
    method: "GET",
    path,
    summary: "Whether agents of the tenant may have bearer tokens",
    needs,
    answers: { 200: BearerSwitch },
    handle: async (call) => {
      const allowed = await db.of(call.caller.tenant).transaction((tx) => allowsBearer(tx));
      return { status: 200, body: { allowed } };
    },
  }),
  route({
    method: "PUT",
    path,
    summary: "Let agents of the tenant have bearer tokens, or no longer",
    needs,
    body: BearerSwitch,
    answers: { 200: BearerSwitch },
    handle: async (call, { body }) => {
      const by = { actor: actorOf(call.caller), now: call.now };
      await db.of(call.caller.tenant).transaction((tx) => allowBearer(tx, body.allowed, by));
      return { status: 200, body };
    },
  }),
];
