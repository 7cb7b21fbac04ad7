import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { type Clock, type Id, newId, systemClock, toNumericDate } from "@remit/kernel";
import { createLog } from "@remit/platform/telemetry";
import {
  type InstructionOp,
  type InstructionOrder,
  makeInstruction,
  type PrivateJwk,
  publicJwkOf,
  type Scope,
} from "@remit/protocol";
import { generateJwk, makeDpopProof, randomText, sign, signJws, thumbprint } from "@remit/protocol/node";
import { type TestDatabase, type TestSandbox, testDatabase, testSandbox } from "@remit/testkit";
import { type BillingConfig, createBilling, migrations, type Service } from "../src/index.ts";

/** The authorization server as billing sees it: keys at an address, tokens and instructions signed with them. */
export type Issuer = {
  readonly origin: string;
  readonly key: PrivateJwk;
  /** What it was told of exports: path and body, in order. */
  readonly toldOfExports: readonly { readonly path: string; readonly body: unknown }[];
  close(): Promise<void>;
};

/** A request to the issuer, and what it answers. */
export type Asked = { readonly method: string; readonly path: string; readonly text: string };
export type Answering = (asked: Asked) => { readonly status: number; readonly body?: object } | undefined;

/** `answering` is asked first, for what only some tests need of an issuer. */
export async function fakeIssuer(answering: Answering = () => undefined): Promise<Issuer> {
  const key = generateJwk("ES256");
  const toldOfExports: { path: string; body: unknown }[] = [];
  const answerTo = (path: string, text: string): object | undefined => {
    if (path === "/.well-known/jwks.json") return { keys: [publicJwkOf(key)] };
    if (path === "/oauth/token") return { access_token: randomText(), token_type: "DPoP", expires_in: 300 };
    if (!path.startsWith("/api/v1/exports/")) return undefined;
    toldOfExports.push({ path, body: JSON.parse(text) });
    return {};
  };
  const server: Server = createServer((request, response) => {
    const parts: Uint8Array[] = [];
    request.on("data", (part: Uint8Array) => parts.push(part));
    request.on("end", () => {
      const { url: path = "", method = "" } = request;
      const text = Buffer.concat(parts).toString();
      const usual = (): object | undefined => answerTo(path, text);
      const { status, body } = answering({ method, path, text }) ?? { status: 200, body: usual() };
      response.writeHead(body === undefined && status === 200 ? 404 : status, {
        "content-type": "application/json",
      });
      response.end(status === 204 ? undefined : JSON.stringify(body ?? {}));
    });
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  // A TCP server has an address with a port.
  const { port } = server.address() as AddressInfo;
  return {
    origin: `http://127.0.0.1:${port}`,
    key,
    toldOfExports,
    close: () =>
      new Promise((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
}

export type Answer = {
  readonly status: number;
  readonly body: Record<string, unknown>;
  readonly headers: Headers;
};

export type CallOptions = {
  readonly scope?: Scope;
  readonly body?: unknown;
  readonly tenant?: Id<"tenant">;
  readonly key?: string;
};

const audience = "https://billing.remit.test";
const dpopKey = generateJwk("ES256");

/** Calls billing as a client with a DPoP-bound token of the issuer; answers a nonce challenge once. */
export const callerOf =
  (issuer: Issuer, address: () => string, clock: Clock) =>
  async (method: string, at: string, options: CallOptions = {}): Promise<Answer> => {
    const now = clock.now();
    const iat = toNumericDate(now);
    const token = signJws(
      issuer.key,
      { typ: "at+jwt" },
      {
        iss: issuer.origin,
        sub: "authorization-server",
        aud: audience,
        client_id: "authorization-server",
        jti: randomText(),
        iat,
        exp: iat + 300,
        scope: options.scope ?? "payments:execute",
        organization_id: options.tenant ?? newId("tenant"),
        livemode: false,
        cnf: { jkt: thumbprint(dpopKey) },
      },
    );
    const send = (nonce?: string): Promise<Response> =>
      fetch(address() + at, {
        method,
        headers: {
          authorization: `DPoP ${token}`,
          dpop: makeDpopProof({
            key: dpopKey,
            method,
            url: audience + at,
            now,
            accessToken: token,
            ...(nonce === undefined ? {} : { nonce }),
          }),
          ...(method === "POST" || method === "PUT"
            ? { "idempotency-key": options.key ?? randomText(), "content-type": "application/json" }
            : {}),
        },
        ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) }),
      });
    let response = await send();
    const nonce = response.headers.get("dpop-nonce");
    if (response.status === 401 && nonce !== null) response = await send(nonce);
    const text = await response.text();
    const isPaper = /^(application\/pdf|text\/csv)/.test(response.headers.get("content-type") ?? "");
    const body = isPaper ? { text } : text === "" ? {} : JSON.parse(text);
    return { status: response.status, body, headers: response.headers };
  };

export type Purchase = {
  readonly charge: Id<"charge">;
  readonly payer: Id<"tenant">;
  readonly payee: Id<"tenant">;
  readonly merchant: Id<"merchant">;
};

export const purchaseOf = (payer: Id<"tenant">): Purchase => ({
  charge: newId("charge"),
  payer,
  payee: newId("tenant"),
  merchant: newId("merchant"),
});

/** A signed instruction; `more` overrides what it says. */
export function instruct(
  issuer: Issuer,
  clock: Clock,
  order: { op: InstructionOp; of: Purchase; more?: Partial<InstructionOrder> & Record<string, unknown> },
): string {
  const unsigned = makeInstruction({
    order: {
      op: order.op,
      ...order.of,
      generation: 1,
      instrument: null,
      amount_minor: 1000,
      currency: "USD",
      livemode: false,
      ...order.more,
    },
    issuer: issuer.origin,
    audience,
    jti: randomText(),
    now: clock.now(),
  });
  return sign(unsigned, issuer.key);
}

export type Stage = {
  readonly issuer: Issuer;
  readonly sandbox: TestSandbox;
  readonly database: TestDatabase;
  readonly config: BillingConfig;
  readonly clock: Clock;
  readonly address: () => string;
  call(method: string, at: string, options?: CallOptions): Promise<Answer>;
  /** A tenant with a saved card. */
  payer(card?: string): Promise<Id<"tenant">>;
  order(
    op: InstructionOp,
    of: Purchase,
    more?: Partial<InstructionOrder> & Record<string, unknown>,
  ): Promise<Answer>;
  step(
    op: "capture" | "release" | "refund",
    payment: unknown,
    of: Purchase,
    more?: Partial<InstructionOrder>,
  ): Promise<Answer>;
  books(): Promise<Record<string, unknown>>;
  close(): Promise<void>;
};

export const webhookSecret = "whsec_test_billing";

/** Billing in this process, over HTTP, with a database, a Stripe and an issuer of its own. */
export async function openStage(
  more: {
    clock?: Clock;
    leaseMs?: number;
    stripeTimeoutMs?: number;
    webhooks?: boolean;
    stripeClock?: Clock;
    x402?: BillingConfig["x402"];
    answering?: Answering;
    metricsPort?: number;
  } = {},
): Promise<Stage> {
  const clock = more.clock ?? systemClock;
  const [issuer, sandbox, database] = await Promise.all([
    fakeIssuer(more.answering),
    testSandbox(more.stripeClock === undefined ? {} : { clock: more.stripeClock }),
    testDatabase({ service: "billing", sources: migrations }),
  ]);
  const dataDir = mkdtempSync(path.join(tmpdir(), "remit-billing-"));
  const config: BillingConfig = {
    origin: audience,
    host: "127.0.0.1",
    port: 0,
    databaseUrl: database.url,
    schema: database.schema,
    roles: database.roles,
    dataDir,
    issuer: issuer.origin,
    outboundAllow: [
      new URL(issuer.origin).host,
      ...(more.x402 === undefined ? [] : [new URL(more.x402.facilitator.url).host]),
    ],
    livemode: false,
    databaseWaitMs: 15_000,
    stripe: {
      ...sandbox.stripe,
      confirmOrigin: sandbox.origin,
      webhookSecret,
      timeoutMs: more.stripeTimeoutMs ?? 1000,
    },
    leaseMs: more.leaseMs ?? 30_000,
    ...(more.x402 === undefined ? {} : { x402: more.x402 }),
    ...(more.metricsPort === undefined ? {} : { metricsPort: more.metricsPort }),
  };
  const billing: Service = createBilling({
    config,
    clock,
    log: createLog({ service: "billing", level: "silent" }),
  });
  const bound = await billing.listen();
  if (more.webhooks !== false)
    await sandbox.addWebhook({ url: `${bound}/api/v1/webhooks/stripe`, secret: webhookSecret });
  const call = callerOf(issuer, () => bound, clock);
  return {
    issuer,
    sandbox,
    database,
    config,
    clock,
    address: () => bound,
    call,
    ...stepsOf(issuer, clock, call),
    close: async () => {
      await billing.close();
      await Promise.all([issuer.close(), sandbox.close()]);
      await database.drop();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

export const stepsOf = (
  issuer: Issuer,
  clock: Clock,
  call: Stage["call"],
): Pick<Stage, "payer" | "order" | "step" | "books"> => ({
  payer: async (card = "pm_card_visa") => {
    const tenant = newId("tenant");
    const made = await call("POST", "/api/v1/payment-methods", {
      scope: "wallet:write",
      tenant,
      body: { payment_method: card },
    });
    if (made.status !== 201) throw new TypeError(`enrolling ${card}: ${JSON.stringify(made.body)}`);
    return tenant;
  },
  order: (op, of, extra = {}) =>
    call("POST", "/api/v1/payments", {
      body: { instruction: instruct(issuer, clock, { op, of, more: extra }) },
    }),
  step: (op, payment, of, extra = {}) => {
    const refund = op === "refund" ? { refund: newId("refund") } : {};
    const instruction = instruct(issuer, clock, { op, of, more: { ...refund, ...extra } });
    return call("POST", `/api/v1/payments/${String(payment)}/${op}`, { body: { instruction } });
  },
  books: async () => (await call("GET", "/api/v1/ledger/check", { scope: "audit:read" })).body,
});
