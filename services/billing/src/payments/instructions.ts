import { type Clock, type Money, moneyOf } from "@remit/kernel";
import type { KeySource } from "@remit/platform/outbound";
import { type Instruction, type InstructionOp, keyIdOf, Problem } from "@remit/protocol";
import { verifyInstruction } from "@remit/protocol/node";
import { inTokens } from "./par.ts";

export type InstructionDeps = {
  readonly issuer: string;
  /** Our origin: what instructions are addressed to. */
  readonly audience: string;
  readonly keys: KeySource;
  readonly clock: Clock;
  readonly livemode: boolean;
};

/** An instruction of the authorization server, its signature, address and times checked, its amount as the money that moves. */
export type Order = Instruction & { readonly amount: Money };

/**
 * Reads the word without which billing moves nothing. The token of the call only says who brings it. Sent again within its
 * 120 s it has no second effect, since every step is unique by (charge, generation, step, refund).
 */
export async function readOrder(
  { issuer, audience, keys, clock, livemode }: InstructionDeps,
  jws: string,
  ops: readonly InstructionOp[],
): Promise<Order> {
  const known = await keys(keyIdOf(jws));
  const order = verifyInstruction(jws, { issuer, audience, keys: known, now: clock.now(), livemode });
  if (!ops.includes(order.op)) throw new Problem("instruction_invalid", { detail: `it says ${order.op}` });
  const amount = moneyOf(order.amount_minor, order.currency);
  if (amount === undefined)
    throw new Problem("instruction_invalid", { detail: "amount and currency are no money" });
  return { ...order, amount: order.transfer === undefined ? amount : inTokens(amount, order.transfer) };
}
