import { type Id, type Instant, unreachable } from "@remit/kernel";
import { Problem } from "@remit/protocol";
import { costOf, type Meter } from "../metering/index.ts";

/**
 * Where a purchase is: about to charge, to serve, to capture or to release, each written before it is done, so that after
 * a crash the row says how far the money may have come. `captured` and `released` are ends; the others end within their
 * lease or are taken over.
 */
export type ClaimState =
  | "claimed"
  | "serving"
  | "capturing"
  | "captured"
  | "releasing"
  | "released"
  /** Paid before it was served: the payer keeps this as a credit until the goods are delivered. */
  | "owed"
  /** The principal of its mandate is asked: the same credential goes on with it once there is an answer. */
  | "waiting";

export type ClaimRail = "mandate" | "card" | "x402";

/** The first use of a payment credential, and all that is needed to finish what it paid for. */
export type Claim = {
  readonly tenant: Id<"tenant">;
  /** Also the Idempotency-Key of every call to the charge API, and with the attempt that of every call to a provider. */
  readonly id: Id<"claim">;
  readonly rail: ClaimRail;
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
  /** The provider's id of a payment without a mandate. */
  readonly reference?: string;
  /** What the chain or the card network calls the movement of the money. */
  readonly settlement?: string;
  readonly attempt: number;
  readonly attemptedAt: Instant;
  readonly challenge?: string;
  /** The connected account that a card's payment is passed on to. */
  readonly account?: string;
  /** Thumbprint of the key that the first request proved to hold. */
  readonly holder?: string;
  readonly paidAt?: Instant;
  /** What is held; all of it is taken unless `capturedMinor` says so. */
  readonly amountMinor: number;
  readonly capturedMinor?: number;
  readonly currency: string;
  readonly deliver: "buffer" | "stream";
  /** By which the use is turned into money, as it was offered. */
  readonly meter?: Meter;
  /** Tokens, bytes or milliseconds that the buyer has been given, as far as they were written down. */
  readonly used?: number;
  /** Of what has been streamed. */
  readonly responseDigest?: string;
  readonly receipt?: string;
  readonly createdAt: Instant;
  readonly updatedAt: Instant;
};

/** A request that comes with a credential or key which has been used. */
export type Again = {
  readonly credential?: string;
  readonly presentation: string;
  readonly request: string;
  /** What it shows that others cannot have read on a chain: the first request's key, or a proof by the payer. */
  readonly idempotencyKey?: string;
  readonly holder?: string;
  readonly byPayer?: boolean;
  readonly challenge?: string;
};

export type ReplayDecision =
  /** The stored answer belongs to whoever asks. */
  | { readonly kind: "stored" }
  /** Somebody is at it. */
  | { readonly kind: "wait" }
  /** Nothing was paid; the credential may try again. */
  | { readonly kind: "again" }
  /** It is paid and was not delivered yet. */
  | { readonly kind: "owed" }
  /** Its principal was asked: there may be an answer by now. */
  | { readonly kind: "resume" }
  /** It is the payer's alone, whom a chain shows and who has to show that it is him. */
  | { readonly kind: "payers"; readonly problem: Problem }
  | { readonly kind: "refused"; readonly problem: Problem };

const refused = (problem: Problem): ReplayDecision => ({ kind: "refused", problem });

/** What becomes of a second request for a claim. A mandate's has proven that it comes from the same payer. */
export function decideReplay(claim: Claim, again: Again): ReplayDecision {
  const sameCredential = claim.presentation === again.presentation || claim.credential === again.credential;
  if (claim.request !== again.request)
    return refused(sameCredential ? usedElsewhere(claim) : keyConflict(claim));
  if (!sameCredential && again.challenge !== undefined && again.challenge === claim.challenge)
    return refused(new Problem("challenge_invalid", { detail: "It has been answered by another payment." }));
  // Under a mandate the agent's key vouches for a retry; elsewhere another payment is another purchase.
  if (!sameCredential && claim.rail !== "mandate") return refused(keyConflict(claim));
  if (claim.state === "released") return releasedAgain(claim);
  if (!isTheirs(claim, again)) return notTheirs(claim);
  if (claim.state === "captured") return { kind: "stored" };
  if (claim.state === "waiting") return { kind: "resume" };
  return claim.state === "owed" ? { kind: "owed" } : { kind: "wait" };
}

const usedElsewhere = ({ rail }: Claim): Problem =>
  new Problem(rail === "mandate" ? "presentation_used" : "payment_used", {
    detail: "It was used for another request.",
  });

