import { type Instant, minuteMs } from "@remit/kernel";
import { type Page, type PageAnswer, type PageCall, page } from "@remit/platform/http";
import { Problem } from "@remit/protocol";
import { z } from "zod";
import type { Account, Accounts } from "../accounts/index.ts";
import { Proof } from "../assurance/index.ts";
import { consentAnswer } from "../consent/index.ts";
import { type Factors, passkeyScript } from "../factors/index.ts";
import type { Interactions, SignInAsked } from "../oidc/index.ts";
import { type FormCheck, refusalPage } from "../pages/index.ts";
import type { Tickets } from "../tickets/index.ts";
import { type Conversation, limit, members, ProvenAt, Uid } from "./conversation.ts";
import type { Enrolment } from "./enrolment.http.ts";
import { type Offers, secondFactorPage, signInPage } from "./views.ts";

export type SignInDeps = {
  readonly accounts: Accounts;
  readonly factors: Factors;
  readonly tickets: Tickets;
  readonly interactions: Interactions;
  readonly forms: FormCheck;
  readonly conversation: Conversation;
  readonly enrolment: Enrolment;
  /** Whether strangers may create an account here. */
  readonly signUp: boolean;
  /** The identity providers that this conversation is offered. */
  readonly offers: (asked: SignInAsked) => Promise<Offers>;
};

const { csrf, ticket, passkey, response, code } = members;
const path = "/oauth/interactions/:uid";
const PasswordForm = z.strictObject({
  csrf,
  email: z.string().min(1).max(254),
  password: members.password,
});
const PasskeyForm = z.strictObject({ csrf, passkey, response });
const CodeForm = z.strictObject({ csrf, ticket, code });
const SecondPasskeyForm = z.strictObject({ csrf, ticket, passkey, response });

const secondFactor = "second-factor";
const stepMs = 10 * minuteMs;
/** `first`: what was shown before it. */
const SecondFactor = z.strictObject({ account: z.string(), provenAt: ProvenAt, first: Proof });
type SecondFactor = z.output<typeof SecondFactor>;

/** Sign-in, and step-up, which is the same for somebody known. What counts is a POST from our own page (A17). */
export const signInPages = (deps: SignInDeps): Page[] => [
  showPage(deps),
  passwordPage(deps),
  passkeyPage(deps),
  codePage(deps),
  secondPasskeyPage(deps),
  leavePage(deps),
];

const showPage = ({ interactions, forms, ...deps }: SignInDeps): Page =>
  page({
    method: "GET",
    path,
    params: Uid,
    refused: refusalPage,
    handle: async (call, { params: { uid } }) => {
      const asked = await interactions.read(call.raw);
      if (asked.uid !== uid)
        throw new Problem("not_found", { detail: "This request is not of this browser." });
      if (asked.kind === "consent") return consentAnswer({ forms }, asked);
      return signInAnswer({ interactions, forms, ...deps }, call, { asked });
    },
  });

const passwordPage = (deps: SignInDeps): Page =>
  page({
    method: "POST",
    path: `${path}/sign-in`,
    params: Uid,
    form: PasswordForm,
    limit,
    refused: refusalPage,
    handle: async (call, { params: { uid }, form }) => {
      const asked = await deps.conversation.readForm(call, uid, form);
      const { email, password } = form;
      const checked = await deps.accounts.checkPassword({ email, password, ip: call.ip, now: call.now });
      if (checked.kind === "right")
        return afterFirst(deps, call, {
          asked,
          account: checked.account,
          provenAt: call.now,
          first: { kind: "password" },
        });
      return signInAnswer(deps, call, {
        asked,
        email,
        ...saidOf(checked, "E-mail or password is not right."),
      });
    },
  });

const passkeyPage = (deps: SignInDeps): Page =>
  page({
    method: "POST",
    path: `${path}/passkey`,
    params: Uid,
    form: PasskeyForm,
    limit,
    refused: refusalPage,
    handle: async (call, { params: { uid }, form }) => {
      const asked = await deps.conversation.readForm(call, uid, form);
      try {
        const place = { conversation: uid, now: call.now };
        const used = await deps.factors.passkeys.use(place, {
          ticket: form.passkey,
          response: form.response,
          verification: "required",
          ...(asked.known === undefined ? {} : { account: asked.known.id }),
        });
        const { account, proof } = used;
        return await complete(deps, call, { asked, account, provenAt: call.now, proofs: [proof] });
      } catch (error) {
        const refused = textOfRefusal(error);
        return signInAnswer(deps, call, { asked, refused, status: 401 });
      }
    },
  });

const codePage = (deps: SignInDeps): Page =>
  page({
    method: "POST",
    path: `${path}/second-factor`,
    params: Uid,
    form: CodeForm,
    limit,
    refused: refusalPage,
    handle: async (call, { params: { uid }, form }) => {
      const asked = await deps.conversation.readForm(call, uid, form);
      const pending = { asked, ...(await pendingAccount(deps, call, { uid, ticket: form.ticket })) };
      const checked = await deps.factors.codes.check({
        account: pending.account,
        code: form.code,
        ip: call.ip,
        now: call.now,
      });
      if (checked.kind === "right")
        return complete(deps, call, { ...pending, proofs: [pending.first, { kind: checked.as }] });
      return secondAnswer(deps, call, { ...pending, ...saidOf(checked, "The code is not right.") });
    },
  });

