import { systemClock } from "@remit/kernel";
import { Problem } from "@remit/protocol";
import { expect, test } from "vitest";
import { createLog, createMetrics } from "../telemetry/index.ts";
import type { Authenticate } from "./authenticate.ts";
import { createHttp, type Http } from "./http.ts";
import type { HttpOptions } from "./options.ts";
import { nothing, route } from "./route.ts";

const origin = "https://billing.test";
const authenticate: Authenticate = Object.assign(() => Promise.reject(new Problem("invalid_token")), {
  issuer: "https://issuer.test",
});

const answered = async (more: Partial<HttpOptions>, bearer?: true): Promise<Response> => {
  const log = createLog({ service: "test", level: "silent" });
  const own = { service: "test", origin, host: "127.0.0.1", port: 0, log, metrics: createMetrics("test") };
  const http: Http = createHttp({ ...own, clock: systemClock, ...more });
  if (more.authenticate !== undefined)
    for (const scope of ["wallet:read", "audit:read"] as const)
      http.add(
        route({
          method: "GET",
          path: `/${scope}`,
          summary: "Protected.",
          needs: bearer === undefined ? { scope } : { scope, bearer },
          answers: { 204: nothing },
          handle: () => ({ status: 204 }),
        }),
      );
  const bound = await http.listen();
  try {
    return await fetch(`${bound}/.well-known/oauth-protected-resource`);
  } finally {
    await http.close();
  }
};

test("RFC 9728: a server that takes tokens says whose, for what, and how", async () => {
  const answer = await answered({ authenticate });
  expect(answer.headers.get("access-control-allow-origin")).toBe("*");
  expect(await answer.json()).toEqual({
    resource: origin,
    authorization_servers: ["https://issuer.test"],
    scopes_supported: ["audit:read", "wallet:read"],
    bearer_methods_supported: ["header"],
    dpop_signing_alg_values_supported: ["ES256", "EdDSA"],
    dpop_bound_access_tokens_required: true,
    resource_documentation: `${origin}/openapi.json`,
  });
});

test("it does not claim that every token is bound where a route takes others", async () => {
  const metadata: unknown = await (await answered({ authenticate }, true)).json();
  expect(metadata).toMatchObject({ dpop_bound_access_tokens_required: false });
});

test("a server that takes tokens in its own way says so too; one that takes none has no such address", async () => {
  const protectedResource = { issuer: "https://issuer.test", scopes: ["oid4ac:payment"] } as const;
  expect(await (await answered({ protectedResource })).json()).toMatchObject({
    scopes_supported: ["oid4ac:payment"],
  });
  expect((await answered({})).status).toBe(404);
});
