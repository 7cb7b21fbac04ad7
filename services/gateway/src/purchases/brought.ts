import { type Id, invariant } from "@remit/kernel";
import { Problem } from "@remit/protocol";
import { type Claim, claimOfId, takeBack } from "../claims/index.ts";
import type { Merchant } from "../offers/index.ts";
import type { UpstreamAnswer } from "../proxy/index.ts";
import { inProgress, keptOf, settled } from "./kept.ts";
import type { PurchaseDeps, Served } from "./money.ts";
import { sellBrought } from "./purchase.ts";

/** What the merchant's own server has made for a purchase. */
export type Brought = {
  readonly merchant: Merchant;
  readonly purchase: Id<"claim">;
  readonly answer: UpstreamAnswer;
};

export type BroughtSold = (
  | Extract<Served, { readonly kind: "paid" }>
  | Extract<Served, { readonly kind: "unpaid" }>
) & { readonly replayed: boolean };

/** Ends a purchase that was handed out, once: whoever brings the goods again hears what has become of it. */
export async function bring(
  deps: PurchaseDeps,
  { merchant, purchase: id, answer }: Brought,
  run: (claim: Claim, work: Promise<Served>) => Promise<Served & { readonly replayed: boolean }>,
): Promise<BroughtSold> {
  const of = { tenant: merchant.tenant, merchant: merchant.id, id };
  const claim = await takeBack(deps, of);
  if (claim === undefined) return await broughtAgain(deps, of);
  const rail = await deps.rails.of(merchant, claim);
  if (rail === undefined) throw new Problem("unavailable");
  const sold = await run(claim, sellBrought(deps, { claim, rail }, { answer, merchant }));
  invariant(sold.kind === "paid" || sold.kind === "unpaid", "what was brought is sold or not");
  return sold;
}

async function broughtAgain(
  deps: PurchaseDeps,
  of: Pick<Claim, "tenant" | "id" | "merchant">,
): Promise<BroughtSold> {
  const claim = await claimOfId(deps.db, of);
  if (claim?.merchant !== of.merchant) throw new Problem("not_found");
  if (claim.state === "captured") {
    const kept = await keptOf(deps, claim);
    if (kept === undefined) throw settled(claim);
    return { kind: "paid", claim, answer: kept, replayed: true };
  }
  if (claim.state !== "released") throw inProgress();
  throw new Problem("payment_declined", { detail: "It was not served in time, and nothing was paid." });
}
