import { type Id, type Instant, minuteMs } from "@remit/kernel";
import type { TenantTx } from "@remit/platform/sql";
import { canonicalise, type Json, type MandateRequest, Problem } from "@remit/protocol";
import { sha256b64url } from "@remit/protocol/node";

export type ApprovalState = "pending" | "approved" | "denied" | "expired";

/** What would be allowed: made of the agent's authenticated request and of nothing else (G03). */
export type ApprovalSubject = {
  readonly kind: "mandate";
  readonly request: MandateRequest;
  /** The scopes its tokens would have, by resource. */
  readonly resources: Readonly<Record<string, string>>;
  /** Whether an ID token was asked for. */
  readonly openid: boolean;
};

/** A question to a principal, and its answer once there is one. */
export type Approval = {
  readonly id: Id<"approval">;
  /** The principal's. */
  readonly tenant: Id<"tenant">;
  readonly principal: Id<"account">;
  readonly agent: Id<"agent">;
  readonly agentTenant: Id<"tenant">;
  readonly subject: ApprovalSubject;
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
  /** The request that waits for the answer (CIBA §7.3 `auth_req_id`). */
  readonly request: string;
};

export type NewQuestion = {
  readonly principal: Id<"account">;
  readonly agent: Id<"agent">;
  readonly agentTenant: Id<"tenant">;
  readonly subject: ApprovalSubject;
  readonly holderThumbprint: string;
  readonly question: Question;
  /** The details as they were sent, to know the same question again. */
  readonly sent: Json;
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
  /** How and when this person signed in, for the ID token (OpenID Connect Core §2). */
  readonly signedIn?: SignedIn | undefined;
  /** Uses up the second factor's proof for this very approval; what it returns is kept with the answer. */
  readonly confirm?: ((tx: TenantTx) => Promise<object>) | undefined;
};

/** What is asked for at once, and within an hour, by one agent of all people together (G02). */
export const askingLimits = { open: 5, inWindow: 50, windowMs: 60 * minuteMs } as const;

/** How often an agent asked; the limits are the database's to keep, this decides on what it counted. */
export function checkQuota(
  counted: { readonly asked: number; readonly open: number; readonly windowEnds: Instant },
  now: Instant,
): void {
  const { asked, open, windowEnds } = counted;
  if (asked > askingLimits.inWindow)
    throw tooMany(`An agent asks at most ${askingLimits.inWindow} times an hour.`, windowEnds - now);
  if (open >= askingLimits.open)
    throw tooMany(`At most ${askingLimits.open} requests of an agent wait for an answer.`, minuteMs);
}

const tooMany = (detail: string, waitMs: number): Problem =>
  new Problem("rate_limited", {
    detail,
    headers: { "retry-after": String(Math.max(1, Math.ceil(waitMs / 1000))) },
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
