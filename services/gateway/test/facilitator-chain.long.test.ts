import { newId } from "@remit/kernel";
import { eventually, type SignedPayment, sandboxAddresses, sandboxKeys, signTransfer } from "@remit/testkit";
import { privateKeyToAccount } from "viem/accounts";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { type Bend, type BentChain, bentChain, honest, silence } from "./bent-chain.ts";
import { type ChainWorld, type Settled, settle, startChainWorld } from "./chain-world.ts";

// What a chain, and a node of one, can do to a facilitator between signing and knowing.
let world: ChainWorld;
let bent: BentChain;
let here: string;

beforeAll(async () => {
  world = await startChainWorld();
  bent = await bentChain(world.chain.rpc);
  // Nobody here waits long: recovery is what is tried.
  here = await world.start({ rpc: bent.rpc, settleMs: 2_000, outbidMs: 300 });
});
afterAll(async () => {
  await world.close();
  await bent.close();
});
afterEach(async () => {
  bent.bend = honest;
  await world.chain.call("evm_setAutomine", [true]);
  await world.chain.call("anvil_setNextBlockBaseFeePerGas", ["0x3b9aca00"]);
  await mine();
});

const mine = (blocks = 1): Promise<unknown> => world.chain.call("anvil_mine", [`0x${blocks.toString(16)}`]);
const automine = (on: boolean): Promise<unknown> => world.chain.call("evm_setAutomine", [on]);

type Purchase = { readonly payment: SignedPayment; readonly ask: () => Promise<Settled> };

/** A payment under a key of its caller's, who may ask again. */
async function purchase(): Promise<Purchase> {
  const payment = await signTransfer();
  const key = { "idempotency-key": newId("request") };
  return { payment, ask: () => settle(here, payment, key) };
}

type Signed = { readonly tx_nonce: string; readonly max_fee: string; readonly transaction: string };

/** The transactions signed since. */
async function signedSince(): Promise<() => Promise<readonly Signed[]>> {
  const before = (await world.transactions()).length;
  return async () => (await world.transactions()).slice(before);
}

/** Settled once, whoever asks however often. */
async function expectSettled({ payment, ask }: Purchase): Promise<Settled> {
  const settled = await eventually(async () => {
    const answer = await ask();
    expect(answer, JSON.stringify(answer)).toMatchObject({ success: true });
    return answer;
  });
  expect(await world.uses(payment)).toBe(1);
  expect(await ask()).toEqual(settled);
  const receipt = await world.chain.call("eth_getTransactionReceipt", [settled.transaction]);
  expect(receipt).toMatchObject({ status: "0x1" });
  return settled;
}

const pending = { success: false, errorReason: "settlement_pending" };

describe("M16 a transaction that no block takes", () => {
  test("dropped from the mempool, its own bytes are sent again", async () => {
    const signed = await signedSince();
    const bought = await purchase();
    await automine(false);
    const asked = bought.ask();
    const [first] = await eventually(async () => {
      const all = await signed();
      expect(await world.chain.call("eth_getTransactionByHash", [all[0]?.transaction])).not.toBeNull();
      return all;
    });
    await world.chain.call("anvil_dropTransaction", [first?.transaction]);
    expect(await world.chain.call("eth_getTransactionByHash", [first?.transaction])).toBeNull();
    expect(await asked).toMatchObject(pending);
    await eventually(async () => expect(await poolSize()).toBeGreaterThan(0));
    await automine(true);
    await mine();
    await expectSettled(bought);
    expect(new Set((await signed()).map(({ tx_nonce: nonce }) => nonce)).size).toBe(1);
  });

  test("when gas has become dearer, it is replaced under the same nonce by one that pays more", async () => {
    const signed = await signedSince();
    const bought = await purchase();
    await automine(false);
    const asked = bought.ask();
    await eventually(async () => expect(await signed()).toHaveLength(1));
    const dear = `0x${(BigInt((await signed())[0]?.max_fee ?? 0) * 3n).toString(16)}`;
    await world.chain.call("anvil_setNextBlockBaseFeePerGas", [dear]);
    await mine();
    expect(await world.uses(bought.payment)).toBe(0);
    await automine(true);
    await asked;
    await expectSettled(bought);
    const attempts = await signed();
    expect(attempts.length).toBeGreaterThan(1);
    expect(new Set(attempts.map(({ tx_nonce: nonce }) => nonce)).size).toBe(1);
    // Nodes take a replacement that offers a tenth more at least.
    for (const [nth, { max_fee: fee }] of attempts.entries())
      if (nth > 0)
        expect(BigInt(fee) * 10n).toBeGreaterThanOrEqual(BigInt(attempts[nth - 1]?.max_fee ?? 0) * 11n);
  });

  test("gas that costs more than may be paid is not paid: nothing is signed", async () => {
    const frugal = await world.start({ gasGweiMax: 1 });
    const signed = await signedSince();
    await world.chain.call("anvil_setNextBlockBaseFeePerGas", ["0x2540be400"]);
    await mine();
    const payment = await signTransfer();
    expect(await settle(frugal, payment)).toMatchObject({
      success: false,
      errorReason: "gas_price_too_high",
    });
    expect(await signed()).toEqual([]);
    await world.stop(frugal);
  });
});

