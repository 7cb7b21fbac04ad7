import { after, type Clock, type Id, minuteMs, newId, systemClock } from "@remit/kernel";
import { type Hex, uptoProxyAddress } from "@remit/protocol";
import { callOf, readPayment, walletsOfSeed } from "@remit/rails/x402";
import { eventually, sandboxAddresses, sandboxTokens, signPermit } from "@remit/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type ChainShop, openChainShop, transferOf, twiceWallet } from "./chain-shop.ts";
import { openStage, type Purchase, purchaseOf, type Stage } from "./stage.ts";

let aheadMs = 0;
const clock: Clock = { ...systemClock, now: () => after(systemClock.now(), aheadMs) };
let shop: ChainShop;
let stage: Stage;
beforeAll(async () => {
  shop = await openChainShop();
  stage = await openStage({ x402: shop.x402, leaseMs: 1_500, webhooks: false, clock });
});
afterAll(async () => {
  await stage.close();
  await shop.close();
});

/** 10.00 USD in the sandbox's dollar. */
const price = 10_000_000n;
const { seller } = sandboxAddresses;
type Bought = {
  readonly of: Purchase;
  readonly id: unknown;
  readonly wallet: string;
  readonly terms: object;
};

async function walletOf(payer: Id<"tenant">): Promise<string> {
  const wallet = await walletsOfSeed(shop.x402.walletSeed)(payer);
  return wallet?.address ?? "0x";
}

async function bought(wanted: { payer?: Id<"tenant">; payTo?: string } = {}): Promise<Bought> {
  const { payer = newId("tenant"), payTo = seller } = wanted;
  const wallet = await walletOf(payer);
  await shop.chain.mint(wallet, price);
  const of = purchaseOf(payer);
  const terms = { amount_minor: 1000, transfer: transferOf(price, { pay_to: payTo }) };
  const { id } = (await stage.order("hold", of, terms)).body;
  expect((await stage.step("capture", id, of, terms)).body.status).toBe("captured");
  return { of, id, wallet, terms };
}

const read = async ({ id }: Bought) => (await stage.call("GET", `/api/v1/payments/${String(id)}`)).body;
const refund = (buy: Bought, transaction: string | undefined, more: object = {}) =>
  stage.step("refund", buy.id, buy.of, {
    ...buy.terms,
    ...(transaction === undefined ? {} : { transaction }),
    ...more,
  });
const ofRefund = (body: Record<string, unknown>): unknown => Object(body["refunds"])[0];

/** What the ledger says of the merchant, by account. */
async function owed({ of }: Bought): Promise<Record<string, string>> {
  const { body } = await stage.call("GET", "/api/v1/ledger/accounts", {
    scope: "audit:read",
    tenant: of.payee,
  });
  const accounts: { name: string; balance: string }[] = Object(body).data;
  return Object.fromEntries(accounts.map(({ name, balance }) => [name, balance]));
}

const entries = (buy: Bought) =>
  stage.database.asAdmin<{ kind: string }>(
    "select kind from ledger_entries where charge_id = $1 order by kind",
    [buy.of.charge],
  );