const secondPasskeyPage = (deps: SignInDeps): Page =>
  page({
    method: "POST",
    path: `${path}/second-factor/passkey`,
    params: Uid,
    form: SecondPasskeyForm,
    limit,
    refused: refusalPage,
    handle: async (call, { params: { uid }, form }) => {
      const asked = await deps.conversation.readForm(call, uid, form);
      const pending = { asked, ...(await pendingAccount(deps, call, { uid, ticket: form.ticket })) };
      try {
        const place = { conversation: uid, now: call.now };
        const given = { ticket: form.passkey, response: form.response, account: pending.account.id };
        const used = await deps.factors.passkeys.use(place, { ...given, verification: "preferred" });
        return await complete(deps, call, { ...pending, proofs: [pending.first, used.proof] });
      } catch (error) {
        return secondAnswer(deps, call, { ...pending, refused: textOfRefusal(error), status: 401 });
      }
    },
  });

const leavePage = ({ conversation }: SignInDeps): Page =>
  page({
    method: "POST",
    path: `${path}/leave`,
    params: Uid,
    form: z.strictObject({ csrf }),
    refused: refusalPage,
    handle: async (call, { params: { uid }, form }) => {
      await conversation.readForm(call, uid, form);
      return conversation.leave(call);
    },
  });

export type Attempt = {
  readonly asked: SignInAsked;
  readonly account: Account;
  readonly provenAt: Instant;
  readonly first: Proof;
};

/** A password, or the word of an identity provider, is alone enough for nobody who has more. */
export async function afterFirst(deps: SignInDeps, call: PageCall, attempt: Attempt): Promise<PageAnswer> {
  if (await deps.factors.hasSecond(attempt.account.id)) return secondAnswer(deps, call, attempt);
  return complete(deps, call, { ...attempt, proofs: [attempt.first] });
}

/** Signs in; somebody who cannot show as much as is asked may add what is missing, as far as we can take it. */
async function complete(
  deps: SignInDeps,
  call: PageCall,
  { asked, account, provenAt, proofs }: Omit<Attempt, "first"> & { proofs: readonly Proof[] },
): Promise<PageAnswer> {
  const finished = await deps.conversation.finish(call, asked, { account, proofs, provenAt });
  if (finished !== false) return finished;
  if (asked.wanted.aal === 2 && !(await deps.factors.hasSecond(account.id)))
    return deps.enrolment.begin(call, { asked, account, proofs, provenAt });
  const refused = "This is not enough here. Use a security key, or a passkey that cannot leave its device.";
  return signInAnswer(deps, call, { asked, refused, status: 403 });
}

/** Who showed the first of two factors in this conversation, and when. */
async function pendingAccount(
  { tickets, accounts }: SignInDeps,
  call: PageCall,
  { uid, ticket: text }: { uid: string; ticket: string },
): Promise<Omit<Attempt, "asked">> {
  const place = { purpose: secondFactor, conversation: uid, now: call.now };
  const { content, madeAt } = tickets.open({ ...place, text }, SecondFactor);
  const account = await accounts.byId(content.account, madeAt);
  if (account === undefined) throw new Problem("invalid_request", { detail: "Begin again." });
  return { account, provenAt: content.provenAt, first: content.first };
}

type Said = { readonly refused?: string; readonly status?: number; readonly retryAfterS?: number };

const saidOf = (
  checked: { kind: "refused" } | { kind: "locked"; retryAfterS: number },
  refused: string,
): Said => {
  if (checked.kind === "refused") return { refused, status: 401 };
  const { retryAfterS } = checked;
  const minutes = Math.ceil(retryAfterS / 60);
  return { refused: `Too many attempts. Try again in ${minutes} minutes.`, status: 429, retryAfterS };
};

/** What a person may know of a refusal; what is our fault goes on. */
export function textOfRefusal(error: unknown): string {
  if (error instanceof Problem && error.status < 500) return error.detail ?? "This did not work. Try again.";
  throw error;
}

async function signInAnswer(
  { accounts, conversation, factors, signUp, offers }: SignInDeps,
  call: PageCall,
  { asked, email = asked.hint ?? "", refused, ...said }: Said & { asked: SignInAsked; email?: string },
): Promise<PageAnswer> {
  const { uid, known } = asked;
  const place = { conversation: uid, now: call.now };
  const given = { verification: "required", ...(known === undefined ? {} : { account: known.id }) } as const;
  const none = known !== undefined && !(await factors.passkeys.has(known.id));
  const html = signInPage(asked, {
    forms: {
      password: conversation.form(asked, "sign-in"),
      passkey: conversation.form(asked, "passkey"),
      leave: conversation.form(asked, "leave"),
    },
    passkey: none ? undefined : await factors.passkeys.beginUse(place, given),
    email,
    password: known === undefined || (await accounts.hasPassword(known.id)),
    signUp,
    offers: await offers(asked),
    ...(refused === undefined ? {} : { refused }),
  });
  return conversation.show(asked, { html, scripts: [passkeyScript], ...said });
}

async function secondAnswer(
  { conversation, factors, tickets }: SignInDeps,
  call: PageCall,
  { asked, account, provenAt, first, refused, ...said }: Attempt & Said,
): Promise<PageAnswer> {
  const place = { conversation: asked.uid, now: call.now };
  const content: SecondFactor = { account: account.id, provenAt, first };
  const has = await factors.passkeys.has(account.id);
  const given = { account: account.id, verification: "preferred" } as const;
  const html = secondFactorPage(asked, {
    forms: {
      code: conversation.form(asked, "second-factor"),
      passkey: conversation.form(asked, "second-factor/passkey"),
      leave: conversation.form(asked, "leave"),
    },
    ticket: tickets.seal({ ...place, purpose: secondFactor, lifeMs: stepMs }, content),
    passkey: has ? await factors.passkeys.beginUse(place, given) : undefined,
    app: await factors.codes.hasApp(account.id),
    ...(refused === undefined ? {} : { refused }),
  });
  return conversation.show(asked, { html, scripts: [passkeyScript], ...said });
}
