import { type Clock, type Instant, toNumericDate } from "@remit/kernel";
import { type Hex, permitDigest, transferDigest } from "@remit/protocol";
import { encodeFunctionData, recoverAddress } from "viem";
import type { Uncertainty } from "../engine.ts";
import { permitAbi, tokenAbi } from "./abi.ts";
import { type Chain, ChainAway, type Prospect } from "./chain.ts";
import type { Verification } from "./facilitator.ts";
import { schemeOf, type TransferPayment } from "./payment.ts";
import { type Reason, reasons } from "./reasons.ts";

export type Checked =
  /** It would go through now: what is sent to the token, and how much gas that takes. */
  | { readonly kind: "valid"; readonly data: Hex; readonly gas: bigint }
  | Extract<Verification, { kind: "invalid" | "unknown" }>;

// A transfer needs time to get into a block.
const leadS = 6n;
// Wallets round up, and the payer's clock may be ahead of ours. What matters is that no signature is good for ever.
const slackS = 3_600n;
// A transfer takes less than a third of it; a contract that checks signatures may take more. Beyond, it is no transfer.
const gasMax = { key: 300_000n, wallet: 1_000_000n };
// secp256k1n / 2: of the two signatures that anybody can make of one, tokens and we take the lower (EIP-2).
const halfOrder = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0n;

/** Everything that must be right before anybody serves, in the order in which facilitators check it. */
export async function checkPayment(chain: Chain, clock: Clock, payment: TransferPayment): Promise<Checked> {
  if (payment.domain.chainId !== chain.chainId) return invalid(reasons.network);
  try {
    const data = callOf(payment);
    const prospect = await chain.prospectOf(payment, data);
    if (!(await isSigned(chain, payment, prospect))) return invalid(reasons.signature);
    const wrong = wrongTerms(payment, clock.now());
    if (wrong !== undefined) return invalid(wrong);
    if (!prospect.assetExists) return invalid(reasons.asset);
    if (!prospect.callable) return invalid(reasons.permitProxy);
    // A token may let a used authorization pass without a word.
    if (prospect.isUsed) return invalid(nonceReasonOf(payment));
    const { simulation } = prospect;
    if (simulation.kind === "passes") {
      const isDear = simulation.gas > (prospect.isWallet ? gasMax.wallet : gasMax.key);
      return isDear ? invalid(reasons.gasUse) : { kind: "valid", data, gas: simulation.gas };
    }
    return invalid(await diagnosis(chain, payment));
  } catch (error) {
    return { kind: "unknown", because: uncertaintyOf(error) };
  }
}

const nonceReasonOf = (payment: TransferPayment): Reason =>
  schemeOf(payment) === "upto" ? reasons.permitNonce : reasons.nonce;

const invalid = (reason: Reason): Checked => ({ kind: "invalid", reason });

/** A throw that is no silence of the chain is a bug of ours. */
export function uncertaintyOf(error: unknown): Uncertainty {
  if (error instanceof ChainAway) return "connection";
  throw error;
}

async function isSigned(chain: Chain, payment: TransferPayment, { isWallet }: Prospect): Promise<boolean> {
  const { authorization, permit, signature } = payment.transfer;
  const digest =
    permit === undefined
      ? transferDigest(payment.domain, authorization)
      : permitDigest(payment.domain.chainId, { authorization, permit });
  // A payer with code judges its signatures itself, also where a key of the same address exists.
  if (isWallet) return await chain.isValidSignature(authorization.from, digest, signature);
  const parts = partsOf(signature);
  if (parts === undefined || BigInt(parts.s) > halfOrder || BigInt(parts.s) === 0n) return false;
  const signer = await recoverAddress({ hash: digest, signature: parts }).catch(() => undefined);
  return signer?.toLowerCase() === authorization.from;
}

type Parts = { readonly r: Hex; readonly s: Hex; readonly v: bigint };

/** The three numbers of one key's signature; undefined for what a contract may want instead. */
function partsOf(signature: Hex): Parts | undefined {
  if (signature.length !== 132) return undefined;
  const v = BigInt(`0x${signature.slice(130)}`);
  if (v !== 27n && v !== 28n) return undefined;
  return { r: `0x${signature.slice(2, 66)}`, s: `0x${signature.slice(66, 130)}`, v };
}

