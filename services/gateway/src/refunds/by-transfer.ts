import { type Id, type Instant, invariant, money, toNumericDate } from "@remit/kernel";
import {
  exactScheme,
  type Hex,
  Problem,
  type TokenDomain,
  type TransferAuthorization,
} from "@remit/protocol";
import { sha256 } from "@remit/protocol/node";
import {
  type Chain,
  ChainAway,
  moneyOf,
  readReference,
  reasons,
  type TransferPayment,
  type TransferReference,
  walletWithKey,
} from "@remit/rails/x402";
import { partOf } from "../charging/index.ts";
import type { Merchant } from "../offers/index.ts";
import type { Paid } from "./refunds.sql.ts";
import type { Given, Read, Refund, RefundDeps, SellersTransfer } from "./refunds.ts";

/** What a transfer back needs to know besides the payment. */
export type Names = Pick<SellersTransfer, "name" | "version"> & {
  /** This gateway has the seller's key, and signs. */
  readonly hasKey: boolean;
};

/** Whether a transfer back can be made here at all: of a token that takes signed transfers, on a chain that is settled here. */
export async function signable({ facilitators, offers }: RefundDeps, paid: Paid): Promise<Names> {
  const of = transferOf(paid);
  const here = facilitators.hereOn(of.network);
  if (here === undefined)
    throw new Problem("payment_state_conflict", {
      detail: `This gateway settles nothing on ${of.network}: send the money back from the wallet that was paid.`,
    });
  const { name, version } = await here.chain.domainOf(of.asset).catch((error: unknown) => {
    if (error instanceof ChainAway) throw new Problem("unavailable", { cause: error });
    throw error;
  });
  if (name === undefined || version === undefined)
    throw new Problem("payment_state_conflict", {
      detail: "This token takes no signed transfers: send the money back from the wallet that was paid.",
    });
  const merchant = [...offers().values()].find((shop) => shop.merchant.id === paid.merchant)?.merchant;
  return { name, version, hasKey: merchant !== undefined && walletOf(merchant, of) !== undefined };
}

const transferOf = ({ reference }: Paid): TransferReference => {
  const of = readReference(reference ?? "");
  invariant(of !== undefined, "a captured transfer has a reference");
  return of;
};

/** The wallet that was paid, if its key is here. */
const walletOf = ({ accounts: { wallet } }: Merchant, { to }: TransferReference) =>
  wallet !== undefined && walletWithKey(wallet).address === to ? walletWithKey(wallet) : undefined;

/** The same part of the token as of the money; what no unit can express stays with the seller, so that parts never sum to more. */
export function transferBack(
  paid: Paid,
  {
    id,
    amountMinor,
    names,
    deadline,
  }: { id: Id<"refund">; amountMinor: number; names: Names; deadline: Instant },
): SellersTransfer {
  const of = transferOf(paid);
  const whole = partOf(moneyOf(of), paid.takenMinor, paid.heldMinor);
  const units = (whole.units * BigInt(amountMinor)) / BigInt(paid.takenMinor);
  return {
    network: of.network,
    asset: of.asset,
    name: names.name,
    version: names.version,
    from: of.to,
    to: of.from,
    value: money(whole.asset, units).units.toString(),
    validBefore: String(toNumericDate(deadline)),
    // The refund's own: however often it is signed and sent, the token moves once.
    nonce: `0x${Buffer.from(sha256(`refund ${id}`)).toString("hex")}`,
  };
}

/** What the wallet signs (EIP-712), for a seller who signs elsewhere. */
export function typedDataOf(transfer: SellersTransfer): {
  readonly domain: TokenDomain;
  readonly authorization: TransferAuthorization;
} {
  const { network, asset, name, version } = transfer;
  return {
    // Written by us, from a reference that was read.
    domain: {
      name,
      version,
      chainId: Number(network.slice("eip155:".length)),
      verifyingContract: asset as Hex,
    },
    authorization: {
      from: transfer.from as Hex,
      to: transfer.to as Hex,
      value: BigInt(transfer.value),
      validAfter: 0n,
      validBefore: BigInt(transfer.validBefore),
      nonce: transfer.nonce as Hex,
    },
  };
}

