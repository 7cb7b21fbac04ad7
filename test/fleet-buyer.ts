import { type Agent, createAgent } from "@remit/agent";
import type { DevFile } from "@remit/embedded";
import { systemClock } from "@remit/kernel";
import { isJsonObject, type JsonObject, parseEvidenceKeys, parseJson } from "@remit/protocol";
import { makeDpopProof, verifyReceipt } from "@remit/protocol/node";
import { eventually } from "@remit/testkit";
import { expect } from "vitest";
import type { Fleet } from "./fleet.ts";
import { auditOf, grant, ledgerOf, type PaymentIntent, paymentIntentsOf, read } from "./instance.ts";

/** What came of a purchase, or of sending its credential again. */
export type Bought =
  | {
      readonly kind: "goods";
      readonly body: string;
      readonly replayed: boolean;
      readonly receipt: string;
    }
  | {
      readonly kind: "refused";
      readonly status: number;
      readonly code: string;
      readonly retryAfter: string | null;
    }
  /** No answer at all. */
  | { readonly kind: "lost"; readonly error: unknown };

/** An agent with one mandate that pays for exactly one report. */
export type Buyer = {
  readonly dev: DevFile;
  buy(init?: RequestInit): Promise<Bought>;
  /** The credential of the last purchase once more, until the answer is final. */
  again(): Promise<Bought>;
  /** The PaymentIntents of the charges under its mandate. */
  intents(): Promise<readonly PaymentIntent[]>;
  /** Everything is over: what Stripe took is what the budget lost, nothing is held, and the books agree. */
  settled(): Promise<readonly PaymentIntent[]>;
};

export const price = 1000;

export async function newBuyer(fleet: Fleet): Promise<Buyer> {
  const { dev } = fleet;
  let paid: { url: string; init: RequestInit } | undefined;
  const agent = createAgent({
    issuer: dev.issuer,
    clientId: dev.agent.client_id,
    keys: { assertion: dev.agent.assertion_jwk, dpop: dev.agent.dpop_jwk },
    fetch: (url, init) => {
      if (new Headers(init.headers).has("payment-signature")) paid = { url, init };
      return fetch(url, init);
    },
  });
  const mandate = await grant(dev, agent, { amount_minor: price });
  const intents = async (): Promise<PaymentIntent[]> => {
    const charges = await readAsAgent(dev, agent, "/api/v1/charges?limit=100");
    const { data } = charges as { data: { id: string; mandate_id: string }[] };
    const own = new Set(data.filter(({ mandate_id: of }) => of === mandate).map(({ id }) => id));
    return (await paymentIntentsOf(dev)).filter(({ metadata: { charge = "" } }) => own.has(charge));
  };
  return {
    dev,
    intents,
    buy: (init) => boughtOf(async () => (await agent.fetch(dev.paid_url, init)).response),
    again: async () => {
      if (paid === undefined) throw new TypeError("nothing was paid for yet");
      const { url, init } = paid;
      return eventually(async () => {
        const bought = await boughtOf(() => fetch(url, { ...init, signal: null }));
        expect(isFinal(bought), JSON.stringify(bought)).toBe(true);
        return bought;
      });
    },
    settled: async () => {
      const made = await eventually(async () => {
        const found = await intents();
        expect(found.filter(({ status }) => status === "requires_capture")).toEqual([]);
        const spent = found.reduce((sum, { amount_received: units }) => sum + units, 0);
        expect(await readAsAgent(dev, agent, `/api/v1/mandates/${mandate}`)).toMatchObject({
          held_minor: 0,
          spent_minor: spent,
        });
        return found;
      });
      await expectTrueBooks(fleet, made);
      return made;
    },
  };
}

