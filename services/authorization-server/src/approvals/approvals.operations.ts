import { type Clock, type Id, type Instant, invariant, newId } from "@remit/kernel";
import { failpoint } from "@remit/platform/failpoint";
import { enqueue } from "@remit/platform/jobs";
import type { Keyring } from "@remit/platform/keys";
import type { Database, TenantTx } from "@remit/platform/sql";
import { newEvent, Problem } from "@remit/protocol";
import * as rows from "./approvals.sql.ts";
import {
  type Answerer,
  type Approval,
  type ApprovalState,
  askingLimits,
  checkQuota,
  groupOf,
  isAnsweredSo,
  type NewQuestion,
  type Question,
} from "./approvals.ts";

/**
 * What an answer does, by whoever put the question: in the transaction of the answer, so that both are there or
 * neither is.
 */
export type AnswerPort = {
  /**
   * Reads what a yes needs from elsewhere, and refuses what can no longer be allowed; then says yes, to the question as
   * it was taken: it may have been put again meanwhile.
   */
  prepare(approval: Approval): Promise<Saying>;
  deny(tx: TenantTx, approval: Approval): Promise<void>;
  /** The same question was put again: whoever waits for this request waits in vain. */
  supersede(tx: TenantTx, approval: Approval): Promise<void>;
  /** Nobody answered in time. */
  expire(tx: TenantTx, approval: Approval): Promise<void>;
};

/** What it refuses takes the whole answer back. */
export type Saying = (tx: TenantTx, taken: Approval, by: Answerer) => Promise<Id<"mandate">>;

export type ApprovalPage = {
  readonly principal: Id<"account">;
  readonly state: ApprovalState | undefined;
  readonly before: Id<"approval"> | undefined;
  readonly limit: number;
};

type Named = {
  readonly tenant: Id<"tenant">;
  readonly principal: Id<"account">;
  readonly id: Id<"approval">;
};

/** Runs in the transaction of the answer, after it: what a caller keeps of it. */
export type Within = (tx: TenantTx, approval: Approval) => Promise<void>;

/** Questions that wait for a principal's answer. Every change is one conditional UPDATE; the loser of a race reads. */
export type Approvals = {
  /** Puts the question, or the same one again. Throws `rate_limited` beyond what an agent may ask (G02). */
  ask(tenant: Id<"tenant">, question: NewQuestion): Promise<Id<"approval">>;
  /** At most once, however often and from wherever it is sent; the second time answers the same. */
  approve(named: Named, by: Answerer, within?: Within): Promise<Approval>;
  deny(
    named: Named,
    by: Answerer & { readonly reason?: string | undefined },
    within?: Within,
  ): Promise<Approval>;
  /** Ends a question whose time is over; when it has time left, until when. */
  expire(named: Pick<Named, "tenant" | "id">): Promise<Instant | undefined>;
  /** Undefined when it is another's, or none. */
  find(named: Named): Promise<Approval | undefined>;
  list(tenant: Id<"tenant">, page: ApprovalPage): Promise<Approval[]>;
  /** For our own work on it, whoever's it is. */
  read(named: Pick<Named, "tenant" | "id">): Promise<Approval | undefined>;
};

export type ApprovalsDeps = {
  readonly db: Database;
  readonly clock: Clock;
  readonly keyring: Pick<Keyring, "seal" | "open">;
  readonly answers: AnswerPort;
};

export const expiryQueue = "approvals.expire";

export function createApprovals(deps: ApprovalsDeps): Approvals {
  const { db, clock } = deps;
  return {
    ask: (tenant, question) => db.of(tenant).transaction((tx) => ask(deps, tx, question)),
    approve: (named, by, within) => approve(deps, named, { by, within }),
    deny: (named, by, within) => deny(deps, named, { by, within }),
    expire: ({ tenant, id }) => db.of(tenant).transaction((tx) => expireWithin(deps, tx, id)),
    read: ({ tenant, id }) =>
      db.of(tenant).transaction(async (tx) => {
        const row = await rows.findApproval(tx, id);
        return row && opened(deps, tx, row);
      }),
    find: (named) => db.of(named.tenant).transaction((tx) => find(deps, tx, named)),
    list: (tenant, page) =>
      db.of(tenant).transaction(async (tx) => {
        const found: Approval[] = [];
        for (const row of await rows.listApprovals(tx, page)) found.push(await opened(deps, tx, row));
        return found.map((approval) => standingAt(approval, clock.now()));
      }),
  };
}

