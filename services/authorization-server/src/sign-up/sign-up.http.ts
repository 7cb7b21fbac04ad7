import { minuteMs, newId, parseId } from "@remit/kernel";
import { type Page, type PageAnswer, type PageCall, page } from "@remit/platform/http";
import type { Database, TenantTx } from "@remit/platform/sql";
import { Problem } from "@remit/protocol";
import { z } from "zod";
import type { Account, Accounts, NewPassword } from "../accounts/index.ts";
import { deviceName, type Factors, passkeyScript } from "../factors/index.ts";
import { letters, type MailedCodes } from "../mail/index.ts";
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
import { createTenant, newTenantId } from "../tenants/index.ts";
import type { Ticket, Tickets } from "../tickets/index.ts";
import { chooseFactorPage, signUpPage } from "./views.ts";

type Deps = {
  readonly db: Database;
  readonly accounts: Accounts;
  readonly factors: Factors;
  readonly tickets: Tickets;
  readonly mailedCodes: MailedCodes;
  readonly conversation: Conversation;
  readonly keptCodes: KeptCodes;
  readonly enrolment: Enrolment;
};

/** Who signs up: the address is proven once this stands in a ticket of the second purpose. */
const Person = z.strictObject({ id: z.string(), name: z.string(), email: z.string() });
type Person = z.output<typeof Person>;

const purposes = { code: "sign-up-code", choose: "sign-up-choose" } as const;
const lifeMs = 20 * minuteMs;
const path = "/oauth/interactions/:uid/sign-up";
const { csrf, ticket, passkey, response, code, email, name } = members;

/** A new account and its personal tenant. Whether an address has one already is told to its mailbox alone (A18). */
export const signUpPages = (deps: Deps): Page[] => [
  page({
    method: "GET",
    path,
    params: Uid,
    refused: refusalPage,
    handle: async (call, { params: { uid } }) => {
      const asked = await deps.conversation.read(call, uid);
      return askPerson(deps, asked, { name: "", email: asked.hint ?? "" });
    },
  }),
  personPage(deps),
  codePage(deps),
  passkeyPage(deps),
  passwordPage(deps),
];

const askPerson = (
  { conversation }: Deps,
  asked: SignInAsked,
  shown: { name: string; email: string },
): PageAnswer =>
  conversation.show(asked, {
    html: signUpPage(asked, { ...shown, form: conversation.form(asked, "sign-up") }),
  });

const placeOf = (call: PageCall, { uid }: { uid: string }) => ({ conversation: uid, now: call.now });

const personPage = (deps: Deps): Page =>
  page({
    method: "POST",
    path,
    params: Uid,
    form: z.strictObject({ csrf, name, email }),
    limit,
    refused: refusalPage,
    handle: async (call, { params: { uid }, form }) => {
      const asked = await deps.conversation.readForm(call, uid, form);
      const known = (await deps.accounts.byEmail(form.email)) !== undefined;
      const to = form.email;
      const content: Person = { id: newId("account"), name: form.name, email: form.email };
      const sent = await deps.mailedCodes.send(
        { ...placeOf(call, asked), ip: call.ip },
        {
          purpose: purposes.code,
          email: to,
          digest: deps.accounts.digestOf(to),
          content,
          letter: (text) =>
            known
              ? { letter: letters.signUpKnown({ to }), opens: false }
              : { letter: letters.signUpCode({ to, code: text }), opens: true },
        },
      );
      return askCode(deps, { asked, email: to, ticket: sent });
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
      why: "Type the code that we have just sent, so that we know the address is yours.",
      email: shown.email,
      form: conversation.form(shown.asked, "sign-up/code"),
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
      const place = placeOf(call, asked);
      const given = { purpose: purposes.code, ticket: form.ticket, code: form.code };
      const checked = await deps.mailedCodes.check(place, given, Person);
      if (checked.outcome === "right") {
        await deps.mailedCodes.use(checked);
        return choose(deps, call, { asked, person: checked.content });
      }
      const refused = refusedCode(checked.outcome);
      return askCode(deps, { asked, email: checked.email, ticket: form.ticket, refused, status: 401 });
    },
  });

