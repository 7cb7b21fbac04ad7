import { sandboxAddresses, sandboxKeys, sandboxTokens, signTransfer } from "@remit/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bodyV1, bodyV2, type ChainWorld, post, settle, startChainWorld } from "./chain-world.ts";

let world: ChainWorld;
let here: string;
let there: string;

beforeAll(async () => {
  world = await startChainWorld();
  here = await world.start();
  there = await world.start({ token: "a-token-of-sixteen-or-more" });
});
afterAll(() => world.close());

const bearer = { authorization: "Bearer a-token-of-sixteen-or-more" };
const payer = sandboxAddresses.payer.toLowerCase();

describe("the facilitator's API", () => {
  test("says what it settles, in the names of both versions", async () => {
    const answer = await fetch(`${here}/facilitator/supported`);
    expect(await answer.json()).toEqual({
      kinds: [
        { x402Version: 2, scheme: "exact", network: "eip155:84532" },
        {
          x402Version: 2,
          scheme: "upto",
          network: "eip155:84532",
          extra: { facilitatorAddress: sandboxAddresses.facilitator.toLowerCase() },
        },
        { x402Version: 1, scheme: "exact", network: "base-sepolia" },
      ],
      extensions: [],
      signers: { "eip155:*": [sandboxAddresses.facilitator.toLowerCase()] },
    });
  });

  test.each([
    ["v2", bodyV2],
    ["v1", bodyV1],
  ])("verifies and settles a body of %s, and verifying again says that it is used", async (_, bodyOf) => {
    const payment = await signTransfer();
    const body = bodyOf(payment);
    expect(await post(here, "verify", { body })).toEqual({ status: 200, body: { isValid: true, payer } });
    const { body: settled } = await post(here, "settle", { body });
    const { network } = body.paymentRequirements;
    expect(settled).toEqual({ success: true, transaction: expect.any(String) as string, network, payer });
    expect(await world.uses(payment)).toBe(1);
    const again = { isValid: false, invalidReason: "invalid_exact_evm_nonce_already_used", payer };
    expect(await post(here, "verify", { body })).toEqual({ status: 200, body: again });
  });

  test("where a token is set, nobody else has gas paid for", async () => {
    const payment = await signTransfer();
    for (const headers of [{}, { authorization: "Bearer another" }])
      expect((await post(there, "settle", { body: bodyV2(payment), headers })).status).toBe(401);
    expect(await world.uses(payment)).toBe(0);
    expect(await settle(there, payment, bearer)).toMatchObject({ success: true });
  });

  test("V05 no body of x402, and a version that there is not, are refused", async () => {
    const other = { ...bodyV2(await signTransfer()), x402Version: 3 };
    for (const body of [{ x402Version: 2 }, other, []])
      expect((await post(here, "verify", { body })).status).toBe(400);
  });

  test("a payment that cannot be read, and one for another chain, are refused as the protocol refuses", async () => {
    const payment = await signTransfer();
    const unread = bodyV2({ ...payment, payload: { signature: "0x" } });
    expect((await post(here, "verify", { body: unread })).body).toEqual({
      isValid: false,
      invalidReason: "invalid_payload",
    });
    const elsewhere = await signTransfer({ required: { network: "eip155:8453" } });
    expect(await settle(here, elsewhere)).toMatchObject({ success: false, errorReason: "invalid_network" });
  });
});

describe("one payment, one yes", () => {
  test("C05 50 parallel settles over two gateways make one transfer and one yes", async () => {
    const payment = await signTransfer();
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, index) => settle(index % 2 === 0 ? here : there, payment, bearer)),
    );
    expect(await world.uses(payment)).toBe(1);
    const yes = answers.filter(({ success }) => success);
    expect(yes).toHaveLength(1);
    for (const { success, errorReason } of answers)
      if (!success) expect(errorReason).toBe("duplicate_settlement");
    expect(await settle(here, payment)).toMatchObject({
      success: false,
      errorReason: "duplicate_settlement",
      transaction: yes[0]?.transaction,
    });
  });

  test("C06 the same settlement under the same key has the same answer, on any gateway, however often", async () => {
    const payment = await signTransfer();
    const key = { "idempotency-key": "charge-1", ...bearer };
    const answers = await Promise.all([here, there, here, there].map((at) => settle(at, payment, key)));
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
    expect(answers[0]).toMatchObject({ success: true });
    expect(await settle(here, payment, key)).toEqual(answers[0]);
    expect(await settle(here, payment, { "idempotency-key": "charge-2" })).toMatchObject({
      success: false,
      errorReason: "duplicate_settlement",
    });
    expect(await world.uses(payment)).toBe(1);
  });

  test("C06 a nonce that was signed a second time, for another payee or amount, is not told as settled by the first", async () => {
    const friend = sandboxAddresses.facilitator;
    const friendly = await signTransfer({ to: friend, value: 1n, required: { payTo: friend } });
    const { nonce } = friendly.payload["authorization"] as { nonce: `0x${string}` }; // the test kit's own
    const shops = await signTransfer({ nonce });
    // The settlement for little is under way while the shop asks for its own.
    await world.chain.call("evm_setAutomine", [false]);
    const cheap = settle(here, friendly);
    await until(async () => Number(await pendingCount()) >= 1);
    const dear = settle(here, shops);
    const keyed = settle(here, shops, { "idempotency-key": "charge-9" });
    await world.chain.call("evm_mine", []);
    await world.chain.call("evm_setAutomine", [true]);
    for (const answer of await Promise.all([dear, keyed, settle(here, shops)]))
      expect(answer).toMatchObject({ success: false, errorReason: "duplicate_settlement" });
    expect(await cheap).toMatchObject({ success: true });
    expect(await world.uses(shops)).toBe(1);
  });

  test("many payments at once take one transaction nonce each, and none is left out", async () => {
    const before = (await world.transactions()).length;
    const payments = await Promise.all(Array.from({ length: 20 }, () => signTransfer()));
    const answers = await Promise.all(
      payments.map((payment, index) => settle(index % 2 === 0 ? here : there, payment, bearer)),
    );
    expect(answers.every(({ success }) => success)).toBe(true);
    const nonces = (await world.transactions()).slice(before).map(({ tx_nonce: nonce }) => Number(nonce));
    expect(new Set(nonces).size).toBe(20);
    expect(Math.max(...nonces) - Math.min(...nonces)).toBe(19);
  });
});

