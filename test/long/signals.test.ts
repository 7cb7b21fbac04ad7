import { serviceDirectory } from "@remit/embedded";
import { type Id, systemClock } from "@remit/kernel";
import type { Charge } from "@remit/merchant";
import { createOutbound } from "@remit/platform/outbound";
import { createPeer, loadPeerKeys } from "@remit/platform/peers";
import { type JsonObject, parseJson, payloadOf, signalTypes } from "@remit/protocol";
import type { StreamBody } from "@remit/protocol/contracts";
import { eventually, freePort } from "@remit/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Fleet, startFleet } from "../fleet.ts";
import { auditOf, ledgerOf, paymentIntentsOf, read } from "../instance.ts";
import { type ShopBuyer, type ShopOwner, shopBuyerOf, shopOwnerOf } from "../shop-owner.ts";
import { openWire, type Sent, type Wire } from "../wire.ts";

// The authorization server, billing and Stripe as processes of their own. Between billing and all who tell it something is a wire on
// which this file keeps, loses and delivers.
let fleet: Fleet;
let wire: Wire;
let shop: ShopOwner;
let buyer: ShopBuyer;

const isSignal = ({ path }: Sent): boolean => path.startsWith("/signals");
const isNews = (sent: Sent): boolean => isSignal(sent) || sent.path === "/api/v1/webhooks/stripe";
const keepNews = (sent: Sent) => (isNews(sent) ? "keep" : "pass");

beforeAll(async () => {
  const behind = await freePort();
  fleet = await startFleet({ billing: { REMIT_PORT: String(behind) } });
  wire = await openWire({ from: Number(new URL(fleet.dev.billing).port), to: behind });
  shop = await shopOwnerOf(fleet.dev);
  buyer = await shopBuyerOf(fleet.dev, 100_000);
  await tellMore();
});
afterAll(async () => {
  await wire?.close();
  await fleet?.close();
});

/**
 * Billing's stream, as billing itself would change it: to be told as well that a charge was authorized. The issuer tells of a capture
 * when billing has told it; so that a signal may be the first to bring it, it is one that went before.
 */
async function tellMore(): Promise<void> {
  const { issuer, data_dir: dataDir } = fleet.dev;
  const keys = await loadPeerKeys(serviceDirectory(dataDir, "billing"));
  const outbound = createOutbound({ allow: [new URL(issuer).host] });
  const of = { issuer, clientId: "billing", assertionKey: keys.assertion, dpopKey: keys.dpop };
  const peer = createPeer({ ...of, outbound, clock: systemClock });
  const configuration = await fetch(`${issuer}/.well-known/ssf-configuration`);
  const { configuration_endpoint: at } = (await configuration.json()) as { configuration_endpoint: string };
  const { pathname: path } = new URL(at);
  const [stream] = await eventually(async () => {
    const listed = await peer.call({ origin: issuer, method: "GET", path, scope: "ssf.read" });
    expect(listed.status).toBe(200);
    const streams = listed.body as unknown as StreamBody[]; // as the contract has it
    expect(streams).toHaveLength(1);
    return streams;
  });
  const events_requested = [...(stream?.events_requested ?? []), signalTypes["oid4ac.payment.authorized"]];
  const body = { stream_id: stream?.stream_id, events_requested };
  const changed = await peer.call({ origin: issuer, method: "PATCH", path, scope: "ssf.manage", body });
  expect(changed.status).toBe(200);
  await outbound.close();
}

type Held = { readonly charge: Id<"charge">; readonly intent: string };

async function intentOf(charge: Id<"charge">): Promise<string> {
  const made = await paymentIntentsOf(fleet.dev);
  return made.find(({ metadata }) => metadata.charge === charge)?.id ?? "";
}

async function held(): Promise<Held> {
  const { id: charge } = await shop.merchant.charge({ ...(await shop.request(buyer)), capture: "manual" });
  return { charge, intent: await intentOf(charge) };
}

/** Somebody takes the money at Stripe itself. */
async function takenAtStripe({ intent }: Held): Promise<void> {
  const taken = await fetch(`${fleet.dev.sandbox}/v1/payment_intents/${intent}/capture`, {
    method: "POST",
    headers: { authorization: "Bearer sk_test_else" },
  });
  expect(taken.status).toBe(200);
}

const tokenOf = ({ body }: Sent): JsonObject => payloadOf(body.toString()) ?? {};
const eventOf = ({ body }: Sent): JsonObject => parseJson(body) as JsonObject; // as Stripe has it

/** What the issuer has told of something, once it has. */
const signalOf = (about: string, name: keyof typeof signalTypes): Promise<Sent> =>
  eventually(() => {
    const found = wire.kept.find((sent) => {
      if (!isSignal(sent)) return false;
      const { sub_id: subject, events } = tokenOf(sent) as { sub_id: JsonObject; events: JsonObject };
      const said = events[signalTypes[name]] as JsonObject | undefined;
      return said !== undefined && (subject["id"] === about || said["charge"] === about);
    });
    if (found === undefined) throw new TypeError(`no ${name} of ${about} yet`);
    return found;
  });
