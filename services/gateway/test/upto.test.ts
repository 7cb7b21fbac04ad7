import { Secret, systemClock, toNumericDate } from "@remit/kernel";
import {
  type JsonObject,
  type PaymentRequirement,
  parsePaymentRequired,
  parseSettleResponse,
  publicJwkOf,
} from "@remit/protocol";
import { verifyMerchantReceipt } from "@remit/protocol/node";
import {
  eventually,
  type SandboxChain,
  type SignedPayment,
  sandboxAddresses,
  sandboxKeys,
  sandboxTokens,
  signPermit,
  signTransfer,
  type TransferChanges,
  testChain,
} from "@remit/testkit";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { bodyV2, post, settle as settleAt } from "./chain-world.ts";
import { entryFor, type Headers, network, transferWay, version2 } from "./payers.ts";
import { openStream } from "./streams.ts";
import { type Answer, merchantId, origin, startWorld, type World } from "./world.ts";

let chain: SandboxChain;
let world: World;
/** What the seller had when the test began. */
let before: bigint;

beforeAll(async () => {
  chain = await testChain();
  const chains = {
    rpcUrls: { [network]: chain.rpc },
    facilitatorKey: new Secret(sandboxKeys.facilitator),
    assets: [`${network}/erc20:${sandboxTokens.taxing}`],
  };
  world = await startWorld({ realTime: true, more: { chains }, ways: [transferWay] });
  const metered = { unit: "mtok", unit_price: "1.00", ceiling_minor: 300, least_minor: 1 };
  const sold = (id: string, more: object): object => ({
    id,
    merchant: merchantId,
    method: "POST",
    path: `/${id}`,
    upstream: world.upstream.origin,
    currency: "USD",
    name: id,
    sku: id,
    ways: [transferWay],
    metered,
    ...more,
  });
  const taxing = {
    ...transferWay,
    asset: { ...transferWay.asset, address: sandboxTokens.taxing },
    amount: "3000000",
  };
  const more = [
    sold("tokens", {}),
    sold("either", { ways: [transferWay, taxing] }),
    sold("others", {}),
    sold("chat", { deliver: "stream" }),
  ];
  await world.writeOffers({ more });
  await world.gateway.reload();
});
afterAll(async () => {
  await world.close();
  await chain.stop();
});
beforeEach(async () => {
  await world.database.asAdmin(`truncate ${world.database.schema}.claims cascade`);
  await world.database.asAdmin(`truncate ${world.database.schema}.settlement_failures`);
  world.upstream.requests.length = 0;
  used(1_234_567);
  before = await balanceOf(sandboxAddresses.seller);
});

const used = (tokens: number): void => {
  world.upstream.answer = (_, res) => {
    res.setHeader("content-type", "application/json");
    res.end(JSON.stringify({ usage: { total_tokens: tokens } }));
  };
};
const balanceOf = async (owner: string): Promise<bigint> => {
  const data = `0x70a08231${owner.slice(2).padStart(64, "0")}`; // balanceOf(address)
  return BigInt(String(await chain.call("eth_call", [{ to: chain.usdc, data }, "latest"])));
};
const earned = async (): Promise<bigint> => (await balanceOf(sandboxAddresses.seller)) - before;
const settle = (payment: SignedPayment, headers: Headers = {}) => settleAt(world.address, payment, headers);
/** Settled for this much of what was signed. */
const asking = (payment: SignedPayment, amount: bigint): SignedPayment => ({
  ...payment,
  requirements: { ...payment.requirements, amount: amount.toString() },
});

const question = { method: "POST", body: "{}" } as const;
const permitFor = async (changes: TransferChanges = {}): Promise<JsonObject> =>
  (await signPermit({ value: 3_000_000n, validBefore: toNumericDate(world.clock.now()) + 240, ...changes }))
    .payload;
const unpaidOf = (target = "/tokens"): Promise<Answer> => world.ask(target, question);
async function headersFor(changes: TransferChanges = {}, target = "/tokens"): Promise<Headers> {
  return version2(entryFor(await unpaidOf(target), "upto"), await permitFor(changes));
}
const buy = (headers: Headers, target = "/tokens"): Promise<Answer> =>
  world.ask(target, { ...question, headers });
const reasonOf = ({ body }: Answer): unknown => (JSON.parse(body.toString()) as { reason?: unknown }).reason;

