import { type Clock, secondMs } from "@remit/kernel";
import type { Database } from "@remit/platform/sql";
import type { Log } from "@remit/platform/telemetry";
import type { Chain, Signer } from "@remit/rails/x402";
import type { Worker } from "../claims/index.ts";

/** One chain on which this gateway settles, and with what. */
export type Station = {
  readonly db: Database;
  readonly clock: Clock;
  readonly log: Log;
  readonly by: Worker;
  /** CAIP-2. */
  readonly network: string;
  readonly chain: Chain;
  readonly signer: Signer;
  /** The most that a unit of gas may cost, in wei. */
  readonly feeMax: bigint;
  /** How long whoever asked waits for the chain, in ms. */
  readonly waitMs: number;
  /** After this long without a block a transaction is replaced by one that pays more, in ms. */
  readonly patienceMs: number;
};

export type Fees = { readonly maxFee: bigint; readonly tip: bigint };

const feesMs = secondMs;

/** The chain's fees, asked for once a second at most. Twice the base fee leaves room for six full blocks in a row. */
export function feesOf({ chain, clock }: Pick<Station, "chain" | "clock">): () => Promise<Fees> {
  let known: { readonly fees: Promise<Fees>; readonly until: number } | undefined;
  return () => {
    if (known === undefined || clock.now() >= known.until) {
      const fees = chain.fees().then(({ base, tip }) => ({ maxFee: base * 2n + tip, tip }));
      const fresh = { fees, until: clock.now() + feesMs };
      known = fresh;
      fees.catch(() => {
        if (known === fresh) known = undefined;
      });
    }
    return known.fees;
  };
}
