import { type Clock, newId } from "@remit/kernel";
import { createOutbound } from "@remit/platform/outbound";
import { createPeer } from "@remit/platform/peers";
import type { Log } from "@remit/platform/telemetry";
import {
  type ClientKeys,
  type DemoAccounts,
  type DemoProgress,
  loadAccounts,
  saveAccounts,
} from "./accounts.ts";
import type { DevFile } from "./dev-file.ts";
import { type DemoOffer, writeOffersFile } from "./offers-file.ts";
import { createPerson } from "./person.ts";
import { callWithToken, signIn } from "./wallet-sign-in.ts";

/** Where the running services answer. */
export type Origins = {
  readonly issuer: string;
  readonly wallet: string;
  readonly directory: string;
  readonly billing: string;
  readonly gateway: string;
  readonly sandbox: string;
};

export type Seeding = {
  readonly dataDir: string;
  readonly origins: Origins;
  /** The portal's own keys, by which the demo's principal is signed in before anybody has a browser. */
  readonly walletKeys: ClientKeys;
  readonly offersFile: string;
  /** The seller's key at the sandbox's Stripe. */
  readonly stripeKey: string;
  readonly tenant: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Makes the gateway read its offers now. */
  readonly reloadOffers: () => Promise<void>;
};

export type Demo = Pick<DevFile, "admin" | "agent" | "merchant" | "paid_url"> & {
  readonly principal: { readonly email: string; readonly password: string };
};

export const demoOffer: DemoOffer = {
  path: "/demo/report",
  amountMinor: 1000,
  currency: "USD",
  sku: "market-report",
  name: "Market report",
  description: "What moved today, in one page.",
};

/**
 * Everything a first purchase needs, made through the same doors that everybody uses: an agent and a merchant register
 * with one-shot setup tokens, the merchant's origin is verified, the principal enrols a card. Each step is remembered,
 * so that a start after a crash goes on where the last one ended.
 */
export async function seed(seeding: Seeding, admin: { readonly client_id: string }): Promise<Demo> {
  const accounts = await loadAccounts(seeding.dataDir);
  const steps = createSteps(seeding, accounts, admin.client_id);
  const { secrets } = accounts;
  const agentId = await steps.once("agentId", () => steps.register("agent", secrets.agent));
  const merchantClientId = await steps.once("merchantClientId", () =>
    steps.register("merchant", secrets.merchant),
  );
  const merchantId = await steps.once("merchantId", () =>
    registerMerchant(seeding, merchantClientId, secrets.merchant),
  );
  await writeOffersFile(seeding.offersFile, {
    merchant: {
      id: merchantId,
      tenant: seeding.tenant,
      origin: seeding.origins.gateway,
      clientId: merchantClientId,
    },
    keys: secrets.merchant,
    stripe: { apiKey: seeding.stripeKey, origin: seeding.origins.sandbox },
    upstream: seeding.origins.sandbox,
    offer: demoOffer,
  });
  await seeding.reloadOffers();
  await steps.once("verified", () =>
    verifyMerchant(seeding, merchantId, { clientId: merchantClientId, keys: secrets.merchant }),
  );
  await steps.once("instrumentId", () => enrolCard(seeding, accounts));
  return {
    principal: { email: secrets.principal.email, password: secrets.principal.password },
    admin: { client_id: admin.client_id, client_secret: secrets.adminSecret },
    agent: {
      client_id: agentId,
      did: `did:web:${new URL(seeding.origins.issuer).host.replace(":", "%3A")}:agents:${agentId}`,
      assertion_jwk: secrets.agent.assertion,
      dpop_jwk: secrets.agent.dpop,
    },
    merchant: {
      id: merchantId,
      origin: seeding.origins.gateway,
      client_id: merchantClientId,
      assertion_jwk: secrets.merchant.assertion,
      dpop_jwk: secrets.merchant.dpop,
    },
    paid_url: seeding.origins.gateway + demoOffer.path,
  };
}

function createSteps(seeding: Seeding, accounts: DemoAccounts, adminId: string) {
  let progress = accounts.progress;
  return {
    async once<K extends keyof DemoProgress>(step: K, work: () => Promise<NonNullable<DemoProgress[K]>>) {
      const known = progress[step];
      if (known !== undefined) return known;
      const made = await work();
      progress = { ...progress, [step]: made };
      await saveAccounts(seeding.dataDir, { ...accounts, progress });
      seeding.log.info({ step }, "prepared for the demo");
      return made;
    },
    async register(kind: "agent" | "merchant", keys: ClientKeys): Promise<string> {
      const token = await adminToken(seeding, { id: adminId, secret: accounts.secrets.adminSecret });
      const setup = await postJson(`${seeding.origins.issuer}/api/v1/setup-tokens`, token, {
        kind,
        name: `Demo ${kind}`,
      });
      const client = await postJson(
        `${seeding.origins.issuer}/oauth/register`,
        member(setup, "setup_token"),
        registrationOf(kind, keys),
      );
      return member(client, "client_id");
    },
  };
}

