import { type Id, type Instant, newId } from "@remit/kernel";
import { enqueue } from "@remit/platform/jobs";
import type { TenantTx } from "@remit/platform/sql";
import { newEvent, Problem } from "@remit/protocol";
import * as rows from "./approvals.sql.ts";
import {
  type Approval,
  askingLimits,
  excessOf,
  groupOf,
  type NewPurchaseQuestion,
  type NewQuestion,
  type Question,
} from "./approvals.ts";
import { opened, type SealingDeps, sealQuestion } from "./sealing.ts";

export const expiryQueue = "approvals.expire";
/** A purchase has its answer, and a request of its agent waits to be told. */
export const followedQueue = "approvals.followed";

/** Woken after each commit that put, answered or ended a question. */
export const approvalsChannel = "approvals";

/** What becomes of a question that waits already when the same one is put again. */
export type Repeats = {
  /** Whoever waits for the earlier request waits in vain. */
  supersede(tx: TenantTx, approval: Approval): Promise<void>;
  /** Its time is over and nobody has written that down. */
  expire(tx: TenantTx, id: Id<"approval">): Promise<unknown>;
};

/** Puts the question, or the same one again. Throws `rate_limited` beyond what an agent may ask (G02). */
export async function ask(
  deps: SealingDeps & { readonly repeats: Repeats },
  tx: TenantTx,
  asked: NewQuestion,
): Promise<Id<"approval">> {
  const now = deps.clock.now();
  const { agent, principal, expiresAt, question } = asked;
  const group = groupOf(asked);
  const counted = await countAsk(tx, agent, now);
  const waiting = await rows.lockWaiting(tx, { principal, agent, group });
  const again = waiting !== undefined && waiting.expiresAt > now ? waiting : undefined;
  if (waiting !== undefined && again === undefined) await deps.repeats.expire(tx, waiting.id);
  const open = again === undefined ? await rows.countOpen(tx, agent, now) : 0;
  const excess = excessOf({ ...counted, open }, now);
  if (excess !== undefined) throw tooOften(excess);
  const id = again?.id ?? newId("approval");
  const sealedQuestion = await sealQuestion(deps, tx, { id, question });
  if (again === undefined) await insert(tx, { ...asked, id, group, sealedQuestion, now });
  else {
    const before = await opened(deps, tx, again);
    await deps.repeats.supersede(tx, before);
    await rows.askAgain(tx, { id, sealedQuestion, expiresAt });
  }
  const times = (again?.askedCount ?? 0) + 1;
  await tell(tx, { ...asked, id, group, times, now });
  return id;
}

/**
 * Puts a purchase to its principal, in the transaction that holds it. Throws `approval_limit_reached` beyond what an
 * agent may ask: then nothing is held either.
 */
export async function askPurchase(
  deps: SealingDeps,
  tx: TenantTx,
  asked: NewPurchaseQuestion,
): Promise<void> {
  const now = deps.clock.now();
  const { id, agent, reason } = asked;
  const counted = await countAsk(tx, agent, now);
  const excess = excessOf({ ...counted, open: await rows.countOpen(tx, agent, now) }, now);
  if (excess !== undefined)
    throw new Problem("approval_limit_reached", {
      detail: excess.detail,
      headers: { "Retry-After": excess.retryAfter },
    });
  const question = { request: "", ...(reason === undefined ? {} : { bindingMessage: reason }) };
  const sealedQuestion = await sealQuestion(deps, tx, { id, question });
  // A charge is never another one again: each is a group of its own.
  const group = `${asked.subject.kind}:${asked.subject.charge}`;
  await insert(tx, { ...asked, group, sealedQuestion, now });
  await tell(tx, { ...asked, group, times: 1, now });
}

/** What an agent waits by for the answer about a purchase (CIBA §7.3), with its own words. */
export type Following = {
  readonly charge: Id<"charge">;
  readonly agent: Id<"agent">;
  readonly question: Question;
};

/**
 * Has the answer about a purchase that waits told to a request of its agent as well; the last one that asked is told. The
 * question is the same one, and no longer open than before. False when nothing waits. Throws `rate_limited`.
 */
export async function follow(
  deps: SealingDeps & { readonly repeats: Pick<Repeats, "supersede"> },
  tx: TenantTx,
  { charge, agent, question }: Following,
): Promise<boolean> {
  const now = deps.clock.now();
  const counted = await countAsk(tx, agent, now);
  const row = await rows.lockAbout(tx, { charge, agent, now });
  if (row === undefined) return false;
  const excess = excessOf({ ...counted, open: 0 }, now);
  if (excess !== undefined) throw tooOften(excess);
  const before = await opened(deps, tx, row);
  if (before.question.request !== "") await deps.repeats.supersede(tx, before);
  const { id, askedCount, expiresAt, subject } = before;
  const said = question.bindingMessage ?? before.question.bindingMessage;
  const asked = { request: question.request, ...(said === undefined ? {} : { bindingMessage: said }) };
  const sealedQuestion = await sealQuestion(deps, tx, { id, question: asked });
  await rows.askAgain(tx, { id, sealedQuestion, expiresAt });
  await tell(tx, { ...before, group: `${subject.kind}:${charge}`, times: askedCount + 1, now });
  return true;
}

const tooOften = ({ detail, retryAfter }: { detail: string; retryAfter: string }): Problem =>
  new Problem("rate_limited", { detail, headers: { "retry-after": retryAfter } });

/** From here on this agent's other questions wait for us, so what is counted stays true. */
function countAsk(tx: TenantTx, agent: Id<"agent">, now: Instant) {
  const windowEnds = (now + askingLimits.windowMs) as Instant; // later than an instant by whole milliseconds
  return rows.countAsk(tx, { agent, now, windowEnds });
}

type Inserting = Pick<
  Approval,
  "id" | "principal" | "agent" | "agentTenant" | "subject" | "holderThumbprint" | "expiresAt"
> & { readonly group: string; readonly sealedQuestion: Uint8Array; readonly now: Instant };

const insert = (tx: TenantTx, { now, ...asked }: Inserting): Promise<void> =>
  rows.insertApproval(tx, {
    ...asked,
    tenant: tx.tenant,
    askedAt: now,
    askedCount: 1,
    state: "pending",
    answeredAt: undefined,
    mandate: undefined,
  });

type Telling = Pick<Approval, "id" | "agent" | "principal" | "subject" | "expiresAt"> & {
  readonly group: string;
  readonly times: number;
  readonly now: Instant;
};

async function tell(
  tx: TenantTx,
  { id, agent, principal, subject, expiresAt, group, times, now }: Telling,
): Promise<void> {
  await enqueue(tx, { queue: expiryQueue, key: id, payload: { tenant: tx.tenant, id }, runAt: expiresAt });
  tx.notify(approvalsChannel, principal);
  const payload = { agent, principal, kind: subject.kind, group, times };
  const facts = { tenant: tx.tenant, actor: { type: "agent", id: agent }, subject: id, payload } as const;
  await tx.record(newEvent("approval.asked", facts, now));
}
