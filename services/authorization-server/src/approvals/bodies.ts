import { toRfc3339 } from "@remit/kernel";
import { describeMandate } from "@remit/protocol";
import type { ApprovalBody } from "@remit/protocol/contracts";
import type { z } from "zod";
import type { Approval, MandateSubject } from "./approvals.ts";
import { describePurchase, type PurchaseSubject } from "./purchase.ts";

export type Body = z.input<typeof ApprovalBody>;

/** How a yes to a purchase is confirmed; absent where nothing waits. */
export type Confirmation = { readonly challenge: string; readonly passkey: string | null };

export function bodyOf(approval: Approval, agentName: string, confirm?: Confirmation): Body {
  const { subject } = approval;
  const common = commonOf(approval, agentName);
  if (subject.kind === "mandate")
    return { ...common, kind: "mandate", asks: asksOf(subject), mandate_id: approval.mandate ?? null };
  const purchase = purchaseOf(subject, approval.question.bindingMessage);
  const { kind, mandate: mandate_id } = subject;
  if (kind === "sca") return { ...common, kind, purchase, mandate_id };
  return { ...common, kind, purchase, mandate_id, ...(confirm === undefined ? {} : { confirm }) };
}

const commonOf = (approval: Approval, name: string) => ({
  id: approval.id,
  status: approval.state,
  agent: { id: approval.agent, name },
  binding_message: approval.question.bindingMessage ?? null,
  times_asked: approval.askedCount,
  asked_at: toRfc3339(approval.askedAt),
  expires_at: toRfc3339(approval.expiresAt),
  answered_at: approval.answeredAt === undefined ? null : toRfc3339(approval.answeredAt),
});

const asksOf = ({ request, resources }: MandateSubject) => {
  const { details, validUntil } = request;
  return {
    currency: details.currency,
    amount_minor: details.amount_minor,
    per_charge_minor: details.per_charge_minor ?? null,
    merchants: [...(details.merchants ?? [])],
    categories: [...(details.categories ?? [])],
    rails: [...(details.rails ?? [])],
    uses: details.uses,
    purpose: details.purpose ?? null,
    valid_until: toRfc3339(validUntil),
    resources: Object.keys(resources),
    sentences: [...describeMandate(request)],
  };
};

const purchaseOf = (subject: PurchaseSubject, reason: string | undefined) => ({
  charge_id: subject.charge,
  merchant: subject.merchant,
  offer: {
    id: subject.offer.id,
    digest: subject.offer.digest,
    name: subject.offer.name,
    line_items: subject.offer.lines.map(({ name, amountMinor, quantity }) => ({
      name,
      amount_minor: amountMinor,
      quantity,
    })),
  },
  currency: subject.currency,
  amount_minor: subject.amountMinor,
  remaining_minor: subject.remainingMinor,
  because: subject.because,
  reason: reason ?? null,
  sentences: [...describePurchase(subject, reason)],
});
