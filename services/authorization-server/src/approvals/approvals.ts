import { type Id, type Instant, minuteMs } from "@remit/kernel";
import type { TenantTx } from "@remit/platform/sql";
import { canonicalise, type Json, type MandateRequest, Problem } from "@remit/protocol";
import { sha256b64url } from "@remit/protocol/node";
import type { PurchaseSubject } from "./purchase.ts";

export type ApprovalState = "pending" | "approved" | "denied" | "expired";

/** A mandate that would be given: made of the agent's authenticated request and of nothing else (G03). */
export type MandateSubject = {
  readonly kind: "mandate";
  readonly request: MandateRequest;
  /** The scopes its tokens would have, by resource. */
  readonly resources: Readonly<Record<string, string>>;
  /** Whether an ID token was asked for. */
  readonly openid: boolean;
};

/** What a yes would allow. */
export type ApprovalSubject = MandateSubject | PurchaseSubject;

/** A question to a principal, and its answer once there is one. */
export type Approval<S extends ApprovalSubject = ApprovalSubject> = {
  readonly id: Id<"approval">;
  /** The principal's. */
  readonly tenant: Id<"tenant">;
  readonly principal: Id<"account">;
  readonly agent: Id<"agent">;
  readonly agentTenant: Id<"tenant">;
  readonly subject: S;
  readonly holderThumbprint: string;
  readonly state: ApprovalState;
  readonly askedAt: Instant;
  /** How often the agent asked this while it waited. */
  readonly askedCount: number;
  readonly expiresAt: Instant;
  readonly answeredAt: Instant | undefined;
  readonly mandate: Id<"mandate"> | undefined;
  readonly question: Question;
};

/** What only the principal and the answering server read. */
export type Question = {
  /** The agent's own words, to be shown as such (CIBA §7.1 `binding_message`). */
  readonly bindingMessage?: string | undefined;
  /** The request that waits for the answer (CIBA §7.3 `auth_req_id`); empty for a purchase nobody asks about but its charge. */
  readonly request: string;
};

export const isForPurchase = (approval: Approval): approval is Approval<PurchaseSubject> =>
  approval.subject.kind !== "mandate";

export type NewQuestion = {
  readonly principal: Id<"account">;
  readonly agent: Id<"agent">;
  readonly agentTenant: Id<"tenant">;
  readonly subject: MandateSubject;
  readonly holderThumbprint: string;
  readonly question: Question;
  /** The details as they were sent, to know the same question again. */
  readonly sent: Json;
  readonly expiresAt: Instant;
};

/** A purchase that is put to its principal, in the transaction that holds it. */
export type NewPurchaseQuestion = {
  readonly id: Id<"approval">;
  readonly principal: Id<"account">;
  readonly agent: Id<"agent">;
  readonly agentTenant: Id<"tenant">;
  readonly subject: PurchaseSubject;
  readonly holderThumbprint: string;
  /** The agent's own words. */
  readonly reason: string | undefined;
  readonly expiresAt: Instant;
};

export type SignedIn = {
  readonly atS?: number | undefined;
  readonly acr?: string | undefined;
  readonly amr?: readonly string[] | undefined;
};

/** Who answers, from where, and how they proved it beyond the session. */
export type Answerer = {
  readonly account: Id<"account">;
  readonly ip?: string | undefined;
  readonly userAgent?: string | undefined;
  /** Nobody answered: it is granted out of this standing mandate, as its principal had said beforehand. */
  readonly auto?: Id<"mandate"> | undefined;
  /** How and when this person signed in, for the ID token (OpenID Connect Core §2). */
  readonly signedIn?: SignedIn | undefined;
  /** Uses up the second factor's proof for this very approval; what it returns is kept with the answer. */
  readonly confirm?: ((tx: TenantTx) => Promise<object>) | undefined;
};

/** What is asked for at once, and within an hour, by one agent of all people together (G02). */
export const askingLimits = { open: 5, inWindow: 50, windowMs: 60 * minuteMs } as const;

type Counted = { readonly asked: number; readonly open: number; readonly windowEnds: Instant };

/** Why an agent may not ask now, if so; the limits are the database's to keep, this decides on what it counted. */
export function excessOf(
  { asked, open, windowEnds }: Counted,
  now: Instant,
): { readonly detail: string; readonly retryAfter: string } | undefined {
  if (asked > askingLimits.inWindow)
    return excess(`An agent asks at most ${askingLimits.inWindow} times an hour.`, windowEnds - now);
  if (open >= askingLimits.open)
    return excess(`At most ${askingLimits.open} requests of an agent wait for an answer.`, minuteMs);
  return undefined;
}

const excess = (detail: string, waitMs: number) => ({
  detail,
  retryAfter: String(Math.max(1, Math.ceil(waitMs / 1000))),
});

/** The same question again: the same details, tokens and words. */
export const groupOf = ({ subject, question, sent }: NewQuestion): string => {
  const { resources, openid } = subject;
  const says = question.bindingMessage ?? null;
  return sha256b64url(canonicalise({ sent, resources, openid, says }));
};

/** Refuses an answer that comes too late or says otherwise than the one there is; true when it is the same again. */
export function isAnsweredSo(approval: Approval, wanted: "approved" | "denied"): boolean {
  if (approval.state === "pending") return false;
  if (approval.state === wanted) return true;
  throw approval.state === "expired"
    ? new Problem("approval_expired")
    : new Problem("approval_answered", { extra: { answer: approval.state } });
}
