import { type Instant, instantOf, minuteMs } from "@remit/kernel";
import { type Page, type PageAnswer, type PageCall, page } from "@remit/platform/http";
import { Problem } from "@remit/protocol";
import { z } from "zod";
import type { Account } from "../accounts/index.ts";
import { Proof } from "../assurance/index.ts";
import {
  accountBegun,
  type Conversation,
  checkNewPasskey,
  choosePassword,
  createMailedStep,
  type KeptCodes,
  limit,
  type MailedStepPages,
  members,
  placeOf,
  type Refused,
  Uid,
} from "../conversation/index.ts";
import type { Enrolment } from "../enrolment/index.ts";
import { passkeyScript } from "../factors/index.ts";
import { letters, type MailedCodes } from "../mail/index.ts";
import type { SignInAsked } from "../oidc/index.ts";
import { refusalPage } from "../pages/index.ts";
import type { Ticket } from "../tickets/index.ts";
import { type Recovering, type RecoveryDeps, recover } from "./recovery.ts";
import { recoveryPage, renewPage, secondField } from "./views.ts";

type Deps = RecoveryDeps & {
  readonly mailedCodes: MailedCodes;
  readonly conversation: Conversation;
  readonly enrolment: Enrolment;
  readonly keptCodes: KeptCodes;
};

/** Empty for an address that nobody has. */
const Sent = z.strictObject({ account: z.string() });
type Sent = z.output<typeof Sent>;
/** `proven`: when the proofs were shown, however many attempts at a new password followed. */
const Renewing = z.strictObject({ account: z.string(), proofs: z.array(Proof), proven: z.number() });
type Renewing = z.output<typeof Renewing>;

const purpose = "recovery-renew";
const lifeMs = 15 * minuteMs;
const path = "/oauth/interactions/:uid/recovery";
const { csrf, ticket, passkey, response, email } = members;

/** For whoever lost what they sign in with. It takes the mailbox and, of whoever has a second factor, that or a recovery code. */
export function recoveryPages(deps: Deps): Page[] {
  const mailed = mailedStep(deps);
  return [showPage(deps), addressPage(deps, mailed), mailed.page, passwordPage(deps), passkeyPage(deps)];
}

const showPage = ({ conversation }: Deps): Page =>
  page({
    method: "GET",
    path,
    params: Uid,
    refused: refusalPage,
    handle: async (call, { params: { uid } }) => {
      const asked = await conversation.read(call, uid);
      const form = conversation.form(asked, "recovery");
      return conversation.show(asked, { html: recoveryPage(asked, { form }) });
    },
  });

const mailedStep = (deps: Deps): MailedStepPages =>
  createMailedStep(deps, {
    purpose: "recovery-code",
    step: "recovery/code",
    why: "Type the code that we have just sent.",
    content: Sent,
    second: secondField,
    right: async (call, { asked, code: { content, ticket: sent }, second, use }) => {
      const account = await accountBegun(deps.accounts, content.account, sent.madeAt);
      const proofs = await secondProof(deps, call, { account, second });
      if ("refused" in proofs) return proofs;
      await use();
      return renew(deps, call, { asked, account, proofs, proven: call.now });
    },
  });

const addressPage = (deps: Deps, mailed: MailedStepPages): Page =>
  page({
    method: "POST",
    path,
    params: Uid,
    form: z.strictObject({ csrf, email }),
    limit,
    refused: refusalPage,
    handle: async (call, { params: { uid }, form }) => {
      const asked = await deps.conversation.readForm(call, uid, form);
      const account = await deps.accounts.byEmail(form.email);
      // To the address we know, not to what was typed: the two may look alike and lead to different mailboxes.
      const to = account?.email ?? form.email;
      const content: Sent = { account: account?.id ?? "" };
      return mailed.send(call, asked, {
        email: form.email,
        content,
        letter: (text) =>
          account === undefined
            ? { letter: letters.recoveryUnknown({ to }), opens: false }
            : { letter: letters.recoveryCode({ to, code: text }), opens: true },
      });
    },
  });

