import { after, type Clock, minuteMs, newId, systemClock } from "@remit/kernel";
import { walletsOfSeed } from "@remit/rails/x402";
import { sandboxAddresses } from "@remit/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type ChainShop, openChainShop, transferOf } from "./chain-shop.ts";
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

const price = 10_000_000n;
const { seller } = sandboxAddresses;
const terms = { amount_minor: 1000, transfer: transferOf(price) };
type Bought = { readonly of: Purchase; readonly id: unknown; readonly wallet: string };

async function bought(): Promise<Bought> {
  const payer = newId("tenant");
  const wallet = (await walletsOfSeed(shop.x402.walletSeed)(payer))?.address ?? "0x";
  await shop.chain.mint(wallet, price);
  const of = purchaseOf(payer);
  const { id } = (await stage.order("hold", of, terms)).body;
  const { body } = await stage.step("capture", id, of, terms);
  expect(body["status"]).toBe("captured");
  shop.forget(String(body["reference"]));
  return { of, id, wallet };
}
const giveBack = ({ wallet: to }: Bought) => shop.send({ from: seller, to, units: price });
const refund = async ({ id, of }: Bought, transaction: string) =>
  (await stage.step("refund", id, of, { ...terms, transaction })).body;

test("M07 a refund over a chain ends though the node has forgotten the receipt of what paid", async () => {
  const [early, late] = [await bought(), await bought()];
  const before = await giveBack(early);
  await shop.chain.call("evm_increaseTime", [180]);
  aheadMs = 3 * minuteMs;
  const transaction = await giveBack(late);
  await shop.finish();
  expect(await refund(late, transaction)).toMatchObject({ status: "refunded", refunded_minor: 1000 });
  // Of the two minutes in which it was paid: nobody can tell any more which was first, and it does not stay open.
  const refused = { status: "refused", because: "transfer_not_matching" };
  expect(await refund(early, before)).toMatchObject({ status: "captured", refunds: [refused] });
  expect(await stage.books()).toMatchObject({ balanced: true });
});
