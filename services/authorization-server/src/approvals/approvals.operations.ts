import { type Id, type Instant, invariant } from "@remit/kernel";
import { failpoint } from "@remit/platform/failpoint";
import { enqueue } from "@remit/platform/jobs";
import type { Database, TenantTx } from "@remit/platform/sql";
import { type Actor, newEvent, Problem } from "@remit/protocol";
import * as rows from "./approvals.sql.ts";
import {
  type Answerer,
  type Approval,
  type ApprovalState,
  type ApprovalSubject,
  isAnsweredSo,
  isForPurchase,
  type MandateSubject,
  type NewQuestion,
} from "./approvals.ts";
import { approvalsChannel, ask, type Following, follow, followedQueue, type Repeats } from "./asking.ts";
import type { PurchaseSubject } from "./purchase.ts";
import { opened, type SealingDeps, sealAnswer } from "./sealing.ts";

/** The writes of an answer, for the transaction that its effect opens: `take` first, then the effect, then `done`. */
export type Writing = {
  /** The conditional UPDATE: undefined when another answer was first, or the time is over; then nothing is done. */
  take(tx: TenantTx): Promise<Approval | undefined>;
  done(tx: TenantTx, answered: Approval): Promise<void>;
};

/**
 * What an answer does, by whoever put the question: in the transaction of the answer, so that both are there or neither
 * is. What it throws takes the whole answer back.
 */
export type AnswerPort<S extends ApprovalSubject> = {
  approve(approval: Approval<S>, by: Answerer, writing: Writing): Promise<Approval | undefined>;
  deny(approval: Approval<S>, by: Answerer, writing: Writing): Promise<Approval | undefined>;
  /** Nobody answered in time. */
  expire(approval: Approval<S>, writing: Writing): Promise<Approval | undefined>;
};

export type AnswerPorts = {
  readonly mandate: AnswerPort<MandateSubject> & Pick<Repeats, "supersede">;
  readonly purchase: AnswerPort<PurchaseSubject>;
};

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
  /** The purchase of this agent that waits for an answer under this charge; undefined when none does. */
  waitingFor(of: Pick<Following, "charge" | "agent">): Promise<Approval | undefined>;
  /** Has its answer told to a request of the agent; false when it has one by now. Throws `rate_limited`. */
  follow(tenant: Id<"tenant">, following: Following): Promise<boolean>;
  /** A question that has its answer, locked until the transaction ends. */
  lockAnswered(tx: TenantTx, id: Id<"approval">): Promise<Approval | undefined>;
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

export type ApprovalsDeps = SealingDeps & { readonly db: Database; readonly answers: AnswerPorts };

