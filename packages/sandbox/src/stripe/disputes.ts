import { book } from "./balance.ts";
import type { Call, Operation } from "./operation.ts";
import { badParameter, noSuch, unexpected } from "./refusal.ts";
import type { Charge, Dispute, DisputeStatus } from "./resources.ts";
import { type Draft, find, stripeId } from "./store.ts";

/** What Stripe keeps for a dispute, whoever wins it. */
export const disputeFee = 1500;
const answerWithinS = 7 * 86_400;

const closed: ReadonlySet<DisputeStatus> = new Set(["won", "lost", "warning_closed"]);
const isInquiry = (status: DisputeStatus): boolean => status.startsWith("warning_");

export type Disputing = {
  /** All of it unless given. */
  readonly amount?: number | undefined;
  readonly reason?: string | undefined;
  /** An inquiry takes no money. */
  readonly inquiry?: boolean | undefined;
};

/** The cardholder's bank disputes a charge: the money is gone at once, but for an inquiry. */
export function disputeCharge(
  draft: Draft,
  charge: Charge,
  { amount, reason, inquiry }: Disputing = {},
): Dispute {
  const left = charge.amount_captured - charge.amount_refunded;
  const disputed = amount ?? left;
  if (charge.disputed || disputed < 1 || disputed > left)
    throw badParameter("amount", `At most ${left} of this charge can be disputed, once.`);
  const made: Dispute = {
    id: stripeId("du"),
    object: "dispute",
    created: draft.now,
    livemode: false,
    amount: disputed,
    balance_transactions: [],
    charge: charge.id,
    currency: charge.currency,
    evidence: {},
    evidence_details: {
      due_by: draft.now + answerWithinS,
      has_evidence: false,
      past_due: false,
      submission_count: 0,
    },
    is_charge_refundable: inquiry === true,
    payment_intent: charge.payment_intent,
    reason: reason ?? "fraudulent",
    status: inquiry === true ? "warning_needs_response" : "needs_response",
    metadata: {},
  };
  draft.put({ ...charge, disputed: true, dispute: made.id });
  const dispute = inquiry === true ? made : moved(draft, made, "withdrawn");
  draft.put(dispute);
  draft.happened("charge.dispute.created", dispute);
  if (inquiry !== true) draft.happened("charge.dispute.funds_withdrawn", dispute);
  return dispute;
}

/** The money of a dispute leaves our balance with Stripe's fee, or comes back without it. */
function moved(draft: Draft, dispute: Dispute, what: "withdrawn" | "reinstated"): Dispute {
  const out = what === "withdrawn";
  const booked = book(draft, {
    amount: out ? -dispute.amount : dispute.amount,
    currency: dispute.currency,
    type: "adjustment",
    category: out ? "dispute" : "dispute_reversal",
    source: dispute.id,
    fees: out ? [{ amount: disputeFee, type: "stripe_fee" }] : [],
  });
  return { ...dispute, balance_transactions: [...dispute.balance_transactions, booked] };
}

/** What the network decides, or that it looks at what the merchant has sent. */
export function decideDispute(draft: Draft, id: string, status: DisputeStatus): Dispute {
  const before = disputeNamed(draft, id);
  const holds = !isInquiry(before.status) && before.status !== "won";
  let dispute: Dispute = { ...before, status };
  if (status === "won" && holds) dispute = moved(draft, dispute, "reinstated");
  if (!isInquiry(status) && status !== "won" && !holds) dispute = moved(draft, dispute, "withdrawn");
  draft.put(dispute);
  if (closed.has(status)) draft.happened("charge.dispute.closed", dispute);
  else draft.happened("charge.dispute.updated", dispute);
  if (dispute.balance_transactions.length > before.balance_transactions.length)
    draft.happened(`charge.dispute.funds_${status === "won" ? "reinstated" : "withdrawn"}`, dispute);
  return dispute;
}

function disputeNamed(draft: Draft, id: string): Dispute {
  const found = find(draft, "dispute", id);
  if (found === undefined) throw noSuch("dispute", id);
  return found;
}

/** Evidence, and with `submit` its way to the bank. Two texts decide at once, as in Stripe's test mode. */
function updateDispute({ draft, parameters, path }: Call): Dispute {
  const before = disputeNamed(draft, path[0] ?? "");
  const evidence = parameters.group("evidence") ?? {};
  const submit = parameters.flag("submit");
  const metadata = parameters.map("metadata");
  parameters.finish();
  if (closed.has(before.status))
    throw unexpected("dispute_closed", "This dispute is closed and takes no more evidence.");
  const { evidence_details: details } = before;
  const kept: Dispute = {
    ...before,
    evidence: { ...before.evidence, ...(evidence as Dispute["evidence"]) }, // a form's group is texts and groups
    evidence_details: {
      ...details,
      has_evidence: details.has_evidence || Object.keys(evidence).length > 0,
      submission_count: details.submission_count + (submit ? 1 : 0),
    },
    metadata: { ...before.metadata, ...metadata },
  };
  draft.put(kept);
  if (!submit) return kept;
  const text = evidence["uncategorized_text"];
  const inquiry = isInquiry(before.status);
  if (text === "winning_evidence") return decideDispute(draft, kept.id, inquiry ? "warning_closed" : "won");
  if (text === "losing_evidence") return decideDispute(draft, kept.id, inquiry ? "needs_response" : "lost");
  return decideDispute(draft, kept.id, inquiry ? "warning_under_review" : "under_review");
}

function closeDispute({ draft, parameters, path }: Call): Dispute {
  parameters.finish();
  const before = disputeNamed(draft, path[0] ?? "");
  if (closed.has(before.status)) throw unexpected("dispute_closed", "This dispute is already closed.");
  return decideDispute(draft, before.id, isInquiry(before.status) ? "warning_closed" : "lost");
}

// biome-ignore format: a table of routes reads best one per line
export const disputeOperations: readonly Operation[] = [
  { name: "disputes.update", method: "POST", path: /^\/v1\/disputes\/(\w+)$/, run: updateDispute },
  { name: "disputes.close", method: "POST", path: /^\/v1\/disputes\/(\w+)\/close$/, run: closeDispute },
];
