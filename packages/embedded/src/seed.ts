import type { Clock } from "@remit/kernel";
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
import { member, type Registering, registerClient, registerMerchant, verifyMerchant } from "./registering.ts";
import { sandboxSeller } from "./sandbox-seller.ts";
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
    registerMerchant(
      registering(seeding),
      { clientId: merchantClientId, keys: secrets.merchant },
      { origin: seeding.origins.gateway, name: "Demo Research Ltd", categories: ["research"] },
    ),
  );
  await writeOffersFile(seeding.offersFile, {
    merchant: {
      id: merchantId,
      tenant: seeding.tenant,
      origin: seeding.origins.gateway,
      clientId: merchantClientId,
    },
    keys: secrets.merchant,
    stripe: { apiKey: sandboxSeller.stripeKey, origin: seeding.origins.sandbox },
    upstream: seeding.origins.sandbox,
    offer: demoOffer,
  });
  await seeding.reloadOffers();
  await steps.once("verified", () =>
    verifyMerchant(registering(seeding), merchantId, { clientId: merchantClientId, keys: secrets.merchant }),
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

const registering = ({ origins: { issuer, directory }, clock }: Seeding): Registering => ({
  issuer,
  directory,
  clock,
});

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
      const admin = { client_id: adminId, client_secret: accounts.secrets.adminSecret };
      return registerClient(registering(seeding), admin, { kind, name: `Demo ${kind}`, keys });
    },
  };
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
