import type { MandateBody, WalletCharge } from "@remit/protocol/contracts";
import { effectOf } from "./names.ts";

export type Step = { readonly atMs: number; readonly left: number };

/**
 * What was left of a mandate over its life, as steps, rebuilt from its purchases. It ends at what is left now: where older
 * purchases are not at hand, the line begins lower than it did.
 */
export function burnDown(
  mandate: MandateBody,
  charges: readonly WalletCharge[],
  nowMs: number,
): readonly Step[] {
  const oldestFirst = [...charges].filter((charge) => effectOf(charge) > 0).reverse();
  const known = oldestFirst.reduce((sum, charge) => sum + effectOf(charge), 0);
  let left = mandate.remaining_minor + known;
  const steps: Step[] = [{ atMs: Date.parse(mandate.valid_from), left }];
  for (const charge of oldestFirst) {
    left -= effectOf(charge);
    steps.push({ atMs: Date.parse(charge.created_at), left });
  }
  return [
    ...steps,
    { atMs: Math.min(nowMs, Date.parse(mandate.valid_until)), left: mandate.remaining_minor },
  ];
}