type Signed = { readonly transfer: SellersTransfer; readonly signature: Hex };

/** As the facilitator takes it: from the wallet that was paid to the one that has paid. */
function paymentOf({ transfer, signature }: Signed): TransferPayment {
  const { domain, authorization } = typedDataOf(transfer);
  const { to: payTo, value } = authorization;
  return {
    network: transfer.network,
    domain,
    payTo,
    value,
    timeoutS: signS,
    transfer: { authorization, signature },
  };
}

const signS = 86_400;

/** A signature that would not go through is told so, and the refund waits for another one. One that did is as good. */
export async function refuseUnsigned(
  { facilitators }: RefundDeps,
  { transfer }: Pick<Refund, "transfer">,
  signature: Hex,
): Promise<void> {
  const here = transfer && facilitators.hereOn(transfer.network);
  const verified =
    here === undefined || transfer === undefined
      ? undefined
      : await here.facilitator.verify(paymentOf({ transfer, signature }));
  if (verified === undefined || verified.kind === "unknown") throw new Problem("unavailable");
  // What was signed is checked before its nonce: if that is used, the chain knows for what.
  if (verified.kind === "invalid" && verified.reason !== reasons.nonce)
    throw new Problem("payment_invalid", { status: 422, extra: { reason: verified.reason } });
}

/** Brings it on the chain through this gateway's facilitator, whose record knows it by the refund's key. */
export async function giveBackByTransfer(
  { facilitators }: RefundDeps,
  { refund, paid, merchant }: Read & { readonly merchant: Merchant },
): Promise<Given> {
  const { transfer } = refund;
  invariant(transfer !== undefined, "a transfer back is written down before it is signed");
  const { domain, authorization } = typedDataOf(transfer);
  const signature =
    refund.signature ?? (await walletOf(merchant, transferOf(paid))?.signTransfer(domain, authorization));
  const here = facilitators.hereOn(transfer.network);
  if (signature === undefined || here === undefined) return { kind: "unknown" };
  const owner = { key: `refund ${refund.id}`, confirmations: 1 };
  const payment = paymentOf({ transfer, signature: signature as Hex }); // read as hex when it came
  const settled = await here.facilitator.settleFor(payment, owner);
  if (settled.kind === "settled") return { kind: "refunded", reference: settled.transaction };
  // What only costs too much now may go through later.
  if (settled.kind === "unknown" || settled.reason === reasons.gas) return { kind: "unknown" };
  const { reason } = settled;
  const found = await onChain(here.chain, transfer, reason);
  if (found !== undefined) return found;
  // A signature that others have seen, the seller's own or one of a transaction, may move the money until it has expired.
  const isOurs = refund.signature === undefined;
  return isOurs && (await here.facilitator.forbid(payment, { owner, reason }))
    ? { kind: "refused", because: reason }
    : { kind: "unknown" };
}

/** Nobody has signed it in time here. The seller may have, and have brought it on the chain without us. */
export async function endUnsigned(
  { facilitators }: RefundDeps,
  { transfer }: Pick<Refund, "transfer">,
): Promise<Given> {
  const here = transfer && facilitators.hereOn(transfer.network);
  if (here === undefined || transfer === undefined) return { kind: "unknown" };
  return (await onChain(here.chain, transfer, "not_signed_in_time")) ?? { kind: "unknown" };
}

/** What the chain says of it, which is the last word; undefined while it says nothing and may still change. */
async function onChain(chain: Chain, transfer: SellersTransfer, because: string): Promise<Given | undefined> {
  const { domain, authorization } = typedDataOf(transfer);
  const of = { ...authorization, asset: domain.verifyingContract, scheme: exactScheme } as const;
  try {
    const found = await chain.findUse(of);
    if (found.kind === "lost") return { kind: "unknown" };
    if (found.kind === "found")
      return found.use === "paid"
        ? { kind: "refunded", reference: found.transaction }
        : { kind: "refused", because: reasons.nonce };
    return (await chain.isOver(of, authorization.validBefore)) ? { kind: "refused", because } : undefined;
  } catch (error) {
    if (error instanceof ChainAway) return { kind: "unknown" };
    throw error;
  }
}
