import { randomBytes } from "node:crypto";
import { after, type Id, type Instant, instantOf, minuteMs } from "@remit/kernel";
import type { Database, Sql } from "@remit/platform/sql";
import { sha256 } from "@remit/protocol/node";
import { z } from "zod";
import { type Question, type Said, sessionMaxMs } from "../identity-providers/index.ts";
import type { Tickets } from "../tickets/index.ts";
import * as rows from "./visits.sql.ts";

/** One browser's way to a provider and back, in one conversation. */
export type Begun = {
  readonly question: Question;
  /** For the browser's cookie, of this name: who brings the answer must have asked. */
  readonly browser: string;
};

/** An answer that was brought back by the browser that asked; its state is used up. */
export type Returned = { readonly question: Question; readonly uid: string };

export type Waiting = {
  readonly visit: string;
  readonly provider: Id<"provider">;
  readonly said: Said;
  /**
   * When the person showed the provider who they are; never later than its answer, however long the page stays open. Where
   * it does not say when, as long ago as it was allowed to be: good for a sign-in, and never for what wants a recent one.
   */
  readonly provenAt: Instant;
};

export type Visits = {
  begin(given: Beginning): Promise<Begun>;
  /** Undefined for a state that is used, expired, unknown, of another provider or of another browser. */
  take(given: Taking): Promise<Returned | undefined>;
  /** Keeps what the provider said; returns the name of the visit in this conversation. */
  keep(given: { state: string; uid: string; said: Said; now: Instant }): Promise<string>;
  /** What was said in this conversation; undefined after ten minutes. */
  find(given: Naming): Promise<Waiting | undefined>;
  /** From now on whoever signs in in this conversation is asked whether to link it. */
  waitToLink(visit: string, now: Instant): Promise<void>;
  toLink(given: { uid: string; now: Instant }): Promise<Waiting | undefined>;
  /** False when it was answered before. In the transaction of the answer. */
  settle(tx: Sql, given: Naming): Promise<boolean>;
};

type Beginning = {
  readonly provider: Id<"provider">;
  readonly uid: string;
  readonly now: Instant;
  readonly asked: Pick<Question, "redirectUri" | "fresh" | "second" | "loginHint">;
};
type Taking = {
  readonly provider: Id<"provider">;
  readonly state: string;
  readonly browser: string;
  readonly now: Instant;
};
type Naming = { readonly visit: string; readonly uid: string; readonly now: Instant };

const lifeMs = 10 * minuteMs;
const purposes = { question: "provider-question", said: "provider-said" } as const;

const QuestionOf = z.strictObject({
  uid: z.string(),
  redirectUri: z.string(),
  nonce: z.string(),
  verifier: z.string(),
  fresh: z.boolean(),
  second: z.boolean(),
});
const SaidOf = z.strictObject({
  subject: z.string(),
  email: z.string().optional(),
  emailVerified: z.boolean(),
  name: z.string().optional(),
  second: z.boolean(),
  authTime: z.number().transform(instantOf).optional(),
});

const provenAt = (usedAt: Instant, authTime: Instant | undefined): Instant =>
  authTime === undefined ? after(usedAt, -sessionMaxMs) : instantOf(Math.min(usedAt, authTime));

const random = (): string => randomBytes(32).toString("base64url");
const bytesOf = (visit: string): Uint8Array => new Uint8Array(Buffer.from(visit, "base64url"));

/** The name of the cookie of one visit: several windows may be on their way at a time. */
export const cookieOf = (state: string, secure: boolean): string => {
  const name = `remit_visit_${Buffer.from(sha256(state)).toString("hex").slice(0, 16)}`;
  return secure ? `__Secure-${name}` : name;
};

export function createVisits({ db, tickets }: { db: Database; tickets: Tickets }): Visits {
  const opened = (row: rows.Said, given: Naming): Waiting => {
    const place = { purpose: purposes.said, conversation: given.uid, now: given.now };
    const { content } = tickets.open({ ...place, text: row.sealedSaid }, SaidOf);
    const { subject, email, emailVerified, name, second, authTime } = content;
    return {
      visit: given.visit,
      provider: row.provider,
      said: { subject, email, emailVerified, name, second, authTime },
      provenAt: provenAt(row.usedAt, authTime),
    };
  };
  return {
    begin: async ({ provider, uid, now, asked }) => {
      const [state, nonce, verifier, browser] = [random(), random(), random(), random()];
      const { redirectUri, fresh, second } = asked;
      const place = { purpose: purposes.question, conversation: state, now, lifeMs };
      const sealedQuestion = tickets.seal(place, { uid, redirectUri, nonce, verifier, fresh, second });
      const visit = {
        stateDigest: sha256(state),
        provider,
        browserDigest: sha256(browser),
        conversationDigest: sha256(uid),
        sealedQuestion,
        expiresAt: after(now, lifeMs),
      };
      await db.global.transaction((tx) => rows.insertVisit(tx, visit));
      return { question: { ...asked, state, nonce, verifier }, browser };
    },
    take: async ({ provider, state, browser, now }) => {
      const by = { stateDigest: sha256(state), provider, browserDigest: sha256(browser), now };
      const row = await db.global.transaction((tx) => rows.takeVisit(tx, by));
      if (row === undefined) return undefined;
      const place = { purpose: purposes.question, conversation: state, now, text: row.sealedQuestion };
      const { uid, ...question } = tickets.open(place, QuestionOf).content;
      return { question: { ...question, state, loginHint: undefined }, uid };
    },
    keep: async ({ state, uid, said, now }) => {
      const stateDigest = sha256(state);
      const sealedSaid = tickets.seal({ purpose: purposes.said, conversation: uid, now, lifeMs }, said);
      const expiresAt = after(now, lifeMs);
      await db.global.transaction((tx) => rows.saveSaid(tx, { stateDigest, sealedSaid, expiresAt }));
      return Buffer.from(stateDigest).toString("base64url");
    },
    find: async (given) => {
      const by = { stateDigest: bytesOf(given.visit), conversationDigest: sha256(given.uid), now: given.now };
      const row = await db.global.transaction((tx) => rows.findSaid(tx, by));
      return row && opened(row, given);
    },
    waitToLink: (visit, now) => db.global.transaction((tx) => rows.markToLink(tx, bytesOf(visit), now)),
    toLink: async ({ uid, now }) => {
      const by = { conversationDigest: sha256(uid), now };
      const row = await db.global.transaction((tx) => rows.findToLink(tx, by));
      const visit = row && Buffer.from(row.stateDigest).toString("base64url");
      return row && visit ? opened(row, { visit, uid, now }) : undefined;
    },
    settle: (tx, { visit, uid, now }) =>
      rows.settleVisit(tx, { stateDigest: bytesOf(visit), conversationDigest: sha256(uid), now }),
  };
}

const batch = 1_000;

/** Forgets what has expired; returns how many. */
export const forgetExpired = (db: Database, now: Instant): Promise<number> =>
  db.global.transaction((tx) => rows.deleteExpired(tx, now, batch));
