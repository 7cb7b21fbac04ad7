import type { Id, Instant } from "@remit/kernel";
import { Problem } from "@remit/protocol";
import type { ChargeStatus } from "@remit/protocol/contracts";

/**
 * Where a purchase is: about to charge, to serve, to capture or to release, each written before it is done, so that after
 * a crash the row says how far the money may have come. `captured` and `released` are ends; the others end within their
 * lease or are taken over.
 */
export type ClaimState = "claimed" | "serving" | "capturing" | "captured" | "releasing" | "released";

/** The first use of a payment credential, and all that is needed to finish what it paid for. */
export type Claim = {
  readonly tenant: Id<"tenant">;
  /** Also the Idempotency-Key of every call to the charge API. */
  readonly id: Id<"claim">;
  readonly credential: string;
  readonly presentation: string;
  readonly request: string;
  readonly merchant: Id<"merchant">;
  readonly route: string;
  readonly agent: string;
  readonly payer: string;
  readonly idempotencyKey?: string;
  readonly state: ClaimState;
  readonly generation: number;
  readonly charge?: Id<"charge">;
  readonly amountMinor: number;
  readonly currency: string;
  readonly receipt?: string;
  readonly createdAt: Instant;
  readonly updatedAt: Instant;
};

/** A request that comes with a credential or key which has been used. */
export type Again = {
  readonly credential?: string;
  readonly presentation: string;
  readonly request: string;
};

export type ReplayDecision =
  /** The stored answer belongs to whoever asks. */
  | { readonly kind: "stored" }
  /** Somebody is at it. */
  | { readonly kind: "wait" }
  | { readonly kind: "refused"; readonly problem: Problem };

/** What becomes of a second request for a claim. It has proven that it comes from the same payer. */
export function decideReplay(claim: Claim, again: Again): ReplayDecision {
  const sameCredential = claim.presentation === again.presentation || claim.credential === again.credential;
  if (claim.request !== again.request)
    return {
      kind: "refused",
      problem: sameCredential
        ? new Problem("presentation_used", { detail: "It was used for another request." })
        : new Problem("idempotency_conflict"),
    };
  if (claim.state === "captured") return { kind: "stored" };
  if (claim.state !== "released") return { kind: "wait" };
  const detail = "Its charge was released and nothing was paid; pay the new offer.";
  return { kind: "refused", problem: new Problem("presentation_used", { status: 402, detail }) };
}

export type RecoveryDecision = "capture" | "release" | "settled" | "given_up";

/**
 * What to do with a claim nobody works on, by what the authorization server says of its charge. Before the commit point
 * (`capturing`) the charge is released, since the buyer got nothing; after it, it is captured and the answer kept.
 */
export function decideRecovery(status: ChargeStatus): RecoveryDecision {
  switch (status) {
    case "captured":
    case "refunding":
    case "refunded":
    case "disputed":
    case "won":
    case "lost":
      return "settled";
    case "capturing":
    case "committed":
      return "capture";
    case "released":
    case "declined":
    case "expired":
      return "given_up";
    case "created":
    case "pending_approval":
    case "held":
    case "authorizing":
    case "authorized":
    case "serving":
    case "releasing":
      return "release";
  }
}
