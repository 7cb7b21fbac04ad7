import { type Asset, assetOf, type Id, type Instant, invariant, money, toBudgetUnits } from "@remit/kernel";
import type { MandateDetails, MandateRequest, PublicJwk } from "@remit/protocol";
import type { Budget, Velocity } from "./budget.ts";

/** Queue of jobs that tell of mandates which have been revoked: what is still owed under them is due. */
export const endedQueue = "mandates.ended";

export type MandateState = "active" | "suspended" | "revoked";

/** What a principal allowed an agent to spend, as the database knows it. */
export type Mandate = {
  readonly id: Id<"mandate">;
  readonly tenant: Id<"tenant">;
  readonly agent: Id<"agent">;
  readonly agentTenant: Id<"tenant">;
  readonly principal: Id<"account">;
  /** What counts: as it was last said of it, and suspended while it is frozen. */
  readonly state: MandateState;
  /** What was last said of it alone. */
  readonly ownState: MandateState;
  readonly frozenAt: Instant | undefined;
  /** One above it is suspended. */
  readonly heldBack: boolean;
  /** What its agent asks for is granted out of it without asking. */
  readonly auto: boolean;
  /** Those above it, the root first; none for one that a principal gave. */
  readonly ancestors: readonly Id<"mandate">[];
  readonly because: string | undefined;
  /** What counts: as the principal consented, or as narrowed since. The credential says what was consented to. */
  readonly details: MandateDetails;
  readonly holderThumbprint: string;
  readonly jwtHash: string;
  readonly issuedAt: Instant;
  readonly expiresAt: Instant;
  readonly narrowedAt: Instant | undefined;
  readonly revokedAt: Instant | undefined;
  readonly livemode: boolean;
  readonly status: { readonly list: number; readonly index: number };
};

/** What the consent hands over: the request as parsed, who agreed, and the agent's registered DPoP key. */
export type IssueMandate = {
  /** Chosen early when a token must already name it. */
  readonly id?: Id<"mandate">;
  readonly request: MandateRequest;
  readonly agent: Id<"agent">;
  readonly agentTenant: Id<"tenant">;
  readonly holder: PublicJwk;
  readonly principal: {
    readonly account: Id<"account">;
    readonly email?: string;
    readonly country?: string;
    readonly phone?: string;
  };
  readonly consent: { readonly at: Instant; readonly ip?: string; readonly userAgent?: string };
  readonly instrument?: Id<"instrument">;
  /** What its agent asks for is granted out of it without asking. */
  readonly auto?: boolean;
  /** The chain that it is handed on from, the root first; none for what a principal gives. */
  readonly under?: readonly Mandate[];
};

/** `jwt` is `<sd-jwt>~<disclosure>~…~` with every disclosure, for the agent. */
export type IssuedMandate = {
  readonly id: Id<"mandate">;
  readonly jwt: string;
  readonly details: MandateDetails;
  readonly expiresAt: Instant;
};

/** What a principal sees of a mandate's life; expiry and exhaustion follow from time and budget. */
export type MandateStanding = MandateState | "expired" | "exhausted";

export function standingOfMandate(mandate: Mandate, budget: Budget, now: Instant): MandateStanding {
  if (mandate.state === "revoked") return "revoked";
  if (now >= mandate.expiresAt) return "expired";
  const usedUp = budget.usesMax !== undefined && budget.uses >= budget.usesMax && budget.held === 0n;
  return usedUp || budget.spent === budget.cap ? "exhausted" : mandate.state;
}

/** What counts of a mandate: a brake on its agent, or one above it that is suspended, suspends it, whatever it would be without. */
export const stateOfMandate = ({
  ownState,
  frozenAt,
  heldBack,
}: Pick<Mandate, "ownState" | "frozenAt" | "heldBack">): MandateState =>
  ownState === "active" && (frozenAt !== undefined || heldBack) ? "suspended" : ownState;

/** Whether a brake on its agent is all that stops it. */
export const isFrozen = ({ ownState, frozenAt }: Pick<Mandate, "ownState" | "frozenAt">): boolean =>
  ownState === "active" && frozenAt !== undefined;

/** Whether a state may follow another; a revocation is final, and asking for the state there is changes nothing. */
export const mayBecome = (from: MandateState, to: MandateState): boolean => from !== "revoked" && from !== to;

export const assetOfMandate = ({ currency }: MandateDetails): Asset => {
  const asset = assetOf(currency);
  invariant(asset !== undefined, "a mandate's currency is one we know");
  return asset;
};

const unitsOf = (details: MandateDetails, minor: number): bigint =>
  toBudgetUnits(money(assetOfMandate(details), BigInt(minor)));

export const capOf = (details: MandateDetails): bigint => unitsOf(details, details.amount_minor);

/** The rules of a mandate's velocity in budget units; a zone that is not named is UTC. */
export const velocityOf = (details: MandateDetails): readonly Velocity[] =>
  (details.velocity ?? []).map(({ period, zone, amount_minor, count }, rule) => ({
    rule,
    period,
    zone: zone ?? "UTC",
    amount: amount_minor === undefined ? undefined : unitsOf(details, amount_minor),
    count,
  }));

/** Which trigger of the mandate wants a charge to be put to the principal first, if any does. */
export function whyAskPrincipal(
  details: MandateDetails,
  purchase: { readonly amount: bigint; readonly firstAtMerchant: boolean },
): "above_limit" | "first_purchase_at_merchant" | undefined {
  const triggers = details.step_up ?? [];
  const isAbove = triggers.some(
    (trigger) => "above_minor" in trigger && purchase.amount > unitsOf(details, trigger.above_minor),
  );
  if (isAbove) return "above_limit";
  const asksAtFirst = triggers.some((trigger) => !("above_minor" in trigger));
  return asksAtFirst && purchase.firstAtMerchant ? "first_purchase_at_merchant" : undefined;
}