describe("what a chain can do between verifying and settling", () => {
  test("M16 a payer who empties the balance after the verify is not taken for one who paid", async () => {
    const wallet = await world.chain.makeWallet(sandboxAddresses.payer);
    await world.chain.mint(wallet, 1500n);
    const [first, second] = [await signTransfer({ from: wallet }), await signTransfer({ from: wallet })];
    expect((await post(here, "verify", { body: bodyV2(second) })).body).toMatchObject({ isValid: true });
    expect(await settle(here, first)).toMatchObject({ success: true });
    expect(await settle(here, second)).toMatchObject({
      success: false,
      errorReason: "invalid_exact_evm_insufficient_balance",
    });
    expect(await world.uses(second)).toBe(0);
  });

  test("M16 a transaction that reverts in its block settles nothing, and stays so", async () => {
    const wallet = await world.chain.makeWallet(sandboxAddresses.payer);
    await world.chain.mint(wallet, 1500n);
    const payments = [await signTransfer({ from: wallet }), await signTransfer({ from: wallet })];
    // Both are looked at before either is mined.
    await world.chain.call("evm_setAutomine", [false]);
    const asked = Promise.all(payments.map((payment) => settle(here, payment)));
    await until(async () => Number(await pendingCount()) >= 2);
    await world.chain.call("evm_mine", []);
    await world.chain.call("evm_setAutomine", [true]);
    const answers = await asked;
    expect(answers.filter(({ success }) => success)).toHaveLength(1);
    const failed = answers.findIndex(({ success }) => !success);
    expect(answers[failed]?.errorReason).toBe("invalid_exact_evm_transaction_failed");
    await world.chain.mint(wallet, 1500n);
    const loser = payments[failed];
    if (loser !== undefined) expect((await settle(here, loser)).success).toBe(false);
  });

  test("M18 a token that lets a used authorization pass without a word is not paid with twice", async () => {
    const payment = await signTransfer({ token: sandboxTokens.forgiving });
    expect(await settle(here, payment)).toMatchObject({ success: true });
    expect(await settle(there, payment, bearer)).toMatchObject({ success: false });
    expect(await world.uses(payment)).toBe(1);
  });

  test("a token that delivers less than was signed for has not paid", async () => {
    const payment = await signTransfer({ token: sandboxTokens.taxing });
    expect(await settle(here, payment)).toMatchObject({
      success: false,
      errorReason: "invalid_exact_evm_transfer_event_mismatch",
    });
  });

  test("a contract that is no known token has no gas paid for", async () => {
    const token = await world.chain.makeWallet(sandboxAddresses.payer);
    expect(await settle(here, await signTransfer({ token }))).toMatchObject({
      success: false,
      errorReason: "asset_not_deployed_contract",
    });
  });

  test("a signature that was not made by the payer costs no gas", async () => {
    const before = (await world.transactions()).length;
    expect(await settle(here, await signTransfer({ key: sandboxKeys.seller }))).toMatchObject({
      success: false,
      errorReason: "invalid_exact_evm_signature",
    });
    expect(await world.transactions()).toHaveLength(before);
  });
});

async function until(seen: () => Promise<boolean>): Promise<void> {
  while (!(await seen())) await new Promise((again) => setImmediate(again));
}

const pendingCount = async (): Promise<bigint> => {
  const status = (await world.chain.call("txpool_status", [])) as { pending: string };
  return BigInt(status.pending);
};
