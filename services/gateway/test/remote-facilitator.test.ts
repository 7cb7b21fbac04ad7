import type { ServerResponse } from "node:http";
import { Secret } from "@remit/kernel";
import { createOutbound, type Outbound, type OutboundRequest } from "@remit/platform/outbound";
import {
  type Chain,
  createRemoteFacilitator,
  type Facilitator,
  isFacilitatorUrl,
  openChain,
} from "@remit/rails/x402";
import { type SandboxChain, signTransfer, testChain } from "@remit/testkit";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { network } from "./payers.ts";
import { obliging, paymentOf, type Remote, says, startRemote } from "./remote-facilitator.ts";

let sandbox: SandboxChain;
let chain: Chain;
let remote: Remote;

beforeAll(async () => {
  sandbox = await testChain();
  chain = openChain({ chainId: sandbox.chainId, rpcUrl: sandbox.rpc });
  remote = await startRemote(chain);
});
afterAll(() => Promise.all([remote.close(), sandbox.stop()]));
beforeEach(() => {
  remote.answer = obliging;
  remote.calls.length = 0;
});

test.each([
  ["https://facilitator.example", true],
  ["https://facilitator.example/x402/v2", true],
  ["http://localhost:4021", true],
  ["http://127.0.0.1:4021/facilitator", true],
  ["http://[::1]:4021", true],
  ["http://host.docker.internal:4021", true],
  ["http://facilitator.example", false],
  ["http://127.0.0.1.example", false],
  ["http://10.0.0.7", false],
  ["ftp://localhost", false],
  ["https://user:secret@facilitator.example", false],
  ["https://facilitator.example?key=secret", false],
  ["https://facilitator.example#part", false],
  ["facilitator.example", false],
])("a payment is sent in the clear to this machine alone: %s is %s", (url, is) => {
  expect(isFacilitatorUrl(url)).toBe(is);
});

