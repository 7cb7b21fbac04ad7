import type { Hex } from "@remit/protocol";
import type { Uncertainty } from "../engine.ts";
import type { Chain, Receipt } from "./chain.ts";
import { type PlainTransfer, transfersIn } from "./logs.ts";
import { uncertaintyOf } from "./verify.ts";

/** A transfer by which a seller says it has given back what a transaction had paid. */
export type WantedReturn = PlainTransfer & {
  /** CAIP-2. */
  readonly network: string;
  readonly transaction: Hex;
  /** The transaction that paid: nothing before it gives it back. */
  readonly paidBy: Hex;
  /** The second from which on the token would not have let it pay. */
  readonly paidBefore: bigint;
};

/** What the chain says of it. Every no may be a yes later, when a block comes or goes: it is for who asks to ask again. */
export type SeenReturn =
  /** In no block. */
  | { readonly kind: "absent" }
  | { readonly kind: "failed" }
  /** It moved something else. */
  | { readonly kind: "other" }
  /** Where it stands in the transaction's logs, more than once if it was made more than once. */
  | { readonly kind: "seen"; readonly logs: readonly number[]; readonly isFinal: boolean }
  | { readonly kind: "unknown"; readonly because: Uncertainty };

/** Who finds transfers that sellers have made themselves; never throws. */
export type Returns = (wanted: WantedReturn) => Promise<SeenReturn>;

export const createReturns =
  (on: (network: string) => Chain | undefined): Returns =>
  async (wanted) => {
    const chain = on(wanted.network);
    if (chain === undefined) return { kind: "unknown", because: "unexpected" };
    try {
      return await look(chain, wanted);
    } catch (error) {
      return { kind: "unknown", because: uncertaintyOf(error) };
    }
  };

async function look(chain: Chain, wanted: WantedReturn): Promise<SeenReturn> {
  // First what is final and then what is there: a block that goes in between is never taken for one that stays.
  const final = await chain.finalHead();
  const [made, paid] = await Promise.all([chain.receipt(wanted.transaction), chain.receipt(wanted.paidBy)]);
  if (made === undefined) return { kind: "absent" };
  if (!made.succeeded) return { kind: "failed" };
  const logs = transfersIn(made.logs, wanted);
  if (logs.length === 0) return { kind: "other" };
  const isBefore = paid === undefined ? await mayBeBefore(chain, made, wanted) : made.block < paid.block;
  if (isBefore === undefined) return { kind: "unknown", because: "unexpected" };
  if (isBefore) return { kind: "other" };
  return { kind: "seen", logs, isFinal: made.block <= final };
}

/**
 * Nodes forget receipts, and never when a block was made: what is of a second in which the token let nobody pay by that signature any
 * more is of after the payment. Of what is older nobody can tell. Undefined when the block has gone.
 */
async function mayBeBefore(
  chain: Chain,
  { block }: Receipt,
  { paidBefore }: WantedReturn,
): Promise<boolean | undefined> {
  const made = await chain.block(block);
  return made && made.time < paidBefore;
}
