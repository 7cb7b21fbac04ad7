import { after, minuteMs, newId, Secret, toNumericDate } from "@remit/kernel";
import type { Hex, PrivateJwk } from "@remit/protocol";
import { generateJwk, makeDpopProof, signJws, thumbprint } from "@remit/protocol/node";
import {
  eventually,
  type SandboxChain,
  type SignedPayment,
  sandboxAddresses,
  sandboxKeys,
  signTransfer,
  type TestSandbox,
  testChain,
  testSandbox,
} from "@remit/testkit";
import { privateKeyToAccount } from "viem/accounts";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { settle } from "./chain-world.ts";
import {
  cardWay,
  challengeFor,
  entryFor,
  mpp,
  network,
  payByTransfer,
  transfer,
  transferWay,
  version2,
} from "./payers.ts";
import { type Answer, createAgent, merchantId, send, startWorld, type World } from "./world.ts";

let chain: SandboxChain;
let sandbox: TestSandbox;
let world: World;
const key: PrivateJwk = generateJwk("ES256");
const client = newId("client");
const stranger = newId("tenant");
/** A wallet whose key the gateway has not. */
const elsewhere = { address: sandboxAddresses.facilitator, key: sandboxKeys.facilitator };

beforeAll(async () => {
  [chain, sandbox] = await Promise.all([testChain(), testSandbox()]);
  world = await startWorld({
    realTime: true,
    payments: {
      stripe: { secret_key: sandbox.stripe.apiKey, origin: sandbox.origin },
      wallet_key: sandboxKeys.seller,
    },
    ways: [{ rail: "mandate" }, cardWay, transferWay],
    more: {
      chains: { rpcUrls: { [network]: chain.rpc }, facilitatorKey: new Secret(sandboxKeys.facilitator) },
    },
  });
});
afterAll(async () => {
  await world.close();
  await Promise.all([chain.stop(), sandbox.close()]);
});
beforeEach(async () => {
  await world.writeOffers();
  await world.gateway.reload();
});

type Called = Answer & { readonly json: Record<string, unknown> };

async function call(
  method: "GET" | "POST",
  target: string,
  more: { body?: object; tenant?: string; scope?: string; key?: string; at?: string } = {},
): Promise<Called> {
  const { issuer, clock } = world;
  const claims = {
    iss: issuer.origin,
    sub: "admin",
    aud: "http://gateway.test",
    client_id: client,
    jti: newId("request"),
    iat: toNumericDate(clock.now()),
    exp: toNumericDate(after(clock.now(), 5 * minuteMs)),
    scope: more.scope ?? "offers:write",
    organization_id: more.tenant ?? world.tenant,
    livemode: false,
    cnf: { jkt: thumbprint(key) },
  };
  const token = signJws(issuer.key, { typ: "at+jwt" }, claims);
  const proofOf = (nonce?: string): string =>
    makeDpopProof({
      key,
      method,
      url: `http://gateway.test${target}`,
      now: clock.now(),
      accessToken: token,
      ...(nonce !== undefined && { nonce }),
    });
  const ask = (nonce?: string): Promise<Answer> =>
    send(more.at ?? world.address, target, {
      method,
      headers: {
        host: "gateway.test",
        authorization: `DPoP ${token}`,
        dpop: proofOf(nonce),
        ...(more.body !== undefined && { "content-type": "application/json" }),
        ...(method === "POST" && { "idempotency-key": more.key ?? newId("request") }),
      },
      ...(more.body !== undefined && { body: JSON.stringify(more.body) }),
    });
  const first = await ask();
  const nonce = first.headers["dpop-nonce"];
  const answer = first.status === 401 && typeof nonce === "string" ? await ask(nonce) : first;
  return { ...answer, json: JSON.parse(answer.body.toString()) as Record<string, unknown> };
}

const refund = (
  payment: string,
  amount_minor?: number,
  more: Parameters<typeof call>[2] = {},
): Promise<Called> =>
  call("POST", "/api/v1/refunds", {
    ...more,
    body: { payment, ...(amount_minor !== undefined && { amount_minor }) },
  });

