import { type EventType, Problem, type RemitEvent } from "@remit/protocol";

/**
 * What each peer may report: the events of what it owns, and single ones where others own the rest. A peer that is taken over
 * cannot write another's story. What a peer records and may not report ends all that it reports after it: they come in order.
 */
const reports: Readonly<Record<string, readonly string[]>> = {
  billing: [
    "payment",
    "instrument",
    "ledger",
    "plan",
    "invoice",
    "billing_profile",
    "fee_schedule",
    "payout",
    "payout_account",
    "reconciliation",
    "transfer",
    "dispute.reported",
  ],
  directory: ["merchant", "listing"],
  gateway: ["offer", "response"],
};

/** What every peer may report: what it refused of somebody's, whose log it belongs in. */
const reportedByAll: ReadonlySet<EventType> = new Set<EventType>(["security.key_mismatch"]);

/** The event as the log takes it from a peer: of a kind it may report, and marked as its report. */
export function reportedBy(peer: string, event: RemitEvent): RemitEvent {
  if (!mayReport(peer, event.type))
    throw new Problem("client_not_allowed", { detail: `This client does not report ${event.type}.` });
  return { ...event, payload: { ...event.payload, reported_by: peer } };
}

const mayReport = (peer: string, type: EventType): boolean =>
  reports[peer]?.some((own) => own === type || own === type.slice(0, type.indexOf("."))) === true ||
  (Object.hasOwn(reports, peer) && reportedByAll.has(type));
