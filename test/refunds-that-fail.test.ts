import { systemClock } from "@remit/kernel";
import type { JsonObject } from "@remit/protocol";
import { eventually, switchesOf } from "@remit/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { callersOf } from "./callers.ts";
import { auditOf, type Instance, ledgerOf, paymentIntentsOf, read, startInstance } from "./instance.ts";
import { type ShopOwner, shopBuyerOf, shopOwnerOf } from "./shop-owner.ts";

let remit: Instance;
let shop: ShopOwner;
let asPrincipal: (path: string) => Promise<JsonObject>;

beforeAll(async () => {
  remit = await startInstance();
  shop = await shopOwnerOf(remit.dev);
  const callers = await callersOf(remit);
  asPrincipal = async (path) => {
    const url = remit.dev.issuer + path;
    const headers = await callers.headersFor(["wallet:read"], { method: "GET", url });
    return (await (await fetch(url, { headers: { ...headers } })).json()) as JsonObject; // every answer is a JSON object
  };
});
afterAll(() => remit?.close());

/** The entries of the payer's log about a charge, in order. */
async function audited(charge: string): Promise<string[]> {
  const page = await read(remit.dev, `${remit.dev.issuer}/api/v1/audit?limit=1000`);
  const { data } = page as { data: { event: string; subject: string }[] };
  return data
    .filter(({ subject, event }) => subject === charge && event.startsWith("charge.refund"))
    .map(({ event }) => event);
}

test("R04 a refund that its bank sends back stands nowhere any more: at Stripe, in billing, at the issuer and in the mandate's budget", async () => {
  const buyer = await shopBuyerOf(remit.dev, 5_000);
  const charge = await shop.merchant.charge(await shop.request(buyer));
  const key = `all-${Math.floor(systemClock.now())}`;
  const refunded = await shop.merchant.refund(charge.id, { idempotencyKey: key });
  expect(refunded).toMatchObject({ status: "refunded", refundedMinor: charge.amountMinor });
  const mandate = `/api/v1/mandates/${buyer.mandate}`;
  expect(await asPrincipal(mandate)).toMatchObject({ spent_minor: 0 });

  const sandbox = switchesOf(() => remit.dev.sandbox);
  const intents = await paymentIntentsOf(remit.dev);
  const intent = intents.find(({ metadata }) => metadata.charge === charge.id)?.id ?? "";
  const [made] = await sandbox.refunds(intent);
  await sandbox.failRefund(made?.id ?? "");
  await eventually(async () =>
    expect(await shop.merchant.chargeOf(charge.id)).toMatchObject({ status: "captured", refundedMinor: 0 }),
  );
  expect(await asPrincipal(mandate)).toMatchObject({ held_minor: 0, spent_minor: charge.amountMinor });
  await eventually(async () =>
    expect(await audited(charge.id)).toEqual(["charge.refunding", "charge.refunded", "charge.refund_failed"]),
  );
  const { data } = await read(remit.dev, `${remit.dev.billing}/api/v1/ledger/entries?charge=${charge.id}`);
  // What it posted, and what takes that back.
  expect((data as { kind: string }[]).filter(({ kind }) => kind === "refund")).toHaveLength(2);
  expect(await ledgerOf(remit.dev)).toMatchObject({ balanced: true });
  await eventually(async () => expect(await auditOf(remit.dev)).toMatchObject({ verified: true }));

  const again = await shop.merchant.refund(charge.id, { idempotencyKey: `${key}-again` });
  expect(again).toMatchObject({ status: "refunded", refundedMinor: charge.amountMinor });
  expect(await asPrincipal(mandate)).toMatchObject({ spent_minor: 0 });
});
