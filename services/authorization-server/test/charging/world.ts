import { randomBytes } from "node:crypto";
import { createServer } from "node:http";
import { after, type Clock, type Id, minuteMs, newId, toNumericDate, toRfc3339 } from "@remit/kernel";
import { createKeyring, kekOf } from "@remit/platform/keys";
import { createOutbound } from "@remit/platform/outbound";
import type { Database } from "@remit/platform/sql";
import { createLog } from "@remit/platform/telemetry";
import { type Offer, type PrivateJwk, parseMandateRequest, publicJwkOf } from "@remit/protocol";
import type { CreateCharge } from "@remit/protocol/contracts";
import { generateJwk, makePresentation, offerDigest, signOffer } from "@remit/protocol/node";
import { type TestClock, type TestDatabase, testClock, testDatabase } from "@remit/testkit";
import { registerAgent, unsaid } from "../../src/agents/index.ts";
import { migrations } from "../../src/service.ts";
import { type FakeBilling, fakeBilling, listening, reply } from "./billing.ts";
import { newKeys, type TestKeys, testKeys } from "./keys.ts";
import { createRooms, issuer, type Rooms, recordingBy } from "./rooms.ts";

export { issuer } from "./rooms.ts";
export const shopOrigin = "https://shop.test";

/** Payer, operator and payee are three tenants; billing and directory are HTTP servers of the test. */
export type World = Rooms & {
  readonly database: TestDatabase;
  readonly clock: TestClock;
  readonly keys: TestKeys;
  readonly kek: Buffer;
  readonly billing: FakeBilling;
  readonly payer: Id<"tenant">;
  readonly principal: Id<"account">;
  readonly payee: Id<"tenant">;
  readonly operator: Id<"tenant">;
  readonly merchant: TestMerchant;
  readonly agent: TestAgent;
  /** What the directory says of the merchant; change it to see what follows. */
  readonly directoryOrigin: string;
  readonly directory: { merchant: Record<string, unknown>; asked: number; down: boolean };
  close(): Promise<void>;
};

export type TestAgent = { readonly id: Id<"agent">; readonly dpop: PrivateJwk };
export type TestMerchant = {
  readonly id: Id<"merchant">;
  readonly client: string;
  readonly offerKey: PrivateJwk;
};

export type WorldOptions = {
  /** Billing's clock: the world's own, unless others than this process talk to it. */
  readonly billingClock?: Clock;
  /** A server that runs already, whose principal pays and whose tenant has the agent: each opens what the other sealed. */
  readonly beside?: Pick<World, "database" | "kek" | "payer" | "principal">;
};

export async function createWorld({ billingClock, beside }: WorldOptions = {}): Promise<World> {
  const database =
    beside?.database ?? (await testDatabase({ service: "authorization_server", sources: migrations }));
  const clock = testClock();
  const db = database.open({ poolMax: 12, ...recordingBy(clock) });
  const log = createLog({ service: "test", level: process.env["TEST_LOG"] === "1" ? "debug" : "silent" });
  const keys = testKeys(newKeys());
  const trusted = { issuer, keys: () => keys.jwks().keys, clock: billingClock ?? clock };
  const billing = await fakeBilling(trusted);
  const payer = beside?.payer ?? newId("tenant");
  const [payee, operator] = [newId("tenant"), beside?.payer ?? newId("tenant")];
  const merchant = {
    id: newId("merchant"),
    client: newId("client"),
    offerKey: generateJwk("ES256", "offer-1"),
  };
  const directory = { merchant: merchantBody({ merchant, payee, clock }), asked: 0, down: false };
  const server = createServer((_request, response) => {
    directory.asked++;
    if (directory.down) return reply(response, 500, {});
    reply(response, 200, { data: [directory.merchant], next_cursor: null });
  });
  const directoryOrigin = await listening(server);
  const outbound = createOutbound({ allow: [hostOf(billing.origin), hostOf(directoryOrigin)], log });
  const kek = beside?.kek ?? randomBytes(32);
  const keyring = createKeyring({ kek: kekOf(kek), clock });
  const peers = { outbound, billing: billing.origin, directory: directoryOrigin };
  const rooms = createRooms({ db, clock, log, keys, keyring, ...peers });
  const agent = await newAgent(db, { operator, clock });
  return {
    ...rooms,
    clock,
    keys,
    kek,
    database,
    billing,
    payer,
    principal: beside?.principal ?? newId("account"),
    payee,
    operator,
    merchant,
    agent,
    directory,
    directoryOrigin,
    close: async () => {
      await outbound.close();
      await billing.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      if (beside === undefined) await database.drop();
    },
  };
}

const hostOf = (origin: string): string => new URL(origin).host;

export async function newAgent(
  db: Database,
  { operator, clock }: Pick<Buying, "operator"> & { readonly clock: Clock },
): Promise<TestAgent> {
  const dpop = generateJwk("ES256");
  const keys = { assertionJwk: publicJwkOf(generateJwk("ES256")), dpopJwk: publicJwkOf(dpop) };
  const registered = await db
    .of(operator)
    .transaction((tx) =>
      registerAgent(tx, { ...unsaid, name: "Test agent", ...keys, by: undefined, now: clock.now() }),
    );
  return { id: registered.id, dpop };
}

function merchantBody({
  merchant,
  payee,
  clock,
}: {
  merchant: TestMerchant;
  payee: Id<"tenant">;
  clock: TestClock;
}): Record<string, unknown> {
  const now = toRfc3339(clock.now());
  return {
    id: merchant.id,
    tenant_id: payee,
    display_name: "Shop",
    origin: shopOrigin,
    client_id: merchant.client,
    jwks_uri: `${shopOrigin}/.well-known/jwks.json`,
    jwks: { keys: [publicJwkOf(merchant.offerKey)] },
    catalogue_uri: null,
    country: "NL",
    currencies: ["EUR"],
    categories: ["books"],
    rails: ["card"],
    verification_status: "verified",
    verified_at: now,
    updated_at: now,
  };
}

