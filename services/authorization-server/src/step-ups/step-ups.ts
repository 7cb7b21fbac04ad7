import { after, type Id, type Instant, minuteMs, newId } from "@remit/kernel";
import type { Keyring } from "@remit/platform/keys";
import type { Database, TenantTx } from "@remit/platform/sql";
import { canonicalise, equalBytes, type Json, newEvent, Problem } from "@remit/protocol";
import { sha256 } from "@remit/protocol/node";
import type { Account, Accounts } from "../accounts/index.ts";
import { type Aal, assuranceOf } from "../assurance/index.ts";
import type { Factors } from "../factors/index.ts";
import * as rows from "./step-ups.sql.ts";

/** Who is asked, in which session of theirs; a question is answered in the session that it was asked in. */
export type Asking = { readonly account: Account; readonly session: string; readonly now: Instant };

/** What is to be confirmed. `what` names its object by an id, so that it is never the same for two things. */
export type Question = { readonly action: string; readonly what: Json; readonly aal: Aal };

export type Asked = {
  readonly id: Id<"challenge">;
  readonly expiresAt: Instant;
  /** Options for `navigator.credentials.get`, as JSON; their challenge is that of `Evidence`. */
  readonly passkey: string | undefined;
  readonly code: boolean;
  readonly password: boolean;
};

/** What a form brought back: for which step-up, and what its fields held. */
export type Answered = { readonly id: string; readonly answer: Answer; readonly ip: string };

/** One of the three. */
export type Answer = {
  readonly response?: string | undefined;
  readonly code?: string | undefined;
  readonly password?: string | undefined;
};

export type CheckedStepUp = {
  readonly row: rows.StepUpRow;
  readonly question: Question;
  readonly account: Account;
  readonly method: "password" | "code" | "passkey";
  readonly aal: Aal;
  readonly evidence: Json;
};

/** What is kept of it, and what the caller may note beside its own change. */
export type Evidence = {
  readonly stepUp: Id<"challenge">;
  readonly method: CheckedStepUp["method"];
  readonly aal: Aal;
  /** base64url(SHA-256(JCS({action, step_up, what}))), where `step_up` is the id above: good for no other asking. */
  readonly challenge: string;
};

/**
 * A step-up: a person confirms one action. `ask` when the page is shown, `check` what the form brings, then `consume` in
 * the transaction of the action: of two answers one gets through, and a wrong factor uses nothing up.
 */
export type StepUps = {
  ask(asking: Asking, question: Question): Promise<Asked>;
  /**
   * `question` is that of the action which is about to be done, made anew by whoever does it: proof of any other is none.
   * Throws `step_up_refused`, or `rate_limited` after too many guesses.
   */
  check(asking: Asking, question: Question, answered: Answered): Promise<CheckedStepUp>;
  /**
   * Seals the evidence under the account's key: `asked`, the very text whose SHA-256 is the challenge, and what answered
   * it (for a passkey its assertion, whose signature is over that challenge: WebAuthn L3 §7.2 step 11).
   */
  consume(tx: TenantTx, checked: CheckedStepUp, now: Instant): Promise<Evidence>;
};

export type StepUpDeps = {
  readonly db: Database;
  readonly keyring: Keyring;
  readonly accounts: Accounts;
  readonly factors: Factors;
};

const lifeMs = 5 * minuteMs;

export function createStepUps(deps: StepUpDeps): StepUps {
  return {
    ask: (asking, question) => ask(deps, asking, question),
    check: (asking, question, answered) => check(deps, asking, { question, ...answered }),
    consume: (tx, checked, now) => consume(deps, tx, { checked, now }),
  };
}

const refused = (detail: string, why: string): Problem =>
  new Problem("step_up_refused", { detail, private: { why } });
const sessionOf = ({ session }: Asking): Uint8Array => sha256(session);

/** What is hashed to be the challenge. */
const textOf = (id: Id<"challenge">, { action, what }: Question): string =>
  canonicalise({ action, step_up: id, what });

async function ask({ db, factors }: StepUpDeps, asking: Asking, question: Question): Promise<Asked> {
  const { account, now } = asking;
  const { action, aal } = question;
  const id = newId("challenge");
  const challenge = sha256(textOf(id, question));
  const row = {
    id,
    account: account.id,
    sessionDigest: sessionOf(asking),
    action,
    challenge,
    requiredAal: aal,
    expiresAt: after(now, lifeMs),
  };
  await db.global.transaction((tx) => rows.insertStepUp(tx, row));
  const methods = await factors.methodsOf(account.id);
  const able = methods.passkeys.some((key) => aal < 3 || key.deviceBound);
  return {
    id: row.id,
    expiresAt: row.expiresAt,
    passkey: able ? await factors.passkeys.optionsFor({ account: account.id, challenge }) : undefined,
    code: aal < 3 && methods.app,
    password: aal < 2 && methods.password,
  };
}