describe("what somebody else's facilitator is asked, and what its word is worth", () => {
  let outbound: Outbound;
  let facilitator: Facilitator;
  beforeAll(() => {
    outbound = createOutbound({ allow: [new URL(remote.origin).host] });
    facilitator = createRemoteFacilitator({ url: remote.origin, chain, outbound });
  });
  afterAll(() => outbound.close());

  const step = { key: "clm_1", attempt: 1, confirmations: 1 };
  const somebody = async () => paymentOf(await signTransfer());

  test("its API is x402's; the token goes along, and the key with what must not be done twice", async () => {
    const url = `${remote.origin}/v2/`;
    const token = new Secret("the-token");
    const ours = createRemoteFacilitator({ url, token, chain, outbound });
    const payment = await somebody();
    expect(await ours.verify(payment)).toEqual({
      kind: "valid",
      payer: payment.transfer.authorization.from,
    });
    expect((await ours.settle(payment, step)).kind).toBe("settled");
    const [verify, settle] = remote.calls;
    expect([verify?.path, settle?.path]).toEqual(["/v2/verify", "/v2/settle"]);
    for (const call of [verify, settle]) expect(call?.headers.authorization).toBe("Bearer the-token");
    expect(verify?.headers).not.toHaveProperty("idempotency-key");
    expect(settle?.headers["idempotency-key"]).toBe("clm_1");
    expect(verify?.body).toEqual(settle?.body);
    expect(verify?.body).toMatchObject({
      x402Version: 2,
      paymentPayload: { x402Version: 2, payload: { authorization: { value: "1000" } } },
      paymentRequirements: { scheme: "exact", network, amount: "1000", maxTimeoutSeconds: 60 },
    });
    await facilitator.verify(payment);
    expect(remote.calls[2]?.headers).not.toHaveProperty("authorization");
  });

  test("it is given 5 s to verify and 60 s to settle, and its silence says nothing", async () => {
    const times: (number | undefined)[] = [];
    const hasty: Outbound = {
      ...outbound,
      request: (wanted: OutboundRequest) => {
        times.push(wanted.timeoutMs);
        return outbound.request({ ...wanted, timeoutMs: 20 });
      },
    };
    const ours = createRemoteFacilitator({ url: remote.origin, chain, outbound: hasty });
    remote.answer = () => undefined;
    const nothing = { kind: "unknown", because: "connection" };
    expect(await ours.verify(await somebody())).toEqual(nothing);
    expect(await ours.settle(await somebody(), step)).toEqual(nothing);
    expect(times).toEqual([5_000, 60_000]);
  });

  const answers: readonly [string, (res: ServerResponse) => void, string][] = [
    ["a 500", (res) => says(res, { isValid: true, success: true }, 500), "connection"],
    ["a 401", (res) => says(res, { error: "who are you?" }, 401), "connection"],
    ["a redirect", (res) => void res.writeHead(307, { Location: "/elsewhere" }).end(), "connection"],
    ["a cut connection", (res) => void res.destroy(), "connection"],
    ["a body without an end", (res) => says(res, { filler: "x".repeat(65 * 1024) }), "connection"],
    ["no JSON", (res) => void res.end("yes"), "unexpected"],
    ["another JSON", (res) => says(res, { isValid: "true", success: "true" }), "unexpected"],
    ["a list", (res) => says(res, [true]), "unexpected"],
  ];
  test.each(answers)("%s is neither a yes nor a no", async (_, answer, because) => {
    remote.answer = (call, res) => answer(res);
    expect(await facilitator.verify(await somebody())).toEqual({ kind: "unknown", because });
    expect(await facilitator.settle(await somebody(), step)).toEqual({ kind: "unknown", because });
    expect(remote.calls).toHaveLength(2);
  });

  test.each([
    [{ isValid: false, invalidReason: "insufficient_funds" }, "insufficient_funds"],
    [{ isValid: false }, "invalid_exact_evm_transaction_simulation_failed"],
    [{ isValid: false, invalidReason: null }, "invalid_exact_evm_transaction_simulation_failed"],
  ])("it refuses by %j", async (body, reason) => {
    remote.answer = (_, res) => says(res, body);
    expect(await facilitator.verify(await somebody())).toEqual({ kind: "invalid", reason });
  });

  const pending = { kind: "unknown", because: "busy" };
  test.each<[object, object]>([
    [{ success: true }, pending],
    [{ success: true, transaction: "" }, pending],
    [{ success: true, transaction: `0x${"ab".repeat(32)}` }, pending],
    [{ success: false, errorReason: "settlement_pending" }, pending],
    [{ success: false }, { kind: "failed", reason: "invalid_exact_evm_transaction_failed" }],
    [
      { success: false, errorReason: "no_gas" },
      { kind: "failed", reason: "no_gas" },
    ],
    [
      { success: false, errorReason: "duplicate_settlement" },
      { kind: "failed", reason: "invalid_exact_evm_nonce_already_used" },
    ],
  ])("it settles by %j: %j", async (body, settlement) => {
    remote.answer = (_, res) => says(res, body);
    expect(await facilitator.settle(await somebody(), step)).toEqual(settlement);
  });

  test("M17 D08 a yes that names the transaction of another payment is none", async () => {
    const [first, second] = [await somebody(), await somebody()];
    const settled = await facilitator.settle(first, step);
    const transaction = settled.kind === "settled" ? settled.transaction : undefined;
    remote.answer = (_, res) => says(res, { success: true, transaction });
    expect(await facilitator.settle(second, step)).toEqual({
      kind: "failed",
      reason: "invalid_exact_evm_transfer_event_mismatch",
      transaction,
    });
    // Of the payment that it did make, a yes counts once it lies as deep as was asked for.
    const deep = { ...step, confirmations: 3 };
    expect(await facilitator.settle(first, deep)).toEqual({ ...pending, transaction });
    await sandbox.call("anvil_mine", ["0x2"]);
    expect(await facilitator.settle(first, deep)).toEqual(settled);
  });
});
