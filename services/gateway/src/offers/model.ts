import { type Id, type Money, type Secret } from "@remit/kernel";
import type { PrivateJwk } from "@remit/protocol";
import type { Meter } from "../metering/index.ts";
import type { Pattern } from "./paths.ts";

/** A merchant whose goods the gateway sells, and the keys and accounts with which it speaks and is paid. */
export type Merchant = {
  readonly id: Id<"merchant">;
  /** The payee: whose rows the purchases are. */
  readonly tenant: Id<"tenant">;
  /** Where its paid routes are reached; also the audience of every presentation. */
  readonly origin: string;
  readonly clientId: string;
  readonly keys: { readonly assertion: PrivateJwk; readonly dpop: PrivateJwk; readonly offer: PrivateJwk };
  readonly accounts: PaymentAccounts;
};

/** Where a merchant's money arrives when no mandate says so. From configuration alone, never from a request. */
export type PaymentAccounts = {
  readonly stripe?: StripeAccount;
  /** Key of the wallet that is paid by transfers, where this gateway may give them back by itself. */
  readonly wallet?: Secret<string>;
  /** Who settles its stablecoin payments, where a way names none of its own. */
  readonly facilitator: Facilitator;
};

export type StripeAccount = {
  readonly secretKey: Secret<string>;
  /** `https://api.stripe.com`, or another host that speaks its protocol. */
  readonly origin: string;
};

/** Verifies and settles payments on a chain: this gateway itself, or somebody's service. */
export type Facilitator =
  | { readonly kind: "local" }
  | { readonly kind: "remote"; readonly url: string; readonly token?: Secret<string> };

/** Under a mandate, through the authorization server. */
export type MandateWay = { readonly rail: "mandate" };

/** By card with a shared payment token, through the seller's own Stripe account. */
export type CardWay = {
  readonly rail: "card";
  /** A connected account (`acct_…`) that the payment is for; the key's own account when absent. */
  readonly account?: string;
  /** The seller's profile on the network that issues shared payment tokens. */
  readonly networkId: string;
  readonly paymentMethodTypes: readonly string[];
};

/** A token's contract, and what its EIP-712 domain says. */
export type ChainAsset = {
  readonly address: string;
  readonly decimals: number;
  readonly name: string;
  readonly version: string;
};

/** By a stablecoin transfer that the payer has signed (EIP-3009), or of a price by use by a permit for the most (Permit2). */
export type X402Way = {
  readonly rail: "x402";
  readonly scheme: "exact" | "upto";
  /** CAIP-2: `eip155:` and the chain's id. */
  readonly network: string;
  readonly asset: ChainAsset;
  readonly payTo: string;
  /** Atomic units of the asset; of a price by use for the most that one request can cost. */
  readonly amount: bigint;
  /** Blocks on top of the transfer's before it counts; 1 means that its own block is enough. */
  readonly confirmations?: number;
  readonly facilitator?: Facilitator;
};

export type Way = MandateWay | CardWay | X402Way;

/** A way that the configuration names and that is not sold, and why. */
export type DroppedWay = { readonly rail: Way["rail"]; readonly because: string };

/** A program that is a server: it speaks over its standard input and output. */
export type ServerProgram = {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd?: string;
};

export type HealthCheck = { readonly path: string; readonly everyMs: number };

type Route = {
  readonly id: string;
  readonly merchant: Merchant;
  readonly method: string;
  readonly pattern: Pattern;
  /** Origin of the server behind; it sees the path that was asked for. */
  readonly upstream: string;
  /** What of the path the upstream does not see, where it knows nothing of the address at which it is sold. */
  readonly stripPrefix?: string;
  /** The tool of an MCP server that this is the price of; `*` for every one that no other route names. */
  readonly tool?: string;
  /** What runs behind an upstream of the form `stdio:name`. */
  readonly program?: ServerProgram;
  readonly name: string;
  readonly sku: string;
  readonly description?: string;
  /** Sold to who knows its address; no catalogue and no document of discovery tells of it. */
  readonly hidden: boolean;
  /** `stream`: bytes leave as they come. `buffer`: of a paid answer none leaves before all of it is captured. */
  readonly deliver: "buffer" | "stream";
  readonly serveByS: number;
  /** How long the upstream has for its whole answer. */
  readonly timeoutMs: number;
  /** What its upstream is asked to see whether it is well: while it is not, nobody is asked to pay. */
  readonly health?: HealthCheck;
  /** How often the upstream is asked again, before any byte of an answer. */
  readonly retries: number;
};

/** Nothing to pay: `free` for everybody, `auth` for who says who they are. */
export type OpenRoute = Route & { readonly gate: "free" | "auth" };

export type PaidRoute = Route & {
  readonly gate: "paid";
  /** What is held: of a price by use the most that one request can cost. */
  readonly price: Money;
  /** By which use is turned into money; absent for a fixed price. */
  readonly meter?: Meter;
  /** At least one. */
  readonly ways: readonly Way[];
  readonly dropped: readonly DroppedWay[];
  /** `before`: the money is the seller's before the upstream works, and a failure leaves the payer a credit. */
  readonly settle: "after" | "before";
};

/** What is behind one address, and what it takes to get it. */
export type SaleRoute = OpenRoute | PaidRoute;

export type Shop = { readonly merchant: Merchant; readonly routes: readonly SaleRoute[] };

/** Everything that is for sale, by the Host that buyers name. */
export type Offers = ReadonlyMap<string, Shop>;

/** The way of one rail that a route is sold by. */
export const wayOf = <R extends Way["rail"]>(
  { ways }: PaidRoute,
  rail: R,
): Extract<Way, { rail: R }> | undefined =>
  ways.find((way): way is Extract<Way, { rail: R }> => way.rail === rail);

/** The amount of a token that is worth money of its peg; undefined when the token cannot express it. */
export function atomicOf({ asset, units }: Money, decimals: number): bigint | undefined {
  const shift = decimals - asset.places;
  if (shift >= 0) return units * 10n ** BigInt(shift);
  const step = 10n ** BigInt(-shift);
  return units % step === 0n ? units / step : undefined;
}
