import { randomBytes } from "node:crypto";
import { type Clock, type Id, type Instant, toNumericDate } from "@remit/kernel";
import type { RawPair } from "@remit/platform/http";
import { sha256b64url } from "@remit/protocol/node";
import type { Account, Accounts } from "../accounts/index.ts";
import type { Acr } from "../assurance/index.ts";
import { accountPagesId } from "../clients/index.ts";
import { type Sessions, sidOf } from "../sessions/index.ts";
import { openedBy, type Provider, pushOwnRequest } from "./seam.ts";

/** The person in front of a page of ours that is no part of an authorization. */
export type SignedIn = {
  readonly account: Account;
  readonly sid: string;
  readonly session: Id<"session">;
  /** What binds this browser, for the form check: it is in its cookie's record and nowhere else. */
  readonly conversation: string;
  readonly acr: string | undefined;
  readonly authenticatedAt: Instant;
};

export type WantedSignIn = {
  /** The page of ours to come back to. */
  readonly page: string;
  /** How strongly (RFC 9470); whoever cannot may add what is missing. */
  readonly acr?: Acr;
  /** Also of somebody who is signed in (OIDC Core §3.1.2.1, `prompt=login`). */
  readonly anew?: true;
};

/** Sign-in for the account pages, by the same way that every application goes: they are a client of this server. */
export type AccountAccess = {
  current(raw: RawPair): Promise<SignedIn | undefined>;
  /** Where to send the browser. It comes back to `/account/signed-in` with the page in `state`. */
  signInAt(wanted: WantedSignIn): Promise<string>;
};

type Deps = {
  readonly issuer: string;
  readonly clock: Clock;
  readonly accounts: Pick<Accounts, "byId">;
  readonly sessions: Sessions;
  readonly provider: () => Provider;
};

export const createAccountAccess = (deps: Deps): AccountAccess => ({
  current: (raw) => current(deps, raw),
  signInAt: (wanted) => signInAt(deps, wanted),
});

async function current({ accounts, sessions, provider }: Deps, raw: RawPair): Promise<SignedIn | undefined> {
  const opened = await openedBy(provider(), raw);
  if (opened?.accountId === undefined) return undefined;
  const sid = sidOf(opened.uid);
  const [account, session] = [await accounts.byId(opened.accountId), await sessions.used(sid)];
  if (account === undefined || session === undefined) return undefined;
  const { id, acr, authenticatedAt } = session;
  return { account, sid, session: id, conversation: opened.uid, acr, authenticatedAt };
}

/** A pushed request of our own: nobody else can make one for this client, and no code of it is ever redeemed. */
async function signInAt(
  { issuer, clock, provider }: Deps,
  { page, acr, anew }: WantedSignIn,
): Promise<string> {
  const now = toNumericDate(clock.now());
  const random = (): string => randomBytes(32).toString("base64url");
  const requestUri = await pushOwnRequest(provider(), {
    client_id: accountPagesId,
    response_type: "code",
    redirect_uri: `${issuer}/account/signed-in`,
    scope: "openid",
    state: page,
    nonce: random(),
    // The verifier is thrown away: what counts is that the person signed in.
    code_challenge: sha256b64url(random()),
    code_challenge_method: "S256",
    ...(acr === undefined ? {} : { acr_values: acr }),
    ...(anew === undefined ? {} : { prompt: "login" }),
    iss: accountPagesId,
    aud: issuer,
    iat: now,
    nbf: now,
    exp: now + 60,
  });
  const query = new URLSearchParams({ client_id: accountPagesId, request_uri: requestUri });
  return `${issuer}/oauth/authorize?${query.toString()}`;
}
