import type { Instant } from "@remit/kernel";
import type { Charge } from "./charges.ts";

/** Whether a capture may pass the commit point, as locked rows say. */
export type CommitFacts = {
  readonly mandate: "active" | "suspended" | "revoked";
  readonly agentActive: boolean;
  readonly tokenLive: boolean;
  /** Whether the operator lets mandates be charged in the token that it is paid in, if it is one. */
  readonly assetAccepted: boolean;
  readonly now: Instant;
};

export type CommitRefusal =
  | "mandate_revoked"
  | "mandate_suspended"
  | "mandate_asset_not_accepted"
  | "agent_suspended"
  | "token_revoked"
  | "charge_capture_too_late"
  | "charge_state_conflict";

/**
 * The commit point (C12): revocation and suspension refuse every capture that has not passed it, except what was
 * committed before. The natural end of a mandate or a token never cancels a charge that is held.
 */
export function mayCapture(charge: Charge, facts: CommitFacts): "yes" | CommitRefusal {
  const { state } = charge;
  if (state !== "authorized" && state !== "committed") return "charge_state_conflict";
  if (facts.now >= (state === "committed" ? charge.captureBy : charge.serveBy))
    return "charge_capture_too_late";
  return state === "committed" ? "yes" : standing(facts);
}

/** A merchant that ships first may commit while everything still stands. */
export function mayCommit(charge: Charge, facts: CommitFacts): "yes" | CommitRefusal {
  if (charge.state !== "authorized" || !charge.commits) return "charge_state_conflict";
  return facts.now >= charge.serveBy ? "charge_capture_too_late" : standing(facts);
}

/** A yes of the principal sends a charge on that still stands. */
export const mayGoOn = (facts: CommitFacts): "yes" | Exclude<CommitRefusal, `charge_${string}`> =>
  standing(facts);

function standing(facts: CommitFacts): "yes" | Exclude<CommitRefusal, `charge_${string}`> {
  if (facts.mandate === "revoked") return "mandate_revoked";
  if (facts.mandate === "suspended") return "mandate_suspended";
  if (!facts.assetAccepted) return "mandate_asset_not_accepted";
  if (!facts.agentActive) return "agent_suspended";
  return facts.tokenLive ? "yes" : "token_revoked";
}