/** Never weaker than what it replaces: whoever had two factors shows a second one here. */
async function secondProof(
  { factors }: Deps,
  call: PageCall,
  { account, second }: { account: Account; second: string },
): Promise<Proof[] | Refused> {
  if (!(await factors.hasSecond(account.id))) return [];
  if (second.trim() === "")
    return {
      refused: "Your account has a second factor. Type a recovery code, or the code of your app.",
      status: 401,
    };
  const checked = await factors.codes.check({ account, code: second, ip: call.ip, now: call.now });
  if (checked.kind === "right") return [{ kind: checked.as }];
  if (checked.kind === "refused") return { refused: "The recovery code is not right.", status: 401 };
  return {
    refused: `Too many attempts. Try again in ${Math.ceil(checked.retryAfterS / 60)} minutes.`,
    status: 429,
  };
}

type Renewal = {
  readonly asked: SignInAsked;
  readonly account: Account;
  readonly proofs: Proof[];
  readonly proven: Instant;
};

async function renew(
  { conversation, factors, tickets }: Deps,
  call: PageCall,
  { asked, account, proofs, proven, refused, status = 200 }: Renewal & Partial<Refused>,
): Promise<PageAnswer> {
  const place = placeOf(call, asked);
  const content: Renewing = { account: account.id, proofs, proven };
  return conversation.show(asked, {
    scripts: [passkeyScript],
    status,
    html: renewPage({
      forms: {
        passkey: conversation.form(asked, "recovery/passkey"),
        password: conversation.form(asked, "recovery/password"),
      },
      ticket: tickets.seal({ ...place, purpose, lifeMs }, content),
      email: account.email,
      passkey: await factors.passkeys.beginEnrolment(place, account),
      refused,
    }),
  });
}

type Opened = Renewal & { readonly ticket: Ticket<Renewing> };

async function opened(
  deps: Deps,
  call: PageCall,
  { uid, form }: { uid: string; form: { csrf: string; ticket: string } },
): Promise<Opened> {
  const asked = await deps.conversation.readForm(call, uid, form);
  const place = { ...placeOf(call, asked), purpose, text: form.ticket };
  const found = deps.tickets.open(place, Renewing);
  const account = await accountBegun(deps.accounts, found.content.account, found.madeAt);
  const { proofs, proven } = found.content;
  return { asked, account, proofs, proven: instantOf(proven), ticket: found };
}

const passwordPage = (deps: Deps): Page =>
  page({
    method: "POST",
    path: `${path}/password`,
    params: Uid,
    form: z.strictObject({ csrf, ticket, username: email, password: members.password }),
    limit,
    refused: refusalPage,
    handle: async (call, { params: { uid }, form }) => {
      const found = await opened(deps, call, { uid, form });
      const { account } = found;
      const password = await choosePassword(deps.accounts, form.password, account.id);
      if ("refused" in password) return renew(deps, call, { ...found, ...password });
      return done(deps, call, {
        ...found,
        proof: { kind: "password" },
        save: (tx) => deps.accounts.savePassword(tx, { account, password, now: call.now }),
      });
    },
  });

const passkeyPage = (deps: Deps): Page =>
  page({
    method: "POST",
    path: `${path}/passkey`,
    params: Uid,
    form: z.strictObject({ csrf, ticket, passkey, response }),
    limit,
    refused: refusalPage,
    handle: async (call, { params: { uid }, form }) => {
      const found = await opened(deps, call, { uid, form });
      const { account } = found;
      const given = { asked: found.asked, form, account: account.id };
      const { passkey: checked, proof } = await checkNewPasskey(deps.factors, call, given);
      const to = { account, notify: false, now: call.now };
      return done(deps, call, {
        ...found,
        passkey: checked,
        proof,
        save: (tx) => deps.factors.passkeys.add(tx, checked, to),
      });
    },
  });

type Saving = Pick<Recovering, "proof" | "passkey" | "save">;

/** Then the person is signed in: the recovery itself is the proof, and what was begun before it starts no session. */
async function done(deps: Deps, call: PageCall, given: Opened & Saving): Promise<PageAnswer> {
  const { asked, account, proof } = given;
  const codes = await recover(deps, { ...given, now: call.now });
  const recovered = { account, proofs: [proof, ...given.proofs], provenAt: call.now };
  if (codes.length > 0) return deps.keptCodes.show(call, asked, { ...recovered, codes });
  const finished = await deps.conversation.finish(call, asked, recovered);
  if (finished !== false) return finished;
  if (asked.wanted.aal === 2 && !(await deps.factors.hasSecond(account.id)))
    return deps.enrolment.begin(call, { asked, ...recovered });
  throw new Problem("forbidden", {
    detail: "You are back in. The application asks for more; start again there.",
  });
}