const poolSize = async (): Promise<number> => {
  const status = (await world.chain.call("txpool_status", [])) as { pending: string; queued: string };
  return Number(status.pending) + Number(status.queued);
};

describe("M16 the nonces of the signer", () => {
  test("with a gap that nothing of ours will ever fill, the next settlement fills it, and those after it go on", async () => {
    const signer = `select next_nonce::int as next from ${world.database.schema}.chain_signers`;
    await expectSettled(await purchase());
    await world.database.asAdmin(
      `update ${world.database.schema}.chain_signers set next_nonce = next_nonce + 2`,
    );
    await expectSettled(await purchase());
    // What waited behind the gap is mined in its turn, pays nothing any more, and has taken a nonce with it.
    for (let nth = 0; nth < 3; nth++) await expectSettled(await purchase());
    const [{ next } = { next: -1 }] = await world.database.asAdmin<{ next: number }>(signer);
    const count = await world.chain.call("eth_getTransactionCount", [sandboxAddresses.facilitator, "latest"]);
    expect(next).toBe(Number(count));
  });

  test("used by somebody with the same key: another nonce is taken, and the token is paid with once", async () => {
    const signed = await signedSince();
    const bought = await purchase();
    await automine(false);
    const asked = bought.ask();
    await eventually(async () => expect(await signed()).toHaveLength(1));
    const [first] = await signed();
    await eventually(async () => expect(await poolSize()).toBeGreaterThan(0));
    await world.chain.call("anvil_dropTransaction", [first?.transaction]);
    const theirs = await privateKeyToAccount(sandboxKeys.facilitator).signTransaction({
      type: "eip1559",
      chainId: 84_532,
      nonce: Number(first?.tx_nonce),
      to: sandboxAddresses.seller,
      value: 1n,
      gas: 21_000n,
      maxFeePerGas: 10n ** 12n,
      maxPriorityFeePerGas: 10n ** 10n,
    });
    await world.chain.call("eth_sendRawTransaction", [theirs]);
    await automine(true);
    await mine();
    await asked;
    await expectSettled(bought);
    await expectSettled(await purchase());
  });
});

describe("M17 a reorganisation", () => {
  test("that undoes what was settled: it is settled again, once", async () => {
    const before = await world.chain.call("evm_snapshot", []);
    const bought = await purchase();
    await expectSettled(bought);
    await world.chain.call("evm_revert", [before]);
    expect(await world.uses(bought.payment)).toBe(0);
    await mine(2);
    await eventually(async () => expect(await world.uses(bought.payment)).toBe(1));
    await expectSettled(bought);
    await expectSettled(await purchase());
  });
});

describe("M09 a node of the chain that", () => {
  const sends = "eth_sendRawTransaction";
  const receipts = "eth_getTransactionReceipt";
  const bends: readonly [string, Bend][] = [
    ["says nothing at all", () => silence],
    ["answers every question with an error", () => Promise.reject(new TypeError("bent"))],
    [
      "says nothing once it has been sent a transaction, and sends it",
      async ({ method }, truth) => (method === sends ? truth().then(() => silence) : await truth()),
    ],
    [
      "says that it has taken a transaction, and sends nothing",
      async ({ method }, truth) => (method === sends ? `0x${"ab".repeat(32)}` : await truth()),
    ],
    [
      "knows no receipt of what has been mined",
      async ({ method }, truth) => (method === receipts ? null : await truth()),
    ],
    [
      "has a receipt that says yes and shows no transfer, of what was never sent",
      async ({ method }, truth) => {
        if (method === sends) return `0x${"ab".repeat(32)}`;
        if (method !== receipts) return await truth();
        return { status: "0x1", blockNumber: "0x1", blockHash: `0x${"cd".repeat(32)}`, logs: [] };
      },
    ],
  ];

  test.each(bends)(
    "%s: nothing is said to be paid, and once it is honest it is settled once",
    async (_, bend) => {
      const bought = await purchase();
      bent.bend = bend;
      const { success } = await bought.ask();
      // A yes is said of what has been paid alone.
      expect({ success, uses: await world.uses(bought.payment) }).not.toEqual({ success: true, uses: 0 });
      bent.bend = honest;
      await expectSettled(bought);
    },
  );
});
