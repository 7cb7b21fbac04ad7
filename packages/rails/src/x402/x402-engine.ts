import { money } from "@remit/kernel";
import { uptoScheme } from "@remit/protocol";
import type { CaptureOrder, HoldOrder, Keep, PaymentEngine, ReleaseOrder, Standing } from "../engine.ts";
import type { Chain, FoundUse } from "./chain.ts";
import type { Facilitator, Settlement } from "./facilitator.ts";
import {
  type AuthorizationSource,
  moneyOf,
  type ReadPayment,
  readPayment,
  readReference,
  referenceOf,
  type TransferReference,
} from "./payment.ts";
import { reasons } from "./reasons.ts";
import { uncertaintyOf } from "./verify.ts";

export type X402EngineDeps = {
  readonly facilitator: Facilitator;
  readonly chain: Chain;
  /** How deep in the chain a transfer counts; 1 when its own block is enough. */
  readonly confirmations?: number;
};

/**
 * Stablecoins by a transfer that the payer has signed. `upto` is sold with a facilitator that vouches alone. A hold is a signature that would go through: nothing happens on the
 * chain before the capture, and a release leaves the signature to expire. What happened is read from the token's own
 * record of used authorizations and from its transfers, never from the absence of a receipt.
 */
export const createX402Engine = (deps: X402EngineDeps): PaymentEngine<AuthorizationSource> => ({
  rail: "x402",
  hold: (order, keep) => hold(deps, order, keep),
  capture: (order) => capture(deps, order),
  release: (order) => release(deps, order),
  // A transfer back is the seller's to make: the facilitator has no key to the seller's money.
  refund: async () => ({ kind: "refused", because: "refunded_by_seller" }),
  readRefund: async () => ({ kind: "unknown", because: "unexpected" }),
  readBack: (reference) => readBack(deps, reference),
});

async function hold(
  deps: X402EngineDeps,
  order: HoldOrder<AuthorizationSource>,
  keep: Keep,
): Promise<Standing> {
  const read = readFor(order);
  if (read.kind === "invalid") return { kind: "refused", because: read.reason };
  const reference = referenceOf(read.payment, { places: order.amount.asset.places, key: order.key });
  const verified = await deps.facilitator.verify(read.payment);
  if (verified.kind === "unknown") return verified;
  if (verified.kind === "invalid") return { kind: "refused", because: verified.reason };
  if (order.reference === null) await keep(reference);
  return { kind: "authorized", reference, amount: order.amount };
}

/** The payment of an order, whose amount must be what the payer was asked for. */
function readFor({
  source,
  amount,
}: {
  source: AuthorizationSource;
  amount: HoldOrder<unknown>["amount"];
}): ReadPayment {
  const read = readPayment(source);
  if (read.kind === "invalid") return read;
  const { network, domain, value } = read.payment;
  const sameAsset = `${network}/erc20:${domain.verifyingContract}` === amount.asset.caip19?.toLowerCase();
  return sameAsset && value === amount.units ? read : { kind: "invalid", reason: reasons.value };
}

/** The same to be settled: of what was signed as the most, what was used of it. */
function readForCapture({ source, amount }: CaptureOrder<AuthorizationSource>): ReadPayment {
  if (source.requirements.scheme !== uptoScheme) return readFor({ source, amount });
  const requirements = { ...source.requirements, amount: amount.units.toString() };
  return readFor({ source: { ...source, requirements }, amount });
}

async function capture(deps: X402EngineDeps, order: CaptureOrder<AuthorizationSource>): Promise<Standing> {
  const read = readForCapture(order);
  if (read.kind === "invalid") return { kind: "refused", because: read.reason };
  const { key, attempt, reference, amount } = order;
  const confirmations = deps.confirmations ?? 1;
  const settled = await deps.facilitator.settle(read.payment, { key, attempt, confirmations });
  if (settled.kind === "settled") return captured(reference, amount, settled.transaction);
  if (settled.kind === "unknown") return { kind: "unknown", because: settled.because };
  return await afterFailure(deps, order, settled);
}

const captured = (
  reference: string,
  amount: CaptureOrder<unknown>["amount"],
  transaction: string,
): Standing => ({
  kind: "captured",
  reference,
  amount,
  booking: { id: transaction, amount, fee: money(amount.asset, 0n) },
});

