import { minuteMs } from "@remit/kernel";
import { type Page, type PageAnswer, type PageCall, page } from "@remit/platform/http";
import { z } from "zod";
import { Proof } from "../assurance/index.ts";
import {
  accountBegun,
  limit,
  members,
  ProvenAt,
  placeOf,
  textOfRefusal,
  Uid,
} from "../conversation/index.ts";
import { passkeyScript } from "../factors/index.ts";
import { refusalPage } from "../pages/index.ts";
import { type Attempt, complete, type Said, type SignInDeps, saidOf } from "./answers.ts";
import { secondFactorPage } from "./views.ts";

const { csrf, ticket, passkey, response, code } = members;
const path = "/oauth/interactions/:uid/second-factor";
const CodeForm = z.strictObject({ csrf, ticket, code });
const SecondPasskeyForm = z.strictObject({ csrf, ticket, passkey, response });

const secondFactor = "second-factor";
const stepMs = 10 * minuteMs;
/** `first`: what was shown before it. */
const SecondFactor = z.strictObject({ account: z.string(), provenAt: ProvenAt, first: Proof });
type SecondFactor = z.output<typeof SecondFactor>;

/** The second of two factors. */
export const secondFactorPages = (deps: SignInDeps): Page[] => [codePage(deps), secondPasskeyPage(deps)];

const codePage = (deps: SignInDeps): Page =>
  page({
    method: "POST",
    path,
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
    path: `${path}/passkey`,
    params: Uid,
    form: SecondPasskeyForm,
    limit,
    refused: refusalPage,
    handle: async (call, { params: { uid }, form }) => {
      const asked = await deps.conversation.readForm(call, uid, form);
      const pending = { asked, ...(await pendingAccount(deps, call, { uid, ticket: form.ticket })) };
      try {
        const place = placeOf(call, asked);
        const given = { ticket: form.passkey, response: form.response, account: pending.account.id };
        const used = await deps.factors.passkeys.use(place, { ...given, verification: "preferred" });
        return await complete(deps, call, { ...pending, proofs: [pending.first, used.proof] });
      } catch (error) {
        return secondAnswer(deps, call, { ...pending, refused: textOfRefusal(error), status: 401 });
      }
    },
  });

/** A password, or the word of an identity provider, is alone enough for nobody who has more. */
export async function afterFirst(deps: SignInDeps, call: PageCall, attempt: Attempt): Promise<PageAnswer> {
  if (await deps.factors.hasSecond(attempt.account.id)) return secondAnswer(deps, call, attempt);
  return complete(deps, call, { ...attempt, proofs: [attempt.first] });
}

/** Who showed the first of two factors in this conversation, and when. */
async function pendingAccount(
  { tickets, accounts }: SignInDeps,
  call: PageCall,
  { uid, ticket: text }: { uid: string; ticket: string },
): Promise<Omit<Attempt, "asked">> {
  const place = { purpose: secondFactor, conversation: uid, now: call.now };
  const { content, madeAt } = tickets.open({ ...place, text }, SecondFactor);
  const account = await accountBegun(accounts, content.account, madeAt);
  return { account, provenAt: content.provenAt, first: content.first };
}

async function secondAnswer(
  { conversation, factors, tickets }: SignInDeps,
  call: PageCall,
  { asked, account, provenAt, first, refused, ...said }: Attempt & Said,
): Promise<PageAnswer> {
  const place = placeOf(call, asked);
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