/** A question whose time is over reads as expired before anybody has written that down. */
const standingAt = (approval: Approval, now: Instant): Approval =>
  approval.state === "pending" && approval.expiresAt <= now ? { ...approval, state: "expired" } : approval;

async function ask(deps: ApprovalsDeps, tx: TenantTx, question: NewQuestion): Promise<Id<"approval">> {
  const now = deps.clock.now();
  const { agent, principal, expiresAt } = question;
  const group = groupOf(question);
  const windowEnds = (now + askingLimits.windowMs) as Instant; // later than an instant by whole milliseconds
  // From here on this agent's other questions wait for us, so what is counted stays true.
  const counted = await rows.countAsk(tx, { agent, now, windowEnds });
  const waiting = await rows.lockWaiting(tx, { principal, agent, group });
  const again = waiting !== undefined && waiting.expiresAt > now ? waiting : undefined;
  if (waiting !== undefined && again === undefined) await expireWithin(deps, tx, waiting.id);
  const open = again === undefined ? await rows.countOpen(tx, agent, now) : 0;
  checkQuota({ ...counted, open }, now);
  const id = again?.id ?? newId("approval");
  const sealedQuestion = await seal(deps, tx, { id, question: question.question });
  if (again === undefined) {
    const fresh = { ...question, id, tenant: tx.tenant, group, sealedQuestion, askedAt: now, askedCount: 1 };
    const unanswered = { state: "pending", answeredAt: undefined, mandate: undefined } as const;
    await rows.insertApproval(tx, { ...fresh, ...unanswered });
  } else {
    await deps.answers.supersede(tx, await opened(deps, tx, again));
    await rows.askAgain(tx, { id, sealedQuestion, expiresAt });
  }
  await enqueue(tx, { queue: expiryQueue, key: id, payload: { tenant: tx.tenant, id }, runAt: expiresAt });
  const { kind } = question.subject;
  const payload = { agent, principal, kind, group, times: (again?.askedCount ?? 0) + 1 };
  const facts = { tenant: tx.tenant, actor: { type: "agent", id: agent }, subject: id, payload } as const;
  await tx.record(newEvent("approval.asked", facts, now));
  return id;
}

type Answering<B> = { readonly by: B; readonly within: Within | undefined };

async function approve(
  deps: ApprovalsDeps,
  named: Named,
  { by, within }: Answering<Answerer>,
): Promise<Approval> {
  const { db, answers } = deps;
  const approval = await existing(deps, named);
  if (isAnsweredSo(standingAt(approval, deps.clock.now()), "approved")) return approval;
  const grant = await answers.prepare(approval);
  const done = await db.of(named.tenant).transaction(async (tx) => {
    const taken = await take(deps, tx, { named, by, state: "approved" });
    if (taken === undefined) return undefined;
    const mandate = await grant(tx, taken, by);
    await rows.saveMandate(tx, named.id, mandate);
    await failpoint("approval.granted");
    const answered = { ...taken, mandate };
    await recordAnswer(tx, answered, by);
    await within?.(tx, answered);
    return answered;
  });
  await failpoint("approval.answered");
  return done ?? settled(deps, named, "approved");
}

async function deny(
  deps: ApprovalsDeps,
  named: Named,
  { by, within }: Answering<Answerer & { reason?: string | undefined }>,
): Promise<Approval> {
  const approval = await existing(deps, named);
  if (isAnsweredSo(standingAt(approval, deps.clock.now()), "denied")) return approval;
  const done = await deps.db.of(named.tenant).transaction(async (tx) => {
    const taken = await take(deps, tx, { named, by, state: "denied" });
    if (taken === undefined) return undefined;
    await deps.answers.deny(tx, taken);
    await recordAnswer(tx, taken, by);
    await within?.(tx, taken);
    return taken;
  });
  return done ?? settled(deps, named, "denied");
}

