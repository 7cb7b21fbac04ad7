import { fromNumericDate, instantOf, parseId } from "@remit/kernel";
import type { Caller } from "@remit/platform/http";
import { expect, test } from "vitest";
import type { Action } from "./actions.ts";
import { mendsPolicies } from "./decide.ts";

const tenant = parseId("tenant", "org_01j00000000000000000000000");
if (tenant === undefined) throw new Error("the id is one");
const issuedAt = 1_750_000_000;
const now = instantOf(fromNumericDate(issuedAt) + 60_000);

const caller = (more: { scopes?: string[]; thumbprint?: string | undefined } = {}): Caller => ({
  tenant,
  client: "cli_1",
  subject: "cli_1",
  scopes: new Set(more.scopes ?? ["admin:orgs"]),
  actor: { type: "client", id: "cli_1" },
  ...("thumbprint" in more ? {} : { thumbprint: "a-key" }),
  // Only its time is asked for.
  claims: { iat: issuedAt } as Caller["claims"],
});

const at = (path: string): Action => ({
  name: `GET:${path}`,
  method: "GET",
  path,
  scopes: ["admin:orgs"],
  managed: true,
  groups: [],
  resourceType: "Organization",
});

test("an administrator who has just proven it mends policies past all of the organization's", () => {
  expect(mendsPolicies(at("/api/v1/policies"), { caller: caller(), now })).toBe(true);
  expect(mendsPolicies(at("/api/v1/policies/:id/deactivate"), { caller: caller(), now })).toBe(true);
});

test.each([
  ["another call", at("/api/v1/agents"), caller(), now],
  ["an address that only begins so", at("/api/v1/policiesX"), caller(), now],
  ["somebody without admin:orgs", at("/api/v1/policies"), caller({ scopes: ["audit:read"] }), now],
  ["a token that is bound to no key", at("/api/v1/policies"), caller({ thumbprint: undefined }), now],
  ["a token of six minutes", at("/api/v1/policies"), caller(), instantOf(now + 300_000)],
])("nobody else: %s is judged by them", (_what, action, by, when) => {
  expect(mendsPolicies(action, { caller: by, now: when })).toBe(false);
});