/** RFC 7591 §2. Two keys, told apart by `remit_use`: one signs assertions, to the other tokens are bound. */
function registrationOf(kind: "agent" | "merchant", keys: ClientKeys): object {
  const { d: _assertionSecret, ...assertion } = keys.assertion;
  const { d: _dpopSecret, ...dpop } = keys.dpop;
  const agent = kind === "agent";
  return {
    client_name: agent ? "Demo agent" : "Demo merchant",
    token_endpoint_auth_method: "private_key_jwt",
    grant_types: agent
      ? ["authorization_code", "refresh_token", "client_credentials"]
      : ["client_credentials"],
    response_types: agent ? ["code"] : [],
    redirect_uris: agent ? ["http://127.0.0.1/callback"] : [],
    ...(agent ? { application_type: "native" } : {}),
    scope: agent ? "oid4ac:payment offline_access" : "charges:write directory:write",
    jwks: {
      keys: [
        { ...assertion, use: "sig", remit_use: "assertion" },
        { ...dpop, use: "sig", remit_use: "dpop" },
      ],
    },
  };
}

/** RFC 6749 §4.4 with a secret, as an administrator's script does it. */
async function adminToken(
  { origins }: Seeding,
  admin: { readonly id: string; readonly secret: string },
): Promise<string> {
  const response = await fetch(`${origins.issuer}/oauth/token`, {
    method: "POST",
    headers: { authorization: `Basic ${Buffer.from(`${admin.id}:${admin.secret}`).toString("base64")}` },
    body: new URLSearchParams({
      grant_type: "client_credentials",
      scope: "agents:read agents:write",
      resource: origins.issuer,
    }),
  });
  return member(await answerOf(response), "access_token");
}

async function postJson(url: string, bearer: string, body: object): Promise<object> {
  const headers = {
    authorization: `Bearer ${bearer}`,
    "content-type": "application/json",
    "idempotency-key": newId("request"),
  };
  return answerOf(await fetch(url, { method: "POST", headers, body: JSON.stringify(body) }));
}

type MerchantClient = { readonly clientId: string; readonly keys: ClientKeys };

async function registerMerchant(seeding: Seeding, clientId: string, keys: ClientKeys): Promise<string> {
  const { gateway } = seeding.origins;
  const merchant = await callDirectory(
    seeding,
    { clientId, keys },
    {
      path: "/api/v1/merchants",
      body: {
        display_name: "Demo Research Ltd",
        origin: gateway,
        client_id: clientId,
        jwks_uri: `${gateway}/.well-known/jwks.json`,
        catalogue_uri: `${gateway}/.well-known/oid4ac-catalog`,
        country: "NL",
        currencies: ["USD"],
        categories: ["research"],
        rails: ["card"],
      },
    },
  );
  return member(merchant, "id");
}

async function verifyMerchant(seeding: Seeding, id: string, client: MerchantClient): Promise<true> {
  const merchant = await callDirectory(seeding, client, { path: `/api/v1/merchants/${id}/verify`, body: {} });
  if (member(merchant, "verification_status") !== "verified")
    throw new Error("the demo merchant's origin is not verified");
  return true;
}

async function callDirectory(
  seeding: Seeding,
  client: MerchantClient,
  { path, body }: { readonly path: string; readonly body: object },
): Promise<object> {
  const { issuer, directory } = seeding.origins;
  const outbound = createOutbound({
    allow: [issuer, directory].map((origin) => new URL(origin).host),
    clock: seeding.clock,
  });
  try {
    const { clientId, keys } = client;
    const peer = createPeer({
      issuer,
      clientId,
      assertionKey: keys.assertion,
      dpopKey: keys.dpop,
      outbound,
      clock: seeding.clock,
    });
    const answer = await peer.call({
      origin: directory,
      method: "POST",
      path,
      scope: "directory:write",
      body,
      idempotencyKey: newId("request"),
    });
    if (answer.status >= 300 || typeof answer.body !== "object" || answer.body === null)
      throw new Error(`the directory answered ${answer.status}: ${JSON.stringify(answer.body)}`);
    return answer.body;
  } finally {
    await outbound.close();
  }
}

/** The principal signs in as with any browser, and enrols a test card through billing's own API. */
async function enrolCard(
  { origins, clock, walletKeys }: Seeding,
  { secrets }: DemoAccounts,
): Promise<string> {
  const { email, password } = secrets.principal;
  const token = await signIn({
    issuer: origins.issuer,
    clientId: "wallet",
    keys: walletKeys,
    redirectUri: `${origins.wallet}/callback`,
    resource: origins.billing,
    scope: "wallet:read wallet:write",
    person: createPerson(),
    answers: { email, password, decision: "approve" },
    clock,
  });
  const card = await callWithToken(
    { key: walletKeys.dpop, token, clock },
    {
      method: "POST",
      url: `${origins.billing}/api/v1/payment-methods`,
      body: { payment_method: "pm_card_visa" },
    },
  );
  return member(card, "id");
}

async function answerOf(response: Response): Promise<object> {
  const answer: unknown = await response.json();
  if (!response.ok || typeof answer !== "object" || answer === null)
    throw new Error(`${response.url} answered ${response.status}: ${JSON.stringify(answer)}`);
  return answer;
}

function member(answer: object, name: string): string {
  const value: unknown = Reflect.get(answer, name);
  if (typeof value !== "string") throw new Error(`the answer has no ${name}`);
  return value;
}