/** Buys the report of 10.00: the payment's id. */
async function bought(by: "card" | "x402" | "mandate"): Promise<string> {
  const unpaid = await world.ask("/demo/report");
  const headers =
    by === "card"
      ? mpp(challengeFor(unpaid, "stripe"), { spt: await sandbox.token({ amount: 1000 }) })
      : by === "x402"
        ? await payByTransfer(unpaid)
        : createAgent(world).pay(unpaid);
  expect((await world.ask("/demo/report", { headers })).status).toBe(200);
  return String((await world.claims()).at(-1)?.id);
}

const intentOf = async (payment: string): Promise<string> => {
  const rows = await world.database.asAdmin<{ reference: string }>(
    `select reference from ${world.database.schema}.claims where id = '${payment}'`,
  );
  return String(rows[0]?.reference);
};
/** By the seller, on the dashboard of the card network. */
async function refundElsewhere(intent: string, amount: number): Promise<void> {
  const answer = await fetch(`${sandbox.origin}/v1/refunds`, {
    method: "POST",
    headers: { authorization: `Bearer ${sandbox.stripe.apiKey}` },
    body: new URLSearchParams({ payment_intent: intent, amount: String(amount) }),
  });
  expect(answer.status).toBe(200);
}
const givenBack = async (payment: string): Promise<number> =>
  (await sandbox.refunds(await intentOf(payment))).reduce((sum, { amount }) => sum + amount, 0);
const balanceOf = async (owner: string): Promise<bigint> => {
  const data = `0x70a08231${owner.slice(2).padStart(64, "0")}`; // balanceOf(address)
  return BigInt(String(await chain.call("eth_call", [{ to: chain.usdc, data }, "latest"])));
};

describe("what was paid by card", () => {
  test("is given back in parts and whole, and the seller's statement says so", async () => {
    const payment = await bought("card");
    const part = await refund(payment, 300);
    expect([part.status, part.json]).toMatchObject([
      201,
      { status: "refunded", amount_minor: 300, refunded_minor: 300, currency: "USD", rail: "card", payment },
    ]);
    expect(String(part.json["receipt"]).split(".")).toHaveLength(3);
    const rest = await refund(await intentOf(payment));
    expect(rest.json).toMatchObject({ status: "refunded", amount_minor: 700, refunded_minor: 1000 });
    expect(await givenBack(payment)).toBe(1000);
    expect((await call("GET", `/api/v1/refunds/${String(part.json["id"])}`)).json).toMatchObject({
      status: "refunded",
    });
  });

  test("C05 twenty refunds at once over two gateways give back no more than was paid", async () => {
    const payment = await bought("card");
    const there = await world.replica();
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        refund(payment, 300, { at: index % 2 === 0 ? world.address : there }),
      ),
    );
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(3);
    for (const { status, json } of answers)
      if (status !== 201) expect(json["code"]).toBe("charge_refund_exceeds_captured");
    await eventually(async () => expect(await givenBack(payment)).toBe(900));
    expect((await refund(payment, 101)).json).toMatchObject({ remaining_minor: 100 });
  });

  test("it is no revenue: what an offer has earned is told with what was given back of it, counted once", async () => {
    const offer = {
      name: "given",
      merchant: merchantId,
      upstream: world.upstream.origin,
      price: "10.00",
      pay_with: ["card"],
      card: { network_id: "profile_shop" },
      routes: [{ path: "/given", methods: ["GET"] }],
    };
    const { json: made } = await call("POST", "/api/v1/offers", { body: offer });
    const spt = await sandbox.token({ amount: 1000 });
    const headers = mpp(challengeFor(await world.ask("/given"), "stripe"), { spt });
    expect((await world.ask("/given", { headers })).status).toBe(200);
    const payment = String((await world.claims()).at(-1)?.id);
    const again = { key: newId("request") };
    for (const _ of [1, 2]) expect((await refund(payment, 400, again)).json["status"]).toBe("refunded");
    expect((await refund(payment, 700)).status).toBe(409);
    const path = `/api/v1/offers/${String(made["id"])}`;
    expect((await call("GET", `${path}/sales`)).json).toMatchObject({
      paid: [{ currency: "USD", payments: 1, amount_minor: 1000, refunded_minor: 400 }],
      latest: [{ payment, amount_minor: 1000, refunded_minor: 400 }],
    });
  });

  test("C06 the same refund under the same key is one refund, and another under that key is refused", async () => {
    const payment = await bought("card");
    const again = { key: newId("request") };
    const [first, second] = [await refund(payment, 400, again), await refund(payment, 400, again)];
    expect(second.json["id"]).toBe(first.json["id"]);
    expect((await refund(payment, 500, again)).status).toBe(422);
    expect(await givenBack(payment)).toBe(400);
  });

  test.each(["drop_answer", "error_500_after_effect", "drop_request"] as const)(
    "V12 an answer that never came (%s) is read back, and the money is given back once",
    async (action) => {
      const payment = await bought("card");
      await sandbox.fail("refunds.create", { action });
      const asked = await refund(payment, 1000);
      expect(["refunding", "refunded"]).toContain(asked.json["status"]);
      await eventually(async () => {
        await world.database.asAdmin(
          `update ${world.database.schema}.refunds set leased_until = '2000-01-01' where state = 'sending'`,
        );
        const { json } = await call("GET", `/api/v1/refunds/${String(asked.json["id"])}`);
        expect(json["status"]).toBe("refunded");
      });
      expect(await givenBack(payment)).toBe(1000);
    },
  );

  test("what the card network refuses is told, and may be asked for again", async () => {
    const payment = await bought("card");
    await refundElsewhere(await intentOf(payment), 900);
    expect((await refund(payment, 200)).json).toMatchObject({ status: "refused", refunded_minor: 0 });
    expect((await refund(payment, 100)).json).toMatchObject({ status: "refunded", refunded_minor: 100 });
    expect(await givenBack(payment)).toBe(1000);
  });
});