describe("a price by use, paid on the chain", () => {
  test("is sold by upto alone: exact would take the ceiling whole, and older clients know neither", async () => {
    const unpaid = await unpaidOf();
    const { accepts } = parsePaymentRequired(String(unpaid.headers["payment-required"]));
    expect(accepts.map(({ scheme }) => scheme)).toEqual(["upto"]);
    expect(accepts[0]).toMatchObject({
      amount: "3000000",
      extra: {
        facilitatorAddress: sandboxAddresses.facilitator.toLowerCase(),
        assetTransferMethod: "permit2",
      },
    });
    expect(JSON.parse(unpaid.body.toString())).toMatchObject({ accepts: [] });
    expect(unpaid.headers["www-authenticate"]).toBeUndefined();
    const listed = await world.ask("/facilitator/discovery/resources", { headers: { host: "gateway.test" } });
    expect(listed.body.toString()).toContain('"scheme":"upto"');
  });

  test("takes what was used of what was signed, once, and says so in the receipt", async () => {
    const headers = await headersFor();
    const paid = await buy(headers);
    expect(paid.status).toBe(200);
    expect(await earned()).toBe(1_240_000n);
    expect(parseSettleResponse(String(paid.headers["payment-response"]))).toMatchObject({
      success: true,
      amount: "1240000",
      network,
    });
    expect(
      verifyMerchantReceipt(String(paid.headers["remit-receipt"]), {
        origin,
        keys: [publicJwkOf(world.offerKey)],
      }),
    ).toMatchObject({ amount_minor: 124, metered: { used: 1_234_567, held_minor: 300 } });
    const again = await buy(headers);
    expect([again.status, await earned()]).toEqual([409, 1_240_000n]);
    expect(world.upstream.requests).toHaveLength(1);
  });

  test("C04 one nonce of a payer's is one payment, whatever token it is for: Permit2 takes it once", async () => {
    const nonce = `0x${"5a".repeat(32)}` as const;
    const unpaid = await unpaidOf("/either");
    const { accepts } = parsePaymentRequired(String(unpaid.headers["payment-required"]));
    expect(accepts).toHaveLength(2);
    const answers: number[] = [];
    for (const entry of accepts) {
      const permit = await permitFor({ nonce, token: entry.asset });
      answers.push((await buy(version2(entry, permit), "/either")).status);
    }
    // Not refused by the chain, which is asked later: it is known by its nonce.
    expect(answers).toEqual([200, 409]);
    expect(world.upstream.requests).toHaveLength(1);
  });

  test("a stream is taken for what it used once it has ended", async () => {
    world.upstream.answer = (_, res) => {
      res.setHeader("content-type", "text/event-stream");
      res.end(
        'data: {"choices":[],"usage":{"prompt_tokens":700000,"completion_tokens":1}}\n\ndata: [DONE]\n\n',
      );
    };
    const stream = await openStream(world.address, "/chat", {
      ...question,
      headers: await headersFor({}, "/chat"),
    });
    expect(await stream.over).toBe("whole");
    expect(parseSettleResponse(String(stream.trailers()["payment-response"])).amount).toBe("710000");
    expect(await earned()).toBe(710_000n);
  });

  test("M12 a stream ends while what it used can still be settled: its permit is good until its deadline alone", async () => {
    world.upstream.answer = (_, res) => {
      res.setHeader("content-type", "text/event-stream");
      res.write('data: {"choices":[]}\n\n');
    };
    const validBefore = toNumericDate(world.clock.now()) + 125;
    const headers = await headersFor({ validBefore }, "/chat");
    const stream = await openStream(world.address, "/chat", { ...question, headers });
    const steps = Array.from({ length: 3 }, () => 25_000);
    try {
      for (const ms of steps) {
        // Heard of since the step before, or somebody else would think that it has died.
        await eventually(async () => expect(await leftMs()).toBeGreaterThan(28_000));
        world.clock.advance(ms);
      }
      expect(await stream.over).toBe("cut");
      expect(await earned()).toBe(10_000n);
      const [claim] = await world.claims();
      expect(claim).toMatchObject({ state: "captured", generation: 1 });
    } finally {
      for (const ms of steps) world.clock.advance(-ms);
    }
  });

  test("M05 what the upstream fails to deliver is not taken, and the permit is free to try again", async () => {
    world.upstream.answer = (_, res) => void res.writeHead(500).end();
    const headers = await headersFor();
    expect((await buy(headers)).status).toBe(500);
    expect(await earned()).toBe(0n);
    used(10_000);
    expect((await buy(headers)).status).toBe(200);
    expect(await earned()).toBe(10_000n);
  });

  test("C05 forty at once with one permit are served once and settled once", async () => {
    const headers = await headersFor();
    const answers = await Promise.all(Array.from({ length: 40 }, () => buy(headers)));
    expect(answers.some(({ status }) => status === 200)).toBe(true);
    expect([world.upstream.requests.length, await earned()]).toEqual([1, 1_240_000n]);
  });

  test("M03 a permit that paid at one address buys nothing at another of the same price", async () => {
    const elsewhere = version2(entryFor(await unpaidOf("/others"), "upto"), await permitFor());
    expect(await buy(elsewhere)).toMatchObject({ status: 402 });
    expect([world.upstream.requests.length, await earned()]).toEqual([0, 0n]);
  });

  test("a settlement that the chain lost is sent again by whoever starts next, for the same amount", async () => {
    await chain.call("evm_setAutomine", [false]);
    const headers = await headersFor();
    const buying = buy(headers).catch(() => undefined);
    await eventually(async () => expect(await openSettlements()).toBe(1));
    await chain.call("anvil_dropAllTransactions", []);
    await chain.call("evm_setAutomine", [true]);
    await world.database.asAdmin(
      `update ${world.database.schema}.settlements set leased_until = '2000-01-01'`,
    );
    await buying;
    await eventually(async () => expect(await openSettlements()).toBe(0));
    expect(await earned()).toBe(1_240_000n);
  });
});