async function check(
  deps: StepUpDeps,
  asking: Asking,
  { question, id, answer, ip }: Answered & { question: Question },
): Promise<CheckedStepUp> {
  const { account, now } = asking;
  const row = await deps.db.global.transaction((tx) => rows.findOpen(tx, { id, now }));
  const theirs = row?.account === account.id && Buffer.compare(row.sessionDigest, sessionOf(asking)) === 0;
  if (row === undefined || !theirs)
    throw refused("This question has expired or was answered. Ask for it again.", "not open here");
  if (!isOf(row, question))
    throw refused("This was asked for something else. Ask for it again.", "another question");
  const shown = await checkFactor(deps, { row, account, answer, ip, now });
  if (shown.aal < row.requiredAal)
    throw refused("This needs a stronger way to show that it is you.", `aal ${shown.aal}`);
  return { row, question, account, ...shown };
}

/** Whether this is what was asked: the very action and object, at no lower a level. */
const isOf = (row: rows.StepUpRow, question: Question): boolean =>
  row.action === question.action &&
  row.requiredAal >= question.aal &&
  equalBytes(row.challenge, sha256(textOf(row.id, question)));

type Factor = Pick<CheckedStepUp, "method" | "aal" | "evidence">;
type Given = {
  readonly row: rows.StepUpRow;
  readonly account: Account;
  readonly answer: Answer;
  readonly ip: string;
  readonly now: Instant;
};

async function checkFactor(deps: StepUpDeps, { row, account, answer, ip, now }: Given): Promise<Factor> {
  const { factors, accounts } = deps;
  const { response, code, password } = answer;
  const given = [response, code, password].filter((text) => text !== undefined && text !== "");
  if (given.length !== 1) throw refused("Choose one way to show that it is you.", "not one answer");
  if (response) {
    const { challenge } = row;
    const { key, proof } = await factors.passkeys.confirm({ challenge, response, account: account.id, now });
    const { aal } = assuranceOf([proof]);
    return { method: "passkey", aal, evidence: { passkey: key, response } };
  }
  if (code) {
    const checked = await factors.codes.check({ account, code, ip, now });
    if (checked.kind === "locked") throw locked(checked.retryAfterS);
    // A recovery code is for the day on which the rest is lost, not for saying yes.
    if (checked.kind === "refused" || checked.as !== "code")
      throw refused("The code is not right.", "wrong code");
    // The session it is answered in began with another factor.
    return { method: "code", aal: 2, evidence: {} };
  }
  const checked = await accounts.checkPassword({ email: account.email, password: password ?? "", ip, now });
  if (checked.kind === "locked") throw locked(checked.retryAfterS);
  if (checked.kind === "refused") throw refused("The password is not right.", "wrong password");
  return { method: "password", aal: 1, evidence: {} };
}

const locked = (retryAfterS: number): Problem =>
  new Problem("rate_limited", {
    detail: `Too many attempts. Try again in ${Math.ceil(retryAfterS / 60)} minutes.`,
    headers: { "Retry-After": String(retryAfterS) },
  });

async function consume(
  { keyring }: StepUpDeps,
  tx: TenantTx,
  { checked, now }: { checked: CheckedStepUp; now: Instant },
): Promise<Evidence> {
  const { row, question, account, method, aal, evidence } = checked;
  if (!(await rows.consume(tx, { id: row.id, now })))
    throw refused("This question has expired or was answered.", "consumed");
  const plaintext = Buffer.from(canonicalise({ asked: textOf(row.id, question), evidence }), "utf8");
  const aad = `step_up_answers.sealed:${row.id}`;
  const sealed = await keyring.seal(tx, `account:${account.id}`, { plaintext, aad });
  const whatDigest = sha256(canonicalise(question.what));
  if (!(await rows.insertAnswer(tx, { row, whatDigest, method, aal, sealed, now })))
    throw refused("This was confirmed already.", "answered elsewhere");
  const challenge = Buffer.from(row.challenge).toString("base64url");
  const payload = { action: row.action, method, aal, challenge };
  const actor = { type: "account", id: account.id } as const;
  await tx.record(newEvent("step_up.answered", { tenant: tx.tenant, actor, subject: row.id, payload }, now));
  return { stepUp: row.id, method, aal, challenge };
}

const batch = 1_000;

/** Forgets questions that have expired; returns how many. */
export const forgetExpired = (db: Database, now: Instant): Promise<number> =>
  db.global.transaction((tx) => rows.deleteExpired(tx, now, batch));
