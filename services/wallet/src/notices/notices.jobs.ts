import { type Clock, dayMs, hourMs, instantOf } from "@remit/kernel";
import type { Jobs } from "@remit/platform/jobs";
import type { Keyring } from "@remit/platform/keys";
import { afterTrouble, type MailEngine } from "@remit/platform/mail";
import type { Database } from "@remit/platform/sql";
import { Problem } from "@remit/protocol";
import type { Language } from "../refusals/index.ts";
import * as rows from "./notices.sql.ts";
import { type Addressee, type Browser, deliverQueue, openAs } from "./notices.ts";
import { bookOf, type Sentence } from "./sentences.ts";
import type { PushSender } from "./web-push.ts";

export type DeliveringDeps = {
  readonly db: Database;
  readonly keyring: Keyring;
  readonly clock: Clock;
  readonly mail: MailEngine;
  readonly push: PushSender;
  /** Where a notice leads. */
  readonly origin: string;
};

const keptMs = 30 * dayMs;
const moneyLifeS = 3600;

export const noticeJobs = (jobs: Jobs, deps: DeliveringDeps): Jobs =>
  jobs
    .on(deliverQueue, { handle: ({ payload }) => deliver(deps, payload), attemptsMax: 12 })
    .every("notices.forget", hourMs, () =>
      rows.sweepNotices(deps.db.single, instantOf(deps.clock.now() - keptMs)),
    );

type Wanted = { readonly account: string; readonly way: string; readonly notice?: string };

/** Sends what waits for one person by one way: a question alone, movements of money together. */
async function deliver(deps: DeliveringDeps, payload: unknown): Promise<void> {
  // Written by this room alone.
  const { account, way, notice } = payload as Wanted;
  const { db, clock } = deps;
  const taken = await db.global.transaction(async (tx) => {
    const taking = { account, way, notice, now: clock.now() };
    // A push that came twice takes its own place; a letter that came twice is two letters.
    if (way === "mail") await rows.giveUpUnknown(tx, taking);
    return rows.takeDeliveries(tx, taking);
  });
  if (taken.length === 0) return;
  const outcome = await (way === "mail" ? sendLetter(deps, account, taken) : sendPush(deps, way, taken));
  const state = outcome === "later" ? "waiting" : outcome;
  await rows.endDeliveries(db.single, { way, notices: taken.map(({ id }) => id), state, now: clock.now() });
  // The job is tried again, later each time.
  if (outcome === "later") throw new Problem("unavailable", { private: { way: way.slice(0, 3) } });
}

type Outcome = "sent" | "refused" | "unknown" | "later";

async function sendLetter(
  { db, keyring, mail, origin }: DeliveringDeps,
  account: string,
  taken: readonly rows.Sending[],
): Promise<Outcome> {
  const to = await db.global.transaction(async (tx) => {
    const row = await rows.readPerson(tx, account);
    return row && (await openAs<Addressee>(keyring, tx, { aad: account, sealed: row.sealed }));
  });
  const [first] = taken;
  if (to === undefined || first === undefined) return "refused";
  const { open, why } = bookOf(to.language);
  const { title, body } = sentenceOf(to.language, taken);
  const text = [body, `${open}\n${origin}${pathOf(taken)}`, why(`${origin}/notifications`)].join("\n\n");
  try {
    await mail.deliver({ id: first.id, to: to.email, subject: title, text: `${text}\n\nRemit\n` });
    return "sent";
  } catch (error) {
    const became = afterTrouble(error);
    return became === "not_sent" ? "later" : became;
  }
}

async function sendPush(
  { db, keyring, push, clock }: DeliveringDeps,
  way: string,
  taken: readonly rows.Sending[],
): Promise<Outcome> {
  const found = await db.global.transaction(async (tx) => {
    const row = await rows.readDevice(tx, way);
    return row && { row, to: await openAs<Browser>(keyring, tx, { aad: row.id, sealed: row.sealed }) };
  });
  const [first] = taken;
  if (found === undefined || first === undefined) return "refused";
  const question = first.kind === "question";
  const topic = question ? first.id : "money";
  const untilMs = first.until === null ? 0 : first.until - clock.now();
  const lifeS = question ? Math.max(1, Math.floor(untilMs / 1000)) : moneyLifeS;
  const { title, body } = sentenceOf(found.to.language, taken);
  const text = JSON.stringify({ title, body, path: pathOf(taken), tag: topic });
  try {
    const said = await push.send(found.to, { text, topic, lifeS });
    if (said !== "gone") return said;
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    return error.code === "outbound_refused" ? "refused" : "later";
  }
  await rows.deleteDevice(db.single, { account: found.row.account, id: way });
  return "refused";
}

function sentenceOf(language: Language, taken: readonly rows.Sending[]): Sentence {
  const book = bookOf(language);
  const [first, ...others] = taken;
  return first === undefined || others.length > 0 ? book.several(taken.length) : book[first.kind];
}

/** Where the notice leads: to what it is of, or to all of them. */
function pathOf(taken: readonly rows.Sending[]): string {
  const [first, ...others] = taken;
  if (first === undefined || others.length > 0) return "/activity";
  return first.kind === "question" ? `/approvals/${first.subject}` : `/activity/${first.subject}`;
}
