import { type Id, newId, parseId } from "@remit/kernel";
import { type Caller, createHttp, type HttpOptions } from "@remit/platform/http";
import { createLog, createMetrics } from "@remit/platform/telemetry";
import { base64url, Problem } from "@remit/protocol";
import { approvalRoutes, approvalsChannel } from "../../src/approvals/index.ts";
import { stapledOf } from "../../src/audit/index.ts";
import { chargeRoutes, soldRoutes, walletChargeRoutes } from "../../src/charges/index.ts";
import { exportRoutes } from "../../src/exports/index.ts";
import { mandateRoutes, minorOf, roomBy } from "../../src/mandates/index.ts";
import { merchantPolicyRoutes } from "../../src/merchant-policies/index.ts";
import { receiptRoutes } from "../../src/receipts/index.ts";
import { rulesRoutes } from "../../src/rules/index.ts";
import { spendingRoutes } from "../../src/spending/index.ts";
import { statusListRoutes } from "../../src/status-lists/index.ts";
import { suspendedAssetRoutes } from "../../src/suspended-assets/index.ts";
import { createWaiting } from "../../src/waiting/index.ts";
import { walletRoutes } from "../../src/wallet/index.ts";
import type { Rooms } from "./rooms.ts";
import type { World } from "./world.ts";

/** Who calls: the resource server that finds this out from tokens has tests of its own. */
export type As = {
  readonly tenant: Id<"tenant">;
  readonly client: string;
  readonly scopes: readonly string[];
  /** Whose token it is, where it is not the client's own. */
  readonly subject?: string;
  /** How and when, of a person. */
  readonly signedIn?: { readonly acr: string; readonly auth_time: number };
};

export type Sent = {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Record<string, unknown>;
  readonly text: string;
};

export type Request = {
  readonly as?: As;
  readonly method?: "GET" | "POST" | "PUT";
  readonly path: string;
  readonly body?: unknown;
  readonly key?: string | null;
  readonly headers?: Record<string, string>;
};

export type Api = {
  readonly origin: string;
  send(request: Request): Promise<Sent>;
  /** Whether people have a passkey; it answers a challenge with the challenge itself. */
  readonly passkey: { has: boolean };
  close(): Promise<void>;
};

/** The routes of the money rooms over real HTTP; the caller stands in a header of the test. */
export async function openApi(rooms: Rooms, options: Pick<HttpOptions, "pressure"> = {}): Promise<Api> {
  const { db, clock, charges, approvals, mandates, receipts, statusLists } = rooms;
  const passkey = { has: false };
  const http = createHttp({
    service: "test",
    origin: "http://localhost",
    host: "127.0.0.1",
    port: 0,
    log: createLog({ service: "test", level: "silent" }),
    metrics: createMetrics("test"),
    clock,
    ...options,
    authenticate: async ({ authorization }, needs) => {
      const caller = callerOf(authorization ?? "");
      const wanted = [needs.scope].flat();
      if (!wanted.some((scope) => caller.scopes.has(scope))) throw new Problem("insufficient_scope");
      return { caller };
    },
  });
  const giving = {
    livemode: false,
    factors: { hasSecond: async () => passkey.has, hasSecondWithin: async () => passkey.has },
    accounts: { byId: async () => ({ id: newId("account"), email: "ada@example.com" }) },
  };
  http.add(...chargeRoutes({ db, clock, charges }), ...mandateRoutes({ db, mandates, ...giving }));
  http.add(
    ...exportRoutes({ ...rooms, keyring: rooms.chargesDeps.keyring }),
    ...spendingRoutes({ db, minorOf, roomBy, budgetOf: (...of) => mandates.budgetOf(...of) }),
    ...walletChargeRoutes(rooms),
    ...soldRoutes({ db, charges }),
    ...suspendedAssetRoutes({ db }),
    ...rulesRoutes({ db, ...giving }),
    ...merchantPolicyRoutes({ db, merchantOf: (client) => rooms.chargesDeps.merchants.ofClient(client) }),
  );
  http.add(...walletRoutes({ db, ...giving, mandates, nameOf: async (agent) => agent }));
  const stapled = (tenant: Id<"tenant">, subject: Id<"charge">) =>
    stapledOf({ db }, tenant, { type: "charge.captured", subject });
  http.add(...receiptRoutes(receipts, stapled), ...statusListRoutes(statusLists));
  const waiting = createWaiting(db, approvalsChannel);
  const factors = factorsOf(passkey);
  const nameOf = async () => "Test agent";
  http.add(...approvalRoutes({ db, clock, livemode: false, approvals, waiting, factors, nameOf }));
  const origin = await http.listen();
  let keys = 0;
  return {
    origin,
    async send({ as, method = "GET", path, body, key, headers = {} }) {
      const response = await fetch(origin + path, {
        method,
        headers: {
          ...(as === undefined ? {} : { authorization: JSON.stringify(as) }),
          ...(method === "GET" ? {} : { "content-type": "application/json" }),
          ...(method === "POST" && key !== null ? { "idempotency-key": key ?? `key-${++keys}` } : {}),
          ...headers,
        },
        ...(method !== "GET" ? { body: typeof body === "string" ? body : JSON.stringify(body ?? {}) } : {}),
      });
      const text = await response.text();
      const parsed: unknown = text.startsWith("{") ? JSON.parse(text) : {};
      return { status: response.status, headers: response.headers, body: Object(parsed), text };
    },
    passkey,
    close: () => {
      waiting.close();
      return http.close();
    },
  };
}

/** Passkeys have tests of their own, with real authenticators. */
const factorsOf = (passkey: { has: boolean }): Parameters<typeof approvalRoutes>[0]["factors"] => ({
  hasSecond: async () => passkey.has,
  passkeys: {
    has: async () => passkey.has,
    optionsFor: async ({ challenge }) => JSON.stringify({ challenge: base64url.encode(challenge) }),
    confirm: async ({ challenge, response }) => {
      if (response !== base64url.encode(challenge)) throw new Problem("passkey_refused");
      return { key: "test" };
    },
  },
});

export function callerOf(authorization: string): Caller {
  const { tenant, client, scopes, subject = client, signedIn = {} } = JSON.parse(authorization) as As; // what `send` wrote
  const type = parseId("agent", client) === undefined ? "client" : "agent";
  return {
    tenant,
    client,
    subject,
    scopes: new Set(scopes),
    actor: { type, id: client },
    claims: {
      iss: "test",
      sub: subject,
      aud: "test",
      client_id: client,
      jti: "test",
      iat: 0,
      exp: 0,
      scope: scopes,
      organization_id: tenant,
      livemode: false,
      ...signedIn,
    },
  };
}

export const merchantOf = ({ payee, merchant }: World): As => ({
  tenant: payee,
  client: merchant.client,
  scopes: ["charges:write"],
});

/** Somebody who acts for the merchant's organization. */
export const sellerOf = ({ payee }: World, scopes: readonly string[]): As => ({
  tenant: payee,
  client: "wallet",
  subject: "acc_01k0000000e8r8000000000000",
  scopes,
});

export const walletOf = ({ payer }: World): As => ({
  tenant: payer,
  client: "wallet",
  scopes: ["wallet:read", "wallet:write"],
});

/** The wallet of the principal, with a token of theirs. */
export const personOf = (world: World): As => ({ ...walletOf(world), subject: world.principal });

export const agentOf = ({ operator, agent }: World): As => ({
  tenant: operator,
  client: agent.id,
  scopes: ["oid4ac:payment"],
});
