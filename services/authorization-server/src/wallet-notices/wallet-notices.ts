import { type Id, parseId, toRfc3339 } from "@remit/kernel";
import type { Enqueue } from "@remit/platform/jobs";
import type { Recorded } from "@remit/platform/outbox";
import type { Peer } from "@remit/platform/peers";
import type { Database } from "@remit/platform/sql";
import { type EventType, Problem } from "@remit/protocol";
import type { NoticeBody, TellNotices } from "@remit/protocol/contracts";
import { openQuestions } from "../approvals/index.ts";
import { principalsOf } from "../mandates/index.ts";

export const walletNoticesQueue = "wallet.notices";
/** Who is to be forgotten there: apart, since it is told until it has been heard. */
export const walletForgetsQueue = "wallet.forgets";

/** What the wallet tells people of, by the event that says so. */
const kinds = {
  "approval.asked": "question",
  "approval.answered": "answer",
  "charge.captured": "capture",
  "charge.refunded": "refund",
} as const satisfies Partial<Record<EventType, string>>;

/** An event as its job keeps it: ids alone. */
type Happened = {
  readonly id: Id<"event">;
  readonly kind: (typeof kinds)[keyof typeof kinds];
  readonly subject: string;
  readonly at: string;
  readonly mandate?: string;
};
type Payload = { readonly tenant: Id<"tenant">; readonly happened: readonly Happened[] };

const isTold = (type: EventType): type is keyof typeof kinds => Object.hasOwn(kinds, type);

/** Jobs for what people are to be told of, one per tenant: written where webhooks are, by whoever reads the events. */
export function noticesIn(events: readonly Recorded[]): Enqueue[] {
  const told = events.filter(
    ({ type, tenant, payload }) => isTold(type) && tenant !== "platform" && isFirst(payload),
  );
  const byTenant = Map.groupBy(told, ({ tenant }) => tenant);
  const gone = events.filter(({ type }) => type === "account.purged");
  return [
    ...[...byTenant].map(([tenant, of]) => ({
      queue: walletNoticesQueue,
      payload: { tenant, happened: of.flatMap(happenedIn) },
    })),
    ...gone.map(({ subject }) => ({
      queue: walletForgetsQueue,
      key: subject,
      payload: { account: subject },
    })),
  ];
}

/** A question that is put again waits already: whoever was told of it is not told of it twice. */
const isFirst = ({ times }: Recorded["payload"]): boolean => times === undefined || times === 1;

function happenedIn({ id, type, subject, at, payload: { mandate } }: Recorded): Happened[] {
  if (!isTold(type)) return [];
  return [
    {
      id,
      kind: kinds[type],
      subject,
      at: toRfc3339(at),
      ...(typeof mandate === "string" ? { mandate } : {}),
    },
  ];
}

export type WalletNoticesDeps = {
  readonly db: Database;
  readonly peer: Peer;
  /** The wallet's origin. */
  readonly wallet: string;
};

/** Tells the wallet, which knows who wants to hear of what. What it heard already it passes over. */
export async function tellWallet({ db, peer, wallet }: WalletNoticesDeps, job: unknown): Promise<void> {
  // Written by `noticesIn` alone.
  const { tenant, happened } = job as Payload;
  const body = await db.of(tenant).transaction(async (tx): Promise<TellNotices> => {
    const asked = happened.filter(({ kind }) => kind === "question").map(({ subject }) => subject);
    const questions = asked.length === 0 ? [] : await openQuestions(tx, asked);
    const mandates = [...new Set(happened.flatMap(({ mandate }) => mandate ?? []))];
    const principals =
      mandates.length === 0 ? new Map<string, Id<"account">>() : await principalsOf(tx, mandates);
    const waiting = new Map(questions.map((question) => [question.id as string, question]));
    const notices = happened.flatMap((each): NoticeBody[] => {
      const { id, kind, mandate = "" } = each;
      const subject = parseId("approval", each.subject) ?? parseId("charge", each.subject);
      if (subject === undefined || kind === "answer") return [];
      const question = waiting.get(subject);
      // The payee's log tells of the charge too, where the mandate is nobody's.
      const account = kind === "question" ? question?.principal : principals.get(mandate);
      if (account === undefined) return [];
      const until = question === undefined ? {} : { until: toRfc3339(question.expiresAt) };
      return [{ id, kind, account, subject, at: each.at, ...until }];
    });
    const answered = happened.flatMap(({ kind, subject }) =>
      kind === "answer" ? (parseId("approval", subject) ?? []) : [],
    );
    return { notices, answered };
  });
  if (body.notices.length > 0 || body.answered.length > 0) await tell({ peer, wallet }, body);
}

/** Has the wallet remove all that it keeps of an account that is no more: sessions, browsers, addresses, what was told, named views. */
export const forgetAtWallet = (deps: Omit<WalletNoticesDeps, "db">, job: unknown): Promise<void> =>
  // Written by `noticesIn` alone.
  tell(deps, {
    notices: [],
    answered: [],
    forgotten: [(job as { readonly account: Id<"account"> }).account],
  });

async function tell({ peer, wallet }: Omit<WalletNoticesDeps, "db">, body: TellNotices): Promise<void> {
  const path = "/api/v1/notices";
  const answer = await peer.call({ origin: wallet, method: "POST", path, scope: "notices:write", body });
  if (answer.status !== 204)
    throw new Problem("unavailable", { private: { told: body.notices.length, answered: answer.status } });
}
