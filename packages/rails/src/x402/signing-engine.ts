import { createHash } from "node:crypto";
import { type Id, type Instant, secondMs, toNumericDate } from "@remit/kernel";
import { evmChainIdOf, exactEvmPayload, exactScheme, type Hex } from "@remit/protocol";
import type { CaptureOrder, HoldOrder, Keep, PaymentEngine, ReleaseOrder, Standing } from "../engine.ts";
import type { Chain } from "./chain.ts";
import type { Facilitator } from "./facilitator.ts";
import { type AuthorizationSource, readReference, type TransferReference } from "./payment.ts";
import { reasons } from "./reasons.ts";
import { uncertaintyOf } from "./verify.ts";
import type { Wallets } from "./wallet.ts";
import { createX402Engine } from "./x402-engine.ts";

/** What a payer's wallet is to sign, as the payment's row keeps it: all of it is known before anything is signed. */
export type SigningSource = {
  readonly payer: Id<"tenant">;
  /** CAIP-2. */
  readonly network: string;
  readonly asset: Hex;
  readonly payTo: Hex;
  /** The token's EIP-712 domain. */
  readonly name: string;
  readonly version: string;
  readonly from: Hex;
  readonly nonce: Hex;
};

export type SigningEngineDeps = {
  readonly wallets: Wallets;
  /** Who reads a network and settles on it; undefined where nobody does. */
  readonly on: (network: string) => { readonly chain: Chain; readonly facilitator: Facilitator } | undefined;
  readonly confirmations?: number;
};

/** How long a signature is good: money that may still move is money that is still held. */
const signedForMs = 120 * secondMs;

/** In a reference: nothing has been signed yet. Later than any second that a signature names. */
const unsigned = 9_999_999_999n;

/** One authorization per charge and generation, whoever signs it and however often: the token lets it count once. */
export const transferNonce = (of: { readonly charge: Id<"charge">; readonly generation: number }): Hex =>
  `0x${createHash("sha256").update(`${of.charge}${of.generation}`).digest("hex")}`;

/** The reference of a hold once it is to be signed: durable before it is, so that whoever comes later knows until when to look. */
export const signedReference = (reference: string, now: Instant): string =>
  reference.replace(`/${unsigned}/`, `/${toNumericDate(now) + signedForMs / secondMs}/`);

/**
 * x402 by a wallet that is ours to ask (EIP-3009). A hold is a wallet that could pay; nothing is signed before the capture,
 * so that until then a release is done at once and nobody else can take the money. From the signature on only the chain
 * tells: paid, or a final block past its last second in which it is unused.
 */
export const createSigningEngine = (deps: SigningEngineDeps): PaymentEngine<SigningSource> => ({
  rail: "x402",
  hold: (order, keep) => hold(deps, order, keep),
  capture: (order) => capture(deps, order),
  release: (order) => release(deps, order),
  refund: async () => ({ kind: "refused", because: "refunded_by_seller" }),
  readRefund: async () => ({ kind: "unknown", because: "unexpected" }),
  readBack: (reference) => readBack(deps, reference),
});

/** The engine that settles what is signed on a network. */
function settlerOn(
  { on, confirmations }: SigningEngineDeps,
  network: string,
): PaymentEngine<AuthorizationSource> | undefined {
  const at = on(network);
  return at && createX402Engine({ ...at, ...(confirmations === undefined ? {} : { confirmations }) });
}

async function hold(deps: SigningEngineDeps, order: HoldOrder<SigningSource>, keep: Keep): Promise<Standing> {
  const { network, asset, from, nonce, payTo, name, version } = order.source;
  const at = deps.on(network);
  if (at === undefined) return { kind: "refused", because: reasons.network };
  const { units: value } = order.amount;
  try {
    const [domain, balance, isUsed] = await Promise.all([
      at.chain.domainOf(asset),
      at.chain.balanceOf(asset, from),
      at.chain.isUsed({ asset, from, nonce, scheme: exactScheme }),
    ]);
    if (domain.name !== undefined && domain.name !== name)
      return { kind: "refused", because: reasons.tokenName };
    if (domain.version !== undefined && domain.version !== version)
      return { kind: "refused", because: reasons.tokenVersion };
    if (isUsed) return { kind: "refused", because: reasons.nonce };
    if (balance < value) return { kind: "declined", reference: null, code: "insufficient_funds" };
  } catch (error) {
    return { kind: "unknown", because: uncertaintyOf(error) };
  }
  const { places } = order.amount.asset;
  const reference = `${network}/erc20:${asset}/${from}/${nonce}/${payTo}/${value}e-${places}/${unsigned}/${order.key}`;
  if (order.reference === null) await keep(reference);
  return { kind: "authorized", reference, amount: order.amount };
}

async function capture(deps: SigningEngineDeps, order: CaptureOrder<SigningSource>): Promise<Standing> {
  const of = readReference(order.reference);
  const settler = of && settlerOn(deps, of.network);
  if (of === undefined || settler === undefined || of.validBefore === unsigned)
    return { kind: "unknown", because: "unexpected" };
  // A token lets a signed transfer pass whole or not at all.
  if (order.amount.units !== of.value) return { kind: "refused", because: reasons.value };
  const source = await signed(deps, of, order.source);
  if (source === undefined) return { kind: "unknown", because: "unexpected" };
  return await settler.capture({ ...order, source });
}

/** Asked again it is the same signature, letter for letter: of the same words, as the reference keeps them. */
async function signed(
  { wallets }: SigningEngineDeps,
  of: TransferReference,
  { payer, name, version }: SigningSource,
): Promise<AuthorizationSource | undefined> {
  const wallet = await wallets(payer);
  const chainId = evmChainIdOf(of.network);
  if (wallet?.address !== of.from || chainId === undefined) return undefined;
  const { from, to, value, validBefore, nonce } = of;
  const authorization = { from, to, value, validAfter: 0n, validBefore, nonce };
  const signature = await wallet.signTransfer(
    { name, version, chainId, verifyingContract: of.asset },
    authorization,
  );
  return {
    payload: exactEvmPayload({ authorization, signature }),
    requirements: {
      scheme: exactScheme,
      network: of.network,
      amount: value.toString(),
      asset: of.asset,
      payTo: to,
      maxTimeoutSeconds: signedForMs / secondMs,
      extra: { name, version },
    },
  };
}

async function release(deps: SigningEngineDeps, order: ReleaseOrder): Promise<Standing> {
  const of = readReference(order.reference);
  const settler = of && settlerOn(deps, of.network);
  if (of === undefined || settler === undefined) return { kind: "unknown", because: "unexpected" };
  if (of.validBefore === unsigned) return { kind: "released", reference: order.reference };
  return await settler.release(order);
}

async function readBack(deps: SigningEngineDeps, reference: string): Promise<Standing> {
  const of = readReference(reference);
  const settler = of && settlerOn(deps, of.network);
  return settler === undefined
    ? { kind: "unknown", because: "unexpected" }
    : await settler.readBack(reference);
}
