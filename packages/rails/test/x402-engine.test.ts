import { assetOf, invariant, type Money, money, Secret, systemClock, toNumericDate } from "@remit/kernel";
import { exactEvmPayload, type Hex } from "@remit/protocol";
import {
  chainFacilitator,
  mined,
  type SandboxChain,
  sandboxAddresses,
  sandboxKeys,
  sandboxTokens,
  signTransfer,
  type TransferChanges,
  testChain,
  wantedOf,
} from "@remit/testkit";
import { toEventSelector } from "viem";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { topics } from "../src/x402/abi.ts";
import {
  type AuthorizationSource,
  type Chain,
  callOf,
  checkPayment,
  createX402Engine,
  openChain,
  readPayment,
  readReference,
  referenceOf,
  signerWithKey,
  type TransferPayment,
  useIn,
} from "../src/x402/index.ts";
import { describeEngine, type Traits } from "./describe-engine.ts";

const usdc = assetOf("USDC_BASE_SEPOLIA");
invariant(usdc !== undefined, "the sandbox's dollar is an asset");
const network = "eip155:84532";
const nowS = (): number => toNumericDate(systemClock.now());

const lower = (address: string): Hex => address.toLowerCase() as Hex;

const paymentOf = (source: AuthorizationSource): TransferPayment => {
  const read = readPayment(source);
  invariant(read.kind === "payment", "a test's payment can be read");
  return read.payment;
};

let sandbox: SandboxChain;
let chain: Chain;
beforeAll(async () => {
  sandbox = await testChain();
  chain = openChain({ chainId: 84_532, rpcUrl: sandbox.rpc });
});
afterAll(() => sandbox.stop());

const reasonOf = async (source: AuthorizationSource): Promise<string> => {
  const read = readPayment(source);
  if (read.kind === "invalid") return read.reason;
  const checked = await checkPayment(chain, systemClock, read.payment);
  return checked.kind === "invalid" ? checked.reason : checked.kind;
};

/** Brings a payment on the chain without looking at it, as anybody may. */
async function broadcast(payment: TransferPayment, key: Hex = sandboxKeys.facilitator): Promise<Hex> {
  const { raw, transaction } = await signedCall(chain, payment, key);
  expect(await chain.send(raw)).toBe("taken");
  await mined(chain, transaction);
  return transaction;
}

async function signedCall(at: Chain, payment: TransferPayment, key: Hex = sandboxKeys.facilitator) {
  const signer = signerWithKey(new Secret(key));
  const { base, tip } = await at.fees();
  return await signer.sign({
    chainId: 84_532,
    nonce: await at.transactionCount(signer.address),
    to: payment.domain.verifyingContract,
    data: callOf(payment),
    gas: 300_000n,
    maxFee: base * 2n + tip,
    tip,
  });
}

const traits: Traits = {
  holdsInOneCall: true,
  capturesInPart: false,
  releasesAtProvider: false,
  forgetsKeys: false,
  refunds: false,
  declines: false,
};

describeEngine<AuthorizationSource>("x402", traits, async () => {
  const own = await testChain();
  const at = openChain({ chainId: 84_532, rpcUrl: own.rpc });
  const { facilitator, verified, breakNext } = chainFacilitator(at);
  const engine = createX402Engine({ facilitator, chain: at });
  const sources = new Map<string, AuthorizationSource>();
  return {
    engine: {
      ...engine,
      hold: (order, keep) => {
        sources.set(order.key, order.source);
        return engine.hold(order, keep);
      },
    },
    now: systemClock.now(),
    asset: usdc,
    inexpressible: money(usdc, 999n),
    payer: ({ units }: Money) => signTransfer({ value: units }),
    breakNext: async (verb, trouble) => {
      invariant(trouble !== "decline", "a facilitator declines nothing that verifies");
      breakNext(verb === "create" ? "verify" : "settle", trouble);
    },
    count: async (key) => {
      const source = sources.get(key);
      const payment = source === undefined ? undefined : paymentOf(source);
      if (payment === undefined) return { existing: 0, captured: 0 };
      const { from, nonce } = payment.transfer.authorization;
      const paid = await transfers(own, { from, nonce });
      return { existing: verified.has(nonce) ? 1 : 0, captured: paid };
    },
    forgetKeys: async () => undefined,
    refunds: async () => [],
    close: () => own.stop(),
  };
});