function wrongTerms(payment: TransferPayment, now: Instant): Reason | undefined {
  const { to, value, validAfter, validBefore } = payment.transfer.authorization;
  // What is good for longer than was asked for could be charged when nobody expects it any more.
  const latestS = BigInt(toNumericDate(now) + payment.timeoutS) + slackS;
  const nowS = BigInt(toNumericDate(now));
  if (to !== payment.payTo) return reasons.recipient;
  if (validBefore < nowS + leadS || validBefore > latestS) return reasons.validBefore;
  if (validAfter > nowS) return reasons.validAfter;
  if (payment.transfer.permit !== undefined)
    return payment.value <= value ? undefined : reasons.permitExceeded;
  return value === payment.value ? undefined : reasons.value;
}

/** Why it would not go through by Permit2. */
async function permitDiagnosis(chain: Chain, payment: TransferPayment): Promise<Reason> {
  const { verifyingContract: asset } = payment.domain;
  const { from } = payment.transfer.authorization;
  const [balance, permitted] = await Promise.all([
    orElse(chain.balanceOf(asset, from), payment.value),
    orElse(chain.permittedOf(asset, from), payment.value),
  ]);
  if (permitted < payment.value) return reasons.permitAllowance;
  return balance < payment.value ? reasons.balance : reasons.simulation;
}

/** Why the token would refuse, as far as it can be known. */
async function diagnosis(chain: Chain, payment: TransferPayment): Promise<Reason> {
  if (schemeOf(payment) === "upto") return await permitDiagnosis(chain, payment);
  const { verifyingContract: asset, name, version } = payment.domain;
  const { from, nonce } = payment.transfer.authorization;
  const [domain, balance, isUsed] = await Promise.all([
    chain.domainOf(asset),
    orElse(chain.balanceOf(asset, from), 0n),
    orElse(chain.isUsed({ asset, from, nonce, scheme: "exact" }), undefined),
  ]);
  if (isUsed === undefined) return reasons.unsupported;
  if (isUsed) return reasons.nonce;
  if (domain.name !== undefined && domain.name !== name) return reasons.tokenName;
  if (domain.version !== undefined && domain.version !== version) return reasons.tokenVersion;
  return balance < payment.value ? reasons.balance : reasons.simulation;
}

const orElse = <T, E>(work: Promise<T>, other: E): Promise<T | E> =>
  work.catch((error: unknown) => {
    if (error instanceof ChainAway) return other;
    throw error;
  });

/** What the token is asked. One key's signature goes in three parts, a contract's as it is: old tokens know the first only. */
export function callOf(payment: TransferPayment): Hex {
  const { authorization, permit, signature } = payment.transfer;
  if (permit !== undefined) return settleCallOf(payment, permit);
  const { from, to, value, validAfter, validBefore, nonce } = authorization;
  const fixed = [from, to, value, validAfter, validBefore, nonce] as const;
  const functionName = "transferWithAuthorization";
  const parts = partsOf(signature);
  return parts === undefined
    ? encodeFunctionData({ abi: tokenAbi, functionName, args: [...fixed, signature] })
    : encodeFunctionData({
        abi: tokenAbi,
        functionName,
        args: [...fixed, Number(parts.v), parts.r, parts.s],
      });
}

/** What the proxy of `upto` is asked: the payer's words as they were signed, and of the amount as much as was used. */
function settleCallOf(
  { transfer, value: used }: TransferPayment,
  { token, facilitator }: NonNullable<TransferPayment["transfer"]["permit"]>,
): Hex {
  const { from, to, value, validAfter, validBefore, nonce } = transfer.authorization;
  const permit = { permitted: { token, amount: value }, nonce: BigInt(nonce), deadline: validBefore };
  return encodeFunctionData({
    abi: permitAbi,
    functionName: "settle",
    args: [permit, used, from, { to, facilitator, validAfter }, transfer.signature],
  });
}