/** A no is not the last word on money: an earlier yes may have been lost. Somebody else's yes is not ours, though. */
async function afterFailure(
  deps: X402EngineDeps,
  { reference }: CaptureOrder<AuthorizationSource>,
  { reason }: Extract<Settlement, { kind: "failed" }>,
): Promise<Standing> {
  const declined: Standing = { kind: "declined", reference, code: reason };
  const isUpto = readReference(reference)?.scheme === uptoScheme;
  // What was signed for one facilitator is settled by nobody else: its no is the last word.
  if (reason === reasons.duplicate || isUpto) return declined;
  const found = await onChain(deps, reference);
  if (found.kind === "captured" || found.kind === "unknown") return found;
  // What was sent by somebody who only stopped waiting may be mined a block later.
  const mayCome = found.kind === "authorized" && !deps.facilitator.vouches && !wrongForEver.has(reason);
  return mayCome ? { kind: "unknown", because: "busy" } : declined;
}

/**
 * Refusals of the payment's own words, for which no call of ever so many can have sent anything. What is said of the
 * chain or of the time (a balance, a simulation, a window) may be the echo of our own transfer, sent by a call before.
 */
const wrongForEver: ReadonlySet<string> = new Set([
  reasons.payload,
  reasons.scheme,
  reasons.network,
  reasons.domain,
  reasons.recipient,
  reasons.value,
]);

/** Nothing to undo; but what has been paid, or may be just now, is not told as released. */
async function release(
  deps: X402EngineDeps,
  { reference, neverCaptured = false }: ReleaseOrder,
): Promise<Standing> {
  const standing = await readBack(deps, reference);
  if (standing.kind === "captured" || standing.kind === "unknown") return standing;
  // Unused now says nothing of what was sent a moment ago by somebody who cannot tell us: a final block will.
  const mayCome = standing.kind === "authorized" && !neverCaptured && !deps.facilitator.vouches;
  return mayCome ? { kind: "unknown", because: "busy" } : { kind: "released", reference };
}

async function readBack(deps: X402EngineDeps, reference: string): Promise<Standing> {
  const of = readReference(reference);
  if (of === undefined) return { kind: "unknown", because: "unexpected" };
  const remembered = await deps.facilitator.remembered(of);
  if (remembered.kind === "settled") {
    const { value = of.value, transaction } = remembered;
    return captured(reference, moneyOf({ ...of, value }), transaction);
  }
  if (remembered.kind === "unknown") return { kind: "unknown", because: remembered.because };
  const isLast =
    of.scheme === uptoScheme || (remembered.kind === "failed" && remembered.reason === reasons.duplicate);
  if (remembered.kind === "failed" && isLast) return { kind: "declined", reference, code: remembered.reason };
  return await onChain(deps, reference);
}

async function onChain(deps: X402EngineDeps, reference: string): Promise<Standing> {
  const of = readReference(reference);
  if (of === undefined) return { kind: "unknown", because: "unexpected" };
  try {
    const found = await deps.chain.findUse(of);
    return await standingOf(deps, of, { found, reference });
  } catch (error) {
    return { kind: "unknown", because: uncertaintyOf(error) };
  }
}

async function standingOf(
  { chain, confirmations = 1 }: X402EngineDeps,
  of: TransferReference,
  { found, reference }: { readonly found: FoundUse; readonly reference: string },
): Promise<Standing> {
  // A permit that was used, and not by the only one who may settle it for us: by its payer, for something else.
  if (found.kind === "lost" && of.scheme === "upto")
    return { kind: "declined", reference, code: reasons.permitNonce };
  if (found.kind === "lost") return { kind: "unknown", because: "unexpected" };
  if (found.kind === "unused") {
    return (await chain.isOver(of, of.validBefore))
      ? { kind: "released", reference }
      : { kind: "authorized", reference, amount: moneyOf(of) };
  }
  if (found.use !== "paid") {
    const code = found.use === "misdirected" ? reasons.transfer : reasons.nonce;
    return { kind: "declined", reference, code };
  }
  const isDeep = confirmations <= 1 || (await chain.head()) - found.block + 1n >= BigInt(confirmations);
  return isDeep ? captured(reference, moneyOf(of), found.transaction) : { kind: "unknown", because: "busy" };
}