async function choose(
  { conversation, factors, tickets }: Deps,
  call: PageCall,
  {
    asked,
    person,
    refused,
    status,
  }: { asked: SignInAsked; person: Person; refused?: string; status?: number },
): Promise<PageAnswer> {
  const place = placeOf(call, asked);
  const id = parseId("account", person.id);
  if (id === undefined) throw new Problem("invalid_request");
  return conversation.show(asked, {
    scripts: [passkeyScript],
    ...(status === undefined ? {} : { status }),
    html: chooseFactorPage({
      forms: {
        passkey: conversation.form(asked, "sign-up/passkey"),
        password: conversation.form(asked, "sign-up/password"),
      },
      ticket: tickets.seal({ ...place, purpose: purposes.choose, lifeMs }, person),
      email: person.email,
      passkey: await factors.passkeys.beginEnrolment(place, { ...person, id }),
      refused,
    }),
  });
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
      const asked = await deps.conversation.readForm(call, uid, form);
      const person = openPerson(deps, call, { uid, text: form.ticket });
      const { passkeys, codes } = deps.factors;
      const given = { ticket: form.passkey, response: form.response, account: idOf(person) };
      const called = deviceName(call.header("user-agent"));
      const checked = await passkeys.checkEnrolment(placeOf(call, asked), { ...given, name: called });
      const { account, more } = await create(deps, call, {
        person,
        add: async (tx, made) => {
          await passkeys.add(tx, checked, { account: made, notify: false, now: call.now });
          return codes.makeRecoveryCodes(tx, made, { notify: false, now: call.now });
        },
      });
      const proof = { kind: "passkey", deviceBound: checked.deviceBound, userVerified: true } as const;
      const shown = { account, proofs: [proof], provenAt: call.now };
      return deps.keptCodes.show(call, asked, { ...shown, codes: more });
    },
  });

const passwordPage = (deps: Deps): Page =>
  page({
    method: "POST",
    path: `${path}/password`,
    params: Uid,
    form: z.strictObject({ csrf, ticket, username: email, password: members.password }),
    limit,
    refused: refusalPage,
    handle: async (call, { params: { uid }, form }) => {
      const asked = await deps.conversation.readForm(call, uid, form);
      const person = openPerson(deps, call, { uid, text: form.ticket });
      let password: NewPassword;
      try {
        password = await deps.accounts.preparePassword(form.password);
      } catch (error) {
        return choose(deps, call, {
          asked,
          person: person.content,
          refused: textOfRefusal(error),
          status: 400,
        });
      }
      const { account } = await create(deps, call, { person, password, add: async () => undefined });
      const proven = { account, proofs: [{ kind: "password" } as const], provenAt: call.now };
      const finished = await deps.conversation.finish(call, asked, proven);
      if (finished !== false) return finished;
      return deps.enrolment.begin(call, { asked, ...proven });
    },
  });

const openPerson = (
  { tickets }: Deps,
  call: PageCall,
  { uid, text }: { uid: string; text: string },
): Ticket<Person> =>
  tickets.open({ purpose: purposes.choose, conversation: uid, now: call.now, text }, Person);

function idOf({ content }: Ticket<Person>): Account["id"] {
  const id = parseId("account", content.id);
  if (id === undefined) throw new Problem("invalid_request");
  return id;
}

/** Tenant, account and way in, in one transaction: nobody is left with half of it. */
async function create<T>(
  { db, accounts, tickets }: Deps,
  call: PageCall,
  given: {
    person: Ticket<Person>;
    password?: NewPassword;
    add: (tx: TenantTx, account: Account) => Promise<T>;
  },
): Promise<{ account: Account; more: T }> {
  const { person, password, add } = given;
  const { now } = call;
  return db.of(newTenantId()).transaction(async (tx) => {
    await tickets.claim(tx, person);
    await createTenant(tx, { name: person.content.name, kind: "personal", now });
    const wanted = { ...person.content, id: idOf(person), ...(password === undefined ? {} : { password }) };
    const account = await accounts.create(tx, wanted, now);
    return { account, more: await add(tx, account) };
  });
}
