import {
  type Asset,
  assetOfCaip19,
  invariant,
  type Money,
  money,
  moneyOf,
  toBudgetUnits,
} from "@remit/kernel";
import type { Members } from "../members.ts";
import { readable } from "../readable.ts";

/** How the price is paid over the x402 rail: a transfer of a token at par with the currency, and to whom (EIP-3009). */
export type OfferTransfer = {
  /** CAIP-2. */
  readonly network: string;
  /** The token's contract. */
  readonly asset: string;
  /** Atomic units, decimal. */
  readonly amount: string;
  readonly pay_to: string;
  /** The token's EIP-712 domain. */
  readonly name: string;
  readonly version: string;
};

const networkPattern = /^eip155:[1-9]\d{0,14}$/;
const address = { pattern: /^0x[0-9a-fA-F]{40}$/ };

/** Reads the terms of a transfer: of a token that Remit knows. */
export function readTransfer(of: Members): OfferTransfer {
  of.only(["network", "asset", "amount", "pay_to", "name", "version"]);
  const transfer = {
    network: of.text("network", { pattern: networkPattern }),
    asset: of.text("asset", address),
    amount: of.text("amount", { max: 32, pattern: /^[1-9]\d*$/ }),
    pay_to: of.text("pay_to", address),
    name: of.text("name", { max: 64, pattern: readable }),
    version: of.text("version", { max: 16, pattern: readable }),
  };
  if (tokenOf(transfer) === undefined) of.refuse("asset", "is no token that is known");
  return transfer;
}

const tokenOf = ({ network, asset }: OfferTransfer): Asset | undefined =>
  assetOfCaip19(`${network}/erc20:${asset}`);

/** What the transfer moves. */
export function tokensOf(transfer: OfferTransfer): Money {
  const token = tokenOf(transfer);
  invariant(token !== undefined, "a transfer that was read is of a token we know");
  return money(token, BigInt(transfer.amount));
}

/** The price in tokens says the same as the price in money: no conversion, by anybody. */
export function isAtPar(transfer: OfferTransfer, price: { amountMinor: number; currency: string }): boolean {
  const tokens = tokensOf(transfer);
  const wanted = moneyOf(price.amountMinor, price.currency);
  return (
    wanted !== undefined &&
    tokens.asset.peg === price.currency &&
    toBudgetUnits(tokens) === toBudgetUnits(wanted)
  );
}