describe("what was paid by a transfer", () => {
  test("goes back to the payer from the seller's wallet, in parts, by transactions that can be looked up", async () => {
    const payment = await bought("x402");
    const before = await balanceOf(sandboxAddresses.payer);
    const part = await refund(payment, 250);
    expect(part.json).toMatchObject({ status: "refunded", amount_minor: 250, rail: "x402" });
    expect(await balanceOf(sandboxAddresses.payer)).toBe(before + 2_500_000n);
    expect(part.json["reference"]).toMatch(/^0x[0-9a-f]{64}$/);
    expect((await refund(payment)).json).toMatchObject({
      status: "refunded",
      amount_minor: 750,
      refunded_minor: 1000,
    });
    expect(await balanceOf(sandboxAddresses.payer)).toBe(before + 10_000_000n);
    expect((await refund(payment, 1)).status).toBe(409);
  });

  test("M16 a wallet that has spent the money gives nothing back, and the refund may be asked for again", async () => {
    const payment = await bought("x402");
    const all = await balanceOf(sandboxAddresses.seller);
    await drain(all);
    expect((await refund(payment)).json).toMatchObject({
      status: "refused",
      because: "invalid_exact_evm_insufficient_balance",
      refunded_minor: 0,
    });
    await chain.mint(sandboxAddresses.seller, all);
    expect((await refund(payment)).json).toMatchObject({ status: "refunded" });
  });

  test("C05 once it is refused nobody brings it on the chain any more, though he had begun before", async () => {
    const payment = await bought("x402");
    const all = await balanceOf(sandboxAddresses.seller);
    await drain(all);
    const refused = await refund(payment);
    expect(refused.json).toMatchObject({ status: "refused", refunded_minor: 0 });
    await chain.mint(sandboxAddresses.seller, all);
    const before = await balanceOf(sandboxAddresses.payer);
    // What a worker holds that looked before it was refused, and sends only now.
    const late = await settledElsewhere(await transferOf(refused), sandboxKeys.seller);
    expect(late).toMatchObject({ success: false });
    expect(await balanceOf(sandboxAddresses.payer)).toBe(before);
  });

  test("M16 a transaction that the chain undid leaves a signature that all have seen: while it is good, nothing is refused", async () => {
    const payment = await bought("x402");
    const all = await balanceOf(sandboxAddresses.seller);
    const before = await balanceOf(sandboxAddresses.payer);
    await chain.call("evm_setAutomine", [false]);
    const asking = refund(payment);
    await eventually(async () => expect(await open()).toBe(1));
    await eventually(async () =>
      expect(await chain.call("txpool_status", [])).toMatchObject({ pending: "0x1" }),
    );
    // It pays more, and goes first.
    await drain(all, { maxFeePerGas: "0x174876e800", maxPriorityFeePerGas: "0x174876e800" });
    await chain.call("evm_setAutomine", [true]);
    await chain.call("anvil_mine", []);
    expect((await asking).json).toMatchObject({ status: "refunding", refunded_minor: 1000 });
    expect(await balanceOf(sandboxAddresses.payer)).toBe(before);
    expect((await refund(payment, 1)).status).toBe(409);
    await chain.mint(sandboxAddresses.seller, all);
    const [sent] = await world.database.asAdmin<{ call: string }>(
      `select encode(call, 'hex') as call from ${world.database.schema}.settlements order by created_at desc limit 1`,
    );
    await chain.call("eth_sendTransaction", [
      { from: sandboxAddresses.payer, to: chain.usdc, data: `0x${String(sent?.call)}` },
    ]);
    const hasIt = async () => expect(await balanceOf(sandboxAddresses.payer)).toBe(before + 10_000_000n);
    await eventually(hasIt);
    const { id } = (await asking).json;
    await eventually(async () => {
      await world.database.asAdmin(`update ${world.database.schema}.refunds set leased_until = '2000-01-01'`);
      expect((await call("GET", `/api/v1/refunds/${String(id)}`)).json).toMatchObject({
        status: "refunded",
        refunded_minor: 1000,
      });
    });
    await hasIt();
  });

  test("M17 what the seller has signed and brought on the chain by itself is given back, told of or not", async () => {
    await world.writeOffers({ route: { ways: [{ ...transferWay, pay_to: elsewhere.address }] } });
    await world.gateway.reload();
    const paid = async (): Promise<string> => {
      const unpaid = await world.ask("/demo/report");
      const headers = version2(entryFor(unpaid, "exact"), await transfer({ to: elsewhere.address }));
      expect((await world.ask("/demo/report", { headers })).status).toBe(200);
      return String((await world.claims()).at(-1)?.id);
    };
    const [told, untold] = [await refund(await paid()), await refund(await paid())];
    for (const asked of [told, untold])
      expect(await settledElsewhere(await transferOf(asked), elsewhere.key)).toMatchObject({ success: true });
    const { payload } = await signed(await transferOf(told), elsewhere.key);
    const target = `/api/v1/refunds/${String(told.json["id"])}`;
    const after = await call("POST", `${target}/signature`, { body: { signature: payload["signature"] } });
    expect([after.status, after.json]).toMatchObject([200, { status: "refunded", refunded_minor: 1000 }]);
    await eventually(async () => {
      await world.database.asAdmin(`update ${world.database.schema}.refunds set leased_until = '2000-01-01'`);
      const { json } = await call("GET", `/api/v1/refunds/${String(untold.json["id"])}`);
      expect(json).toMatchObject({ status: "refunded", refunded_minor: 1000 });
    });
  });

  test("of a wallet whose key is elsewhere it is signed there; another's signature is refused, and a second one moves nothing", async () => {
    const way = { ...transferWay, pay_to: elsewhere.address };
    await world.writeOffers({ route: { ways: [way] } });
    await world.gateway.reload();
    const unpaid = await world.ask("/demo/report");
    const paid = version2(entryFor(unpaid, "exact"), await transfer({ to: elsewhere.address }));
    expect((await world.ask("/demo/report", { headers: paid })).status).toBe(200);
    const payment = String((await world.claims()).at(-1)?.id);
    const before = await balanceOf(sandboxAddresses.payer);
    const asked = await refund(payment, 500);
    expect(asked.json).toMatchObject({ status: "needs_signature", refunded_minor: 500 });
    const toSign = asked.json["to_sign"] as Parameters<
      ReturnType<typeof privateKeyToAccount>["signTypedData"]
    >[0];
    const sign = (by: `0x${string}`) => privateKeyToAccount(by).signTypedData(toSign);
    const target = `/api/v1/refunds/${String(asked.json["id"])}/signature`;
    const forged = await call("POST", target, { body: { signature: await sign(sandboxKeys.payer) } });
    expect([forged.status, forged.json["reason"]]).toEqual([422, "invalid_exact_evm_signature"]);
    const signature = await sign(elsewhere.key);
    expect((await call("POST", target, { body: { signature }, tenant: stranger })).status).toBe(404);
    const both = await Promise.all([1, 2].map(() => call("POST", target, { body: { signature } })));
    expect(both.map(({ status }) => status)).toEqual([200, 200]);
    await eventually(async () =>
      expect((await call("GET", target.replace("/signature", ""))).json["status"]).toBe("refunded"),
    );
    expect(await balanceOf(sandboxAddresses.payer)).toBe(before + 5_000_000n);
  });

  test("a transaction that the chain lost is sent again by recovery, once", async () => {
    const payment = await bought("x402");
    const before = await balanceOf(sandboxAddresses.payer);
    await chain.call("evm_setAutomine", [false]);
    const asking = refund(payment).catch(() => undefined);
    await eventually(async () => expect(await open()).toBe(1));
    await chain.call("anvil_dropAllTransactions", []);
    await chain.call("evm_setAutomine", [true]);
    await eventually(async () => {
      await world.database.asAdmin(
        `update ${world.database.schema}.settlements set leased_until = '2000-01-01'`,
      );
      expect(await balanceOf(sandboxAddresses.payer)).toBe(before + 10_000_000n);
    });
    await asking;
  });
});