// x402's payment-identifier and MPP want 409 of another payload under the same id.
const keyConflict = ({ rail }: Claim): Problem =>
  new Problem("idempotency_conflict", rail === "mandate" ? {} : { status: 409 });

function releasedAgain({ rail }: Claim): ReplayDecision {
  if (rail !== "mandate") return { kind: "again" };
  const detail = "Its charge was released and nothing was paid; pay the new offer.";
  return refused(new Problem("presentation_used", { status: 402, detail }));
}

const secretLengthMin = 16;

/** A key that nobody guesses. */
export const isSecret = (key: string | undefined): key is string =>
  key !== undefined && key.length >= secretLengthMin;

/**
 * Whose the answer is. A presentation and a payment token are secrets themselves, and bound to the key that came with
 * them first; a signature for a chain is public once it is settled, so that a secret must come with it.
 */
function isTheirs(claim: Claim, again: Again): boolean {
  const sameHolder = claim.holder !== undefined && claim.holder === again.holder;
  if (claim.rail !== "x402") return claim.holder === undefined || sameHolder;
  const { idempotencyKey: key } = claim;
  const sameKey = isSecret(key) && key === again.idempotencyKey;
  return sameHolder || sameKey || again.byPayer === true;
}

function notTheirs(claim: Claim): ReplayDecision {
  if (claim.state !== "captured" && claim.state !== "owed")
    return refused(new Problem("charge_in_progress", { headers: { "Retry-After": "1" } }));
  const extra = claim.receipt !== undefined && { extra: { receipt: claim.receipt } };
  if (claim.rail !== "x402")
    return refused(
      new Problem("already_settled", {
        detail: "The answer goes to the holder of the first request's DPoP key alone.",
        ...extra,
      }),
    );
  const problem = new Problem("already_settled", {
    detail:
      "The answer goes to the payer alone: send the same request with the first one's payment-identifier or DPoP key, or signed in as the payer.",
    ...extra,
  });
  return { kind: "payers", problem };
}

/** What is taken of a purchase: the price, or what the use costs that is written down. */
export function takenOf({ amountMinor, capturedMinor, meter, used }: Claim): number {
  if (capturedMinor !== undefined) return capturedMinor;
  return meter === undefined || used === undefined ? amountMinor : costOf(meter, used, amountMinor);
}

/** It leaves before it is captured: what became of it, our own row says. */
export const isMeteredStream = ({ deliver, meter }: Pick<Claim, "deliver" | "meter">): boolean =>
  deliver === "stream" && meter !== undefined;

const wasDelivered = ({ used = 0, capturedMinor }: Pick<Claim, "used" | "capturedMinor">): boolean =>
  used > 0 || capturedMinor !== undefined;

export type RecoveryDecision = "capture" | "release" | "settled" | "given_up" | "wait";

/**
 * Where the money of a claim stands. `asked`: a principal is; `committed`: it must be captured, whatever our own row says.
 */
export type Standing = "absent" | "asked" | "pending" | "held" | "committed" | "captured" | "over";

/**
 * What to do with a claim nobody works on, by where its money stands. Before the commit point it is released, since the
 * buyer got nothing; after it, it is captured and the answer kept. Of a mandate the authorization server says whether
 * that point has passed, of another payment our own row does. One that its principal was asked about and that is `open`
 * still waits for its buyer, who was told to come back.
 */
export function decideRecovery(
  claim: Pick<Claim, "rail" | "state" | "charge" | "deliver" | "meter" | "used" | "capturedMinor">,
  { standing, open }: { readonly standing: Standing; readonly open: boolean },
): RecoveryDecision {
  const { rail, state, charge } = claim;
  const isBegun = state === "serving" || state === "capturing" || state === "releasing";
  const isHeld = standing === "pending" || standing === "held" || standing === "committed";
  if (isMeteredStream(claim) && isBegun && isHeld)
    return state !== "releasing" && wasDelivered(claim) ? "capture" : "release";
  const wasAsked = charge !== undefined && (state === "claimed" || state === "waiting");
  switch (standing) {
    case "captured":
      return "settled";
    case "committed":
      return "capture";
    case "absent":
    case "over":
      return "given_up";
    case "asked":
      return open ? "wait" : "release";
    case "pending":
    case "held":
      if (rail === "mandate" && wasAsked && open) return "wait";
      return rail !== "mandate" && state === "capturing" ? "capture" : "release";
    default:
      return unreachable(standing);
  }
}
