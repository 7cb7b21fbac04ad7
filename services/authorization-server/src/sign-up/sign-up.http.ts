import { minuteMs, newId } from "@remit/kernel";
import { type Page, type PageAnswer, type PageCall, page } from "@remit/platform/http";
import type { Database } from "@remit/platform/sql";
import { z } from "zod";
import type { Accounts } from "../accounts/index.ts";
import {
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
import { type Factors, passkeyScript } from "../factors/index.ts";
import { letters, type MailedCodes } from "../mail/index.ts";
import type { SignInAsked } from "../oidc/index.ts";
import { refusalPage } from "../pages/index.ts";
import type { Ticket, Tickets } from "../tickets/index.ts";
import { createPerson, idOf, Person } from "./sign-up.ts";
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

const purpose = "sign-up-choose";
const lifeMs = 20 * minuteMs;
const path = "/oauth/interactions/:uid/sign-up";
const { csrf, ticket, passkey, response, email, name } = members;

/** A new account and its personal tenant. Whether an address has one already is told to its mailbox alone (A18). */
export function signUpPages(deps: Deps): Page[] {
  const mailed = mailedStep(deps);
  return [showPage(deps), personPage(deps, mailed), mailed.page, passkeyPage(deps), passwordPage(deps)];
}

const showPage = (deps: Deps): Page =>
  page({
    method: "GET",
    path,
    params: Uid,
    refused: refusalPage,
    handle: async (call, { params: { uid } }) => {
      const asked = await deps.conversation.read(call, uid);
      return askPerson(deps, asked, { name: "", email: asked.hint ?? "" });
    },
  });

const askPerson = (
  { conversation }: Deps,
  asked: SignInAsked,
  shown: { name: string; email: string },
): PageAnswer =>
  conversation.show(asked, {
    html: signUpPage(asked, { ...shown, form: conversation.form(asked, "sign-up") }),
  });

const mailedStep = (deps: Deps): MailedStepPages =>
  createMailedStep(deps, {
    purpose: "sign-up-code",
    step: "sign-up/code",
    why: "Type the code that we have just sent, so that we know the address is yours.",
    content: Person,
    right: async (call, { asked, code: { content }, use }) => {
      await use();
      return choose(deps, call, { asked, person: content });
    },
  });

const personPage = (deps: Deps, mailed: MailedStepPages): Page =>
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
      const content: Person = { id: newId("account"), name: form.name, email: to };
      return mailed.send(call, asked, {
        email: to,
        content,
        letter: (text) =>
          known
            ? { letter: letters.signUpKnown({ to }), opens: false }
            : { letter: letters.signUpCode({ to, code: text }), opens: true },
      });
    },
  });

type Choosing = { readonly asked: SignInAsked; readonly person: Person } & Partial<Refused>;

async function choose(
  { conversation, factors, tickets }: Deps,
  call: PageCall,
  { asked, person, refused, status = 200 }: Choosing,
): Promise<PageAnswer> {
  const place = placeOf(call, asked);
  return conversation.show(asked, {
    scripts: [passkeyScript],
    status,
    html: chooseFactorPage({
      forms: {
        passkey: conversation.form(asked, "sign-up/passkey"),
        password: conversation.form(asked, "sign-up/password"),
      },
      ticket: tickets.seal({ ...place, purpose, lifeMs }, person),
      email: person.email,
      passkey: await factors.passkeys.beginEnrolment(place, { ...person, id: idOf(person) }),
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
      const { now } = call;
      const given = { asked, form, account: idOf(person.content) };
      const { passkey: checked, proof } = await checkNewPasskey(deps.factors, call, given);
      const { account, more } = await createPerson(deps, now, {
        person,
        add: async (tx, made) => {
          await passkeys.add(tx, checked, { account: made, notify: false, now });
          return codes.makeRecoveryCodes(tx, made, { notify: false, now });
        },
      });
      const shown = { account, proofs: [proof], provenAt: now };
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
      const password = await choosePassword(deps.accounts, form.password);
      if ("refused" in password) return choose(deps, call, { asked, person: person.content, ...password });
      const none = async (): Promise<void> => undefined;
      const { account } = await createPerson(deps, call.now, { person, password, add: none });
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
): Ticket<Person> => tickets.open({ purpose, conversation: uid, now: call.now, text }, Person);