/** How often the token says that an authorization was used. */
async function transfers(at: SandboxChain, { from, nonce }: { from: Hex; nonce: Hex }): Promise<number> {
  const filter = {
    address: sandboxTokens.usdc,
    fromBlock: "0x0",
    topics: [topics.used, `0x${from.slice(2).padStart(64, "0")}`, nonce],
  };
  return ((await at.call("eth_getLogs", [filter])) as unknown[]).length;
}

describe("what must be right before anybody serves", () => {
  test("a payment that would go through is valid, in the older shape of networks' names too", async () => {
    expect(await reasonOf(await signTransfer())).toBe("valid");
    expect(await reasonOf(await signTransfer({ required: { network: "base-sepolia" } }))).toBe("valid");
  });

  test.each<[string, string, TransferChanges]>([
    ["another scheme", "unsupported_scheme", { required: { scheme: "deferred" } }],
    [
      "a chain that is not asked here",
      "invalid_exact_evm_network_mismatch",
      { required: { network: "eip155:8453" } },
    ],
    ["no chain", "invalid_exact_evm_network_mismatch", { required: { network: "solana:mainnet" } }],
    ["no domain", "invalid_exact_evm_missing_eip712_domain", { required: { extra: {} } }],
    ["a signature for another domain", "invalid_exact_evm_signature", { domain: { version: "1" } }],
    ["a signature for another chain", "invalid_exact_evm_signature", { domain: { chainId: 8453 } }],
    ["a signature by somebody else", "invalid_exact_evm_signature", { key: sandboxKeys.seller }],
    ["another payee", "invalid_exact_evm_recipient_mismatch", { to: sandboxAddresses.facilitator }],
    [
      "five seconds left",
      "invalid_exact_evm_payload_authorization_valid_before",
      { validBefore: nowS() + 5 },
    ],
    [
      "a start in the future",
      "invalid_exact_evm_payload_authorization_valid_after",
      { validAfter: nowS() + 600 },
    ],
    ["more than was asked for", "invalid_exact_evm_authorization_value", { required: { amount: "999" } }],
    ["more than the payer has", "invalid_exact_evm_insufficient_balance", { value: 10n ** 15n }],
    ["a token that is none", "asset_not_deployed_contract", { token: `0x${"77".repeat(20)}` }],
    [
      "a name that the token does not have",
      "invalid_exact_evm_token_name_mismatch",
      { domain: { name: "Dollar" }, required: { extra: { name: "Dollar", version: "2" } } },
    ],
    [
      "a version that the token does not have",
      "invalid_exact_evm_token_version_mismatch",
      { domain: { version: "1" }, required: { extra: { name: "USDC", version: "1" } } },
    ],
  ])("with %s it is refused: %s", async (_, reason, signing) => {
    expect(await reasonOf(await signTransfer(signing))).toBe(reason);
  });

  test("a signature that is good long after anybody waits for it is refused", async () => {
    expect(await reasonOf(await signTransfer({ validBefore: nowS() + 8000 }))).toBe(
      "invalid_exact_evm_payload_authorization_valid_before",
    );
  });

  test("the second signature that anybody can make of the first is refused (EIP-2)", async () => {
    const source = await signTransfer();
    const { authorization, signature } = paymentOf(source).transfer;
    const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
    const s = (order - BigInt(`0x${signature.slice(66, 130)}`)).toString(16).padStart(64, "0");
    const v = signature.endsWith("1b") ? "1c" : "1b";
    const twin: Hex = `0x${signature.slice(2, 66)}${s}${v}`;
    const payload = exactEvmPayload({ authorization, signature: twin });
    expect(await reasonOf({ ...source, payload })).toBe("invalid_exact_evm_signature");
  });

  test("a wallet that is a contract judges its own signatures (EIP-1271), and is paid from", async () => {
    const wallet = await sandbox.makeWallet(sandboxAddresses.payer);
    await sandbox.mint(wallet, 5000n);
    const source = await signTransfer({ from: wallet });
    expect(await reasonOf(source)).toBe("valid");
    expect(await reasonOf(await signTransfer({ from: wallet, key: sandboxKeys.seller }))).toBe(
      "invalid_exact_evm_signature",
    );
    const transaction = await broadcast(paymentOf(source));
    const receipt = await mined(chain, transaction);
    expect(useIn(receipt.logs, wantedOf(paymentOf(source)))).toBe("paid");
  });

  test("the window is judged by the time now, also where the last block is old", async () => {
    const other = await testChain();
    const at = openChain({ chainId: 84_532, rpcUrl: other.rpc });
    const payment = paymentOf(await signTransfer({ validAfter: nowS() - 1 }));
    expect(await checkPayment(at, systemClock, payment)).toMatchObject({ kind: "valid" });
    await other.stop();
    expect(await checkPayment(at, systemClock, payment)).toEqual({ kind: "unknown", because: "connection" });
  });
});