/** How long the one purchase is left to whoever is at it. */
const leftMs = async (): Promise<number> => {
  const rows = await world.database.asAdmin<{ until: string }>(
    `select (extract(epoch from leased_until) * 1000)::bigint::text as until from ${world.database.schema}.claims`,
  );
  return Number(rows[0]?.until) - world.clock.now();
};

const openSettlements = async (): Promise<number> => {
  const rows = await world.database.asAdmin<{ state: string }>(
    `select state from ${world.database.schema}.settlements where state = 'sent'`,
  );
  return rows.length;
};

describe("V05 a permit is refused before anything is served", () => {
  const stranger = generatePrivateKey();
  test.each<[string, TransferChanges, string]>([
    [
      "signed by another key",
      { from: sandboxAddresses.payer, key: sandboxKeys.seller },
      "invalid_exact_evm_signature",
    ],
    ["for another payee", { to: sandboxAddresses.payer }, "invalid_exact_evm_recipient_mismatch"],
    [
      "for less than the ceiling",
      { value: 2_999_999n },
      "invalid_exact_evm_payload_authorization_value_mismatch",
    ],
    [
      "for more than the ceiling",
      { value: 3_000_001n },
      "invalid_exact_evm_payload_authorization_value_mismatch",
    ],
    ["that has expired", { validBefore: 1 }, "invalid_exact_evm_payload_authorization_valid_before"],
    [
      "that expires while it would be served",
      { validBefore: toNumericDate(systemClock.now()) + 60 },
      "invalid_exact_evm_payload_authorization_valid_before",
    ],
    [
      "that is good for a year",
      { validBefore: 4_000_000_000 },
      "invalid_exact_evm_payload_authorization_valid_before",
    ],
    [
      "that is not good yet",
      { validAfter: 4_000_000_000 },
      "invalid_exact_evm_payload_authorization_valid_after",
    ],
    ["of another chain", { domain: { chainId: 1 } }, "invalid_exact_evm_signature"],
    ["by who never let Permit2 move a dollar", { key: stranger }, "permit2_allowance_required"],
    [
      "for another facilitator",
      { facilitator: sandboxAddresses.seller } as TransferChanges,
      "upto_facilitator_mismatch",
    ],
    ["for another token", { token: sandboxTokens.taxing }, "permit2_token_mismatch"],
  ])("%s", async (_, changes, reason) => {
    const answer = await buy(await headersFor(changes));
    expect([answer.status, reasonOf(answer)]).toEqual([402, reason]);
    expect([world.upstream.requests.length, await earned()]).toEqual([0, 0n]);
  });

  test("as exact, and exact as upto", async () => {
    const entry = entryFor(await unpaidOf(), "upto");
    const whole = (await signTransfer({ value: 3_000_000n })).payload;
    expect((await buy(version2({ ...entry, scheme: "exact" }, whole))).status).toBe(402);
    expect((await buy(version2(entry, whole))).status).toBe(400);
    const report = await world.ask("/demo/report");
    const exact: PaymentRequirement = { ...entryFor(report, "exact"), scheme: "upto" };
    expect((await world.ask("/demo/report", { headers: version2(exact, await permitFor()) })).status).toBe(
      402,
    );
    expect([world.upstream.requests.length, await earned()]).toEqual([0, 0n]);
  });

  test("of a nonce that the payer has burnt", async () => {
    const headers = await headersFor({ nonce: `0x${"0".repeat(62)}07` });
    // invalidateUnorderedNonces(0, 2^7)
    const data = `0x3ff9dcb1${"0".repeat(64)}${(1n << 7n).toString(16).padStart(64, "0")}`;
    const from = sandboxAddresses.payer;
    await chain.call("eth_sendTransaction", [
      { from, to: "0x000000000022D473030F116dDEE9F6B43aC78BA3", data },
    ]);
    expect(reasonOf(await buy(headers))).toBe("permit2_invalid_nonce");
  });

  test("M16 who takes the money away while it is served gets nothing, and after the third time no use on credit", async () => {
    const key = generatePrivateKey();
    const owner = privateKeyToAccount(key).address;
    await chain.mint(owner, 3_000_000n);
    await chain.call("anvil_impersonateAccount", [owner]);
    await chain.call("anvil_setBalance", [owner, `0x${(10n ** 18n).toString(16)}`]);
    await chain.approve(owner);
    for (const round of [1, 2, 3]) {
      await chain.approve(owner);
      world.upstream.answer = (_, res) => {
        void chain.approve(owner, 0n).then(() => res.end(JSON.stringify({ usage: { total_tokens: round } })));
      };
      expect((await buy(await headersFor({ key }))).status).toBe(402);
    }
    await chain.approve(owner);
    const refused = await buy(await headersFor({ key }));
    expect([refused.status, JSON.parse(refused.body.toString())]).toMatchObject([
      402,
      { code: "no_acceptable_payment" },
    ]);
    expect([world.upstream.requests.length, await earned()]).toEqual([3, 0n]);
  });
});