export function createApprovals(deps: ApprovalsDeps): Approvals {
  const { db, clock, answers } = deps;
  const repeats: Repeats = {
    supersede: (tx, approval) => answers.mandate.supersede(tx, approval),
    expire: async (tx, id) => {
      const writing = expiry(deps, id);
      const over = await writing.take(tx);
      if (over !== undefined) await writing.done(tx, over);
    },
  };
  return {
    ask: (tenant, question) => db.of(tenant).transaction((tx) => ask({ ...deps, repeats }, tx, question)),
    waitingFor: async (of) => {
      const tenant = await rows.tenantOfPurchase(db.single, of.charge);
      if (tenant === undefined) return undefined;
      return db.of(tenant).transaction(async (tx) => {
        const row = await rows.lockAbout(tx, { ...of, now: clock.now() });
        return row && opened(deps, tx, row);
      });
    },
    follow: (tenant, following) =>
      db.of(tenant).transaction((tx) => follow({ ...deps, repeats }, tx, following)),
    lockAnswered: async (tx, id) => {
      const row = await rows.lockAnswered(tx, id);
      return row && opened(deps, tx, row);
    },
    approve: (named, by, within) => answer(deps, named, { by, within, state: "approved" }),
    deny: (named, by, within) => answer(deps, named, { by, within, state: "denied" }),
    expire: (named) => expire(deps, named),
    read: (named) => read(deps, named),
    find: (named) => find(deps, named),
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

type Answering = {
  readonly by: Answerer & { readonly reason?: string | undefined };
  readonly state: "approved" | "denied";
  readonly within: Within | undefined;
};

async function answer(deps: ApprovalsDeps, named: Named, answering: Answering): Promise<Approval> {
  const { by, state } = answering;
  const approval = await existing(deps, named);
  if (isAnsweredSo(approval, state)) return approval;
  const writing: Writing = {
    take: (tx) => take(deps, tx, { named, by, state }),
    done: async (tx, answered) => {
      if (answered.mandate !== undefined) await rows.saveMandate(tx, named.id, answered.mandate);
      await failpoint("approval.granted");
      const proven = by.confirm !== undefined;
      await recordAnswer(tx, answered, { actor: { type: "account", id: by.account }, proven });
      await answering.within?.(tx, answered);
    },
  };
  const done = await say(deps, approval, { by, state, writing });
  await failpoint("approval.answered");
  return done ?? settled(deps, named, state);
}

type Saying = Pick<Answering, "by" | "state"> & { readonly writing: Writing };

function say(
  { answers }: ApprovalsDeps,
  approval: Approval,
  { by, state, writing }: Saying,
): Promise<Approval | undefined> {
  const verb = state === "approved" ? "approve" : "deny";
  if (isForPurchase(approval)) return answers.purchase[verb](approval, by, writing);
  return answers.mandate[verb](mandateIn(approval), by, writing);
}

function mandateIn(approval: Approval): Approval<MandateSubject> {
  const { subject } = approval;
  invariant(subject.kind === "mandate", "what is for no purchase is for a mandate");
  return { ...approval, subject };
}

/** The conditional UPDATE: this answer is the one, or undefined. */
async function take(
  deps: ApprovalsDeps,
  tx: TenantTx,
  given: { named: Named; by: Answering["by"]; state: "approved" | "denied" },
): Promise<Approval | undefined> {
  const { named, by, state } = given;
  const { reason } = by;
  // First: whoever did not confirm takes nothing.
  const stepUp = await by.confirm?.(tx);
  const said = { ...(reason === undefined ? {} : { reason }), ...(stepUp === undefined ? {} : { stepUp }) };
  const sealedAnswer = await sealAnswer(deps, tx, { id: named.id, said });
  const row = await rows.answer(tx, {
    id: named.id,
    state,
    by: by.account,
    sealedAnswer,
    now: deps.clock.now(),
  });
  if (row === undefined) return undefined;
  await rows.close(tx, row.id);
  return opened(deps, tx, row);
}

async function recordAnswer(
  tx: TenantTx,
  approval: Approval,
  { actor, proven }: { actor: Actor; proven: boolean },
): Promise<void> {
  const { id, agent, principal, state, answeredAt, mandate } = approval;
  invariant(answeredAt !== undefined, "an answered approval says when");
  const payload = { agent, state, mandate: mandate ?? null, step_up: proven };
  await tx.record(
    newEvent("approval.answered", { tenant: tx.tenant, actor, subject: id, payload }, answeredAt),
  );
  tx.notify(approvalsChannel, principal);
  if (isForPurchase(approval) && approval.question.request !== "")
    await enqueue(tx, { queue: followedQueue, key: id, payload: { tenant: tx.tenant, id } });
}

/** Somebody else was first: their answer, if it is the same. */
async function settled(deps: ApprovalsDeps, named: Named, wanted: "approved" | "denied"): Promise<Approval> {
  const approval = await existing(deps, named);
  if (isAnsweredSo(approval, wanted)) return approval;
  throw new Problem("unavailable", { private: { why: "an approval was neither taken nor answered" } });
}

const us: Actor = { type: "system", id: "authorization-server" };

const expiry = (deps: SealingDeps, id: Id<"approval">): Writing => ({
  take: async (tx) => {
    const row = await rows.expire(tx, id, deps.clock.now());
    if (row === undefined) return undefined;
    await rows.close(tx, id);
    return opened(deps, tx, row);
  },
  done: (tx, answered) => recordAnswer(tx, answered, { actor: us, proven: false }),
});

async function expire(
  deps: ApprovalsDeps,
  named: Pick<Named, "tenant" | "id">,
): Promise<Instant | undefined> {
  const approval = await read(deps, named);
  if (approval?.state !== "pending") return undefined;
  if (approval.expiresAt > deps.clock.now()) return approval.expiresAt;
  const writing = expiry(deps, named.id);
  await (isForPurchase(approval)
    ? deps.answers.purchase.expire(approval, writing)
    : deps.answers.mandate.expire(mandateIn(approval), writing));
  // Put again or answered meanwhile: its own job looks again.
  const left = await read(deps, named);
  return left?.state === "pending" ? left.expiresAt : undefined;
}

/**
 * Ends the question of a purchase that nobody wants any more, in the transaction that lets the purchase go; false when it
 * has its answer.
 */
export async function withdraw(
  deps: SealingDeps,
  tx: TenantTx,
  { id, actor }: { id: Id<"approval">; actor: Actor },
): Promise<boolean> {
  const row = await rows.withdraw(tx, id, deps.clock.now());
  if (row === undefined) return false;
  await rows.close(tx, id);
  await recordAnswer(tx, await opened(deps, tx, row), { actor, proven: false });
  return true;
}

/**
 * Writes down a yes that the principal gave elsewhere, to the issuer of a card, in the transaction of what follows; false
 * when there is another answer, or the time is over.
 */
export async function confirmElsewhere(
  deps: SealingDeps,
  tx: TenantTx,
  { id, payment }: { id: Id<"approval">; payment: Id<"payment"> },
): Promise<boolean> {
  const asked = await rows.findApproval(tx, id);
  if (asked === undefined) return false;
  const sealedAnswer = await sealAnswer(deps, tx, { id, said: { payment } });
  const now = deps.clock.now();
  const row = await rows.answer(tx, { id, state: "approved", by: asked.principal, sealedAnswer, now });
  if (row === undefined) return false;
  await rows.close(tx, id);
  await recordAnswer(tx, await opened(deps, tx, row), { actor: us, proven: false });
  return true;
}

async function existing(deps: ApprovalsDeps, named: Named): Promise<Approval> {
  const found = await find(deps, named);
  if (found === undefined) throw new Problem("not_found", { detail: "There is no such approval." });
  return found;
}

const read = (deps: ApprovalsDeps, { tenant, id }: Pick<Named, "tenant" | "id">) =>
  deps.db.of(tenant).transaction(async (tx) => {
    const row = await rows.findApproval(tx, id);
    return row && opened(deps, tx, row);
  });

async function find(deps: ApprovalsDeps, named: Named): Promise<Approval | undefined> {
  const approval = await read(deps, named);
  return approval?.principal === named.principal ? standingAt(approval, deps.clock.now()) : undefined;
}
