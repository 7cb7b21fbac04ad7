import { minuteMs } from "@remit/kernel";
import { type Page, type PageAnswer, type PageCall, page } from "@remit/platform/http";
import type { Database, TenantTx } from "@remit/platform/sql";
import { Problem } from "@remit/protocol";
import { z } from "zod";
import type { Accounts } from "../accounts/index.ts";
import { Proof } from "../assurance/index.ts";
import {
  accountBegun,
  type Conversation,
  checkNewPasskey,
  createMailedStep,
  type KeptCodes,
  limit,
  members,
  type Proven,
  ProvenAt,
  placeOf,
  Uid,
} from "../conversation/index.ts";
import { type Factors, passkeyScript } from "../factors/index.ts";
import { letters, type MailedCodes } from "../mail/index.ts";
import type { SignInAsked } from "../oidc/index.ts";
import { refusalPage } from "../pages/index.ts";
import type { Ticket, Tickets } from "../tickets/index.ts";
import { addFactorPage } from "./views.ts";

/**
 * A second factor, added in the middle of a sign-in by somebody who has none and is asked for one. Whoever only has the
 * password cannot add it: the mailbox must be theirs as well.
 */
export type Enrolment = {
  begin(call: PageCall, given: Begun): Promise<PageAnswer>;
  readonly pages: readonly Page[];
};

/** Who has shown something, and when. */
type Begun = Proven & { readonly asked: SignInAsked };
type Deps = {
  readonly db: Database;
  readonly accounts: Accounts;
  readonly factors: Factors;
  readonly tickets: Tickets;
  readonly mailedCodes: MailedCodes;
  readonly conversation: Conversation;
  readonly keptCodes: KeptCodes;
};
const Pending = z.strictObject({ account: z.string(), proofs: z.array(Proof), provenAt: ProvenAt });
type Pending = z.output<typeof Pending>;
type Attempt = Begun & { readonly refused?: string };

const purpose = "enrol-add";
const lifeMs = 15 * minuteMs;
const path = "/oauth/interactions/:uid/enrol";
const { csrf, ticket, passkey, response, code } = members;

export function createEnrolment(deps: Deps): Enrolment {
  const mailed = createMailedStep(deps, {
    purpose: "enrol-code",
    step: "enrol/code",
    why: "What you are about to do needs a second way to show that it is you. First show that this mailbox is yours.",
    content: Pending,
    right: async (call, { asked, code: { content, ticket: sent }, use }) => {
      const account = await accountBegun(deps.accounts, content.account, sent.madeAt);
      await use();
      const { proofs, provenAt } = content;
      return askFactor(deps, call, { asked, account, proofs, provenAt });
    },
  });
  return {
    begin: (call, { asked, account, proofs, provenAt }) => {
      const content: Pending = { account: account.id, proofs: [...proofs], provenAt };
      const to = account.email;
      return mailed.send(call, asked, {
        email: to,
        content,
        letter: (text) => ({ letter: letters.confirmCode({ to, code: text }), opens: true }),
      });
    },
    pages: [mailed.page, passkeyPage(deps), appPage(deps)],
  };
}

const passkeyPage = (deps: Deps): Page =>
  page({
    method: "POST",
    path: `${path}/passkey`,
    params: Uid,
    form: z.strictObject({ csrf, ticket, passkey, response }),
    limit,
    refused: refusalPage,
    handle: async (call, { params: { uid }, form }) => {
      const begun = await pending(deps, call, { uid, form });
      const { asked, account } = begun;
      const given = { asked, form, account: account.id };
      const { passkey: checked, proof } = await checkNewPasskey(deps.factors, call, given);
      return done(deps, call, {
        ...begun,
        proof,
        add: (tx) => deps.factors.passkeys.add(tx, checked, { account, notify: true, now: call.now }),
      });
    },
  });

const appPage = (deps: Deps): Page =>
  page({
    method: "POST",
    path: `${path}/app`,
    params: Uid,
    form: z.strictObject({ csrf, ticket, app: members.ticket, code }),
    limit,
    refused: refusalPage,
    handle: async (call, { params: { uid }, form }) => {
      const begun = await pending(deps, call, { uid, form });
      const { asked, account } = begun;
      const given = { ticket: form.app, code: form.code, account: account.id };
      const app = deps.factors.codes.checkApp(placeOf(call, asked), given);
      if (app === undefined) {
        const refused = "The code is not right. Scan the new QR code and try again.";
        return askFactor(deps, call, { ...begun, refused });
      }
      return done(deps, call, {
        ...begun,
        proof: { kind: "code" },
        add: (tx) => deps.factors.codes.addApp(tx, app, { account, now: call.now }),
      });
    },
  });

type Pended = Begun & { readonly ticket: Ticket<Pending> };

async function pending(
  deps: Deps,
  call: PageCall,
  { uid, form }: { uid: string; form: { csrf: string; ticket: string } },
): Promise<Pended> {
  const asked = await deps.conversation.readForm(call, uid, form);
  const place = { ...placeOf(call, asked), purpose, text: form.ticket };
  const opened = deps.tickets.open(place, Pending);
  const { content, madeAt } = opened;
  const account = await accountBegun(deps.accounts, content.account, madeAt);
  const { proofs, provenAt } = content;
  return { asked, account, proofs, provenAt, ticket: opened };
}

async function askFactor(
  { conversation, factors, tickets }: Deps,
  call: PageCall,
  { asked, account, proofs, provenAt, refused }: Attempt,
): Promise<PageAnswer> {
  const place = placeOf(call, asked);
  const content: Pending = { account: account.id, proofs: [...proofs], provenAt };
  return conversation.show(asked, {
    scripts: [passkeyScript],
    html: addFactorPage(asked, {
      forms: {
        passkey: conversation.form(asked, "enrol/passkey"),
        app: conversation.form(asked, "enrol/app"),
        leave: conversation.form(asked, "leave"),
      },
      ticket: tickets.seal({ ...place, purpose, lifeMs }, content),
      passkey: await factors.passkeys.beginEnrolment(place, account),
      app: factors.codes.offerApp(place, account),
      refused,
    }),
  });
}

type Added = Pended & {
  readonly proof: Proof;
  readonly add: (tx: TenantTx) => Promise<void>;
};

/**
 * The factor and the codes for the day on which it is lost, in one transaction. It takes an account that has no second
 * factor still: whoever got so far with one proof alone does not replace one that its owner added meanwhile.
 */
async function done(deps: Deps, call: PageCall, added: Added): Promise<PageAnswer> {
  const { asked, account, provenAt, ticket: used, add } = added;
  const codes = await deps.db.of(account.home).transaction(async (tx) => {
    await deps.accounts.lock(tx, account.id, used.madeAt);
    if (await deps.factors.hasSecondWithin(tx, account.id)) throw addedMeanwhile();
    await deps.tickets.claim(tx, used);
    await add(tx);
    return deps.factors.codes.makeRecoveryCodes(tx, account, { notify: false, now: call.now });
  });
  const proofs = [...added.proofs, added.proof];
  return deps.keptCodes.show(call, asked, { account, proofs, provenAt, codes });
}

const addedMeanwhile = (): Problem =>
  new Problem("invalid_request", {
    detail: "Your account has a second way by now. Begin again and use it.",
  });