export type IssuedTestMandate = { readonly id: Id<"mandate">; readonly jwt: string };

/** What giving a mandate needs of a world. */
export type Giving = Pick<World, "db" | "mandates" | "payer" | "principal" | "operator" | "agent"> & {
  readonly clock: Clock;
};

/** A mandate as a consent gives it; `request` overrides what the agent asked for. */
export async function giveMandate(
  world: Giving,
  request: Record<string, unknown> = {},
  agent: TestAgent = world.agent,
): Promise<IssuedTestMandate> {
  const asked = { type: "oid4ac_mandate", currency: "EUR", amount_minor: 10_000, ...request };
  const parsed = parseMandateRequest(asked, world.clock.now());
  return world.db.of(world.payer).transaction((tx) =>
    world.mandates.issue(tx, {
      request: parsed,
      agent: agent.id,
      agentTenant: world.operator,
      holder: publicJwkOf(agent.dpop),
      principal: { account: world.principal, email: "ada@example.com" },
      consent: { at: world.clock.now() },
    }),
  );
}

/** A signed offer as text: the form that travels in a 402. */
export type ChargeRequest = CreateCharge & { readonly offer: string };

export type Purchase = {
  readonly mandate: IssuedTestMandate;
  readonly amount?: number;
  readonly agent?: TestAgent;
  /** Members that are changed on purpose. */
  readonly offer?: Partial<Offer>;
  readonly token?: Record<string, unknown>;
  /** The purpose of the issuer's key that signs the token. */
  readonly tokenSignedBy?: string;
  readonly offerKey?: PrivateJwk;
  readonly kbKey?: PrivateJwk;
  readonly audience?: string;
  readonly nonce?: string;
  /** Why, in the agent's words. */
  readonly reason?: string;
  readonly request?: Partial<ChargeRequest>;
};

/** What buying needs of a world. */
export type Buying = Pick<World, "keys" | "operator" | "agent" | "merchant"> & { readonly clock: Clock };

/** What a gateway sends for a purchase: offer, presentation, token and nonce. */
export function purchase(world: Buying, wanted: Purchase): ChargeRequest {
  const now = world.clock.now();
  const agent = wanted.agent ?? world.agent;
  const offer = offerOf(world, wanted);
  const token = tokenOf(world, {
    agent,
    mandate: wanted.mandate.id,
    claims: wanted.token ?? {},
    signedBy: wanted.tokenSignedBy,
  });
  const merchantNonce = wanted.nonce ?? randomBytes(16).toString("base64url");
  const presentation = makePresentation({
    mandate: wanted.mandate.jwt,
    disclose: "all",
    accessToken: token,
    offerDigest: offerDigest(offer),
    merchantNonce,
    audience: wanted.audience ?? shopOrigin,
    key: wanted.kbKey ?? agent.dpop,
    reason: wanted.reason,
    now,
  });
  return {
    offer: signOffer(wanted.offerKey ?? world.merchant.offerKey, offer),
    presentation,
    access_token: token,
    merchant_nonce: merchantNonce,
    capture: "manual",
    ...wanted.request,
  };
}

export function offerOf(
  world: Buying,
  { amount = 1_000, offer = {} }: Pick<Purchase, "amount" | "offer">,
): Offer {
  const now = world.clock.now();
  return {
    id: newId("offer"),
    sku: "report",
    name: "A report",
    amount_minor: amount,
    currency: "EUR",
    merchant: world.merchant.id,
    merchant_origin: shopOrigin,
    issued_at: toRfc3339(now),
    expires_at: toRfc3339(after(now, 5 * minuteMs)),
    livemode: false,
    resource: { method: "GET", url: `${shopOrigin}/report` },
    ...offer,
  };
}

export function tokenOf(
  world: Buying,
  {
    agent,
    mandate,
    claims,
    signedBy = "access",
  }: {
    agent: TestAgent;
    mandate: Id<"mandate">;
    claims: Record<string, unknown>;
    signedBy?: string | undefined;
  },
): string {
  const nowS = toNumericDate(world.clock.now());
  const payload = {
    iss: issuer,
    sub: `urn:remit:sub:${mandate}`,
    aud: shopOrigin,
    client_id: agent.id,
    jti: randomBytes(12).toString("base64url"),
    iat: nowS,
    exp: nowS + 300,
    scope: "oid4ac:payment",
    organization_id: world.operator,
    livemode: false,
    cnf: { jkt: agent.dpop.kid },
    mandate_id: mandate,
    ...claims,
  };
  return world.keys.signNow(signedBy, { typ: "at+jwt" }, payload);
}

/** The merchant's client, as the charge API knows it. */
export const asMerchant = ({ payee, merchant }: World): { tenant: Id<"tenant">; client: string } => ({
  tenant: payee,
  client: merchant.client,
});

export const own = (world: World, id: Id<"charge">) => ({ ...asMerchant(world), id });

/** The code of the Problem a promise is refused with; fails when it is not. */
export async function refusalOf(work: Promise<unknown>): Promise<string> {
  const outcome = await work.then(
    () => "nothing",
    (error: unknown) => (error instanceof Error && "code" in error ? String(error.code) : String(error)),
  );
  return outcome;
}

export const budgetOf = async (world: World, mandate: Id<"mandate">) => {
  const found = await world.mandates.find(world.payer, mandate);
  if (found === undefined) throw new Error("no such mandate");
  return found.budget;
};
