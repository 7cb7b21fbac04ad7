import { fromRfc3339, invariant } from "@remit/kernel";
import { Problem } from "@remit/protocol";
import type { ChargeBody, ChargeStatus } from "@remit/protocol/contracts";
import type { Claim, Standing } from "../claims/index.ts";
import type { ChargeApi, ChargeOutcome, Order } from "./charging.ts";
import type { Outcome, Rail } from "./rail.ts";

/** Money under a mandate: the charge API moves it, and its charge is the truth. */
export function mandateRail(api: ChargeApi, order: () => Promise<Order>): Rail {
  const chargeOf = (claim: Claim): NonNullable<Claim["charge"]> => {
    invariant(claim.charge !== undefined, "what is captured or released has a charge");
    return claim.charge;
  };
  return {
    // A charge whose principal was asked has been made: it only has to be read.
    hold: async (claim) =>
      outcomeOf(
        await (claim.charge === undefined ? api.create(await order(), claim.id) : api.read(claim.charge)),
      ),
    capture: async (claim, digests) => {
      const { capturedMinor } = claim;
      const capture = { ...digests, ...(capturedMinor !== undefined && { amount_minor: capturedMinor }) };
      return outcomeOf(await api.capture(chargeOf(claim), capture, claim.id));
    },
    commit: async (claim) => outcomeOf(await api.commit(chargeOf(claim), claim.id)),
    release: async (claim, reason) => outcomeOf(await api.release(chargeOf(claim), reason, claim.id)),
    read: async (claim) => {
      if (claim.charge !== undefined) return outcomeOf(await api.read(claim.charge));
      // Before its id was written, the same POST under the same key tells.
      return outcomeOf(await api.create(await order(), claim.id));
    },
  };
}

function outcomeOf(outcome: ChargeOutcome): Outcome {
  if (outcome.kind !== "known") return outcome;
  const { charge } = outcome;
  const standing = standingOf(charge.status);
  const ends = standing === "asked" ? charge.approve_by : charge.serve_by;
  const openUntil = ends === undefined ? undefined : fromRfc3339(ends);
  return {
    kind: "known",
    standing,
    ids: { charge: charge.id, ...(charge.receipt !== undefined && { receipt: charge.receipt }) },
    tells: { "X-Remit-Agent": charge.agent_id, "X-Remit-Mandate": charge.mandate_id },
    ...(openUntil !== undefined && { openUntil }),
    ...(standing === "over" && { problem: ended(charge) }),
  };
}

/** Where the money of a charge stands, by what the authorization server says of it. */
export function standingOf(status: ChargeStatus): Standing {
  switch (status) {
    case "captured":
    case "refunding":
    case "refunded":
    case "disputed":
    case "won":
    case "lost":
      return "captured";
    case "capturing":
    case "committed":
      return "committed";
    case "released":
    case "declined":
    case "expired":
      return "over";
    case "authorized":
      return "held";
    case "pending_approval":
      return "asked";
    case "created":
    case "held":
    case "authorizing":
    case "serving":
    case "releasing":
      return "pending";
  }
}

function ended(charge: ChargeBody): Problem {
  const decline = charge.decline_code;
  const isAnswer = decline === "approval_denied" || decline === "approval_expired";
  const code = isAnswer ? decline : charge.status === "declined" ? "payment_declined" : "presentation_used";
  return new Problem(code, {
    status: 402,
    ...(decline !== undefined && { extra: { decline_code: decline } }),
  });
}
