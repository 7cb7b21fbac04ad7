import { type Id, newId } from "@remit/kernel";
import { walletsOfSeed } from "@remit/rails/x402";
import { eventually, sandboxAddresses, sandboxTokens } from "@remit/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type ChainShop, openChainShop, transferOf } from "./chain-shop.ts";
import { openStage, type Purchase, purchaseOf, type Stage } from "./stage.ts";

let shop: ChainShop;
let stage: Stage;
beforeAll(async () => {
  shop = await openChainShop();
  stage = await openStage({ x402: shop.x402, leaseMs: 1_500, webhooks: false });
});
afterAll(async () => {
  await stage.close();
  await shop.close();
});

/** 10.00 USD in the sandbox's dollar, to the seller. */
const price = 10_000_000n;
const terms = { amount_minor: 1000, transfer: transferOf(price) };

const walletOf = async (payer: Id<"tenant">) => {
  const wallet = await walletsOfSeed(shop.x402.walletSeed)(payer);
  return wallet?.address ?? "0x";
};

async function payerWith(units: bigint): Promise<Id<"tenant">> {
  const payer = newId("tenant");
  await shop.chain.mint(await walletOf(payer), units);
  return payer;
}

const usdc = sandboxTokens.usdc.toLowerCase() as `0x${string}`;
const balanceOf = (owner: string): Promise<bigint> => shop.reads.balanceOf(usdc, owner as `0x${string}`);
const read = async (id: unknown) => (await stage.call("GET", `/api/v1/payments/${String(id)}`)).body;

async function held(units = price): Promise<{ of: Purchase; id: unknown }> {
  const of = purchaseOf(await payerWith(units));
  const { status, body } = await stage.order("hold", of, terms);
  expect({ status, state: body.status, rail: body.rail }).toEqual({
    status: 201,
    state: "authorized",
    rail: "x402",
  });
  return { of, id: body.id };
}

describe("a mandate's purchase over the x402 rail", () => {
  test("is signed by the payer's wallet, captured once, and posted in the token", async () => {
    const { of, id } = await held();
    const before = await balanceOf(sandboxAddresses.seller);
    expect(shop.asked()).toBe(0);
    const wallets = await stage.call("GET", "/api/v1/wallets", { scope: "wallet:read", tenant: of.payer });
    expect(wallets.body.data).toEqual([{ network: "eip155:84532", address: await walletOf(of.payer) }]);
    const captured = await stage.step("capture", id, of, terms);
    expect(captured.body).toMatchObject({
      status: "captured",
      captured_minor: 1000,
      currency: "USD",
      reference: expect.stringMatching(/^0x[0-9a-f]{64}$/),
    });
    expect((await balanceOf(sandboxAddresses.seller)) - before).toBe(price);
    expect(await balanceOf(await walletOf(of.payer))).toBe(0n);
    expect((await stage.step("capture", id, of, terms)).body).toMatchObject({ status: "captured" });
    const accounts = await stage.call("GET", "/api/v1/ledger/accounts", {
      scope: "audit:read",
      tenant: of.payee,
    });
    // The merchant has its money already; a hundredth of it is asked for, in the token that was paid.
    expect(accounts.body.data).toEqual([
      expect.objectContaining({ name: "merchant_payable", asset: "USDC_BASE_SEPOLIA", balance: "0" }),
      expect.objectContaining({ name: "merchant_receivable", asset: "USDC_BASE_SEPOLIA", balance: "100000" }),
    ]);
    expect(await stage.books()).toMatchObject({ balanced: true });
  });

  test("C05 captured by many at once is one transfer", async () => {
    const { of, id } = await held(3n * price);
    const before = await balanceOf(sandboxAddresses.seller);
    await Promise.all(Array.from({ length: 8 }, () => stage.step("capture", id, of, terms)));
    await eventually(async () => (await read(id)).status === "captured");
    expect((await balanceOf(sandboxAddresses.seller)) - before).toBe(price);
  });

  test("M17 whose answer was lost is found on the chain by its nonce: captured, and paid once", async () => {
    const { of, id } = await held(2n * price);
    const before = await balanceOf(sandboxAddresses.seller);
    shop.breakNext("settle", "lost_answer");
    expect((await stage.step("capture", id, of, terms)).body).toMatchObject({ status: "capturing" });
    await eventually(async () => (await read(id)).status === "captured");
    expect((await balanceOf(sandboxAddresses.seller)) - before).toBe(price);
    expect((await read(id)).reference).toMatch(/^0x[0-9a-f]{64}$/);
    expect(await stage.books()).toMatchObject({ balanced: true });
  });

  test("M14 is let go at once while nothing is signed, and can never be captured then", async () => {
    const { of, id } = await held();
    const asked = shop.asked();
    expect((await stage.step("release", id, of, terms)).body).toMatchObject({ status: "released" });
    expect((await stage.step("capture", id, of, terms)).body).toMatchObject({
      code: "payment_state_conflict",
    });
    expect(shop.asked()).toBe(asked);
    expect(await balanceOf(await walletOf(of.payer))).toBe(price);
  });

  test("without the money in the wallet is declined before anything is signed", async () => {
    const of = purchaseOf(await payerWith(price - 1n));
    const { body } = await stage.order("hold", of, terms);
    expect(body).toMatchObject({ status: "declined", decline_code: "insufficient_funds" });
  });

  test("of a token that says it is another is declined", async () => {
    const of = purchaseOf(await payerWith(price));
    const transfer = transferOf(price, { name: "USD Coin" });
    const { body } = await stage.order("hold", of, { ...terms, transfer });
    expect(body).toMatchObject({ status: "declined", decline_code: "invalid_exact_evm_token_name_mismatch" });
  });

  test("V03 is of the price at par and whole, or it is refused", async () => {
    const of = purchaseOf(await payerWith(price));
    for (const more of [
      { amount_minor: 999 },
      { transfer: transferOf(price + 1n) },
      { currency: "EUR" },
      { transfer: transferOf(price, { asset: sandboxTokens.taxing }) },
    ]) {
      const { status, body } = await stage.order("hold", of, { ...terms, ...more });
      expect({ status, code: body.code }).toEqual({ status: 403, code: "instruction_invalid" });
    }
    const { of: whole, id } = await held();
    const part = await stage.step("capture", id, whole, { ...terms, amount_minor: 500 });
    expect(part.body.code).toBe("instruction_invalid");
    expect((await stage.step("capture", id, whole, terms)).body.status).toBe("captured");
  });

  test("M16 that never reached the chain is held until a final block is past its signature, and then let go", async () => {
    const { of, id } = await held();
    // Whoever settles says nothing, again and again: it may be on its way.
    shop.breakNext("settle", "lost_request");
    const first = await stage.step("capture", id, of, terms);
    expect(first.body.status).toBe("capturing");
    shop.breakNext("settle", "lost_request");
    expect((await read(id)).status).toBe("capturing");
    await shop.chain.call("evm_increaseTime", ["0x258"]);
    await shop.chain.call("anvil_mine", ["0x60"]);
    await eventually(async () => (await read(id)).status === "released");
    expect(await balanceOf(await walletOf(of.payer))).toBe(price);
    expect(await stage.books()).toMatchObject({ balanced: true });
  });
});