describe("what the chain says of a payment", () => {
  test.each([sandboxTokens.usdc, sandboxTokens.forgiving])(
    "M18 a used authorization pays for nothing, though the token %s may not revert",
    async (token) => {
      const source = await signTransfer({ token });
      const payment = paymentOf(source);
      const first = await mined(chain, await broadcast(payment));
      expect(useIn(first.logs, wantedOf(payment))).toBe("paid");
      expect(await reasonOf(source)).toBe("invalid_exact_evm_nonce_already_used");
      const again = await mined(chain, await broadcast(payment));
      expect(again.succeeded).toBe(token === sandboxTokens.forgiving);
      expect(useIn(again.logs, wantedOf(payment))).toBe("none");
    },
  );

  test("a transfer of less than was signed for is none", async () => {
    const payment = paymentOf(await signTransfer({ token: sandboxTokens.taxing }));
    const receipt = await mined(chain, await broadcast(payment));
    expect(receipt.succeeded).toBe(true);
    expect(useIn(receipt.logs, wantedOf(payment))).toBe("misdirected");
    expect(await chain.findUse(wantedOf(payment))).toMatchObject({ kind: "found", use: "misdirected" });
  });

  test("M17 what somebody else has sent is found by its nonce alone, however many blocks ago", async () => {
    const payment = paymentOf(await signTransfer());
    expect(await chain.findUse(wantedOf(payment))).toEqual({ kind: "unused" });
    const transaction = await broadcast(payment, sandboxKeys.seller);
    await sandbox.call("anvil_mine", ["0x19"]);
    const { facilitator } = chainFacilitator(chain);
    const strict = openChain({ chainId: 84_532, rpcUrl: sandbox.rpc, spanBlocks: 10 });
    const engine = createX402Engine({ facilitator, chain: strict });
    expect(await engine.readBack(referenceOf(payment, { places: 6, key: "clm_1" }))).toMatchObject({
      kind: "captured",
      amount: { units: 1000n, asset: { places: 6 } },
      booking: { id: transaction },
    });
  });

  test("an authorization for another payee with the same nonce is not this payment", async () => {
    const source = await signTransfer({ to: sandboxAddresses.facilitator });
    const theirs = paymentOf({
      ...source,
      requirements: { ...source.requirements, payTo: sandboxAddresses.facilitator },
    });
    await broadcast(theirs, sandboxKeys.seller);
    const ours = { ...wantedOf(theirs), to: lower(sandboxAddresses.seller) };
    expect(await chain.findUse(ours)).toMatchObject({ use: "misdirected" });
  });

  test("A6 an authorization is over once a final block past its time shows it unused, whatever our own clock says", async () => {
    const own = await testChain();
    const at = openChain({ chainId: 84_532, rpcUrl: own.rpc });
    const engine = createX402Engine({ facilitator: chainFacilitator(at).facilitator, chain: at });
    const reference = referenceOf(paymentOf(await signTransfer()), { places: 6, key: "clm_1" });
    expect((await engine.readBack(reference)).kind).toBe("authorized");
    await own.call("evm_increaseTime", ["0x258"]);
    await own.call("anvil_mine", ["0x1"]);
    expect((await engine.readBack(reference)).kind).toBe("authorized");
    await own.call("anvil_mine", ["0x80"]);
    expect((await engine.readBack(reference)).kind).toBe("released");
    await own.stop();
  });

  test("a no of somebody who only stopped waiting is none while the authorization can be used", async () => {
    const { facilitator } = chainFacilitator(chain);
    const source = await signTransfer();
    const reference = referenceOf(paymentOf(source), { places: 6, key: "clm_1" });
    const amount = money(usdc, 1000n);
    const order = { key: "clm_1", attempt: 1, reference, amount, source };
    const captureBy = async (reason: string, vouches: boolean): Promise<string> => {
      const settle = async () => ({ kind: "failed", reason }) as const;
      const engine = createX402Engine({ facilitator: { ...facilitator, settle, vouches }, chain });
      return (await engine.capture(order)).kind;
    };
    expect(await captureBy("invalid_exact_evm_transaction_failed", false)).toBe("unknown");
    expect(await captureBy("invalid_exact_evm_recipient_mismatch", false)).toBe("declined");
    expect(await captureBy("invalid_exact_evm_transaction_failed", true)).toBe("declined");
    await broadcast(paymentOf(source), sandboxKeys.seller);
    expect(await captureBy("invalid_exact_evm_transaction_failed", false)).toBe("captured");
  });

  test.each([
    "invalid_exact_evm_insufficient_balance",
    "invalid_exact_evm_transaction_simulation_failed",
    "invalid_exact_evm_payload_authorization_valid_before",
    "invalid_exact_evm_signature",
  ])("M09 a later call's no (%s) is not the fate of what an earlier call has sent", async (reason) => {
    const own = await testChain();
    const at = openChain({ chainId: 84_532, rpcUrl: own.rpc });
    const { facilitator } = chainFacilitator(at);
    const source = await signTransfer();
    const reference = referenceOf(paymentOf(source), { places: 6, key: "clm_1" });
    const order = { key: "clm_1", attempt: 1, reference, amount: money(usdc, 1000n), source };
    await own.call("evm_setAutomine", [false]);
    const settle = vi
      .fn<typeof facilitator.settle>()
      .mockImplementationOnce(async (payment) => {
        expect(await at.send((await signedCall(at, payment)).raw)).toBe("taken");
        return { kind: "unknown", because: "connection" };
      })
      .mockResolvedValue({ kind: "failed", reason });
    const engine = createX402Engine({ facilitator: { ...facilitator, settle, vouches: false }, chain: at });
    expect((await engine.capture(order)).kind).toBe("unknown");
    expect((await engine.capture(order)).kind).toBe("unknown");
    expect((await engine.release(order)).kind).toBe("unknown");
    await own.call("anvil_mine", ["0x1"]);
    expect((await engine.capture(order)).kind).toBe("captured");
    expect((await engine.release(order)).kind).toBe("captured");
    await own.stop();
  });

  test("M09 what somebody else may have sent is released by a final block, what nobody was asked for at once", async () => {
    const own = await testChain();
    const at = openChain({ chainId: 84_532, rpcUrl: own.rpc });
    const { facilitator } = chainFacilitator(at);
    const reference = referenceOf(paymentOf(await signTransfer()), { places: 6, key: "clm_1" });
    const order = { key: "clm_1", attempt: 1, reference };
    const releaseBy = async (vouches: boolean, neverCaptured?: boolean): Promise<string> => {
      const engine = createX402Engine({ facilitator: { ...facilitator, vouches }, chain: at });
      return (await engine.release({ ...order, ...(neverCaptured !== undefined && { neverCaptured }) })).kind;
    };
    expect(await releaseBy(false)).toBe("unknown");
    expect(await releaseBy(false, false)).toBe("unknown");
    expect(await releaseBy(false, true)).toBe("released");
    expect(await releaseBy(true)).toBe("released");
    await own.call("evm_increaseTime", ["0x258"]);
    await own.call("anvil_mine", ["0x80"]);
    expect(await releaseBy(false)).toBe("released");
    await own.stop();
  });

  test("as deep as was asked for, and not before", async () => {
    const { facilitator } = chainFacilitator(chain);
    const engine = createX402Engine({ facilitator, chain, confirmations: 3 });
    const payment = paymentOf(await signTransfer());
    await broadcast(payment);
    const reference = referenceOf(payment, { places: 6, key: "clm_1" });
    expect(await engine.readBack(reference)).toEqual({ kind: "unknown", because: "busy" });
    await sandbox.call("anvil_mine", ["0x2"]);
    expect((await engine.readBack(reference)).kind).toBe("captured");
    expect((await engine.release({ key: "k", attempt: 1, reference })).kind).toBe("captured");
  });
});

test("a reference is read as it was written, and nothing else is one", async () => {
  const payment = paymentOf(await signTransfer());
  const { from, nonce, validBefore } = payment.transfer.authorization;
  expect(readReference(referenceOf(payment, { places: 6, key: "clm_1" }))).toEqual({
    scheme: "exact",
    network,
    asset: lower(sandboxTokens.usdc),
    from,
    nonce,
    to: lower(sandboxAddresses.seller),
    value: 1000n,
    places: 6,
    validBefore,
    key: "clm_1",
  });
  expect(readReference("pi_1")).toBeUndefined();
});

test("events are known by what their standards call them", () => {
  expect(topics).toEqual({
    transfer: toEventSelector("Transfer(address,address,uint256)"),
    used: toEventSelector("AuthorizationUsed(address,bytes32)"),
    canceled: toEventSelector("AuthorizationCanceled(address,bytes32)"),
  });
});