async function boughtOf(ask: () => Promise<Response>): Promise<Bought> {
  try {
    const response = await ask();
    const body = await response.text();
    if (response.status === 200)
      return {
        kind: "goods",
        body,
        replayed: response.headers.get("idempotent-replayed") === "true",
        receipt: response.headers.get("remit-receipt") ?? "",
      };
    const problem: unknown = body.startsWith("{") ? JSON.parse(body) : {};
    const said = isJsonObject(problem) ? problem["code"] : "";
    const code = typeof said === "string" ? said : "";
    return {
      kind: "refused",
      status: response.status,
      code,
      retryAfter: response.headers.get("retry-after"),
    };
  } catch (error) {
    return { kind: "lost", error };
  }
}

/** The charge that a receipt of the issuer is for. */
async function chargeOn(dev: DevFile, bought: Bought): Promise<string> {
  const keys = await fetch(`${dev.issuer}/.well-known/remit-keys`);
  const issuer = parseEvidenceKeys(parseJson(new Uint8Array(await keys.arrayBuffer())));
  return verifyReceipt(bought.kind === "goods" ? bought.receipt : "", issuer).charge;
}

const isFinal = (bought: Bought): boolean =>
  bought.kind === "goods" || (bought.kind === "refused" && bought.status < 500 && bought.status !== 409);

/** One captured PaymentIntent and one entry per charge, books in balance, and a log that nobody has touched. */
async function expectTrueBooks({ dev }: Fleet, made: readonly PaymentIntent[]): Promise<void> {
  const charges = made.map(({ metadata }) => metadata.charge);
  expect(new Set(charges).size, "a charge has one PaymentIntent").toBe(charges.length);
  for (const { metadata, status } of made) {
    const entries = await read(dev, `${dev.billing}/api/v1/ledger/entries?charge=${metadata.charge}`);
    const kinds = (entries as { data: { kind: string }[] }).data.map(({ kind }) => kind);
    expect(kinds.filter((kind) => kind === "capture")).toHaveLength(status === "succeeded" ? 1 : 0);
  }
  await eventually(async () => expect(await ledgerOf(dev)).toMatchObject({ balanced: true }));
  await eventually(async () => expect(await auditOf(dev)).toMatchObject({ verified: true }));
}

/** What the issuer lets an agent read of its own. */
async function readAsAgent(dev: DevFile, agent: Agent, resource: string): Promise<JsonObject> {
  const url = dev.issuer + resource;
  const accessToken = await agent.tokenFor(dev.issuer);
  let nonce: string | undefined;
  for (let attempt = 0; ; attempt++) {
    const proof = { key: dev.agent.dpop_jwk, method: "GET", url, now: systemClock.now(), accessToken };
    const dpop = makeDpopProof(nonce === undefined ? proof : { ...proof, nonce });
    const response = await fetch(url, { headers: { authorization: `DPoP ${accessToken}`, dpop } });
    const body = (await response.json()) as JsonObject; // every answer of the service is a JSON object
    nonce = response.headers.get("dpop-nonce") ?? undefined;
    if (response.ok || nonce === undefined || attempt > 0) return body;
  }
}

/**
 * Whatever happened to a purchase: it was paid once and its goods can be had, or not at all and the mandate is whole.
 * Either way the mandate pays for exactly one report in all.
 */
export async function expectWhole(buyer: Buyer): Promise<"paid" | "unpaid"> {
  const again = await buyer.again();
  const made = await buyer.settled();
  const taken = made.filter(({ status }) => status === "succeeded");
  expect(taken.length).toBeLessThanOrEqual(1);
  if (taken[0] !== undefined) {
    expect(await chargeOn(buyer.dev, again)).toBe(taken[0].metadata.charge);
    expect(await buyer.again()).toEqual({ ...again, replayed: true });
  }
  if (taken.length === 0) expect(again).toMatchObject({ kind: "refused", code: "presentation_used" });
  const another = await buyer.buy();
  if (taken.length === 1) expect(another).toMatchObject({ kind: "refused", code: "mandate_cap_exceeded" });
  else expect(another, JSON.stringify(another)).toMatchObject({ kind: "goods", replayed: false });
  const all = await buyer.settled();
  expect(all.filter(({ status }) => status === "succeeded")).toHaveLength(1);
  return taken.length === 1 ? "paid" : "unpaid";
}