describe("what was paid over a chain is given back by the seller's own transfer", () => {
  test("M07 counts once a final block shows it: posted in the token, owed to nobody, found again by the same order", async () => {
    const buy = await bought();
    const transaction = await shop.send({ from: seller, to: buy.wallet, units: price });
    const order = { refund: newId("refund") };
    // It is in a block, and that block may still go.
    expect((await refund(buy, transaction, order)).body).toMatchObject({
      status: "refunding",
      refunded_minor: 0,
    });
    await shop.finish();
    await eventually(async () => expect((await read(buy))["status"]).toBe("refunded"));
    const ended = await read(buy);
    expect(ended).toMatchObject({
      refunded_minor: 1000,
      refunds: [{ id: order.refund, status: "succeeded" }],
    });
    expect(await owed(buy)).toEqual({ merchant_payable: "0", merchant_receivable: "100000" });
    expect((await entries(buy)).map(({ kind }) => kind)).toEqual(["booking", "booking", "capture", "refund"]);
    expect((await refund(buy, transaction, order)).body).toEqual(ended);
    expect(await stage.books()).toMatchObject({ balanced: true });
  });

  test("in parts: each part has its transfer, and the rest stays refundable", async () => {
    const buy = await bought();
    const parts = [
      { transaction: await shop.send({ from: seller, to: buy.wallet, units: 3_000_000n }), minor: 300 },
      { transaction: await shop.send({ from: seller, to: buy.wallet, units: 7_000_000n }), minor: 700 },
    ];
    await shop.finish();
    let refunded = 0;
    for (const { transaction, minor } of parts) {
      const { body } = await refund(buy, transaction, { amount_minor: minor });
      refunded += minor;
      expect(body).toMatchObject({ refunded_minor: refunded });
    }
    expect((await read(buy))["status"]).toBe("refunded");
    const { body } = await refund(buy, parts[0]?.transaction, { amount_minor: 300 });
    expect(body["code"]).toBe("charge_refund_exceeds_captured");
  });

  const refusals: readonly {
    readonly it: string;
    readonly send: (buy: Bought) => Promise<string> | string;
    readonly because: string;
  }[] = [
    {
      it: "by somebody else",
      send: ({ wallet }) => shop.send({ from: sandboxAddresses.payer, to: wallet, units: price }),
      because: "transfer_not_matching",
    },
    {
      it: "to somebody else",
      send: () => shop.send({ from: seller, to: sandboxAddresses.payer, units: price }),
      because: "transfer_not_matching",
    },
    {
      it: "of less",
      send: ({ wallet }) => shop.send({ from: seller, to: wallet, units: price - 1n }),
      because: "transfer_not_matching",
    },
    {
      it: "of more",
      send: ({ wallet }) => shop.send({ from: seller, to: wallet, units: price + 1n }),
      because: "transfer_not_matching",
    },
    {
      it: "in another token",
      send: async ({ wallet }) => {
        await shop.chain.mint(seller, price, sandboxTokens.forgiving);
        return shop.send({ from: seller, to: wallet, units: price, token: sandboxTokens.forgiving });
      },
      because: "transfer_not_matching",
    },
    {
      it: "by the transaction that paid",
      send: async (buy) => String((await read(buy))["reference"]),
      because: "transfer_not_matching",
    },
    {
      it: "in one that moved nothing at all",
      send: async () => String(await shop.chain.call("eth_sendTransaction", [{ from: seller, to: seller }])),
      because: "transfer_not_matching",
    },
    {
      it: "in one that failed",
      send: async ({ wallet }) =>
        // More than anybody has, with gas enough to get into a block.
        String(
          await shop.chain.call("eth_sendTransaction", [
            {
              from: seller,
              to: sandboxTokens.usdc,
              gas: "0x186a0",
              data: `0xa9059cbb${wallet.slice(2).padStart(64, "0")}${"f".repeat(64)}`,
            },
          ]),
        ),
      because: "transfer_failed",
    },
  ];
  test.each(refusals)(
    "M07 a transfer $it is no refund: the payment is captured as before",
    async ({ send, because }) => {
      const buy = await bought();
      const transaction = await send(buy);
      await shop.finish();
      const { body } = await refund(buy, transaction);
      expect(body).toMatchObject({ status: "captured", refunded_minor: 0 });
      expect(ofRefund(body)).toMatchObject({ status: "refused", because });
      expect(await owed(buy)).toEqual({ merchant_payable: "0", merchant_receivable: "100000" });
    },
  );

  test("M07 a transfer from before the payment is no refund of it", async () => {
    const payer = newId("tenant");
    const transaction = await shop.send({ from: seller, to: await walletOf(payer), units: price });
    const buy = await bought({ payer });
    await shop.finish();
    expect(ofRefund((await refund(buy, transaction)).body)).toMatchObject({
      because: "transfer_not_matching",
    });
  });

  test("M07 what the seller's wallet pays for something else is no refund of what it sold", async () => {
    // Both tenants sell to each other, from the wallets they are paid in.
    const [mine, theirs] = [newId("tenant"), newId("tenant")];
    const buy = await bought({ payer: mine, payTo: await walletOf(theirs) });
    const back = await bought({ payer: theirs, payTo: buy.wallet });
    await shop.finish();
    const paid = String((await read(back))["reference"]);
    expect(ofRefund((await refund(buy, paid)).body)).toMatchObject({ because: "transfer_not_matching" });
  });

  test("M07 what the seller's wallet pays by use for something else is no refund of what it sold", async () => {
    const buy = await bought({ payTo: sandboxAddresses.payer });
    const to = buy.wallet;
    await shop.chain.mint(sandboxAddresses.payer, price);
    const permit = readPayment(await signPermit({ to, value: price, required: { payTo: to } }));
    if (permit.kind === "invalid") throw new TypeError(permit.reason);
    const { facilitator: from } = sandboxAddresses;
    const settling = { from, to: uptoProxyAddress, gas: "0x493e0", data: callOf(permit.payment) };
    const paid = String(await shop.chain.call("eth_sendTransaction", [settling]));
    await shop.finish();
    expect(await shop.reads.receipt(paid as Hex)).toMatchObject({ succeeded: true }); // a hash, as the node gives it
    expect(ofRefund((await refund(buy, paid)).body)).toMatchObject({ because: "transfer_not_matching" });
  });

  test("M07 one that no block shows for five minutes is refused, and counts when it is named again later", async () => {
    const buy = await bought();
    const unknown = `0x${"ab".repeat(32)}`;
    expect((await refund(buy, unknown)).body["status"]).toBe("refunding");
    const other = await refund(buy, `0x${"cd".repeat(32)}`);
    expect(other.body["code"]).toBe("payment_state_conflict");
    aheadMs += 6 * minuteMs;
    await eventually(async () => expect((await read(buy))["status"]).toBe("captured"));
    expect(ofRefund(await read(buy))).toMatchObject({ status: "refused", because: "transfer_not_found" });
    const transaction = await shop.send({ from: seller, to: buy.wallet, units: price });
    await shop.finish();
    expect((await refund(buy, transaction)).body["status"]).toBe("refunded");
  });

  test("M07 a block that shows it and goes again has refunded nothing", async () => {
    const buy = await bought();
    const before = await shop.chain.call("evm_snapshot", []);
    const transaction = await shop.send({ from: seller, to: buy.wallet, units: price });
    expect((await refund(buy, transaction)).body["status"]).toBe("refunding");
    expect(await shop.chain.call("evm_revert", [before])).toBe(true);
    await shop.finish();
    aheadMs += 6 * minuteMs;
    await eventually(async () => expect((await read(buy))["status"]).toBe("captured"));
    expect(ofRefund(await read(buy))).toMatchObject({ status: "refused", because: "transfer_not_found" });
    expect((await entries(buy)).map(({ kind }) => kind)).toEqual(["booking", "capture"]);
  });

  test("C05 one transfer is one refund, however many name it at once", async () => {
    const payer = newId("tenant");
    const buys: Bought[] = [];
    for (let i = 0; i < 4; i++) buys.push(await bought({ payer }));
    const transaction = await shop.send({ from: seller, to: buys[0]?.wallet ?? "", units: price });
    await shop.finish();
    const bodies = (await Promise.all(buys.map((buy) => refund(buy, transaction)))).map(({ body }) => body);
    expect(bodies.filter(({ status }) => status === "refunded")).toHaveLength(1);
    expect(bodies.flatMap((body) => Object(ofRefund(body)).because ?? [])).toEqual(
      Array.from({ length: 3 }, () => "transfer_used"),
    );
    expect(await stage.books()).toMatchObject({ balanced: true });
  });

  test("C05 two transfers in one transaction are two refunds, and not three", async () => {
    const payer = newId("tenant");
    const buys: Bought[] = [];
    for (let i = 0; i < 3; i++) buys.push(await bought({ payer, payTo: twiceWallet }));
    const transaction = await shop.send({
      from: twiceWallet,
      to: buys[0]?.wallet ?? "",
      units: price,
      twice: true,
    });
    await shop.finish();
    const bodies = (await Promise.all(buys.map((buy) => refund(buy, transaction)))).map(({ body }) => body);
    expect(bodies.filter(({ status }) => status === "refunded")).toHaveLength(2);
    expect(bodies.flatMap((body) => Object(ofRefund(body)).because ?? [])).toEqual(["transfer_used"]);
  });

  test("without a transaction is refused, as a card's refund is with one", async () => {
    const buy = await bought();
    expect(ofRefund((await refund(buy, undefined)).body)).toMatchObject({ status: "refused" });
    const of = purchaseOf(await stage.payer());
    const { id } = (await stage.order("hold", of)).body;
    await stage.step("capture", id, of);
    const { body } = await stage.step("refund", id, of, { transaction: `0x${"ab".repeat(32)}` });
    expect(body["code"]).toBe("instruction_invalid");
  });
});
