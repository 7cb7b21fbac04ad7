import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { newId, systemClock } from "@remit/kernel";
import { walletsOfSeed } from "@remit/rails/x402";
import {
  eventually,
  sandboxAddresses,
  startProcess,
  type TestDatabase,
  type TestProcess,
  testDatabase,
} from "@remit/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { migrations } from "../src/index.ts";
import { type ChainShop, network, openChainShop, transferOf } from "./chain-shop.ts";
import {
  callerOf,
  fakeIssuer,
  type Issuer,
  type Purchase,
  purchaseOf,
  type Stage,
  stepsOf,
} from "./stage.ts";

const billingMain = fileURLToPath(new URL("../src/main.ts", import.meta.url));
const price = 10_000_000n;

let issuer: Issuer;
let database: TestDatabase;
let shop: ChainShop;
let billing: TestProcess;
let address = "";
let steps: ReturnType<typeof stepsOf>;
let call: Stage["call"];
const dataDir = mkdtempSync(path.join(tmpdir(), "remit-returns-kill-"));

async function startBilling(failpoint?: string): Promise<void> {
  const env = {
    NODE_ENV: "test",
    DATABASE_URL: database.url,
    REMIT_ORIGIN: "https://billing.remit.test",
    REMIT_ISSUER: issuer.origin,
    REMIT_PORT: "0",
    REMIT_SCHEMA: database.schema,
    REMIT_ROLE_APP: database.roles.app,
    REMIT_ROLE_RELAY: database.roles.relay,
    REMIT_ROLE_LOOKUP: database.roles.lookup,
    REMIT_DATA_DIR: dataDir,
    REMIT_OUTBOUND_ALLOW: `${new URL(issuer.origin).host},${shop.facilitatorHost}`,
    // Nothing here is paid by card.
    REMIT_STRIPE_ORIGIN: "http://127.0.0.1:9",
    REMIT_STRIPE_KEY: "sk_test_kill",
    REMIT_CHAINS: `${network}=${shop.chain.rpc}`,
    REMIT_X402_FACILITATOR_URL: shop.x402.facilitator.url,
    REMIT_WALLET_SEED: shop.x402.walletSeed.reveal(),
    REMIT_PAYMENT_LEASE_MS: "500",
    ...(failpoint === undefined ? {} : { REMIT_FAILPOINT: failpoint }),
  };
  billing = await startProcess({ main: billingMain, env, readyWhen: /"listening"/ });
  const line: { bound: string } = JSON.parse(await billing.line(/"listening"/));
  address = line.bound;
}

beforeAll(async () => {
  [issuer, database, shop] = await Promise.all([
    fakeIssuer(),
    testDatabase({ service: "billing", sources: migrations }),
    openChainShop(),
  ]);
  call = callerOf(issuer, () => address, systemClock);
  steps = stepsOf(issuer, systemClock, call);
});
afterAll(async () => {
  await Promise.all([billing?.kill(), issuer?.close(), shop?.close()]);
  await database?.drop();
  rmSync(dataDir, { recursive: true, force: true });
});

const terms = { amount_minor: 1000, transfer: transferOf(price) };
const read = async (payment: unknown) => (await call("GET", `/api/v1/payments/${String(payment)}`)).body;

async function bought(of: Purchase): Promise<unknown> {
  const { id } = (await steps.order("hold", of, terms)).body;
  expect((await steps.step("capture", id, of, terms)).body["status"]).toBe("captured");
  return id;
}

/** A payer whose wallet can pay for two. */
async function payer() {
  const of = purchaseOf(newId("tenant"));
  const wallet = (await walletsOfSeed(shop.x402.walletSeed)(of.payer))?.address ?? "";
  await shop.chain.mint(wallet, 2n * price);
  return { of, wallet };
}

/** Orders a refund by the seller's transfer, and waits for the kill. */
async function killed(id: unknown, of: Purchase, transaction: string): Promise<void> {
  await steps.step("refund", id, of, { ...terms, transaction }).catch(() => undefined);
  expect(await billing.exited).toMatchObject({ signal: "SIGKILL" });
}

describe("kill -9 of billing at a refund over a chain", () => {
  test.each([
    ["before the chain was asked", "payment.refunding"],
    ["once the transfer was taken for this refund", "payment.refunding.sent"],
    ["once it was posted", "payment.refunded"],
  ])("M07 %s: the transfer is one refund, posted once, and no other can have it", async (_, at) => {
    await startBilling(`${at}:kill9`);
    const { of, wallet } = await payer();
    const id = await bought(of);
    const another = { ...of, charge: newId("charge") };
    const anotherId = await bought(another);
    const transaction = await shop.send({ from: sandboxAddresses.seller, to: wallet, units: price });
    await shop.finish();
    await killed(id, of, transaction);

    await startBilling();
    await eventually(async () => expect((await read(id))["status"]).toBe("refunded"));
    const posted = await database.asAdmin<{ kind: string }>(
      "select kind from ledger_entries where charge_id = $1 and kind = 'refund'",
      [of.charge],
    );
    expect(posted).toHaveLength(1);
    const again = await steps.step("refund", anotherId, another, { ...terms, transaction });
    expect(again.body).toMatchObject({ refunds: [{ status: "refused", because: "transfer_used" }] });
    expect(await steps.books()).toMatchObject({ balanced: true });
    await billing.kill();
  });

  test("M07 once it was taken, while the node forgets it: it was in a final block, and is the refund", async () => {
    await startBilling("payment.refunding.sent:kill9");
    const { of, wallet } = await payer();
    const id = await bought(of);
    const before = await shop.chain.call("evm_snapshot", []);
    const transaction = await shop.send({ from: sandboxAddresses.seller, to: wallet, units: price });
    await shop.finish();
    await killed(id, of, transaction);
    expect(await shop.chain.call("evm_revert", [before])).toBe(true);
    await database.asAdmin("update payments set state_since = now() - interval '1 hour' where id = $1", [id]);

    await startBilling();
    await eventually(async () => expect((await read(id))["status"]).not.toBe("refunding"));
    expect(await read(id)).toMatchObject({ status: "refunded", refunds: [{ status: "succeeded" }] });
    expect(await steps.books()).toMatchObject({ balanced: true });
    await billing.kill();
  });
});