describe("the facilitator's API, by upto", () => {
  test("verifies the most and settles what was used, and says how much that was", async () => {
    const payment = await signPermit();
    const { body } = await post(world.address, "verify", { body: bodyV2(payment) });
    expect(body).toMatchObject({ isValid: true });
    expect(await settle(asking(payment, 400n))).toMatchObject({ success: true, amount: "400" });
    expect(await earned()).toBe(400n);
    expect(await settle(asking(payment, 300n))).toMatchObject({ success: false });
    expect(await earned()).toBe(400n);
  });

  test("C06 asked again under its key it says the same, and another amount under that key is another settlement", async () => {
    const payment = await signPermit();
    const key = { "idempotency-key": "use-1" };
    const [first, second] = await Promise.all(
      [400n, 400n].map((units) => settle(asking(payment, units), key)),
    );
    expect(first).toEqual(second);
    expect(await settle(asking(payment, 500n), key)).toMatchObject({ errorReason: "duplicate_settlement" });
    expect(await earned()).toBe(400n);
  });

  test("more than was signed is not taken, nothing used sends nothing, and a verify of less is none", async () => {
    const payment = await signPermit();
    expect(await settle(asking(payment, 1001n))).toMatchObject({
      success: false,
      errorReason: "invalid_upto_evm_payload_settlement_exceeds_amount",
    });
    expect(await settle(asking(payment, 0n))).toEqual({
      success: true,
      transaction: "",
      network,
      payer: sandboxAddresses.payer.toLowerCase(),
      amount: "0",
    });
    const { body } = await post(world.address, "verify", { body: bodyV2(asking(payment, 999n)) });
    expect(body).toMatchObject({ isValid: false, invalidReason: "permit2_amount_mismatch" });
    expect(await earned()).toBe(0n);
  });

  test("a token that delivers less than it was told has not paid", async () => {
    const payment = await signPermit({ token: sandboxTokens.taxing });
    const spender = `0x095ea7b3${"000000000022D473030F116dDEE9F6B43aC78BA3".padStart(64, "0")}${"f".repeat(64)}`;
    await chain.call("eth_sendTransaction", [
      { from: sandboxAddresses.payer, to: sandboxTokens.taxing, data: spender },
    ]);
    expect(await settle(payment)).toMatchObject({ errorReason: "invalid_exact_evm_transfer_event_mismatch" });
  });

  test("a wallet that is a contract judges its permits itself (EIP-1271)", async () => {
    const wallet = await chain.makeWallet(sandboxAddresses.payer);
    await chain.mint(wallet, 1000n);
    await chain.call("anvil_impersonateAccount", [wallet]);
    await chain.call("anvil_setBalance", [wallet, `0x${(10n ** 18n).toString(16)}`]);
    await chain.approve(wallet);
    expect(await settle(await signPermit({ from: wallet, key: sandboxKeys.seller }))).toMatchObject({
      success: false,
      errorReason: "invalid_exact_evm_signature",
    });
    expect(await settle(asking(await signPermit({ from: wallet }), 7n))).toMatchObject({
      success: true,
      amount: "7",
    });
  });
});
