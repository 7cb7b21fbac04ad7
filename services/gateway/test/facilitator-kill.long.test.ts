import { newId, systemClock, toNumericDate } from "@remit/kernel";
import { eventually, type SignedPayment, sandboxAddresses, signTransfer } from "@remit/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Settled, settle, usesOn } from "./chain-world.ts";
import type { GatewayProcess } from "./gateway-process.ts";
import { type RailsProcesses, startRailsProcesses } from "./rails-process.ts";

// Two facilitators that are processes of their own and pay for gas with one key; one of them is killed.
let shop: RailsProcesses;
let here: GatewayProcess;
let there: GatewayProcess;

beforeAll(async () => {
  shop = await startRailsProcesses();
  here = await shop.start();
  there = await shop.start();
});
afterAll(() => shop.close());

type Keyed = { readonly payment: SignedPayment; readonly key: { readonly "idempotency-key": string } };
const keyed = async (): Promise<Keyed> => ({
  // Good for as long as the slowest machine takes to start a facilitator again, which a minute is not.
  payment: await signTransfer({ validBefore: toNumericDate(systemClock.now()) + 900 }),
  key: { "idempotency-key": newId("request") },
});

const signed = (): Promise<{ nonce: number; transaction: string }[]> =>
  shop.world.database.asAdmin(
    `select tx_nonce::int as nonce, transaction from ${shop.world.database.schema}.settlement_transactions order by tx_nonce`,
  );
const isMined = async (transaction: string): Promise<boolean> =>
  (await shop.chain.call("eth_getTransactionReceipt", [transaction])) !== null;

/** Settled, once, and the other process says so too. */
async function expectSettled({ payment, key }: Keyed): Promise<void> {
  const settled: Settled = await eventually(async () => {
    const answer = await settle(there.address, payment, key);
    expect(answer, JSON.stringify(answer)).toMatchObject({ success: true });
    return answer;
  });
  expect(await settle(here.address, payment, key)).toEqual(settled);
  expect(await usesOn(shop.chain, payment)).toBe(1);
}

describe("kill -9 of a facilitator", () => {
  test.each([
    ["M06", "signed", false],
    ["M06", "sent", true],
    ["M07", "mined", true],
  ])(
    "%s when it has %s: whoever goes on sends the same bytes, and the token is paid with once",
    async (_, name, mined) => {
      await here.kill("SIGTERM");
      here = await shop.startAgain(here, { failpoint: `facilitator.${name}:hang` });
      const before = await signed();
      const bought = await keyed();
      const asked = settle(here.address, bought.payment, bought.key).catch((): "lost" => "lost");
      await eventually(async () => {
        const [newest] = (await signed()).slice(before.length);
        expect(newest).toBeDefined();
        expect(await isMined(newest?.transaction ?? "")).toBe(mined);
      });
      await here.kill("SIGKILL");
      expect(await asked).toBe("lost");
      here = await shop.startAgain(here);
      await expectSettled(bought);
      expect(await signed()).toHaveLength(before.length + 1);
    },
  );

  test("M06 while forty settle over both: the other goes on at once, each is settled once, no nonce is left out, and none is used twice", async () => {
    const before = await signed();
    const payments = await Promise.all(Array.from({ length: 40 }, keyed));
    const answers = payments.map(({ payment, key }, nth) =>
      settle(nth % 2 === 0 ? here.address : there.address, payment, key).catch((): "lost" => "lost"),
    );
    await eventually(async () => expect((await signed()).length - before.length).toBeGreaterThan(10));
    await here.kill("SIGKILL");
    const alive = (await Promise.all(answers)).filter((_, nth) => nth % 2 === 1);
    expect(alive).toEqual(alive.map(() => expect.objectContaining({ success: true })));
    here = await shop.startAgain(here);
    for (const payment of payments) await expectSettled(payment);
    const nonces = (await signed()).map(({ nonce }) => nonce);
    const next = await shop.chain.call("eth_getTransactionCount", [sandboxAddresses.facilitator, "latest"]);
    expect([...new Set(nonces)]).toEqual(Array.from({ length: Number(next) }, (_, nth) => nth));
    expect(new Set(nonces).size).toBe(before.length + payments.length);
  });
});
