import { type Instant, minuteMs } from "@remit/kernel";
import { type Page, type PageAnswer, type PageCall, page } from "@remit/platform/http";
import type { Database, TenantTx } from "@remit/platform/sql";
import { Problem } from "@remit/protocol";
import { z } from "zod";
import type { Account, Accounts } from "../accounts/index.ts";
import { Proof } from "../assurance/index.ts";
import { deviceName, type Factors, passkeyScript } from "../factors/index.ts";
import { letters, type MailedCodes } from "../mail/index.ts";
import type { SignInAsked } from "../oidc/index.ts";
import { refusalPage } from "../pages/index.ts";
import type { Ticket, Tickets } from "../tickets/index.ts";
import { type Conversation, limit, members, type Proven, ProvenAt, Uid } from "./conversation.ts";
import type { KeptCodes } from "./kept-codes.http.ts";
import { addFactorPage, mailedCodePage, refusedCode } from "./step-views.ts";

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

const purposes = { code: "enrol-code", add: "enrol-add" } as const;
const lifeMs = 15 * minuteMs;
const path = "/oauth/interactions/:uid/enrol";
const { csrf, ticket, passkey, response, code } = members;

export const createEnrolment = (deps: Deps): Enrolment => ({
  begin: async (call, { asked, account, proofs, provenAt }) => {
    const content: Pending = { account: account.id, proofs: [...proofs], provenAt };
    const sent = await deps.mailedCodes.send(
      { ...placeOf(call, asked), ip: call.ip },
      {
        purpose: purposes.code,
        email: account.email,
        digest: deps.accounts.digestOf(account.email),
        content,
        letter: (text) => ({ letter: letters.confirmCode({ to: account.email, code: text }), opens: true }),
      },
    );
    return askCode(deps, { asked, account, ticket: sent });
  },
  pages: [codePage(deps), passkeyPage(deps), appPage(deps)],
});

const placeOf = (call: PageCall, { uid }: { uid: string }) => ({ conversation: uid, now: call.now });

const askCode = (
  { conversation }: Deps,
  shown: Omit<Attempt, "proofs" | "provenAt"> & { ticket: string; status?: number },
): PageAnswer =>
  conversation.show(shown.asked, {
    ...(shown.status === undefined ? {} : { status: shown.status }),
    html: mailedCodePage(shown.asked, {
      title: "Check your mail",
      why: "What you are about to do needs a second way to show that it is you. First show that this mailbox is yours.",
      email: shown.account.email,
      form: conversation.form(shown.asked, "enrol/code"),
      leave: conversation.form(shown.asked, "leave"),
      ticket: shown.ticket,
      refused: shown.refused,
    }),
  });

const codePage = (deps: Deps): Page =>
  page({
    method: "POST",
    path: `${path}/code`,
    params: Uid,
    form: z.strictObject({ csrf, ticket, code }),
    limit,
    refused: refusalPage,
    handle: async (call, { params: { uid }, form }) => {
      const asked = await deps.conversation.readForm(call, uid, form);
      const given = { purpose: purposes.code, ticket: form.ticket, code: form.code };
      const checked = await deps.mailedCodes.check(placeOf(call, asked), given, Pending);
      const account = await existing(deps, checked.content, checked.ticket.madeAt);
      if (checked.outcome === "right") {
        await deps.mailedCodes.use(checked);
        const { proofs, provenAt } = checked.content;
        return askFactor(deps, call, { asked, account, proofs, provenAt });
      }
      const refused = refusedCode(checked.outcome);
      return askCode(deps, { asked, account, ticket: form.ticket, refused, status: 401 });
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
      const begun = await pending(deps, call, { uid, form });
      const { asked, account } = begun;
      const name = deviceName(call.header("user-agent"));
      const given = { ticket: form.passkey, response: form.response, name, account: account.id };
      const checked = await deps.factors.passkeys.checkEnrolment(placeOf(call, asked), given);
      const proof = { kind: "passkey", deviceBound: checked.deviceBound, userVerified: true } as const;
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
  const place = { ...placeOf(call, asked), purpose: purposes.add, text: form.ticket };
  const opened = deps.tickets.open(place, Pending);
  const { content, madeAt } = opened;
  const account = await existing(deps, content, madeAt);
  const { proofs, provenAt } = content;
  return { asked, account, proofs, provenAt, ticket: opened };
}

async function existing({ accounts }: Deps, { account: id }: Pending, begun: Instant): Promise<Account> {
  const account = await accounts.byId(id, begun);
  if (account === undefined) throw new Problem("invalid_request", { detail: "Begin again." });
  return account;
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
      ticket: tickets.seal({ ...place, purpose: purposes.add, lifeMs }, content),
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
    await deps.accounts.lock(tx, account.id);
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