const webhookOf = (object: string, type: string): Promise<Sent> =>
  eventually(() => {
    const found = wire.kept.find((sent) => {
      if (isSignal(sent)) return false;
      const event = eventOf(sent) as { type: string; data: { object: { id: string } } };
      return event.type === type && event.data.object.id === object;
    });
    if (found === undefined) throw new TypeError(`no ${type} of ${object} yet`);
    return found;
  });

const arrives = async (sent: Sent): Promise<void> => expect([200, 202]).toContain(await wire.deliver(sent));

const kindsOf = async (charge: Id<"charge">): Promise<string[]> => {
  const { data } = await read(fleet.dev, `${fleet.dev.billing}/api/v1/ledger/entries?charge=${charge}`);
  return (data as { kind: string }[]).map(({ kind }) => kind);
};
const countOf = async (charge: Id<"charge">, kind: string): Promise<number> =>
  (await kindsOf(charge)).filter((one) => one === kind).length;
const owed = async (): Promise<number> => (await shop.books.balances())[0]?.owedMinor ?? 0;
const areTrue = async (): Promise<void> => {
  await eventually(async () => expect(await ledgerOf(fleet.dev)).toMatchObject({ balanced: true }));
  await eventually(async () => expect(await auditOf(fleet.dev)).toMatchObject({ verified: true }));
};

type Report = () => Promise<unknown>;
const orders = <T>(all: readonly T[]): T[][] =>
  all.length < 2
    ? [[...all]]
    : all.flatMap((one, at) => orders(all.toSpliced(at, 1)).map((rest) => [one, ...rest]));

async function reportsOf(run: Held): Promise<readonly [Report, Report, Report, Report]> {
  const signal = await signalOf(run.charge, "oid4ac.payment.authorized");
  const webhook = await webhookOf(run.intent, "payment_intent.succeeded");
  return [
    // By the merchant's order, which the issuer passes on.
    () => shop.merchant.capture(run.charge),
    () => arrives(signal),
    () => arrives(signal),
    () => arrives(webhook),
  ];
}

const paidBy = 941;

describe("W14 the same capture reported by billing itself, by a signal, by a replayed signal and by a Stripe webhook", () => {
  test("is one journal entry in every order, and the merchant is owed it once", async () => {
    wire.decide = keepNews;
    const before = await owed();
    const all = orders([0, 1, 2, 3] as const);
    for (const order of all) {
      const run = await held();
      await takenAtStripe(run);
      const reports = await reportsOf(run);
      for (const at of order) {
        await reports[at]();
        // Whoever was the first has brought it.
        await eventually(async () => expect(await countOf(run.charge, "capture"), order.join()).toBe(1));
      }
      expect((await shop.merchant.chargeOf(run.charge)).status).toBe("captured");
      // And what the issuer says of the capture, now that it has it.
      const told = await signalOf(run.charge, "oid4ac.payment.succeeded");
      await arrives(told);
      await arrives(told);
      expect(await countOf(run.charge, "capture"), order.join()).toBe(1);
    }
    expect(await owed()).toBe(before + all.length * paidBy);
    await areTrue();
  });

  test("is one journal entry when all come at once", async () => {
    wire.decide = keepNews;
    const before = await owed();
    const runs: Held[] = [];
    for (let n = 0; n < 8; n++) runs.push(await held());
    await Promise.all(runs.map(takenAtStripe));
    const reports = await Promise.all(runs.map(reportsOf));
    await Promise.all(reports.flat().map((report) => report()));
    for (const { charge } of runs) {
      await eventually(async () => expect(await countOf(charge, "capture")).toBe(1));
      expect((await shop.merchant.chargeOf(charge)).status).toBe("captured");
    }
    expect(await owed()).toBe(before + runs.length * paidBy);
    await areTrue();
  });
});

async function captured(): Promise<Held> {
  const run = await held();
  const charge: Charge = await shop.merchant.capture(run.charge);
  expect(charge.status).toBe("captured");
  return run;
}

describe("W14 the same refund and the same dispute", () => {
  test("told by all of them, each three times and at once, are one entry each", async () => {
    wire.decide = keepNews;
    const before = await owed();
    const refunded = await captured();
    const give = () =>
      shop.merchant.refund(refunded.charge, { idempotencyKey: refunded.charge, amountMinor: 400 });
    await give();
    const [made] = await fleet.sandbox.refunds(refunded.intent);
    const told = await Promise.all([
      signalOf(refunded.charge, "oid4ac.payment.refunded"),
      webhookOf(made?.id ?? "", "refund.created"),
      webhookOf(refunded.intent, "payment_intent.succeeded"),
    ]);
    await Promise.all([give(), ...[...told, ...told, ...told].map(arrives)]);
    expect(await countOf(refunded.charge, "refund")).toBe(1);
    expect(await owed()).toBe(before + paidBy - 400);

    const disputed = await captured();
    const dispute = await fleet.sandbox.dispute(disputed.intent);
    const webhook = await webhookOf(dispute, "charge.dispute.created");
    await arrives(webhook);
    const opened = await signalOf(disputed.charge, "oid4ac.dispute.opened");
    await Promise.all([webhook, opened, webhook, opened, opened, webhook].map(arrives));
    await eventually(async () => expect(await owed()).toBe(before + 2 * paidBy - 400 - 1_000 - 1_500));
    // Set aside from the merchant once, and the network's fee passed on once.
    expect(await countOf(disputed.charge, "dispute")).toBe(2);
    await areTrue();
  });
});
