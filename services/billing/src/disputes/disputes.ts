import type { Id, Instant, Money } from "@remit/kernel";
import type { DisputeStatus } from "@remit/protocol/contracts";
import type { DisputeSeen } from "../stripe/index.ts";

/** A dispute of the card network about a payment of ours. */
export type Dispute = {
  readonly id: Id<"dispute">;
  /** The merchant's tenant, whose it is. */
  readonly payee: Id<"tenant">;
  readonly payer: Id<"tenant">;
  readonly reference: string;
  readonly payment: Id<"payment">;
  readonly charge: Id<"charge">;
  readonly merchant: Id<"merchant">;
  /** Stripe's own word; null before the first look. */
  readonly status: string | null;
  readonly reason: string | null;
  readonly amount: Money | null;
  readonly respondBy: Instant | null;
  readonly openedAt: Instant;
  readonly setAside: number;
  readonly returned: number;
  readonly look: number;
  /** The account at Stripe to which its payment went on; null where the money stayed with us. */
  readonly destination: string | null;
};

/** An inquiry takes no money, nor does a dispute that was won: all others are the merchant's to bear until then. */
const bears: ReadonlySet<string> = new Set(["needs_response", "under_review", "lost"]);

/** What has to be moved between merchant and reserve for a dispute to stand as Stripe says; undefined when it does. */
export function moveOf(
  { setAside, returned }: Pick<Dispute, "setAside" | "returned">,
  { status }: Pick<DisputeSeen, "status">,
): { readonly way: "set_aside" | "returned"; readonly ordinal: number } | undefined {
  const isAside = setAside > returned;
  if (bears.has(status) === isAside) return undefined;
  return isAside ? { way: "returned", ordinal: returned + 1 } : { way: "set_aside", ordinal: setAside + 1 };
}

const told: Readonly<Record<string, DisputeStatus>> = {
  needs_response: "needs_response",
  warning_needs_response: "needs_response",
  under_review: "under_review",
  warning_under_review: "under_review",
  won: "won",
  lost: "lost",
  warning_closed: "withdrawn",
};

/** In our words; an inquiry that came to nothing was withdrawn. */
export const statusOf = (status: string | null): DisputeStatus => told[status ?? ""] ?? "under_review";