const open = async (): Promise<number> =>
  (await world.database.asAdmin(`select 1 from ${world.database.schema}.settlements where state = 'sent'`))
    .length;

type Kept = {
  readonly to: string;
  readonly value: string;
  readonly validBefore: string;
  readonly nonce: Hex;
};

/** What a refund's authorization says, as its row keeps it. */
async function transferOf({ json }: Called): Promise<Kept> {
  const rows = await world.database.asAdmin<{ transfer: Kept }>(
    `select transfer from ${world.database.schema}.refunds where id = '${String(json["id"])}'`,
  );
  if (rows[0] === undefined) throw new TypeError("the refund has a row");
  return rows[0].transfer;
}

const signed = ({ to, value, validBefore, nonce }: Kept, by: Hex): Promise<SignedPayment> =>
  signTransfer({
    key: by,
    from: privateKeyToAccount(by).address,
    to,
    value: BigInt(value),
    validBefore: Number(validBefore),
    nonce,
    required: { payTo: to, maxTimeoutSeconds: 86_400 },
  });

/** As anybody brings it on the chain who has the signature. */
const settledElsewhere = async (of: Kept, by: Hex) => settle(world.address, await signed(of, by));

const drain = async (units: bigint, fees: object = {}): Promise<void> => {
  const word = (text: string): string => text.padStart(64, "0");
  const data = `0xa9059cbb${word("dead")}${word(units.toString(16))}`; // transfer(address,uint256)
  await chain.call("eth_sendTransaction", [{ from: sandboxAddresses.seller, to: chain.usdc, data, ...fees }]);
};

