import { newId, systemClock } from "@remit/kernel";
import { createLog } from "@remit/platform/telemetry";
import { expect, test } from "vitest";
import { apiOf } from "../src/api/index.ts";
import type { Issuer } from "../src/issuer/index.ts";
import type { PortalSession } from "../src/sessions/index.ts";

const session: PortalSession = {
  id: newId("session"),
  digest: "",
  sid: newId("session"),
  generation: 1,
  person: { account: newId("account"), name: "Ada", email: "", acr: "", signedInAt: systemClock.now() },
  tokens: { refresh: "", idToken: "", access: {} },
};

/** The APIs, and the addresses that were asked of them. */
function apis() {
  const asked: string[] = [];
  const issuer: Issuer = {
    origin: "https://as.example",
    thumbprint: "",
    post: () => Promise.reject(new TypeError("no form is sent")),
    call: async ({ url }) => {
      asked.push(new URL(url).pathname);
      return { status: 404, headers: {}, body: undefined, bytes: new Uint8Array() };
    },
  };
  const deps = {
    issuer,
    tokens: { get: async () => "token", renew: async () => undefined },
    acting: { get: async () => undefined },
    origins: { issuer: issuer.origin, directory: "", billing: "", gateway: "" },
  };
  return { asked, api: apiOf(deps, session, createLog({ service: "wallet", level: "silent" })) };
}

test.each(["..", ".", ""])(
  "an id leads to no other address: %j freezes nobody, and not everybody",
  async (id) => {
    const { asked, api } = apis();
    const answer = await api.freezeAgent({ params: { id }, body: {} });
    expect(answer).toMatchObject({ ok: false, refusal: { code: "not_found", status: 404 } });
    expect(asked).toEqual([]);
  },
);

test("an id is one segment of an address, whatever it is made of", async () => {
  const { asked, api } = apis();
  await api.freezeAgent({ params: { id: "../../x?y#z" }, body: {} });
  await api.freezeAgent({ params: { id: "%2e%2e" }, body: {} });
  expect(asked).toEqual([
    "/api/v1/wallet/agents/..%2F..%2Fx%3Fy%23z/freeze",
    "/api/v1/wallet/agents/%252e%252e/freeze",
  ]);
});
