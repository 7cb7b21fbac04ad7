import type { ApprovalBody } from "@remit/protocol/contracts";
import type { Format } from "./format.ts";
import { hostOf } from "./names.ts";
import type { Words } from "./words/index.ts";

/** An agent's question in one sentence: who asks, for how much, and where. */
export function saidBy(approval: ApprovalBody, words: Words, format: Format): string {
  const { name } = approval.agent;
  if (approval.kind === "mandate") {
    const { amount_minor: minor, currency } = approval.asks;
    return words.approvals.asksMandate(name, format.money(minor, currency));
  }
  const { amount_minor: minor, currency, merchant } = approval.purchase;
  return words.approvals.asksCharge(name, format.money(minor, currency), hostOf(merchant.origin));
}
