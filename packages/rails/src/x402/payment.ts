import { type Asset, assetOfCaip19, type Money, money } from "@remit/kernel";
import {
  evmChainIdOf,
  exactScheme,
  type Hex,
  type JsonObject,
  Problem,
  parseExactEvmPayload,
  parseUptoEvmPayload,
  type SignedTransfer,
  type TokenDomain,
  uptoScheme,
} from "@remit/protocol";
import { type Reason, reasons } from "./reasons.ts";

/** What the payer was asked for, in the words of x402 v2; never what the payer echoed. */
export type Requirements = {
  readonly scheme: string;
  readonly network: string;
  /** Atomic units, decimal. */
  readonly amount: string;
  readonly asset: string;
  readonly payTo: string;
  readonly maxTimeoutSeconds?: number;
  readonly extra?: { readonly name?: string; readonly version?: string };
};

/** What the payer gave, as a row keeps it: JSON, and the requirements that it answers. */
export type AuthorizationSource = { readonly payload: JsonObject; readonly requirements: Requirements };

/** A payment that can be understood; nothing in it is verified but its form. */
export type TransferPayment = {
  /** CAIP-2. */
  readonly network: string;
  readonly domain: TokenDomain;
  readonly payTo: Hex;
  /** What moves: of `upto` as much as was asked for, which may be less than was signed. */
  readonly value: bigint;
  /** How long from now on a signature may be good, in seconds. */
  readonly timeoutS: number;
  readonly transfer: SignedTransfer;
};

export const schemeOf = ({ transfer }: TransferPayment): "exact" | "upto" =>
  transfer.permit === undefined ? exactScheme : uptoScheme;

export type ReadPayment =
  | { readonly kind: "payment"; readonly payment: TransferPayment }
  | { readonly kind: "invalid"; readonly reason: Reason; readonly payer?: Hex };

const timeoutSUsual = 300;
const timeoutSMax = 86_400;
const addressPattern = /^0x[0-9a-fA-F]{40}$/;

/** Reads what is asked for and what was given into one payment, in the order in which facilitators check. */
export function readPayment({ payload, requirements }: AuthorizationSource): ReadPayment {
  const { scheme, network, asset, payTo, amount, extra } = requirements;
  if (scheme !== exactScheme && scheme !== uptoScheme) return { kind: "invalid", reason: reasons.scheme };
  const transfer = transferOf(payload, scheme);
  if (transfer === undefined) return { kind: "invalid", reason: reasons.payload };
  const payer = transfer.authorization.from;
  const invalid = (reason: Reason): ReadPayment => ({ kind: "invalid", reason, payer });
  const chainId = evmChainIdOf(network);
  if (chainId === undefined) return invalid(reasons.network);
  if (!extra?.name || !extra.version) return invalid(reasons.domain);
  if (!addressPattern.test(asset)) return invalid(reasons.asset);
  if (!addressPattern.test(payTo)) return invalid(reasons.recipient);
  if (!/^(0|[1-9]\d{0,77})$/.test(amount)) return invalid(reasons.value);
  const verifyingContract = lower(asset);
  if (transfer.permit !== undefined && transfer.permit.token !== verifyingContract)
    return invalid(reasons.permitToken);
  return {
    kind: "payment",
    payment: {
      network: `eip155:${chainId}`,
      domain: { name: extra.name, version: extra.version, chainId, verifyingContract },
      payTo: lower(payTo),
      value: BigInt(amount),
      timeoutS: Math.min(requirements.maxTimeoutSeconds ?? timeoutSUsual, timeoutSMax),
      transfer,
    },
  };
}

// Both are matched against the pattern of an address first.
const lower = (address: string): Hex => address.toLowerCase() as Hex;

function transferOf(payload: JsonObject, scheme: "exact" | "upto"): SignedTransfer | undefined {
  try {
    return scheme === exactScheme ? parseExactEvmPayload(payload) : parseUptoEvmPayload(payload);
  } catch (error) {
    if (error instanceof Problem) return undefined;
    throw error;
  }
}

/** All that is needed to find a payment on its chain again. */
export type TransferReference = {
  readonly network: string;
  readonly asset: Hex;
  readonly from: Hex;
  readonly nonce: Hex;
  readonly to: Hex;
  readonly value: bigint;
  readonly validBefore: bigint;
  readonly places: number;
  readonly scheme: "exact" | "upto";
  /** Whose payment it is: the key under which it is settled. */
  readonly key: string;
};

/** One text of it: known before anything is sent, since the payer's signature fixes every part. Of `upto` the most. */
export const referenceOf = (
  payment: TransferPayment,
  { places, key }: { readonly places: number; readonly key: string },
): string => {
  const { from, nonce, validBefore } = payment.transfer.authorization;
  const { network, domain, payTo } = payment;
  const { value } = payment.transfer.authorization;
  const scheme = schemeOf(payment) === uptoScheme ? "upto:" : "";
  return `${scheme}${network}/erc20:${domain.verifyingContract}/${from}/${nonce}/${payTo}/${value}e-${places}/${validBefore}/${key}`;
};

const hex = "(0x[0-9a-f]{40})";
const referencePattern = new RegExp(
  `^(upto:)?(eip155:[1-9]\\d{0,14})/erc20:${hex}/${hex}/(0x[0-9a-f]{64})/${hex}/(\\d{1,78})e-(\\d{1,2})/(\\d{1,78})/([\\x21-\\x7e]{1,255})$`,
);

export function readReference(reference: string): TransferReference | undefined {
  const [, scheme, network, asset, from, nonce, to, value, places, validBefore, key] =
    referencePattern.exec(reference) ?? [];
  if (
    network === undefined ||
    value === undefined ||
    places === undefined ||
    validBefore === undefined ||
    key === undefined
  )
    return undefined;
  return {
    network,
    // The pattern has matched them all.
    asset: asset as Hex,
    from: from as Hex,
    nonce: nonce as Hex,
    to: to as Hex,
    value: BigInt(value),
    places: Number(places),
    scheme: scheme === undefined ? exactScheme : uptoScheme,
    validBefore: BigInt(validBefore),
    key,
  };
}

export function moneyOf({ network, asset, value, places }: TransferReference): Money {
  const caip19 = `${network}/erc20:${asset}`;
  const known = assetOfCaip19(caip19);
  const token: Asset = { code: caip19, places, kind: "token", caip19 };
  return money(known?.places === places ? known : token, value);
}