/** The conditional UPDATE: this answer is the one, or undefined. */
async function take(
  deps: ApprovalsDeps,
  tx: TenantTx,
  given: { named: Named; by: Answerer & { reason?: string | undefined }; state: "approved" | "denied" },
): Promise<Approval | undefined> {
  const { named, by, state } = given;
  const { reason } = by;
  // First: whoever did not confirm takes nothing.
  const stepUp = await by.confirm?.(tx);
  const said = { ...(reason === undefined ? {} : { reason }), ...(stepUp === undefined ? {} : { stepUp }) };
  const plaintext = Buffer.from(JSON.stringify(said), "utf8");
  const sealedAnswer =
    Object.keys(said).length === 0
      ? undefined
      : await deps.keyring.seal(tx, scopeOf(tx), { plaintext, aad: `approvals.answer:${named.id}` });
  const answer = { id: named.id, state, by: by.account, sealedAnswer, now: deps.clock.now() };
  const row = await rows.answer(tx, answer);
  if (row === undefined) return undefined;
  await rows.close(tx, row.id);
  return opened(deps, tx, row);
}

async function recordAnswer(tx: TenantTx, approval: Approval, by: Answerer): Promise<void> {
  const { id, agent, state, answeredAt, mandate } = approval;
  invariant(answeredAt !== undefined, "an answered approval says when");
  const payload = { agent, state, mandate: mandate ?? null, step_up: by.confirm !== undefined };
  const facts = {
    tenant: tx.tenant,
    actor: { type: "account", id: by.account },
    subject: id,
    payload,
  } as const;
  await tx.record(newEvent("approval.answered", facts, answeredAt));
}

/** Somebody else was first: their answer, if it is the same. */
async function settled(deps: ApprovalsDeps, named: Named, wanted: "approved" | "denied"): Promise<Approval> {
  const approval = await existing(deps, named);
  if (isAnsweredSo(standingAt(approval, deps.clock.now()), wanted)) return approval;
  throw new Problem("unavailable", { private: { why: "an approval was neither taken nor answered" } });
}

async function expireWithin(
  deps: ApprovalsDeps,
  tx: TenantTx,
  id: Id<"approval">,
): Promise<Instant | undefined> {
  const now = deps.clock.now();
  const row = await rows.expire(tx, id, now);
  if (row === undefined) {
    const left = await rows.findApproval(tx, id);
    return left?.state === "pending" ? left.expiresAt : undefined;
  }
  await rows.close(tx, id);
  await deps.answers.expire(tx, await opened(deps, tx, row));
  const payload = { agent: row.agent, state: "expired", mandate: null, step_up: false };
  const actor = { type: "system", id: "authorization-server" } as const;
  await tx.record(newEvent("approval.answered", { tenant: tx.tenant, actor, subject: id, payload }, now));
  return undefined;
}

async function existing(deps: ApprovalsDeps, named: Named): Promise<Approval> {
  const found = await deps.db.of(named.tenant).transaction((tx) => find(deps, tx, named));
  if (found === undefined) throw new Problem("not_found", { detail: "There is no such approval." });
  return found;
}

async function find(deps: ApprovalsDeps, tx: TenantTx, named: Named): Promise<Approval | undefined> {
  const row = await rows.findApproval(tx, named.id);
  if (row === undefined || row.principal !== named.principal) return undefined;
  return standingAt(await opened(deps, tx, row), deps.clock.now());
}

const scopeOf = (tx: TenantTx): string => `approvals:${tx.tenant}`;
const aadOf = (id: Id<"approval">): string => `approvals.question:${id}`;

async function seal(
  { keyring }: ApprovalsDeps,
  tx: TenantTx,
  { id, question }: { id: Id<"approval">; question: Question },
): Promise<Uint8Array> {
  const plaintext = Buffer.from(JSON.stringify(question), "utf8");
  return keyring.seal(tx, scopeOf(tx), { plaintext, aad: aadOf(id) });
}

async function opened(
  { keyring }: ApprovalsDeps,
  tx: TenantTx,
  { sealedQuestion, ...row }: rows.ApprovalRow,
): Promise<Approval> {
  const plaintext = await keyring.open(tx, scopeOf(tx), { sealed: sealedQuestion, aad: aadOf(row.id) });
  // Erased: the question is no longer known to anybody, and nothing can come of it.
  if (plaintext === undefined) return { ...row, question: { request: "" } };
  // We wrote it: JSON of a Question, authenticated by the seal.
  return { ...row, question: JSON.parse(Buffer.from(plaintext).toString("utf8")) as Question };
}
