import type { Instant } from "@remit/kernel";
import type { PageAnswer, PageCall } from "@remit/platform/http";
import type { Account, Accounts } from "../accounts/index.ts";
import type { Proof } from "../assurance/index.ts";
import { type Conversation, placeOf } from "../conversation/index.ts";
import type { Enrolment } from "../enrolment/index.ts";
import { type Factors, passkeyScript } from "../factors/index.ts";
import type { Interactions, SignInAsked } from "../oidc/index.ts";
import type { FormCheck } from "../pages/index.ts";
import type { Tickets } from "../tickets/index.ts";
import { type Offers, signInPage } from "./views.ts";

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

export type Attempt = {
  readonly asked: SignInAsked;
  readonly account: Account;
  readonly provenAt: Instant;
  readonly first: Proof;
};

/** Signs in; somebody who cannot show as much as is asked may add what is missing, as far as we can take it. */
export async function complete(
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

/** What to say of an attempt. */
export type Said = { readonly refused?: string; readonly status?: number; readonly retryAfterS?: number };

export const saidOf = (
  checked: { kind: "refused" } | { kind: "locked"; retryAfterS: number },
  refused: string,
): Said => {
  if (checked.kind === "refused") return { refused, status: 401 };
  const { retryAfterS } = checked;
  const minutes = Math.ceil(retryAfterS / 60);
  return { refused: `Too many attempts. Try again in ${minutes} minutes.`, status: 429, retryAfterS };
};

/** The page that asks who it is. */
export async function signInAnswer(
  { accounts, conversation, factors, signUp, offers }: SignInDeps,
  call: PageCall,
  { asked, email = asked.hint ?? "", refused, ...said }: Said & { asked: SignInAsked; email?: string },
): Promise<PageAnswer> {
  const { known } = asked;
  const place = placeOf(call, asked);
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
