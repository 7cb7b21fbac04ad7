import { type Id, type Instant, instantOf, minuteMs } from "@remit/kernel";
import { type Page, type PageAnswer, type PageCall, page } from "@remit/platform/http";
import type { Database, TenantTx } from "@remit/platform/sql";
import { newEvent, Problem } from "@remit/protocol";
import { z } from "zod";
import type { Account, Accounts, NewPassword } from "../accounts/index.ts";
import { Proof } from "../assurance/index.ts";
import { type CheckedPasskey, deviceName, type Factors, passkeyScript } from "../factors/index.ts";
import { changes, letters, type MailedCodes, type Post } from "../mail/index.ts";
import type { SignInAsked } from "../oidc/index.ts";
import { refusalPage } from "../pages/index.ts";
import {
  type Conversation,
  type Enrolment,
  type KeptCodes,
  limit,
  mailedCodePage,
  members,
  refusedCode,
  textOfRefusal,
  Uid,
} from "../sign-in/index.ts";
import type { Ticket, Tickets } from "../tickets/index.ts";
import { recoveryPage, renewPage, secondField } from "./views.ts";

type Deps = {
  readonly db: Database;
  readonly accounts: Accounts;
  readonly factors: Factors;
  readonly tickets: Tickets;
  readonly mailedCodes: MailedCodes;
  readonly post: Post;
  readonly conversation: Conversation;
  readonly enrolment: Enrolment;
  readonly keptCodes: KeptCodes;
  /** Ends every session and lasting grant of a person, and suspends their mandates, in the transaction of the recovery. */
  readonly endAccess: (tx: TenantTx, of: { account: Id<"account">; now: Instant }) => Promise<void>;
};

/** Empty for an address that nobody has. */
const Sent = z.strictObject({ account: z.string() });
type Sent = z.output<typeof Sent>;
/** `proven`: when the proofs were shown, however many attempts at a new password followed. */
const Renewing = z.strictObject({ account: z.string(), proofs: z.array(Proof), proven: z.number() });
type Renewing = z.output<typeof Renewing>;

const purposes = { code: "recovery-code", renew: "recovery-renew" } as const;
const lifeMs = 15 * minuteMs;
const path = "/oauth/interactions/:uid/recovery";
const { csrf, ticket, passkey, response, code, email } = members;

/** For whoever lost what they sign in with. It takes the mailbox and, of whoever has a second factor, that or a recovery code. */
export const recoveryPages = (deps: Deps): Page[] => [
  page({
    method: "GET",
    path,
    params: Uid,
    refused: refusalPage,
    handle: async (call, { params: { uid } }) => {
      const asked = await deps.conversation.read(call, uid);
      const form = deps.conversation.form(asked, "recovery");
      return deps.conversation.show(asked, { html: recoveryPage(asked, { form }) });
    },
  }),
  addressPage(deps),
  codePage(deps),
  passwordPage(deps),
  passkeyPage(deps),
];

const placeOf = (call: PageCall, { uid }: { uid: string }) => ({ conversation: uid, now: call.now });

const addressPage = (deps: Deps): Page =>
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
      const sent = await deps.mailedCodes.send(
        { ...placeOf(call, asked), ip: call.ip },
        {
          purpose: purposes.code,
          email: form.email,
          digest: deps.accounts.digestOf(form.email),
          content,
          letter: (text) =>
            account === undefined
              ? { letter: letters.recoveryUnknown({ to }), opens: false }
              : { letter: letters.recoveryCode({ to, code: text }), opens: true },
        },
      );
      return askCode(deps, { asked, email: form.email, ticket: sent });
    },
  });

const askCode = (
  { conversation }: Deps,
  shown: { asked: SignInAsked; email: string; ticket: string; refused?: string; status?: number },
): PageAnswer =>
  conversation.show(shown.asked, {
    ...(shown.status === undefined ? {} : { status: shown.status }),
    html: mailedCodePage(shown.asked, {
      title: "Check your mail",
      why: "Type the code that we have just sent.",
      email: shown.email,
      form: conversation.form(shown.asked, "recovery/code"),
      leave: conversation.form(shown.asked, "leave"),
      ticket: shown.ticket,
      more: secondField,
      refused: shown.refused,
    }),
  });

const codePage = (deps: Deps): Page =>
  page({
    method: "POST",
    path: `${path}/code`,
    params: Uid,
    form: z.strictObject({ csrf, ticket, code, second: z.string().max(64) }),
    limit,
    refused: refusalPage,
    handle: async (call, { params: { uid }, form }) => {
      const asked = await deps.conversation.readForm(call, uid, form);
      const given = { purpose: purposes.code, ticket: form.ticket, code: form.code };
      const checked = await deps.mailedCodes.check(placeOf(call, asked), given, Sent);
      const again = (refused: string, status = 401) =>
        askCode(deps, { asked, email: checked.email, ticket: form.ticket, refused, status });
      if (checked.outcome !== "right") return again(refusedCode(checked.outcome));
      const account = await existing(deps, checked.ticket.madeAt, checked.content.account);
      const second = await secondProof(deps, call, { account, second: form.second });
      if ("refused" in second) return again(second.refused, second.status);
      await deps.mailedCodes.use(checked);
      return renew(deps, call, { asked, account, proofs: second.proofs, proven: call.now });
    },
  });