describe("what is no refund", () => {
  test("T01 of another tenant's payment, of none, and without the right to sell", async () => {
    const payment = await bought("card");
    expect((await refund(payment, 100, { tenant: stranger })).status).toBe(404);
    expect((await refund("clm_none")).status).toBe(404);
    expect((await refund(payment, 100, { scope: "offers:read" })).status).toBe(403);
    const made = await refund(payment, 100);
    expect(
      (await call("GET", `/api/v1/refunds/${String(made.json["id"])}`, { tenant: stranger })).status,
    ).toBe(404);
  });

  test.each([0, -1, 1.5, 1001])("an amount of %s", async (amount) => {
    const payment = await bought("card");
    expect([400, 409]).toContain((await refund(payment, amount)).status);
    expect(await givenBack(payment)).toBe(0);
  });

  test("a transaction that has paid several: which of them is meant, the payment's own id says", async () => {
    const payments = [await bought("x402"), await bought("x402")];
    const transaction = `0x${"ab".repeat(32)}`;
    await world.database.asAdmin(
      `update ${world.database.schema}.claims set settlement = $1 where id = any($2::text[])`,
      [transaction, payments],
    );
    const refused = await refund(transaction, 100);
    expect([refused.status, refused.json["code"]]).toEqual([409, "payment_state_conflict"]);
    for (const payment of payments)
      expect((await refund(payment, 100)).json).toMatchObject({ payment, refunded_minor: 100 });
  });

  test("what was paid under a mandate: its charge is refunded where it was made", async () => {
    const answer = await refund(await bought("mandate"));
    expect([answer.status, answer.json["code"]]).toEqual([409, "payment_state_conflict"]);
    expect(String(answer.json["detail"])).toContain("/api/v1/charges/{id}/refund");
  });
});