/** Never weaker than what it replaces: whoever had two factors shows a second one here. */
async function secondProof(
  { factors }: Deps,
  call: PageCall,
  { account, second }: { account: Account; second: string },
): Promise<{ proofs: Proof[] } | { refused: string; status: number }> {
  if (!(await factors.hasSecond(account.id))) return { proofs: [] };
  if (second.trim() === "")
    return {
      refused: "Your account has a second factor. Type a recovery code, or the code of your app.",
      status: 401,
    };
  const checked = await factors.codes.check({ account, code: second, ip: call.ip, now: call.now });
  if (checked.kind === "right") return { proofs: [{ kind: checked.as }] };
  if (checked.kind === "refused") return { refused: "The recovery code is not right.", status: 401 };
  return {
    refused: `Too many attempts. Try again in ${Math.ceil(checked.retryAfterS / 60)} minutes.`,
    status: 429,
  };
}

async function existing({ accounts }: Deps, begun: Instant, id: string): Promise<Account> {
  const account = await accounts.byId(id, begun);
  if (account === undefined) throw new Problem("invalid_request", { detail: "Begin again." });
  return account;
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
  { asked, account, proofs, proven, refused, status }: Renewal & { refused?: string; status?: number },
): Promise<PageAnswer> {
  const place = placeOf(call, asked);
  const content: Renewing = { account: account.id, proofs, proven };
  return conversation.show(asked, {
    scripts: [passkeyScript],
    ...(status === undefined ? {} : { status }),
    html: renewPage({
      forms: {
        passkey: conversation.form(asked, "recovery/passkey"),
        password: conversation.form(asked, "recovery/password"),
      },
      ticket: tickets.seal({ ...place, purpose: purposes.renew, lifeMs }, content),
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
  const place = { ...placeOf(call, asked), purpose: purposes.renew, text: form.ticket };
  const found = deps.tickets.open(place, Renewing);
  const account = await existing(deps, found.madeAt, found.content.account);
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
      let password: NewPassword;
      try {
        password = await deps.accounts.preparePassword(form.password, account.id);
      } catch (error) {
        return renew(deps, call, { ...found, refused: textOfRefusal(error), status: 400 });
      }
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
      const name = deviceName(call.header("user-agent"));
      const given = { ticket: form.passkey, response: form.response, name, account: account.id };
      const checked = await deps.factors.passkeys.checkEnrolment(placeOf(call, found.asked), given);
      const to = { account, notify: false, now: call.now };
      return done(deps, call, {
        ...found,
        passkey: checked,
        proof: { kind: "passkey", deviceBound: checked.deviceBound, userVerified: true },
        save: (tx) => deps.factors.passkeys.add(tx, checked, to),
      });
    },
  });

type Saving = {
  readonly proof: Proof;
  readonly passkey?: CheckedPasskey;
  readonly save: (tx: TenantTx) => Promise<void>;
};

/**
 * What is new, the end of all that somebody else may have in hand, the letter and the event: in one transaction. Then the
 * person is signed in.
 */
async function done(
  { db, accounts, factors, tickets, post, endAccess, ...deps }: Deps,
  call: PageCall,
  { asked, account, ticket: used, save, passkey, ...shown }: Opened & Saving,
): Promise<PageAnswer> {
  const { now } = call;
  const { proof } = shown;
  const proofs = [proof, ...shown.proofs];
  const appProven = proofs.some(({ kind }) => kind === "code") ? shown.proven : undefined;
  const codes = await db.of(account.home).transaction(async (tx) => {
    await tickets.claim(tx, used);
    await accounts.lock(tx, account.id);
    // Begun by the mailbox alone, when there was no second factor: whoever added one since is asked for it.
    if (shown.proofs.length === 0 && (await factors.hasSecondWithin(tx, account.id)))
      throw new Problem("invalid_request", {
        detail: "Your account has a second factor by now. Begin again and use it.",
      });
    await save(tx);
    await accounts.refuseSignInsBefore(tx, account.id, { now, begun: used.madeAt });
    await endAccess(tx, { account: account.id, now });
    const made = await factors.startOver(tx, account, { passkey, appProven, now });
    const actor = { type: "account", id: account.id } as const;
    const payload = { by: proof.kind };
    const facts = { tenant: account.home, actor, subject: account.id, payload };
    await tx.record(newEvent("account.recovered", facts, now));
    await post.send(tx, letters.changed({ to: account.email, what: changes.recovered }));
    return made;
  });
  // The recovery itself is the proof: what was begun before it starts no session, not even its own.
  const recovered = { account, proofs, provenAt: now };
  if (codes.length > 0) return deps.keptCodes.show(call, asked, { ...recovered, codes });
  const finished = await deps.conversation.finish(call, asked, recovered);
  if (finished !== false) return finished;
  if (asked.wanted.aal === 2 && !(await factors.hasSecond(account.id)))
    return deps.enrolment.begin(call, { asked, ...recovered });
  throw new Problem("forbidden", {
    detail: "You are back in. The application asks for more; start again there.",
  });
}
